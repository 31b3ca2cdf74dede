/** What is made of texts that come again and again, found by their bytes: most of them cost no new string. */
const SLOTS = 1_024; // one text each; a host runs hundreds of programs
const LENGTH_MAX = 256; // longer texts are rare, and must not fill the memory

export class TextCache<T> {
  readonly #make: (text: string) => T;
  readonly #texts = new Array<string>(SLOTS).fill("");
  readonly #values = new Array<T | undefined>(SLOTS).fill(undefined);

  /** @param make a function of the text alone */
  constructor(make: (text: string) => T) {
    this.#make = make;
  }

  of(bytes: Buffer, start: number, end: number): T {
    const length = end - start;
    const slot =
      (length * 61 +
        (bytes[end - 2] as number) * 31 +
        (bytes[end - 4] as number) * 7 +
        (bytes[start + (length >> 1)] as number)) &
      (SLOTS - 1);
    const known = this.#texts[slot] as string;
    if (known.length === length && length > 0 && isSame(known, bytes, start)) return this.#values[slot] as T;
    const text = bytes.toString("latin1", start, end);
    const value = this.#make(text);
    if (length <= LENGTH_MAX) {
      this.#texts[slot] = text;
      this.#values[slot] = value;
    }
    return value;
  }
}

function isSame(text: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < text.length; index += 1)
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  return true;
}
