/**
 * Texts that come again and again in a piece of log, each by a number: who reads the records looks at the bytes of each text
 * once, and need not fetch those of each record. Most texts have one number; one that was pushed out in between has two.
 */
const SLOTS = 4_096; // a power of two; a host runs hundreds of programs

export class TextNumbers {
  /** By number; 0 is none. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  count = 1;
  readonly #latest = new Uint32Array(SLOTS);

  constructor(starts: Uint32Array, ends: Uint32Array) {
    this.starts = starts;
    this.ends = ends;
  }

  /** The texts stand in other bytes from here on. */
  begin(): void {
    this.#latest.fill(0);
    this.count = 1;
  }

  of(bytes: Buffer, start: number, end: number): number {
    const length = end - start;
    // As events/text-cache.ts does: as a function that both call, it costs a replay 2 to 3 %.
    const slot =
      (length * 61 +
        (bytes[end - 2] as number) * 31 +
        (bytes[end - 4] as number) * 7 +
        (bytes[start + (length >> 1)] as number)) &
      (SLOTS - 1);
    const known = this.#latest[slot] as number;
    if (known !== 0) {
      const knownStart = this.starts[known] as number;
      if ((this.ends[known] as number) - knownStart === length && isSame(bytes, knownStart, start, length))
        return known;
    }
    const number = this.count;
    this.starts[number] = start;
    this.ends[number] = end;
    this.#latest[slot] = number;
    this.count += 1;
    return number;
  }
}

function isSame(bytes: Buffer, a: number, b: number, length: number): boolean {
  for (let index = length - 1; index >= 0; index -= 1)
    if (bytes[a + index] !== bytes[b + index]) return false;
  return true;
}
