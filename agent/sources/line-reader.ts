/** Reads an open log in pieces of whole lines, and notices when what was read of it is not there any more. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { Counters } from "../counters.ts";
import { blankNuls, LineBuffer, type Piece, PROOF_BYTES } from "./line-buffer.ts";
import { fingerprintOf } from "./log-position.ts";
import type { FileIdentity, LogCursor } from "./source.ts";

const scratch = Buffer.allocUnsafeSlow(PROOF_BYTES);

export class LineReader implements FileIdentity, Disposable {
  readonly device: number;
  readonly inode: number;
  readonly fd: number; // keeps the inode from being reused
  /** What was read before was cut away or written over: start(0). */
  truncated = false;
  readonly #counters: Counters;
  #offset = 0;
  #lines: LineBuffer | undefined; // a mebibyte, not there before it is needed

  /** @throws a system error */
  constructor(path: string, counters: Counters) {
    this.fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO in its place must not hold us up
    const stats = fstatSync(this.fd);
    if (!stats.isFile()) {
      closeSync(this.fd);
      throw new Error("it is no regular file");
    }
    this.device = stats.dev;
    this.inode = stats.ino;
    this.#counters = counters;
  }

  get size(): number {
    return fstatSync(this.fd).size;
  }

  get isDeleted(): boolean {
    return fstatSync(this.fd).nlink === 0;
  }

  /** Behind the last whole line that was handed out. */
  get offset(): number {
    return this.#lines?.offset ?? this.#offset;
  }

  /** All bytes read, those held included. */
  get end(): number {
    return this.#lines?.end ?? this.#offset;
  }

  /** What proves the place behind the last line, though the file may have lost it; undefined when too little is known. */
  get lastCursor(): LogCursor | undefined {
    const { device, inode, offset } = this;
    const proof = this.#lines?.proofOfOffset;
    if (!proof?.length || proof.length < Math.min(PROOF_BYTES, offset)) return undefined;
    return { device, inode, offset, fingerprint: fingerprintOf(proof) };
  }

  /** Reading has come to its end: the buffer is let go, the file stays open. */
  release(): void {
    this.#offset = this.offset;
    this.#lines = undefined;
  }

  /** Reads from here the next time. */
  start(offset: number): void {
    this.#offset = offset;
    this.#lines = undefined;
    this.truncated = false;
  }

  /**
   * @param until no line that begins at or after this offset
   * @returns whole lines, valid until the next call; undefined when there is none as yet
   * @throws a system error
   */
  next(until = Number.POSITIVE_INFINITY): Piece | undefined {
    this.#lines ??= new LineBuffer(this.#offset, this.#counters);
    for (;;) {
      const space = this.#lines.space();
      const wanted = Math.min(space.length, until - this.#lines.end);
      const read = wanted <= 0 ? 0 : readSync(this.fd, space, 0, wanted, this.#lines.end);
      this.truncated = !this.isIntact(); // after reading: what is intact now was intact then
      if (this.truncated) return undefined;
      const piece = this.#lines.lines(read);
      if (piece !== undefined || read === 0) return piece;
    }
  }

  /** Whether the last that was read is still there. The size alone does not tell: it may have grown again. */
  isIntact(): boolean {
    if (this.#lines === undefined) return this.size >= this.#offset;
    const { proofOfEnd, end } = this.#lines;
    const { length } = proofOfEnd;
    const read = readSync(this.fd, scratch, 0, length, end - length);
    return read === length && blankNuls(scratch.subarray(0, length)).equals(proofOfEnd);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
