/** Reads a file in pieces of whole lines. What comes after the last newline is held until its newline comes. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Counters } from "../counters.ts";
import type { FileIdentity } from "./source.ts";

const PIECE_BYTES = 1_048_576; // also the longest line: the kernel's are below 9 KiB (MAX_AUDIT_MESSAGE_LENGTH)

export class LineReader implements FileIdentity, Disposable {
  readonly device: number;
  readonly inode: number;
  readonly fd: number;
  readonly #counters: Counters;
  readonly #buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #offset: number; // of the buffer's first byte in the file
  #given = 0; // bytes at the buffer's start that were handed out
  #held = 0; // bytes in the buffer
  #skipping = false; // inside a line that is too long

  constructor(path: string, offset: number, counters: Counters) {
    this.fd = openSync(path, "r");
    const { dev, ino } = fstatSync(this.fd);
    this.device = dev;
    this.inode = ino;
    this.#offset = offset;
    this.#counters = counters;
  }

  get size(): number {
    return fstatSync(this.fd).size;
  }

  /** The offset behind the last whole line that was handed out. */
  get offset(): number {
    return this.#offset + this.#given;
  }

  /** All bytes read, those held included. */
  get end(): number {
    return this.#offset + this.#held;
  }

  /**
   * @param until no line that begins at or after this offset
   * @returns whole lines, valid until the next call; undefined when there is none as yet
   */
  next(until = Number.POSITIVE_INFINITY): { bytes: Buffer; offset: number } | undefined {
    for (;;) {
      this.#buffer.copyWithin(0, this.#given, this.#held);
      this.#offset += this.#given;
      this.#held -= this.#given;
      this.#given = 0;
      const room = Math.min(this.#buffer.length - this.#held, until - this.#offset - this.#held);
      const read =
        room <= 0 ? 0 : readSync(this.fd, this.#buffer, this.#held, room, this.#offset + this.#held);
      this.#held += read;
      let start = 0;
      if (this.#skipping) {
        const newline = this.#buffer.subarray(0, this.#held).indexOf(0x0a);
        start = newline === -1 ? this.#held : newline + 1;
        this.#skipping = newline === -1;
      }
      const last = this.#buffer.subarray(0, this.#held).lastIndexOf(0x0a);
      if (last >= start) {
        this.#given = last + 1;
        return { bytes: this.#buffer.subarray(start, last + 1), offset: this.#offset + start };
      }
      this.#given = start;
      if (this.#held - start === this.#buffer.length) {
        this.#counters.records_oversized += 1;
        this.#skipping = true;
        this.#given = this.#held;
      } else if (read === 0) return undefined;
    }
  }

  /** The last line of a file that will not grow any more, given the newline that it lacks. */
  rest(): { bytes: Buffer; offset: number } | undefined {
    if (this.#held === this.#given || this.#skipping) return undefined;
    const bytes = Buffer.concat([this.#buffer.subarray(this.#given, this.#held), Buffer.from("\n")]);
    const offset = this.#offset + this.#given;
    this.#given = this.#held;
    return { bytes, offset };
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
