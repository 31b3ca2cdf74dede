/**
 * What the kernel's tracepoints tell, for the two who ask: who began a process, at any time, and which executions there were, in order.
 * Read when it is asked for, and now and then, lest it be overwritten.
 */
import type { Counters } from "../counters.ts";
import { KinwatchError } from "../errors.ts";
import { ProcessBirths } from "./process-births.ts";
import type { Birth } from "./source.ts";
import type { TraceEvent } from "./trace-event.ts";
import { TraceInstance } from "./trace-instance.ts";
import { TraceReader } from "./trace-reader.ts";

/** An execution, and who had begun its process. */
export type Executed = Extract<TraceEvent, { kind: "executed" }> & { readonly birth: Birth | undefined };

const LOOK_MS = 5_000; // whether it is still on: who turns it off for less than that does it by mistake
const EXECUTED_MAX = 65_536; // a minute of 1,000 a second, some 10 MB
const READ_MS = 250; // what comes in that time fits the buffer, a few thousand executions a second and processor

export class ProcessTrace implements Disposable {
  readonly #counters: Pick<Counters, "traces_lost">;
  readonly #instance: TraceInstance;
  readonly #reader: TraceReader;
  readonly #births: ProcessBirths;
  readonly #timer: NodeJS.Timeout;
  #executed: Executed[] | undefined; // undefined: nobody asks for executions
  #lookedMs = performance.now();
  /** That it was turned off. */
  problem: KinwatchError | undefined;

  /** @throws KW_TRACEFS_MISSING, KW_TRACEFS_REFUSED */
  constructor(counters: Pick<Counters, "traces_lost" | "births_let_go">) {
    this.#counters = counters;
    this.#instance = new TraceInstance();
    this.#reader = new TraceReader(this.#instance, counters);
    this.#births = new ProcessBirths(counters);
    this.#timer = setInterval(() => this.#read(), READ_MS);
    this.#timer.unref();
  }

  /** The last birth under a pid, up to this moment. undefined: before this was watched, or nobody knows any more */
  birthOf(pid: number): Birth | undefined {
    this.#read();
    return this.#births.of(pid);
  }

  /** From the first time on that they are asked for: those since the last time, in order. */
  executions(): Executed[] {
    this.#executed ??= [];
    this.#read();
    return this.#executed.splice(0);
  }

  /** Nobody asks for them any more: they are not kept. */
  endExecutions(): void {
    this.#executed = undefined;
  }

  /** Ends when something happens. @param timeoutMs at most */
  wait(timeoutMs: number): Promise<void> {
    return this.#executed?.length ? Promise.resolve() : this.#reader.wait(timeoutMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#instance[Symbol.dispose]();
  }

  #look(): void {
    this.#lookedMs = performance.now();
    const isOn = this.#instance.isOn();
    if (!isOn) this.#births.take({ kind: "lost", timeMs: Date.now() }); // pids go to others meanwhile
    this.problem = isOn
      ? undefined
      : new KinwatchError(
          "KW_TRACEFS_OFF",
          `The kernel's tracepoints were turned off in ${this.#instance.folder}`,
          "Find out who did it, then start kinwatch anew, which turns them on",
        );
  }

  /** Who asks may be held up, by a full disk say. */
  #keep(event: Extract<TraceEvent, { kind: "executed" }>, executed: Executed[]): void {
    if (executed.length < EXECUTED_MAX) executed.push({ ...event, birth: this.#births.of(event.pid) });
    else this.#counters.traces_lost += 1;
  }

  #read(): void {
    if (performance.now() - this.#lookedMs >= LOOK_MS) this.#look();
    for (const event of this.#reader.read()) {
      this.#births.take(event);
      if (event.kind === "executed" && this.#executed !== undefined) this.#keep(event, this.#executed);
    }
  }
}
