import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Counters, newCounters } from "../../agent/counters.ts";
import { KinwatchError } from "../../agent/errors.ts";
import { ProcPollSource } from "../../agent/sources/proc-poll.ts";
import type { Observation, ProcEntry } from "../../agent/sources/source.ts";
import { FakeProc } from "../helpers/fake-proc.ts";
import { asPlainUser, findProgram, needs } from "../helpers/real-parts.ts";
import { ScratchRpm } from "../helpers/scratch-rpm.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function script(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

interface Watched {
  readonly there: ProcEntry[]; // when the watch began
  readonly found: ProcEntry[];
  readonly counters: Counters;
  readonly idles: number;
}

/** What the source tells while something is done, and 100 ms longer. */
async function watch(act: (counters: Counters) => unknown, procRoot = "/proc"): Promise<Watched> {
  const stop = new AbortController();
  const counters = newCounters();
  const all: Observation[] = [];
  let acting: Promise<void> | undefined;
  for await (const observation of new ProcPollSource({ stop: stop.signal, counters, procRoot })) {
    all.push(observation);
    if (observation.kind !== "idle" || acting !== undefined) continue;
    acting = Promise.resolve(act(counters))
      .then(() => sleep(100))
      .finally(() => stop.abort());
  }
  await acting;
  const entries = (seen: boolean) =>
    all.flatMap((one) => (one.kind === "process" && one.seen === seen ? one.process : []));
  const idles = all.filter(({ kind }) => kind === "idle").length;
  return { there: entries(true), found: entries(false), counters, idles };
}

/** @returns the pid */
async function run(file: string, args: readonly string[] = [], argv0 = file): Promise<number> {
  const child = spawn(file, args, { argv0, stdio: "ignore" });
  await once(child, "close");
  return child.pid as number;
}

function images(found: readonly ProcEntry[], pid: number): string[] {
  return found.filter((entry) => entry.pid === pid).map(({ args }) => args.join(" "));
}

test("ProcPollSource: begins with all there are, parents before children", async () => {
  const { there, found } = await watch(() => {});
  const order = there.map(({ pid }) => pid);
  assert.ok(order.includes(process.pid));
  assert.equal(new Set(order).size, order.length);
  for (const { pid, ppid } of there) {
    if (order.includes(ppid)) assert.ok(order.indexOf(ppid) < order.indexOf(pid), `${ppid} after ${pid}`);
  }
  assert.equal(
    found.some(({ pid }) => order.includes(pid) && pid === process.pid),
    false,
  );
});

test("ProcPollSource: sees a program that was renamed, with odd arguments, once", async () => {
  const path = join(folder, "not a) shell\n");
  copyFileSync(findProgram("sleep") ?? "", path);
  chmodSync(path, 0o755);
  let pid = 0;
  const { found } = await watch(async () => {
    pid = await run(path, ["0.1", "0", "00"], "rpm\n-i");
  });
  const mine = found.filter((entry) => entry.pid === pid);
  assert.equal(mine.length, 1);
  assert.equal(mine[0]?.executable, path);
  assert.deepEqual(mine[0]?.args, ["rpm\n-i", "0.1", "0", "00"]);
  assert.equal(mine[0]?.ppid, process.pid);
});

test("ProcPollSource: sees each image of a process that executes without a fork, with one start", async () => {
  const last = script("last.sh", "#!/usr/bin/env sh\nsleep 0.06\nexec sleep 0.15\n");
  const first = script("first.sh", `#!/bin/sh\nsleep 0.05\nexec ${last}\n`);
  let pid = 0;
  const { found } = await watch(async () => {
    pid = await run(first);
  });
  const told = images(found, pid).filter((image) => !image.startsWith("/usr/bin/env"));
  assert.deepEqual(told, [`/bin/sh ${first}`, `sh ${last}`, "sleep 0.15"]);
  assert.equal(new Set(found.filter((entry) => entry.pid === pid).map((entry) => entry.startTimeMs)).size, 1);
});

