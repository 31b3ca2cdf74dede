/** The ids of the events dealt with last, so that a record that comes late does not open its event again. */
const KEPT = 64; // far more than are written at once

export class RecentIds {
  readonly #keys = new Float64Array(KEPT);
  readonly #times = new Float64Array(KEPT).fill(Number.NaN);
  #next = 0;

  add(key: number, timeMs: number): void {
    this.#keys[this.#next] = key;
    this.#times[this.#next] = timeMs;
    this.#next = (this.#next + 1) % KEPT;
  }

  has(key: number, timeMs: number): boolean {
    for (let index = 0; index < KEPT; index += 1)
      if (this.#keys[index] === key && this.#times[index] === timeMs) return true;
    return false;
  }
}
