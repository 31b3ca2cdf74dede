import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { type ContainerPlaces, containerFacts } from "../../agent/sources/container-files.ts";

const id = "ab".repeat(32);

/** Files as the runtimes write them, in folders of the test. */
class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-runtimes-"));
  readonly places: ContainerPlaces = {
    docker: join(this.folder, "docker"),
    storage: join(this.folder, "storage"),
    storageRun: join(this.folder, "run"),
    containerd: join(this.folder, "containerd"),
  };

  put(path: string, content: unknown): string {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  }

  facts() {
    return containerFacts(id, this.places);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What `podman run` has written, with version 4.3. */
const podman = {
  id,
  names: ["build"],
  image: "f076080dd6fda5758a4d16cd71e4a34a2b0e0c1cac5eea3bcf52318589c477e1",
  layer: "eda80a6d76326810a75eaa962811e23d862bddd3c78ae45e697d413d1eb67818",
  metadata:
    '{"image-name":"localhost/kw/test:1","image-id":"f076080dd6fda5758a4d16cd71e4a34a2b0e0c1cac5eea3bcf52318589c477e1","name":"build","created-at":1795658726}',
  created: "2026-11-26T02:05:26.299252535Z",
  flags: { MountLabel: "", ProcessLabel: "" },
};

test("containerFacts(): Docker's name, image and first process", () => {
  using world = new World();
  world.put(`docker/${id}/config.v2.json`, {
    ID: id,
    Name: "/web",
    Image: "sha256:cd",
    Config: { Image: "nginx:1.25" },
    State: { Running: true, Pid: 42 },
  });
  assert.deepEqual(world.facts(), { runtime: "docker", name: "web", image: "nginx:1.25", pid: 42 });
});

for (const file of [
  "storage/overlay-containers/containers.json",
  "storage/vfs-containers/containers.json",
  "run/overlay-containers/volatile-containers.json",
])
  test(`containerFacts(): Podman's, of ${file}`, () => {
    using world = new World();
    world.put(file, [{ ...podman, id: "cd".repeat(32), names: ["other"] }, podman]);
    const driver = file.split("/")[1];
    world.put(`run/${driver}/${id}/userdata/pidfile`, "1756");
    const want = { runtime: "podman", name: "build", image: "localhost/kw/test:1", pid: 1_756 };
    assert.deepEqual(world.facts(), want);
  });

test("containerFacts(): CRI-O's are of a pod", () => {
  using world = new World();
  const metadata = JSON.stringify({ "pod-name": "web-0", "pod-id": "p", "image-name": "quay.io/a/b:2" });
  world.put("storage/overlay-containers/containers.json", [{ id, names: ["k8s_b_web-0"], metadata }]);
  assert.deepEqual(world.facts(), {
    runtime: "cri-o",
    name: "k8s_b_web-0",
    image: "quay.io/a/b:2",
    pid: undefined,
  });
});

test("containerFacts(): containerd's, by the annotations of Kubernetes", () => {
  using world = new World();
  const bundle = `containerd/k8s.io/${id}`;
  world.put(`${bundle}/config.json`, {
    ociVersion: "1.1.0",
    annotations: {
      "io.kubernetes.cri.container-name": "web",
      "io.kubernetes.cri.image-name": "registry.k8s.io/web:3",
    },
  });
  world.put(`${bundle}/init.pid`, "77");
  assert.deepEqual(world.facts(), {
    runtime: "containerd",
    name: "web",
    image: "registry.k8s.io/web:3",
    pid: 77,
  });
});

test("containerFacts(): a container without an image's name has none", () => {
  using world = new World();
  world.put("storage/overlay-containers/containers.json", [{ ...podman, metadata: '{"image-name":""}' }]);
  assert.equal(world.facts()?.image, undefined);
  world.put(`docker/${id}/config.v2.json`, { Config: {}, State: { Pid: 0 } });
  assert.deepEqual(world.facts(), { runtime: "docker", name: undefined, image: undefined, pid: undefined });
});

const bad = [
  { why: "that is cut off", content: '[{"id":"ab' },
  { why: "of another form", content: { id } },
  { why: "with no objects in it", content: [null, 1, "a", [], {}] },
  { why: "that is empty", content: "" },
] as const;
for (const { why, content } of bad)
  test(`containerFacts(): a file ${why} tells nothing`, () => {
    using world = new World();
    world.put("storage/overlay-containers/containers.json", content);
    world.put(`containerd/default/${id}/config.json`, typeof content === "string" ? content : "[]");
    assert.equal(world.facts()?.image, undefined);
  });

test("containerFacts(): waits for no device and reads no folder in the place of a file", () => {
  using world = new World();
  mkdirSync(join(world.folder, `docker/${id}/config.v2.json`), { recursive: true });
  mkdirSync(join(world.folder, "storage/overlay-containers"), { recursive: true });
  symlinkSync("/dev/zero", join(world.folder, "storage/overlay-containers/containers.json"));
  assert.equal(world.facts(), undefined);
});
