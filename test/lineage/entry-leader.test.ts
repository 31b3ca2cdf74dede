import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExecEvent } from "../../agent/events/exec-event.ts";
import { entryLeader } from "../../agent/lineage/entry-leader.ts";
import { leaderAmong, readOnce } from "../../agent/lineage/process-details.ts";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";
import { imageOf } from "../helpers/images.ts";

const init = imageOf({ pid: 1, ppid: 0, executable: "/usr/lib/systemd/systemd" }, { unresolved: "none" });

interface Step extends Partial<ExecEvent> {
  readonly takenOver?: true; // the next one adopted it
}

/** A chain from the process itself to its last known ancestor: paths, or more than a path. */
function chainOf(...steps: readonly (string | Step | ProcessImage)[]): ProcessImage[] {
  return steps.map((step, index) => {
    if (typeof step === "object" && "exec" in step) return step;
    const { takenOver, ...exec } = typeof step === "string" ? { executable: step } : step;
    const ids = { pid: 900 - index, ppid: 899 - index };
    return imageOf({ ...ids, ...exec }, takenOver ? { adopter: init, unresolved: "orphaned" } : {});
  });
}

const rpm = { executable: "/usr/bin/rpm" };
const bash = { executable: "/usr/bin/bash" };
const onPts = { tty: "pts0" };
const rows: readonly {
  why: string;
  chain: readonly (string | Step | ProcessImage)[];
  want: readonly [type: string, index: number | undefined];
}[] = [
  { why: "a service", chain: ["/usr/bin/rpm", "/usr/sbin/crond", init], want: ["init", 1] },
  { why: "what init started is its own leader", chain: ["/usr/bin/dnf", init], want: ["init", 0] },
  { why: "pid 1", chain: [init], want: ["init", 0] },
  {
    why: "a shell that sshd started",
    chain: [{ ...rpm, ...onPts }, { ...bash, ...onPts }, "/usr/sbin/sshd", "/usr/sbin/sshd", init],
    want: ["sshd", 1],
  },
  {
    why: "a command without a terminal, by the sshd of OpenSSH 9.8",
    chain: ["/usr/bin/rpm", "/usr/lib/ssh/sshd-session", "/usr/sbin/sshd", init],
    want: ["sshd", 0],
  },
  { why: "sshd itself is a service", chain: ["/usr/sbin/sshd", "/usr/sbin/sshd", init], want: ["init", 1] },
  {
    why: "another terminal below it is the same way",
    chain: [{ ...rpm, tty: "pts1" }, { executable: "/usr/bin/sudo", ...onPts }, bash, "/usr/sbin/sshd"],
    want: ["sshd", 2],
  },
  {
    why: "a container on a host that was entered by ssh",
    chain: ["/usr/bin/rpm", "/bin/sh", "/usr/bin/runc", "/usr/bin/podman", bash, "/usr/sbin/sshd", init],
    want: ["container", 1],
  },
  {
    why: "the server's own helpers are in no container",
    chain: ["/usr/bin/runc", "/usr/bin/containerd-shim-runc-v2", init],
    want: ["init", 1],
  },
  {
    why: "who came from outside of the pid namespace",
    chain: ["/usr/bin/rpm", { ...bash, ppid: 0 }],
    want: ["container", 1],
  },
  {
    why: "a session by Systems Manager",
    chain: ["/usr/bin/rpm", { ...bash, ...onPts }, "/usr/bin/ssm-session-worker", init],
    want: ["ssm", 1],
  },
  {
    why: "a terminal window, though nobody knows who started its program",
    chain: [{ ...rpm, ...onPts }, { ...bash, ...onPts }, "/usr/libexec/gnome-terminal-server"],
    want: ["terminal", 1],
  },
  {
    why: "of terminals within terminals the outermost one",
    chain: [
      { ...rpm, tty: "pts3" },
      { ...bash, tty: "pts3" },
      { executable: "/usr/bin/script", ...onPts },
      { ...bash, ...onPts },
      "/usr/bin/xterm",
      init,
    ],
    want: ["terminal", 3],
  },
  {
    why: "a login at the console",
    chain: [
      { ...rpm, tty: "tty1" },
      { ...bash, tty: "tty1" },
      { executable: "/usr/bin/login", tty: "tty1" },
      init,
    ],
    want: ["console", 2],
  },
  {
    why: "a login by a serial line",
    chain: [{ ...bash, tty: "ttyS0" }, { executable: "/usr/bin/login", tty: "ttyS0" }, init],
    want: ["console", 1],
  },
  {
    why: "a terminal whose first process nobody knows",
    chain: [
      { ...rpm, ...onPts },
      { ...bash, ...onPts },
    ],
    want: ["unknown", undefined],
  },
  { why: "no terminal, and no way to pid 1", chain: ["/usr/bin/rpm", bash], want: ["unknown", undefined] },
  {
    why: "what pid 1 took over from a login",
    chain: ["/usr/bin/rpm", { ...bash, ses: 3, takenOver: true }, init],
    want: ["unknown", undefined],
  },
  {
    why: "what pid 1 started or took over, of no login",
    chain: ["/usr/bin/rpm", { ...bash, takenOver: true }, init],
    want: ["init", 1],
  },
  {
    why: "a program that only begins like a server",
    chain: ["/usr/bin/rpm", "/opt/sshdx", init],
    want: ["init", 1],
  },
];
for (const { why, chain: steps, want } of rows) {
  test(`entryLeader(): ${why}`, () => {
    const chain = chainOf(...steps);
    const [image = init, ...ancestors] = chain;
    const leader = entryLeader(image, ancestors);
    const index = leader.image && chain.indexOf(leader.image);
    assert.deepEqual([leader.type, index], want);
  });
}

test("leaderAmong(): the process itself, an ancestor, or nobody", () => {
  const [image = init, parent, ...rest] = chainOf("/usr/bin/rpm", "/usr/bin/bash", "/usr/sbin/sshd");
  const ancestors = [parent ?? init, ...rest];
  assert.equal(leaderAmong(900, image, ancestors), image);
  assert.equal(leaderAmong(899, image, ancestors), parent);
  assert.equal(leaderAmong(7, image, ancestors), undefined);
  assert.equal(leaderAmong(undefined, image, ancestors), undefined);
});

test("readOnce(): asks once for each image, also when nothing is known of it", () => {
  const asked: number[] = [];
  const read = readOnce(({ pid }) => {
    asked.push(pid);
    return undefined;
  });
  const [one = init, other = init] = chainOf("/usr/bin/rpm", "/usr/bin/bash");
  for (const image of [one, one, other, one]) assert.equal(read(image), undefined);
  assert.deepEqual(asked, [900, 899]);
});
