/** Reads a trace instance of all processors as one, in the order in which things happened. */
import { readSync } from "node:fs";
import type { Counters } from "../counters.ts";
import { loadKoffi } from "../native.ts";
import type { TraceEvent } from "./trace-event.ts";
import type { TraceInstance } from "./trace-instance.ts";
import { readTracePage } from "./trace-page.ts";

const POLLIN = 1; // poll(2)
const POLLFD = 8; // struct pollfd: int fd, short events, short revents
const PAGES_MAX = 4_096; // of one reading: who writes faster than we read must not hold us
const CLOCK_MS = 5; // clocks that differ by more than that were set

interface Poll {
  (descriptors: Buffer, count: number, timeoutMs: number): number;
  async(descriptors: Buffer, count: number, timeoutMs: number, done: () => void): void;
}

export class TraceReader {
  readonly #instance: TraceInstance;
  readonly #counters: Pick<Counters, "traces_lost">;
  readonly #poll: Poll;
  readonly #descriptors: Buffer;
  readonly #page: Buffer;
  #ahead: TraceEvent[] = []; // read already, but something before it may not be
  #lost: number;
  #clockMs = clockMs(); // from the trace's clock to the wall's

  constructor(instance: TraceInstance, counters: Pick<Counters, "traces_lost">) {
    this.#instance = instance;
    this.#counters = counters;
    this.#poll = loadKoffi().load("libc.so.6").func("int poll(_Inout_ void *, unsigned long, int)") as Poll;
    this.#descriptors = Buffer.alloc(POLLFD * instance.pipes.length);
    for (const [index, pipe] of instance.pipes.entries()) {
      this.#descriptors.writeInt32LE(pipe, POLLFD * index);
      this.#descriptors.writeInt16LE(POLLIN, POLLFD * index + 4);
    }
    this.#page = Buffer.alloc(instance.page.data.offset + instance.page.data.size);
    this.#lost = instance.lost();
  }

  /** All that happened up to now, and was not given before. Where the clock was set meanwhile, as if something was lost. */
  read(): TraceEvent[] {
    const isSet = this.#followClock();
    const events = this.#ahead;
    const nowMs = this.#clockMs + traceMs();
    this.#readAll(events);
    // One processor is read after the other: what came meanwhile on the first may be older than what was found on the last.
    events.sort((a, b) => a.timeMs - b.timeMs);
    this.#ahead = events.splice(events.findLastIndex(({ timeMs }) => timeMs < nowMs) + 1);
    if (isSet) events.push({ kind: "lost", timeMs: nowMs }); // nobody knows which of them were before it
    if (events.some(({ kind }) => kind === "lost")) {
      const lost = this.#instance.lost();
      this.#counters.traces_lost += Math.max(0, lost - this.#lost);
      this.#lost = lost;
    }
    return events;
  }

  /** Ends when there is something to read. @param timeoutMs at most */
  async wait(timeoutMs: number): Promise<void> {
    if (this.#ahead.length > 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    // In a thread beside this one, which must not share the memory that read() asks with.
    this.#poll.async(Buffer.from(this.#descriptors), this.#instance.pipes.length, timeoutMs, () => resolve());
    await promise;
  }

  /** @returns whether it was set, or the host slept: what is held back is then told by today's clock too */
  #followClock(): boolean {
    const setMs = clockMs() - this.#clockMs;
    if (Math.abs(setMs) <= CLOCK_MS) return false;
    this.#clockMs += setMs;
    this.#ahead = this.#ahead.map((event) => ({ ...event, timeMs: event.timeMs + setMs }));
    return true;
  }

  #readAll(events: TraceEvent[]): void {
    const { pipes, page, decode } = this.#instance;
    for (let left = PAGES_MAX; left > 0 && this.#poll(this.#descriptors, pipes.length, 0) > 0; ) {
      for (const [index, pipe] of pipes.entries()) {
        if ((this.#descriptors.readInt16LE(POLLFD * index + 6) & POLLIN) === 0) continue;
        left -= 1;
        if (readSync(pipe, this.#page, 0, this.#page.length, null) === 0) continue;
        readTracePage(
          this.#page,
          page,
          (start, end, timeNs) => {
            const event = decode(this.#page, start, end, this.#clockMs + timeNs / 1e6);
            if (event !== undefined) events.push(event);
          },
          (timeNs) => events.push({ kind: "lost", timeMs: this.#clockMs + timeNs / 1e6 }),
        );
      }
    }
  }
}

/** Now, as the trace's clock has it. */
function traceMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** From there to the wall's. It changes when that is set, and by a sleep of the host, not as both are slewed. A look can be held up. */
function clockMs(): number {
  const look = () => -traceMs() + Date.now();
  return Math.min(look(), look(), look());
}
