import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ProcessFile, processFile } from "../../agent/sources/process-file.ts";
import { needs } from "../helpers/real-parts.ts";

/** A folder with a program that waits, and who runs it. */
class World implements AsyncDisposable {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "kinwatch-file-")));
  readonly program = join(this.folder, "waits");
  readonly script = join(this.folder, "script.sh");
  readonly #children: ChildProcess[] = [];

  constructor() {
    copyFileSync("/bin/sh", this.program);
    writeFileSync(this.script, "#!/bin/sh\n/bin/sleep 100\n");
    for (const path of [this.program, this.script]) chmodSync(path, 0o755);
  }

  /** Runs a command line that says a word on its output when it is what it is to be, and then waits. */
  async start(command: string, ...args: readonly string[]): Promise<number> {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#children.push(child);
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    return child.pid ?? assert.fail("it did not start");
  }

  /** sh in some place, which waits for its input without another program. */
  waiting(prefix: readonly string[] = [], shell = "/bin/sh"): Promise<number> {
    const [command = "", ...args] = [...prefix, shell, "-c", "echo ready; read line"];
    return this.start(command, ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const shell = realpathSync("/bin/sh");
const reason = (file: ProcessFile) => ("reason" in file ? file.reason : file.path);

test("processFile(): the program that a process runs, and its script without links", async () => {
  await using world = new World();
  const pid = await world.waiting();
  const timeMs = Date.now();
  assert.deepEqual(processFile({ pid, timeMs, path: shell, what: "executable" }), { path: shell });
  const link = join(world.folder, "link.sh");
  symlinkSync("script.sh", link);
  const path = `${world.folder}/../${world.folder.split("/").at(-1)}/./link.sh`;
  assert.deepEqual(processFile({ pid, timeMs, path, what: "script" }), { path: world.script });
});

const unprovable = [
  { why: "a path that is not whole", path: "sh", want: /not known whole/ },
  { why: "a name that is no text", path: "/usr/bin/\ufffd", want: /no text/ },
  { why: "another program than it runs, of which it has no such file", path: "/usr/bin/none", want: /gone/ },
  { why: "a folder", path: "/usr/bin", want: /no regular file/ },
] as const;
for (const { why, path, want } of unprovable)
  test(`processFile(): proves nothing of ${why}`, async () => {
    await using world = new World();
    const pid = await world.waiting();
    assert.match(reason(processFile({ pid, timeMs: Date.now(), path, what: "executable" })), want);
  });

test("processFile(): a process that is over, or has only the pid, is not the one", async () => {
  await using world = new World();
  const pid = await world.waiting();
  const over = { reason: "the process was over before it was asked", isOver: true };
  const asked = { pid, path: shell, what: "executable" } as const;
  assert.deepEqual(processFile({ ...asked, timeMs: Date.now() - 60_000 }), over);
  assert.deepEqual(processFile({ ...asked, pid: 2 ** 22 + 1, timeMs: Date.now() }), over);
});

test("processFile(): a program that was replaced while it runs is not what stands there now", async () => {
  await using world = new World();
  const pid = await world.waiting([], world.program);
  const asked = { pid, timeMs: Date.now(), path: world.program, what: "executable" } as const;
  assert.deepEqual(processFile(asked), { path: world.program });
  const other = join(world.folder, "other");
  copyFileSync("/bin/true", other);
  renameSync(other, world.program);
  assert.match(reason(processFile(asked)), /deleted or replaced/);
});

test("processFile(): a file of the same name in a chroot is another, also behind a link that begins at its root", {
  skip: needs("root"),
}, async () => {
  await using world = new World();
  const root = join(world.folder, "root");
  const libraries = execFileSync("ldd", [shell], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  for (const path of [shell, ...libraries]) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    copyFileSync(path, join(root, path));
  }
  const folder = join(root, world.folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "evil.sh"), "");
  symlinkSync(`${world.folder}/evil.sh`, join(folder, "script.sh")); // here it would be this host's
  writeFileSync(join(world.folder, "evil.sh"), "");
  symlinkSync("evil.sh", join(world.folder, "linked.sh"));
  symlinkSync(`${world.folder}/evil.sh`, join(folder, "linked.sh"));
  const pid = await world.waiting(["chroot", root], shell);
  const timeMs = Date.now();
  for (const [path, what] of [
    [shell, "executable"],
    [world.script, "script"],
    [`${world.folder}/linked.sh`, "script"],
  ] as const)
    assert.match(reason(processFile({ pid, timeMs, path, what })), /another file on this host/, path);
});

test("processFile(): a file that is mounted over another in a namespace is another", {
  skip: needs("root"),
}, async () => {
  await using world = new World();
  const evil = join(world.folder, "evil.sh");
  writeFileSync(evil, "");
  const mount = `mount --bind ${evil} ${world.script} && echo ready && read line`;
  const pid = await world.start("unshare", "-m", "/bin/sh", "-c", mount);
  const asked = { pid, timeMs: Date.now(), what: "script" } as const;
  assert.match(reason(processFile({ ...asked, path: world.script })), /another file on this host/);
  assert.deepEqual(
    processFile({ ...asked, path: evil }),
    { path: evil },
    "what is the same there is the same",
  );
});

test("processFile(): a ring of links ends", async () => {
  await using world = new World();
  const pid = await world.waiting();
  const [a, b] = [join(world.folder, "a"), join(world.folder, "b")];
  symlinkSync("b", a);
  symlinkSync("a", b);
  assert.match(reason(processFile({ pid, timeMs: Date.now(), path: a, what: "script" })), /gone/);
});
