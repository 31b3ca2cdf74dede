import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { isAlive, readProcEntry, readProcStat } from "../../agent/sources/proc-entry.ts";
import { FakeProc, type FakeProcess } from "../helpers/fake-proc.ts";
import { asPlainUser, needs } from "../helpers/real-parts.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-"));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function start(file: string, args: readonly string[], argv0 = file, cwd = folder): Promise<number> {
  const child = spawn(file, args, { argv0, cwd, stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  await once(child, "spawn"); // libuv tells once the program is executed
  return child.pid as number;
}

function sleepNamed(name: string): string {
  const path = join(folder, name);
  copyFileSync("/bin/sleep", path);
  chmodSync(path, 0o755);
  return path;
}

test("readProcEntry(): tells of this process what it knows of itself", () => {
  const entry = readProcEntry(process.pid);
  assert.ok(entry);
  assert.equal(entry.pid, process.pid);
  assert.equal(entry.ppid, process.ppid);
  assert.equal(entry.executable, process.execPath);
  assert.equal(entry.workingDirectory, process.cwd());
  assert.equal(entry.uid, process.geteuid?.());
  assert.equal(entry.args[0], process.argv0);
  assert.equal(entry.argumentsComplete, true);
  assert.ok(Math.abs(entry.startTimeMs - performance.timeOrigin) < 1_000);
});

test("readProcEntry(): gives a start at most a tick and the clock's millisecond before the process's", async () => {
  for (let round = 0; round < 10; round += 1) {
    const beforeMs = Date.now();
    const entry = readProcEntry(await start("/bin/sleep", ["9"]));
    assert.ok(entry);
    const lateMs = entry.startTimeMs - beforeMs;
    assert.ok(lateMs >= -12 && entry.startTimeMs <= Date.now() + 1, `${lateMs} ms after it was asked for`);
  }
});

const names = ["a b", "a) R 1 (b", "a\nState: Z", ")", "(", "ä€", "-x", "6C73", "x (deleted) y"];
for (const name of names) {
  test(`readProcEntry(): reads a program called ${JSON.stringify(name)} with its arguments`, async () => {
    const path = sleepNamed(name);
    const entry = readProcEntry(await start(path, ["9", "0", "0"], `${name} \n`));
    assert.equal(entry?.executable, path);
    assert.equal(entry?.deleted, false);
    assert.deepEqual(entry?.args, [`${name} \n`, "9", "0", "0"]);
    assert.equal(entry?.ppid, process.pid);
    assert.equal(entry?.workingDirectory, folder);
  });
}

test("readProcEntry(): says that the program's file is gone", async () => {
  const path = sleepNamed("gone");
  const pid = await start(path, ["9"]);
  rmSync(path);
  assert.equal(readProcEntry(pid)?.executable, path);
  assert.equal(readProcEntry(pid)?.deleted, true);
});

test("readProcEntry(): knows no thread, zombie, kernel thread, nor what is not there", async () => {
  const thread = readdirSync("/proc/self/task")
    .map(Number)
    .find((tid) => tid !== process.pid) as number;
  assert.equal(readProcStat(thread)?.kind, "thread");
  assert.equal(readProcEntry(thread), undefined);
  const script = 'sh -c "exit 0" & echo "$!"; exec sleep 9'; // sleep reaps nobody
  const child = spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  const zombie = Number(String(await once(child.stdout, "data")));
  const untilMs = performance.now() + 5_000;
  while (readProcStat(zombie)?.kind !== "zombie" && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(readProcStat(zombie)?.kind, "zombie");
  assert.equal(readProcEntry(zombie), undefined);
  assert.equal(readProcEntry(2 ** 30), undefined);
  if (readProcStat(2)?.comm === "kthreadd") assert.equal(readProcEntry(2), undefined);
});

test("readProcStat(): tells a copy from a program that was executed", async () => {
  const script = "(while kill -0 $$; do :; done) 2>/dev/null & echo $!; wait";
  const child = spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  const copy = Number(String(await once(child.stdout, "data")));
  assert.equal(readProcStat(child.pid as number)?.executed, true);
  assert.equal(readProcStat(copy)?.executed, false);
  assert.deepEqual(readProcEntry(copy)?.args, ["/bin/sh", "-c", script], "it can still be somebody's parent");
  child.kill("SIGKILL");
});

test("readProcEntry(): reads the name and arguments of another user's process", {
  skip: needs("plain-user"),
}, async () => {
  const pid = await start("/bin/sleep", ["9"], "/usr/bin/rpm");
  // As another user, without Node, which that user may not be able to execute: what the kernel would withhold from us.
  const [file = "", ...args] =
    asPlainUser(["sh", "-c", `cat /proc/${pid}/stat; readlink /proc/${pid}/exe || echo refused`]) ?? [];
  const reader = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  for await (const chunk of reader.stdout) text += chunk;
  assert.match(text, /refused/);
  using proc = new FakeProc(pid);
  proc.put(pid, { cmdline: readFileSync(`/proc/${pid}/cmdline`) });
  writeFileSync(join(proc.root, `${pid}`, "stat"), text.slice(0, text.indexOf("\n")));
  rmSync(join(proc.root, `${pid}`, "exe"));
  const stat = readProcStat(pid, proc.root);
  assert.equal(stat?.permitted, false);
  assert.equal(stat?.image, "sleep");
  const entry = readProcEntry(pid, proc.root);
  assert.equal(entry?.executable, undefined);
  assert.equal(entry?.comm, "sleep");
  assert.deepEqual(entry?.args, ["/usr/bin/rpm", "9"]);
});

test("readProcEntry(): reads a title that a process wrote over its arguments", async () => {
  const code = "process.title = 'rpm -i evil'; console.log(); setTimeout(() => {}, 9000)";
  const child = spawn(process.execPath, ["-e", code, "padding-so-that-it-fits"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  const before = readProcStat(child.pid as number)?.image;
  await once(child.stdout, "data");
  assert.equal(readProcEntry(child.pid as number)?.args[0], "rpm -i evil");
  assert.equal(readProcStat(child.pid as number)?.image, before, "a title is no execution");
});

const fakes: readonly { why: string; fake: FakeProcess; want: object | undefined }[] = [
  { why: "a pseudo terminal", fake: { tty: 0x8803 }, want: { tty: "pts3" } },
  { why: "a pseudo terminal above 255", fake: { tty: (136 << 8) | 0x100001 | 0 }, want: { tty: "pts257" } },
  { why: "a console", fake: { tty: 0x402 }, want: { tty: "tty2" } },
  { why: "a serial line", fake: { tty: 0x440 }, want: { tty: "ttyS0" } },
  { why: "a terminal of a kind without a name", fake: { tty: 0x3ff07 }, want: { tty: "1023:7" } },
  { why: "no terminal", fake: { tty: 0 }, want: { tty: undefined } },
  { why: "a login", fake: { loginuid: "1000" }, want: { auid: 1000, ses: 7 } },
  { why: "no login", fake: {}, want: { auid: undefined, ses: undefined } },
  { why: "the effective user", fake: {}, want: { uid: 1001 } },
  { why: "empty arguments", fake: { cmdline: "rpm\0\0-i\0\0" }, want: { args: ["rpm", "", "-i", ""] } },
  { why: "a title without its last NUL", fake: { cmdline: "sshd: me" }, want: { args: ["sshd: me"] } },
  { why: "no arguments", fake: { cmdline: "" }, want: { args: [], argumentsComplete: true } },
  {
    why: "arguments that are cut",
    fake: { cmdline: "a".repeat(140_000) },
    want: { argumentsComplete: false },
  },
  {
    why: "an unlinked file",
    fake: { exe: "/x/a b (deleted)" },
    want: { executable: "/x/a b", deleted: true },
  },
  {
    why: "a program in a chroot",
    fake: { root: "/jail", exe: "/jail/bin/rpm" },
    want: { executable: "/bin/rpm", workingDirectory: "/tmp" },
  },
  { why: "one outside its root", fake: { root: "/jail", exe: "/jailer" }, want: { executable: "/jailer" } },
  { why: "nothing in the middle of an execution", fake: { addresses: "0 0 0" }, want: undefined },
  { why: "nothing of a kernel thread", fake: { flags: 0x208040, addresses: "0 0 0" }, want: undefined },
  { why: "nothing of a zombie", fake: { state: "Z" }, want: undefined },
  { why: "nothing of a thread", fake: { exitSignal: -1 }, want: undefined },
];
for (const { why, fake, want } of fakes) {
  test(`readProcEntry(): tells ${why}`, () => {
    using proc = new FakeProc(40);
    proc.put(40, fake);
    const entry = readProcEntry(40, proc.root);
    if (want === undefined) assert.equal(entry, undefined);
    else assert.partialDeepStrictEqual(entry, want);
  });
}

test("isAlive(): knows a process by its pid and time, and not who has its pid later", async () => {
  const beforeMs = Date.now();
  const pid = await start("/bin/sleep", ["9"]);
  assert.equal(isAlive(pid, Date.now()), true);
  assert.equal(isAlive(pid, beforeMs), true, "a clock that is a timer interrupt late");
  assert.equal(isAlive(pid, beforeMs - 100), false, "the pid was another's then");
  const child = children.at(-1) as ChildProcess;
  child.kill("SIGKILL");
  await once(child, "close");
  assert.equal(isAlive(pid, Date.now()), false);
});

test("readProcEntry(): never throws, whatever the files hold", () => {
  using proc = new FakeProc(40);
  proc.put(40);
  const file = fc.constantFrom("stat", "status", "cmdline", "loginuid", "sessionid");
  const number = fc.oneof(
    fc.integer().map(String),
    fc.constantFrom("", "-", "1e9", "Infinity", "4294967295"),
  );
  const fields = fc.array(number, { maxLength: 60 }).map((all) => Buffer.from(`40 (x) S ${all.join(" ")}`));
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), fields);
  fc.assert(
    fc.property(file, bytes, (name, content) => {
      writeFileSync(join(proc.root, "40", name), content);
      const entry = readProcEntry(40, proc.root);
      if (entry === undefined) return;
      for (const value of [entry.ppid, entry.startTimeMs, entry.uid]) assert.ok(Number.isFinite(value));
      for (const value of [entry.auid, entry.ses]) assert.ok(value === undefined || Number.isInteger(value));
    }),
  );
});
