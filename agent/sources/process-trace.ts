/**
 * What the kernel's tracepoints tell, for the two who ask: who began a process, at any time, and which executions there were, in order.
 * Read when it is asked for, and now and then, lest it be overwritten.
 */
import type { Counters } from "../counters.ts";
import { ProcessBirths } from "./process-births.ts";
import type { Birth } from "./source.ts";
import type { TraceEvent } from "./trace-event.ts";
import { TraceInstance } from "./trace-instance.ts";
import { TraceReader } from "./trace-reader.ts";

export type Executed = Extract<TraceEvent, { kind: "executed" }>;

const READ_MS = 250; // what comes in that time fits the buffer, a few thousand executions a second and processor

export class ProcessTrace implements Disposable {
  readonly #instance: TraceInstance;
  readonly #reader: TraceReader;
  readonly #births: ProcessBirths;
  readonly #timer: NodeJS.Timeout;
  #executed: Executed[] | undefined; // undefined: nobody asks for executions

  /** @throws KW_TRACEFS_MISSING, KW_TRACEFS_REFUSED */
  constructor(counters: Pick<Counters, "traces_lost" | "births_let_go">) {
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

  /** Ends when something happens. @param timeoutMs at most */
  wait(timeoutMs: number): Promise<void> {
    return this.#executed?.length ? Promise.resolve() : this.#reader.wait(timeoutMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#instance[Symbol.dispose]();
  }

  #read(): void {
    for (const event of this.#reader.read()) {
      this.#births.take(event);
      if (event.kind === "executed") this.#executed?.push(event);
    }
  }
}
