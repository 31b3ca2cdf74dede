/** When to ask again: later each time, never all hosts at once, and not before the server said. */
const MS_MIN = 1_000;
const MS_MAX = 60_000;
const SLOW_MS_MIN = 5_000; // where a person has to do something, asking often does not help
const WANTED_MS_MAX = 600_000; // a server that asks for more is asked again all the same

export class Backoff {
  readonly #random: () => number;
  #ms = MS_MIN;

  /** @param random from 0 to 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** @returns ms to wait; half of them by chance */
  fail({ isSlow, wantedMs }: { readonly isSlow: boolean; readonly wantedMs: number }): number {
    const ms = Math.max(this.#ms, isSlow ? SLOW_MS_MIN : 0);
    this.#ms = Math.min(2 * ms, MS_MAX);
    return Math.max(ms * (0.5 + this.#random() / 2), Math.min(wantedMs, WANTED_MS_MAX));
  }

  succeed(): void {
    this.#ms = MS_MIN;
  }
}

/** @param value of the header Retry-After, seconds or a date (RFC 9110, section 10.2.3) @returns ms; 0: it says nothing */
export function retryAfterMs(value: string | string[] | undefined, nowMs: number): number {
  const text = String(value ?? "");
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const untilMs = /\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(untilMs) ? 0 : Math.max(0, untilMs - nowMs);
}