test("ProcPollSource: sees an old process execute, if the image lasts a second", async () => {
  const wrapper = script("late.sh", "#!/bin/sh\nsleep 2.3\nexec sleep 1.3\n");
  let pid = 0;
  const { found, idles } = await watch(async () => {
    pid = await run(wrapper);
  });
  assert.deepEqual(images(found, pid), [`/bin/sh ${wrapper}`, "sleep 1.3"]);
  assert.ok(idles >= 4, "idle at least once a second");
});

test("ProcPollSource: takes no copy, no thread, no title for an execution", async () => {
  const code = `
    new (require("node:worker_threads").Worker)("setTimeout(() => {}, 200)", { eval: true });
    process.title = "rpm -i evil";
    setTimeout(() => { process.title = "rpm -i more" }, 100);`;
  const copies = "(while kill -0 $$; do :; done) & (while kill -0 $$; do :; done) & (sleep 0.1); true";
  let shell = 0;
  let titled = 0;
  const { found } = await watch(async () => {
    [shell, titled] = await Promise.all([
      run("/bin/sh", ["-c", copies]),
      run(process.execPath, ["-e", code, "x".repeat(64)]),
    ]);
  });
  assert.equal(images(found, shell).length, 1);
  assert.equal(images(found, titled).length, 1);
  const shells = found.filter(({ args }) => args.includes(copies));
  assert.equal(shells.length, 1, "the copies look like their parent, and are told by no word");
});

test("ProcPollSource: sees one rpm in an installation with a scriptlet", {
  skip: needs("rpm", "rpmbuild"),
}, async () => {
  using scratch = new ScratchRpm();
  const file = scratch.build("scriptlet", { post: "sleep 0.1" });
  const { found } = await watch(async () => {
    const child = spawn("rpm", ["-i", "--force-debian", file], { env: scratch.environment, stdio: "ignore" });
    await once(child, "close");
  });
  assert.equal(
    found.filter(({ args }) => args.includes(file)).length,
    1,
    "rpm forks itself for the scriptlet",
  );
  assert.ok(
    found.some(({ args }) => args.join(" ") === "sleep 0.1"),
    "and the scriptlet ran",
  );
});

test("ProcPollSource: ends when it is told to", async () => {
  const stop = new AbortController();
  const source = new ProcPollSource({ stop: stop.signal, counters: newCounters() });
  const startMs = performance.now();
  for await (const { kind } of source) if (kind === "idle") setTimeout(() => stop.abort(), 20);
  assert.ok(performance.now() - startMs < 1_000);
});

test("ProcPollSource: follows the pid counter when it begins anew", async () => {
  using proc = new FakeProc(32_760);
  proc.put(1);
  proc.put(302, { startTicks: 5, cmdline: "old\0" });
  const { found, counters } = await watch(async () => {
    proc.put(32_765, { cmdline: "before\0" });
    proc.put(300, { cmdline: "after\0", startTicks: 40_000 });
    proc.put(302, { cmdline: "reused\0", startTicks: 40_001 });
    proc.newest(302);
    await sleep(60);
  }, proc.root);
  assert.deepEqual(
    found.map(({ args }) => args[0]),
    ["before", "after", "reused"],
  );
  assert.equal(counters.processes_missed, 6 + 1); // 32761 to 32764, 32766, 32767, and 301
});

test("ProcPollSource: waits for a pid that is handed out and cannot be seen yet", async () => {
  using proc = new FakeProc(500);
  proc.put(1);
  const { found, counters } = await watch(async (counting) => {
    proc.newest(502);
    while (counting.processes_missed === 0) {
      proc.put(502);
      await sleep(1);
    }
  }, proc.root);
  assert.deepEqual(
    found.map(({ pid }) => pid),
    [502],
  );
  assert.equal(counters.processes_missed, 1);
});

