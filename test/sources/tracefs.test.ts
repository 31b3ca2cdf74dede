import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { newCounters } from "../../agent/counters.ts";
import { tracedExec } from "../../agent/events/traced-exec.ts";
import type { Executed } from "../../agent/sources/process-trace.ts";
import type { Observation, TracedObservation } from "../../agent/sources/source.ts";
import { TracefsSource } from "../../agent/sources/tracefs.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-tracefs-"));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const executed = (pid: number, path: string): Executed => ({
  kind: "executed",
  pid,
  thread: pid,
  path,
  timeMs: 5_000,
  birth: { pid, timeMs: 4_000, parent: 77 },
});

/** What is told of these executions, after those that ran at the start. */
async function toldOf({ sinceMs }: { sinceMs?: number }, ...batches: Executed[][]) {
  const stop = new AbortController();
  const counters = newCounters();
  const told: TracedObservation[] = [];
  const left = [[], ...batches]; // what happens before the list is read
  let isAsked = true;
  const trace = {
    executions: () => left.shift() ?? [],
    endExecutions: () => {
      isAsked = false;
    },
    async wait() {
      if (left.length === 0) stop.abort();
    },
  };
  const seen: Observation[] = [];
  for await (const one of new TracefsSource({ trace, stop: stop.signal, counters, sinceMs })) {
    if (one.kind === "traced") told.push(one);
    else seen.push(one);
  }
  assert.equal(isAsked, false, "what nobody reads is not kept");
  return { told, seen, counters };
}

async function living(program: string, args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: "ignore" });
  children.push(child);
  await sleep(100);
  return child.pid ?? 0;
}

test("TracefsSource: what runs at the start is seen, and not told again", async () => {
  const pid = await living("/bin/sleep", ["60"]);
  const { told, seen } = await toldOf({}, [executed(pid, "/bin/sleep")]);
  assert.deepEqual(told, []);
  const [one] = seen.filter((each) => each.kind === "process" && each.process.pid === pid);
  assert.ok(one?.kind === "process" && one.seen);
  assert.ok(seen.some(({ kind }) => kind === "idle"));
});

/** What is told of a program that is started when the source watches. */
async function toldOfNew(
  [program = "", ...args]: readonly string[],
  executions: (pid: number) => Executed[],
): Promise<TracedObservation[]> {
  const stop = new AbortController();
  let pid: number | undefined;
  const trace = {
    executions: () => (pid === undefined ? [] : executions(pid)),
    endExecutions: () => {},
    wait: () => sleep(20),
  };
  const told: TracedObservation[] = [];
  const source = new TracefsSource({ trace, stop: stop.signal, counters: newCounters() });
  for await (const one of source) {
    if (one.kind === "idle") pid ??= await living(program, args);
    if (one.kind === "traced") told.push(one);
    if (told.length > 0) stop.abort();
  }
  return told;
}

test("TracefsSource: an execution comes with arguments and user from /proc, and with who began the process", async () => {
  const [one] = await toldOfNew(["/bin/sleep", "61"], (pid) => [executed(pid, "/bin/sleep")]);
  assert.deepEqual([one?.process?.args, one?.process?.uid], [["/bin/sleep", "61"], process.geteuid?.()]);
  const exec = tracedExec(one as TracedObservation);
  assert.deepEqual(
    [exec.source, exec.ppid, exec.timeMs, exec.argumentsFrom],
    ["tracefs", 77, 5_000, "procfs"],
  );
});

test("TracefsSource: what runs at the start and began after another source had seen all is told", async () => {
  const sinceMs = Date.now();
  await sleep(50);
  const pid = await living("/bin/sleep", ["63"]);
  const { seen } = await toldOf({ sinceMs }, []);
  const found = seen
    .filter((one) => one.kind === "process")
    .map(({ process, seen: known }) => [process.pid, known]);
  assert.deepEqual(
    found.filter(([one]) => one === pid || one === process.pid),
    [
      [process.pid, true],
      [pid, false],
    ],
  );
});

test("TracefsSource: a program that is over is known by its path alone, and counted", async () => {
  const { told, counters } = await toldOf({}, [executed(4_194_000, "./rpm")]);
  assert.equal(told[0]?.process, undefined);
  assert.equal(counters.processes_missed, 1);
  const exec = tracedExec(told[0] as TracedObservation);
  assert.deepEqual(
    [exec.executable, exec.ppid, exec.argumentsFrom, exec.argumentsComplete],
    ["./rpm", 77, "none", false],
  );
});

test("TracefsSource: of two executions of a process in one look the first is over", async () => {
  const program = join(folder, "sleeper");
  copyFileSync("/bin/sleep", program);
  const told = await toldOfNew(["/bin/sh", "-c", `exec ${program} 62`], (pid) => [
    executed(pid, "/bin/sh"),
    executed(pid, program),
  ]);
  assert.deepEqual(
    told.map(({ path, process }) => [path, process?.executable]),
    [
      ["/bin/sh", undefined],
      [program, program],
    ],
  );
});
