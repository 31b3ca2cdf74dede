/**
 * How much of a host is seen without an audit log, and at what price: 20 programs a second that run for 30 ms, as `rpm -i` of a
 * small package does. Prints the figures of docs/sources.md:
 *
 *     KINWATCH_COVERAGE_SECONDS=60 KINWATCH_COVERAGE_RUN_MS=30 node --test test/sources/coverage.test.ts
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Counters, newCounters } from "../../agent/counters.ts";
import { ProcPollSource } from "../../agent/sources/proc-poll.ts";
import { ProcessTrace } from "../../agent/sources/process-trace.ts";
import { TracefsSource } from "../../agent/sources/tracefs.ts";
import { needs } from "../helpers/real-parts.ts";

const SECONDS = Number(process.env["KINWATCH_COVERAGE_SECONDS"] ?? 5);
const RUN_MS = Number(process.env["KINWATCH_COVERAGE_RUN_MS"] ?? 30);
const PER_SECOND = 20;
const TIMER_MS = 25; // as often as the procfs source looks

/** Starts the programs in a process of its own: their price is not the watcher's. Not in step with the polls. */
const driver = `
  const { spawn } = require("node:child_process");
  const endMs = Date.now() + ${SECONDS * 1_000};
  let count = 0;
  function next() {
    if (Date.now() > endMs) return console.log(count);
    spawn("sleep", ["${RUN_MS / 1_000}"], { argv0: "kinwatch-coverage-" + count++, stdio: "ignore" });
    setTimeout(next, ${1_000 / PER_SECOND} * (0.5 + Math.random()));
  }
  next();`;

function share(since: NodeJS.CpuUsage, startMs: number): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 10 / (performance.now() - startMs); // percent of a core
}

const sources = {
  procfs: (options: { stop: AbortSignal; counters: Counters }) => new ProcPollSource(options),
  tracefs: ({ stop, counters }: { stop: AbortSignal; counters: Counters }) => {
    const trace = new ProcessTrace(counters);
    stop.addEventListener("abort", () => trace[Symbol.dispose]());
    return new TracefsSource({ trace, stop, counters });
  },
} as const;
for (const name of ["procfs", "tracefs"] as const) {
  test(`${name}: sees programs of ${RUN_MS} ms, and costs little`, {
    skip: name === "tracefs" && needs("root", "tracefs"),
  }, async (t) => {
    const stop = new AbortController();
    const counters = newCounters();
    const seen = new Map<string, number>();
    const lateMs: number[] = [];
    let done: Promise<{ started: number; percent: number }> | undefined;
    for await (const observation of sources[name]({ stop: stop.signal, counters })) {
      if (observation.kind === "idle") {
        done ??= measure().finally(() => stop.abort());
        continue;
      }
      const process = "process" in observation && !observation.seen ? observation.process : undefined;
      const mark = process?.args[0] ?? "";
      if (process === undefined || !mark.startsWith("kinwatch-coverage-")) continue;
      seen.set(mark, (seen.get(mark) ?? 0) + 1);
      lateMs.push(Date.now() - process.startTimeMs);
    }
    const { started = 0, percent = 0 } = (await done) ?? {};
    const bare = await bareTimer();
    lateMs.sort((a, b) => a - b);
    const at = (quantile: number) => lateMs[Math.floor(lateMs.length * quantile)]?.toFixed(0);
    t.diagnostic(`${seen.size} of ${started} seen (${((100 * seen.size) / started).toFixed(1)} %)`);
    t.diagnostic(`from the tick of their start until seen: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
    t.diagnostic(
      `${percent.toFixed(1)} % of a core; a timer that reads /proc/loadavg every ${TIMER_MS} ms: ${bare.toFixed(1)} %`,
    );
    t.diagnostic(`${counters.processes_missed} programs or pids of the whole host ended unseen meanwhile`);
    assert.ok(started > SECONDS * PER_SECOND * 0.5, "too few were started to say anything");
    if (RUN_MS >= 30) assert.ok(seen.size >= started * 0.97);
    assert.ok(
      [...seen.values()].every((times) => times === 1),
      "each once",
    );
    assert.ok(percent < 10);
  });
}

async function measure(): Promise<{ started: number; percent: number }> {
  await sleep(2_500); // all that was there is no longer young
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const child = spawn(process.execPath, ["-e", driver], { stdio: ["ignore", "pipe", "inherit"] });
  const [output] = await once(child.stdout, "data");
  const percent = share(cpu, startMs);
  await sleep(100);
  return { started: Number(String(output)), percent };
}

async function bareTimer(): Promise<number> {
  const file = openSync("/proc/loadavg", "r");
  const bytes = Buffer.alloc(100);
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  while (performance.now() - startMs < SECONDS * 1_000) {
    readSync(file, bytes, 0, bytes.length, 0);
    await sleep(TIMER_MS);
  }
  return share(cpu, startMs);
}
