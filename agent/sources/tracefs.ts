/**
 * Watches executions through the kernel's tracepoints: each that there is, the moment that it happens, and who began its process. What
 * they lack, arguments and users, is read from /proc at once; of a program that is over by then its path is known alone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Counters } from "../counters.ts";
import { readProcStat, readRest } from "./proc-entry.ts";
import { foundRunning, listProcesses } from "./proc-list.ts";
import type { Executed, ProcessTrace } from "./process-trace.ts";
import type { Observation, ProcEntry, Source, TracedObservation } from "./source.ts";

export interface TracefsOptions {
  readonly trace: Pick<ProcessTrace, "executions" | "endExecutions" | "wait">;
  readonly stop: AbortSignal;
  readonly counters: Counters;
  readonly sinceMs?: number | undefined; // what is there but began later is told as if it had just executed
}

const IDLE_MS = 1_000;
const REST_MS = 2; // between two looks at a busy host: a program that is over sooner has lost the race anyway
const IMAGES_MAX = 32_768; // the process table's own default

export class TracefsSource implements Source {
  readonly name = "tracefs";
  readonly description =
    "the kernel's tracepoints: all executions, with the arguments of programs that run for some milliseconds; no outcomes";
  readonly #options: TracefsOptions;
  readonly #images = new Map<number, string>(); // the last one told of each process

  constructor(options: TracefsOptions) {
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Observation> {
    const { trace, stop, counters, sinceMs = Number.NaN } = this.#options;
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    stop.addEventListener("abort", () => resolve(), { once: true });
    trace.executions(); // from here on; what they are of may be met below too
    const met = listProcesses().flatMap((stat) => {
      const process = readRest(stat);
      if (process !== undefined) this.#images.set(stat.pid, stat.image);
      return process ?? [];
    });
    try {
      for (const process of met) yield foundRunning(process, sinceMs);
      yield { kind: "idle", nowMs: Date.now() };
      let idleMs = performance.now();
      while (!stop.aborted) {
        const found = this.#look(trace.executions());
        yield* found;
        counters.processes_missed += found.filter(({ process }) => process === undefined).length;
        if (found.length > 0 || performance.now() - idleMs >= IDLE_MS) {
          yield { kind: "idle", nowMs: Date.now() };
          idleMs = performance.now();
        }
        if (found.length > 0) await sleep(REST_MS);
        await Promise.race([trace.wait(IDLE_MS), stopped]);
      }
    } finally {
      trace.endExecutions();
    }
  }

  cursorAt(): undefined {
    return undefined; // tracepoints have no past
  }

  /** Nothing is handed on meanwhile: a short process must not wait for its turn. */
  #look(executions: readonly Executed[]): TracedObservation[] {
    const last = new Map(executions.map((one) => [one.pid, one]));
    return executions.flatMap((one) => {
      const { pid, path, timeMs, birth } = one;
      const process = last.get(pid) === one ? this.#read(pid) : undefined; // by now it is what it executed last
      if (process === "told") return [];
      return { kind: "traced", pid, path, timeMs, birth, process, seen: false };
    });
  }

  /** @returns told: what it runs was read for the execution before, which this one overtook */
  #read(pid: number): ProcEntry | "told" | undefined {
    const stat = readProcStat(pid);
    if (stat?.kind !== "process") return undefined;
    if (stat.image !== "" && this.#images.get(pid) === stat.image) return "told";
    const process = readRest(stat);
    if (process === undefined) return undefined;
    this.#images.delete(pid);
    this.#images.set(pid, stat.image);
    if (this.#images.size > IMAGES_MAX) this.#images.delete(this.#images.keys().next().value as number);
    return process;
  }
}
