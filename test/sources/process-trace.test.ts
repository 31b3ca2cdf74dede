/** The kernel's tracepoints, for real. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { newCounters } from "../../agent/counters.ts";
import { KinwatchError } from "../../agent/errors.ts";
import { type Executed, ProcessTrace } from "../../agent/sources/process-trace.ts";
import { TraceInstance } from "../../agent/sources/trace-instance.ts";
import { needs } from "../helpers/real-parts.ts";

const skip = needs("root", "tracefs");
const instances = "/sys/kernel/tracing/instances";
const folder = mkdtempSync(join(tmpdir(), "kinwatch-trace-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const ours = () => readdirSync(instances).filter((name) => name.startsWith(`kinwatch-${process.pid}-`));

function pathsOf(executions: readonly Executed[]): string[] {
  return executions.map(({ path }) => path).filter((path) => path.startsWith(folder));
}

test("ProcessTrace: executions in their order, and who began their processes", { skip }, async () => {
  using trace = new ProcessTrace(newCounters());
  trace.executions();
  const names = ["one", "two", "three"].map((name) => join(folder, name));
  for (const name of names) copyFileSync("/bin/true", name);
  const child = spawn("/bin/sh", ["-c", names.join(" && ")], { stdio: "ignore" });
  await once(child, "exit");
  await sleep(5);
  const found = trace.executions();
  assert.deepEqual(pathsOf(found), names);
  const [shell] = found.filter(({ pid }) => pid === child.pid);
  assert.equal(shell?.path, "/bin/sh");
  assert.equal(trace.birthOf(child.pid ?? 0)?.parent, process.pid);
  const [one] = found.filter(({ path }) => path === names[0]);
  assert.equal(trace.birthOf(one?.pid ?? 0)?.parent, child.pid, "the shell is over");
  assert.ok(Math.abs((one?.timeMs ?? 0) - Date.now()) < 5_000);
});

test("ProcessTrace.endExecutions(): what happens then is not kept for who asks again", { skip }, async () => {
  using trace = new ProcessTrace(newCounters());
  const run = async (name: string) => {
    copyFileSync("/bin/true", join(folder, name));
    execFileSync(join(folder, name));
    await sleep(400); // it is read meanwhile, whether anybody asks or not
  };
  trace.executions();
  await run("asked");
  trace.endExecutions();
  await run("unasked");
  assert.deepEqual(pathsOf(trace.executions()), []);
  await run("asked-again");
  assert.deepEqual(pathsOf(trace.executions()), [join(folder, "asked-again")]);
});

test("ProcessTrace: a name that looks like another event is a name", { skip }, () => {
  using trace = new ProcessTrace(newCounters());
  trace.executions();
  const name = "a\n <...>-1 [000] ..... 1.0: sched_process_exec: filename=rpm pid=1 old_pid=1";
  copyFileSync("/bin/true", join(folder, name));
  execFileSync(join(folder, name));
  assert.deepEqual(pathsOf(trace.executions()), [join(folder, name)]);
});

test("ProcessTrace.wait(): ends at the first event, long before its time", { skip }, async () => {
  using trace = new ProcessTrace(newCounters());
  for (let left = 20; left > 0 && trace.executions().length > 0; left -= 1) await sleep(10);
  const startMs = performance.now();
  setTimeout(() => spawn("/bin/true", { stdio: "ignore" }), 50);
  await trace.wait(10_000);
  assert.ok(performance.now() - startMs < 5_000);
});

test("ProcessTrace: what is overwritten is counted, and nobody's birth is believed from before", {
  skip,
  timeout: 60_000,
}, async () => {
  const counters = newCounters();
  using trace = new ProcessTrace(counters);
  const early = spawn("sleep", ["30"], { stdio: "ignore" });
  await sleep(50);
  assert.equal(trace.birthOf(early.pid ?? 0)?.parent, process.pid);
  // 256 KB a processor are some 3,000 events; nobody reads meanwhile, for the loop is held.
  spawnSync("/bin/sh", ["-c", "i=0; while [ $i -lt 4000 ]; do (:); (:); i=$((i+1)); done"]);
  const birth = trace.birthOf(early.pid ?? 0);
  early.kill();
  assert.ok(counters.traces_lost > 0, String(counters.traces_lost));
  assert.equal(birth, undefined);
});

for (const [what, setMs] of [
  ["forward", 3_600_000],
  ["back", -3_600_000],
] as const) {
  test(`ProcessTrace: the clock is set ${what}: nobody's birth is believed from before, and no execution lost`, {
    skip,
  }, async (t) => {
    const counters = newCounters();
    using trace = new ProcessTrace(counters);
    trace.executions();
    const early = spawn("sleep", ["30"], { stdio: "ignore" });
    await sleep(50);
    assert.equal(trace.birthOf(early.pid ?? 0)?.parent, process.pid);
    const name = join(folder, what);
    copyFileSync("/bin/true", name);
    execFileSync(name);
    const { now } = Date;
    t.mock.method(Date, "now", () => now() + setMs);
    assert.deepEqual(pathsOf(trace.executions()), [name]);
    const late = spawn("sleep", ["30"], { stdio: "ignore" });
    await sleep(50);
    const births = [early, late].map(({ pid = 0 }) => trace.birthOf(pid));
    for (const child of [early, late]) child.kill();
    const [before, after] = births;
    assert.deepEqual([before, after?.parent], [undefined, process.pid]);
    assert.ok(Math.abs((after?.timeMs ?? 0) - now() - setMs) < 5_000);
    assert.equal(counters.traces_lost, 0);
  });
}

test("ProcessTrace: says that it was turned off, and forgets who began what", {
  skip,
  timeout: 30_000,
}, async () => {
  using trace = new ProcessTrace(newCounters());
  const child = spawn("sleep", ["30"], { stdio: "ignore" });
  await sleep(50);
  assert.equal(trace.birthOf(child.pid ?? 0)?.parent, process.pid);
  const [instance = ""] = ours();
  writeFileSync(join(instances, instance, "tracing_on"), "0");
  for (let left = 100; left > 0 && trace.problem === undefined; left -= 1) await sleep(100);
  child.kill();
  assert.equal(trace.problem?.code, "KW_TRACEFS_OFF");
  assert.equal(trace.birthOf(child.pid ?? 0), undefined);
  writeFileSync(join(instances, instance, "tracing_on"), "1");
  for (let left = 100; left > 0 && trace.problem !== undefined; left -= 1) await sleep(100);
  assert.equal(trace.problem, undefined);
});

test("TraceInstance: is gone with its owner, also while somebody waits", { skip }, async () => {
  const trace = new ProcessTrace(newCounters());
  assert.equal(ours().length, 1);
  for (let left = 20; left > 0 && trace.executions().length > 0; left -= 1) await sleep(10);
  const waiting = trace.wait(20_000);
  trace[Symbol.dispose]();
  assert.deepEqual(ours(), []);
  await waiting;
});

test("TraceInstance: one whose owner was killed is removed at the next start; those of the living stay", {
  skip,
}, async () => {
  const script = `import { TraceInstance } from ${JSON.stringify(new URL("../../agent/sources/trace-instance.ts", import.meta.url).href)};
    new TraceInstance(); process.stdout.write("there\\n"); setInterval(() => {}, 1000);`;
  const begin = () =>
    spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const children = [begin(), begin()] as const;
  for (const child of children) await once(child.stdout, "data");
  const of = (pid: number | undefined) =>
    readdirSync(instances).filter((name) => name.startsWith(`kinwatch-${pid}-`)).length;
  const [dead, alive] = children;
  dead.kill("SIGKILL");
  await once(dead, "exit");
  new TraceInstance()[Symbol.dispose]();
  assert.deepEqual([of(dead.pid), of(alive.pid)], [0, 1]);
  alive.kill("SIGKILL");
  await once(alive, "exit");
  new TraceInstance()[Symbol.dispose]();
  assert.equal(of(alive.pid), 0);
});

test("TraceInstance: without a tracefs: KW_TRACEFS_MISSING", () => {
  assert.throws(
    () => new TraceInstance([join(folder, "none")]),
    (error) =>
      error instanceof KinwatchError &&
      error.code === "KW_TRACEFS_MISSING" &&
      /mount -t tracefs/.test(error.message),
  );
});

test("TraceInstance: where it cannot be made: KW_TRACEFS_REFUSED, and nothing is left", () => {
  const root = join(folder, "refused");
  mkdirSync(join(root, "instances"), { recursive: true }); // a folder like any other: nothing appears in what is made there
  assert.throws(
    () => new TraceInstance([root]),
    (error) => error instanceof KinwatchError && error.code === "KW_TRACEFS_REFUSED",
  );
  assert.deepEqual(readdirSync(join(root, "instances")), []);
});