test("ProcPollSource: counts a copy that is gone at the second look, and none that still was one then", async () => {
  using proc = new FakeProc(500);
  proc.put(1);
  const copy = { flags: 0x400040 }; // PF_FORKNOEXEC
  const stop = new AbortController();
  const counters = newCounters();
  let newest = 502;
  const handOut = () => {
    newest += 1;
    proc.put(newest);
    proc.newest(newest);
  };
  for await (const one of new ProcPollSource({ stop: stop.signal, counters, procRoot: proc.root })) {
    if (one.kind === "idle" && newest === 502) {
      proc.put(501, copy);
      proc.put(502, copy);
      handOut();
    }
    if (one.kind !== "process" || one.process.pid !== newest) continue;
    if (newest === 505) stop.abort();
    else proc.end(newest === 503 ? 501 : 502); // seen once, seen twice
    handOut();
  }
  assert.equal(counters.processes_missed, 1);
});

test("ProcPollSource: finds what lives among thousands of pids handed out at once", async () => {
  using proc = new FakeProc(500);
  proc.put(1);
  const { found, counters } = await watch(async () => {
    for (const pid of [600, 3_000, 9_000]) proc.put(pid);
    proc.newest(9_000);
    await sleep(60);
  }, proc.root);
  assert.deepEqual(
    found.map(({ pid }) => pid).sort((a, b) => a - b),
    [600, 3_000, 9_000],
  );
  assert.equal(counters.processes_missed, 8_500 - 3);
});

test("ProcPollSource: tells a withheld program by its name and arguments, and none that is not begun", async () => {
  using proc = new FakeProc(500);
  proc.put(1);
  const withheld = { addresses: "1 1 0", exe: null };
  const { found } = await watch(async () => {
    proc.put(501, { ...withheld, comm: "sh", cmdline: "" }); // in the middle of an execution
    proc.newest(501);
    await sleep(60);
    proc.put(501, { ...withheld, comm: "sh", cmdline: "sh\0x\0" });
    await sleep(60);
    proc.put(501, { ...withheld, comm: "renamed", cmdline: "sh\0x\0" });
    await sleep(100);
    proc.put(501, { ...withheld, comm: "rpm", cmdline: "rpm\0-i\0" });
    await sleep(200);
  }, proc.root);
  assert.deepEqual(
    found.map(({ args }) => args.join(" ")),
    ["sh x", "rpm -i"],
  );
});

test("ProcPollSource: counts arguments that were cut", async () => {
  using proc = new FakeProc(500);
  proc.put(1, { cmdline: "a".repeat(200_000) });
  const { counters } = await watch(() => {}, proc.root);
  assert.equal(counters.arguments_truncated, 1);
});

test("ProcPollSource: refuses a /proc that hides processes, or is none", () => {
  using proc = new FakeProc(500);
  const open = (procRoot: string) =>
    new ProcPollSource({ stop: new AbortController().signal, counters: newCounters(), procRoot });
  const refused = (error: unknown) => error instanceof KinwatchError && error.code === "KW_PROCFS_UNREADABLE";
  assert.throws(() => open(proc.root), refused);
  assert.throws(() => open(join(folder, "nothing")), refused);
});

test("ProcPollSource: names hidepid to a plain user", { skip: needs("root", "plain-user") }, (t) => {
  // In a mount namespace of its own, so that nobody else sees this mount.
  const mount = join(folder, "proc");
  const source = new URL("../../agent/sources/proc-poll.ts", import.meta.url).pathname;
  const code = `const { ProcPollSource } = await import(${JSON.stringify(source)});
    try { new ProcPollSource({ stop: AbortSignal.abort(), counters: {}, procRoot: ${JSON.stringify(mount)} }) }
    catch (error) { console.log(error.code) }`;
  const plain = asPlainUser([process.execPath, "--input-type=module", "-e", code]) ?? [];
  chmodSync(folder, 0o755);
  const quoted = plain.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const text = `mkdir -p ${mount} && mount -t proc -o hidepid=2 proc ${mount} && exec ${quoted}`;
  const { stdout, stderr } = spawnSync("unshare", ["--mount", "sh", "-c", text], {
    encoding: "utf8",
    timeout: 20_000,
  });
  if (/permission denied|EACCES|not permitted/i.test(stderr))
    t.skip(`a plain user cannot run node here: ${stderr.slice(0, 80)}`);
  else assert.equal(stdout.trim(), "KW_PROCFS_UNREADABLE", stderr);
});
