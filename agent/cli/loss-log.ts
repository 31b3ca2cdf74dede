/** Tells in kinwatch's own log what it lost. The counters have the whole of it; a line an hour is enough to know that there is something. */
import { risesOf } from "../alert/ecs-health.ts";
import type { Counters } from "../counters.ts";

const HOUR_MS = 3_600_000;

export class LossLog {
  readonly #counters: Counters;
  readonly #warn: (message: string) => void;
  #told: Counters;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(counters: Counters, warn: (message: string) => void) {
    this.#counters = counters;
    this.#warn = warn;
    this.#told = { ...counters };
  }

  /** @param nowMs monotonic */
  look(nowMs: number): void {
    const rises = risesOf(this.#counters, this.#told);
    if (rises.length === 0 || nowMs - this.#toldMs < HOUR_MS) return;
    this.#warn(`not all was seen, or not whole: ${rises.join(", ")}; docs/counters.md says what that means`);
    this.#told = { ...this.#counters };
    this.#toldMs = nowMs;
  }
}
