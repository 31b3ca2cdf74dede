import assert from "node:assert/strict";
import { test } from "node:test";
import { bootTimeMs } from "../../agent/sources/boot-time.ts";
import type { ContainerFacts } from "../../agent/sources/container-files.ts";
import { containerIn, readContainer } from "../../agent/sources/process-container.ts";
import { FakeProc, type FakeProcess } from "../helpers/fake-proc.ts";

const id = "ab".repeat(32);
const other = "cd".repeat(32);

const groups = [
  { why: "Docker with systemd", path: `/system.slice/docker-${id}.scope`, want: [id, "docker"] },
  { why: "Docker with cgroupfs", path: `/docker/${id}`, want: [id, "docker"] },
  { why: "Podman with systemd", path: `/machine.slice/libpod-${id}.scope/container`, want: [id, "podman"] },
  { why: "Podman with cgroupfs", path: `/libpod_parent/libpod-${id}`, want: [id, "podman"] },
  {
    why: "a user's Podman",
    path: `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope`,
    want: [id, "podman"],
  },
  { why: "CRI-O", path: `/kubepods.slice/kubepods-pod1.slice/crio-${id}.scope`, want: [id, "cri-o"] },
  {
    why: "containerd with systemd",
    path: `/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope`,
    want: [id, "containerd"],
  },
  { why: "Kubernetes with cgroupfs", path: `/kubepods/burstable/pod1/${id}`, want: [id, undefined] },
  { why: "a service in a container", path: `/docker/${id}/system.slice/cron.service`, want: [id, "docker"] },
  { why: "a container in a container", path: `/docker/${id}/docker/${other}`, want: [other, "docker"] },
  { why: "who looks after a container", path: `/machine.slice/libpod-conmon-${id}.scope`, want: undefined },
  { why: "a service", path: "/system.slice/docker.service", want: undefined },
  { why: "a login", path: "/user.slice/user-0.slice/session-3.scope", want: undefined },
  { why: "the root", path: "/", want: undefined },
  { why: "a name that is too short", path: `/docker/${id.slice(1)}`, want: undefined },
] as const;
for (const { why, path, want } of groups)
  test(`containerIn(): ${why}`, () => {
    const found = containerIn(`0::${path}\n`);
    assert.deepEqual(found && [found.id, found.runtime], want);
    const legacy = `12:pids:${path}\n1:name=systemd:${path}\n0::/\n`;
    assert.deepEqual(containerIn(legacy), found, "with the control groups of version 1");
  });

test("containerIn(): a colon in a group's name is part of it", () => {
  assert.equal(containerIn(`0::/a:b/docker/${id}\n`)?.id, id);
});

const timeMs = bootTimeMs() + 60_000;
const build: ContainerFacts = { runtime: "docker", name: "build", image: "kw/build:1", pid: 50 };

function containerOf(fake: FakeProcess, facts: ContainerFacts | undefined = build, pid = 42) {
  using proc = new FakeProc(100);
  proc.put(1, { mounts: "mnt:[1]" });
  proc.put(50, { mounts: "mnt:[2]" });
  proc.put(42, { cgroup: `0::/docker/${id}\n`, mounts: "mnt:[2]", ...fake });
  return readContainer({ pid, timeMs }, (asked) => (asked === id ? facts : undefined), proc.root);
}

test("readContainer(): of who is in the group and has the files of the container's first process", () => {
  assert.deepEqual(containerOf({}), {
    id,
    runtime: "docker",
    name: "build",
    image: "kw/build:1",
    reason: undefined,
  });
});

test("readContainer(): a process of the host is in none", () => {
  assert.equal(containerOf({ cgroup: "0::/system.slice/a.service\n" }), "none");
});

test("readContainer(): of one that is over, or that has only the pid, nobody can tell", () => {
  assert.equal(containerOf({}, build, 43), undefined);
  assert.equal(containerOf({ startTicks: 100_000 }), undefined);
});

const nameless: readonly { why: string; fake?: FakeProcess; facts?: ContainerFacts; reason: RegExp }[] = [
  { why: "who only moved into its group", fake: { mounts: "mnt:[1]" }, reason: /not in its mount namespace/ },
  {
    why: "who has other files than its first process",
    fake: { mounts: "mnt:[3]" },
    reason: /mount namespace/,
  },
  {
    why: "who has the host's files, where the first process is not known",
    fake: { mounts: "mnt:[1]" },
    facts: { ...build, pid: undefined },
    reason: /not in its mount namespace/,
  },
  {
    why: "a container that no runtime knows",
    fake: { cgroup: `0::/docker/${other}\n` },
    reason: /no runtime/,
  },
  {
    why: "a container without an image's name",
    facts: { ...build, image: undefined },
    reason: /do not name/,
  },
];
for (const { why, fake = {}, facts, reason } of nameless)
  test(`readContainer(): has no image of ${why}`, () => {
    const found = containerOf(fake, facts);
    assert.ok(typeof found === "object");
    assert.equal(found.image, undefined);
    assert.match(found.reason ?? "", reason);
  });

test("readContainer(): other files than the host's are enough where the first process is not known", () => {
  const found = containerOf({ mounts: "mnt:[3]" }, { ...build, pid: undefined });
  assert.ok(typeof found === "object" && found.image === "kw/build:1");
});

test("readContainer(): the kernel's own /proc can be asked", () => {
  const found = readContainer({ pid: process.pid, timeMs: Date.now() });
  assert.ok(found !== undefined);
});
