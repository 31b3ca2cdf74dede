/** Lets timers, signals and sockets have their turn during long work: nothing else runs between two pieces of a log. */
import { setImmediate } from "node:timers/promises";

const EVERY_MS = 20; // a signal is heard in less than a person notices

export class Breath {
  #lastMs = performance.now();

  /** Undefined when it is not time yet: then there is nothing to await. */
  take(): Promise<void> | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < EVERY_MS) return undefined;
    return setImmediate().then(() => {
      this.#lastMs = performance.now();
    });
  }
}
