/**
 * Who began which process, by the kernel's own word: also of processes that never execute anything, and of such whose parent is dead by
 * the time that they do. A thread begins processes in the name of its own.
 */
import { readFileSync } from "node:fs";
import type { Counters } from "../counters.ts";
import type { Birth } from "./source.ts";
import type { TraceEvent } from "./trace-event.ts";

interface Born {
  readonly timeMs: number; // NaN: before it was watched
  readonly process: number; // of a thread its process's pid, else its own
  readonly parent: number | undefined; // of the process; undefined: not known
}

const ENDED_MAX = 16_384; // what the log tells of a process may be read seconds after its end
const LIVING_MAX = 131_072; // threads too, some 10 MB: far more than a host begins and does not end

export class ProcessBirths {
  readonly #counters: Pick<Counters, "births_let_go">;
  readonly #readThread: typeof readThread;
  readonly #living = new Map<number, Born>(); // by thread, the oldest first
  readonly #ended = new Map<number, Born>(); // likewise, in the order of their end

  constructor(counters: Pick<Counters, "births_let_go">, read = readThread) {
    this.#counters = counters;
    this.#readThread = read;
  }

  take(event: TraceEvent): void {
    if (event.kind === "born") this.#begin(event);
    else if (event.kind === "exited") this.#end(event.pid);
    else if (event.kind === "executed") this.#goOn(event);
    else this.#forgetAll();
  }

  /** The one that had the pid last. undefined: it was begun before this was watched, or nobody knows any more */
  of(pid: number): Birth | undefined {
    const born = this.#living.get(pid) ?? this.#ended.get(pid);
    if (born === undefined || born.process !== pid || born.parent === undefined) return undefined;
    return Number.isNaN(born.timeMs) ? undefined : { pid, timeMs: born.timeMs, parent: born.parent };
  }

  #begin({ pid, by, timeMs, isThread, isSibling }: TraceEvent & { kind: "born" }): void {
    const caller = this.#callerOf(by);
    this.#ended.delete(pid);
    this.#living.delete(pid);
    this.#living.set(
      pid,
      isThread
        ? { timeMs, process: caller.process, parent: undefined }
        : { timeMs, process: pid, parent: isSibling ? this.#parentOf(caller) : caller.process },
    );
    if (this.#living.size <= LIVING_MAX) return;
    this.#living.delete(this.#living.keys().next().value as number);
    this.#counters.births_let_go += 1;
  }

  /** A thread that is over before it was asked for is taken for a process: its number is no other one's. */
  #callerOf(thread: number): Born {
    const known = this.#living.get(thread);
    if (known !== undefined) return known;
    const found = this.#readThread(thread) ?? { process: thread, parent: undefined };
    const born = { timeMs: Number.NaN, ...found };
    this.#living.set(thread, born);
    return born;
  }

  #parentOf({ process, parent }: Born): number | undefined {
    return parent ?? this.#living.get(process)?.parent ?? this.#readThread(process)?.parent;
  }

  #end(thread: number): void {
    const born = this.#living.get(thread);
    if (born === undefined) return;
    this.#living.delete(thread);
    if (born.process !== thread) return;
    this.#ended.set(thread, born);
    if (this.#ended.size > ENDED_MAX) this.#ended.delete(this.#ended.keys().next().value as number);
  }

  /** All other threads end when one executes, the first one too, whose number the one that executes has from then on: execve(2). */
  #goOn({ pid, thread }: TraceEvent & { kind: "executed" }): void {
    const born = this.#ended.get(pid);
    if (born !== undefined) {
      this.#ended.delete(pid);
      this.#living.set(pid, born);
    }
    if (thread !== pid) this.#living.delete(thread);
  }

  /** What was overwritten may have been the end of one, and another that has its pid now. */
  #forgetAll(): void {
    this.#living.clear();
    this.#ended.clear();
  }
}

/** Of which process a thread is, and who that one's parent is now. proc_pid_status(5) */
function readThread(thread: number): Pick<Born, "process" | "parent"> | undefined {
  try {
    const status = readFileSync(`/proc/${thread}/status`, "latin1");
    const number = (name: string) => Number(new RegExp(`^${name}:\\t(\\d+)$`, "m").exec(status)?.[1]);
    return { process: number("Tgid"), parent: number("PPid") };
  } catch {
    return undefined;
  }
}
