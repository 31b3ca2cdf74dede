/** What is made of the texts of a piece of log, whose records name them by numbers: each is looked at once. */
import type { RecordIndex } from "../sources/record-index.ts";
import { type Image, imageOf } from "./audit-exec.ts";
import { TextCache } from "./text-cache.ts";

export class PieceTexts {
  readonly #images = new Numbered(new TextCache(imageOf));
  readonly #terminals = new Numbered(
    new TextCache((name) => (name === "(none)" || name === "" ? undefined : name)),
  );
  readonly #directories = new Numbered(new TextCache((directory) => directory));

  /** The next piece. */
  begin(index: RecordIndex, bytes: Buffer): void {
    for (const texts of [this.#images, this.#terminals, this.#directories]) texts.begin(index, bytes);
  }

  image(text: number): Image {
    return this.#images.of(text);
  }

  terminal(text: number): string | undefined {
    return this.#terminals.of(text);
  }

  directory(text: number): string {
    return this.#directories.of(text);
  }

  /** Of a record that does not name it by a number. */
  directoryAt(bytes: Buffer, start: number, end: number): string {
    return this.#directories.cache.of(bytes, start, end);
  }
}

class Numbered<T> {
  readonly cache: TextCache<T>;
  #index: RecordIndex | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #values: T[] = [];
  #isMade = new Uint8Array();

  constructor(cache: TextCache<T>) {
    this.cache = cache;
  }

  begin(index: RecordIndex, bytes: Buffer): void {
    this.#index = index;
    this.#bytes = bytes;
    if (this.#isMade.length < index.texts.count) this.#isMade = new Uint8Array(2 * index.texts.count);
    else this.#isMade.fill(0, 0, index.texts.count);
  }

  of(text: number): T {
    if (this.#isMade[text] === 0) this.#make(text);
    return this.#values[text] as T;
  }

  #make(text: number): void {
    const { starts, ends } = (this.#index as RecordIndex).texts;
    this.#values[text] = this.cache.of(this.#bytes, starts[text] as number, ends[text] as number);
    this.#isMade[text] = 1;
  }
}
