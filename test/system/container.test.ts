/** Real containers on a real host: Podman and runc, an image made of this host's own programs, audit and the daemon. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { kinwatch, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { findProgram, needs } from "../helpers/real-parts.ts";
import { rulesOff } from "../helpers/rules-off.ts";

const skip = needsAuditHost() || needs("root", "rpm", "podman");
const version = process.pid;

/** A root with sh, sleep and rpm, as an image of two names. */
class Images implements Disposable {
  readonly names = ["kw-build", "kw-other"].map((name) => `localhost/${name}:${version}`);

  constructor(folder: string) {
    const root = join(folder, "root");
    for (const name of ["bin", "proc", "dev", "tmp"]) mkdirSync(join(root, name), { recursive: true });
    for (const name of ["sh", "sleep", "rpm"]) copyProgram(realpathSync(findProgram(name) ?? name), root);
    symlinkSync(realpathSync(findProgram("sh") ?? "sh"), join(root, "bin/sh"));
    writeFileSync(join(root, "install.sh"), "#!/bin/sh\n/usr/bin/rpm -i kw.rpm\n/usr/bin/sleep 1\n");
    chmodSync(join(root, "install.sh"), 0o755);
    const tar = join(folder, "image.tar");
    execFileSync("tar", ["-cf", tar, "-C", root, "."], { timeout: 60_000 });
    for (const name of this.names) podman("import", "-q", tar, name);
  }

  /** The limits are below those of any host: a container may not raise them. */
  run(image: string, ...given: readonly string[]): void {
    const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
    podman(
      "run",
      "--rm",
      "--runtime",
      "runc",
      "--network",
      "none",
      ...limits,
      ...given,
      image,
      "/install.sh",
    );
  }

  [Symbol.dispose](): void {
    for (const name of this.names) podman("rmi", "-f", name);
  }
}

function podman(...args: readonly string[]): void {
  const command = ["--cgroup-manager", "cgroupfs", ...args];
  const { status, stderr } = spawnSync("podman", command, {
    encoding: "utf8",
    timeout: 60_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
  assert.equal(status, 0, stderr);
}

function copyProgram(path: string, root: string): void {
  const libraries = execFileSync("ldd", [path], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  for (const file of [path, ...libraries]) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
}

async function alerts(running: Running, count: number): Promise<AlertDocument[]> {
  await running.until("stdout", new RegExp(`^(?:.*\n){${count}}`));
  return running.stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AlertDocument);
}

test("run: tells in which container and of which image, and each image has a baseline of its own", {
  skip,
}, async (t) => {
  await using host = await startAuditHost();
  const folder = join(realpathSync(host.folder), "kinwatch");
  mkdirSync(join(folder, "exceptions.d"), { recursive: true, mode: 0o700 });
  using images = new Images(folder);
  const [build = "", other = ""] = images.names;
  const config = join(folder, "kinwatch.toml");
  writeFileSync(
    config,
    `${rulesOff}\n[source]\naudit_log = "${host.logFile}"\n[state]\ndirectory = "state"\n[exceptions]\ndirectory = "exceptions.d"\n` +
      '[output.journald]\nenabled = false\n[output.stdout]\nenabled = true\nformat = "ndjson"\n',
    { mode: 0o600 },
  );
  writeFileSync(
    join(folder, "exceptions.d/ours.toml"),
    `[[exception]]\nid = "ours"\ncontainer_image = "localhost/kw-other:*"\nreason = "ours"\nauthor = "admin"\nrules = ["package-installed-by-new-parent"]\n`,
    { mode: 0o600 },
  );
  await using running = startKinwatch(["run", "--config", config]);
  await running.until("stderr", /ready after/);
  images.run(other); // excepted
  images.run(build, "--name", `kw-${version}`);
  images.run(build); // known of that image
  const script = join(folder, "install.sh");
  writeFileSync(script, "#!/bin/sh\nrpm -i kw.rpm\n/bin/sleep 1\n", { mode: 0o755 });
  spawnSync(script, { stdio: "ignore", timeout: 60_000 });
  await running.until("stdout", /kinwatch\/install\.sh/, { timeoutMs: 30_000 });
  const [first = assert.fail(), onHost = assert.fail(), ...more] = await alerts(running, 2);
  assert.equal(more.length, 0);
  t.diagnostic(`container_from: ${first.kinwatch.container_from}`);
  assert.match(first.container?.id ?? "", /^[0-9a-f]{64}$/);
  assert.deepEqual(
    [first.container?.name, first.container?.image?.name, first.container?.runtime],
    [`kw-${version}`, build, "podman"],
  );
  assert.equal(first.kinwatch.container_unknown_reason, undefined);
  assert.match(
    first.kinwatch.ancestry[0]?.script_package_owner?.reason ?? "",
    /another file on this host|gone/,
  );
  assert.match(first.kinwatch.ancestry[0]?.package_owner?.reason ?? "", /another file on this host/);
  assert.deepEqual([onHost.container, onHost.kinwatch.container_from], [undefined, undefined]);
  const { stdout } = await kinwatch(["baseline", "list", "--format", "ndjson", "--config", config]);
  const terms = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    terms.map(({ container, value }) => [container, value[1]]),
    [
      [undefined, script],
      ["image:localhost/kw-build", "/install.sh"],
    ],
  );
  const hits = await kinwatch(["exceptions", "list", "--format", "ndjson", "--config", config]);
  assert.equal(JSON.parse(hits.stdout).hits, 1);
});
