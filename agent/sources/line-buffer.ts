/**
 * Cuts what is read of a log into pieces of whole lines. No I/O: whoever reads puts the bytes in. NUL bytes count as line
 * ends: no record holds one, a crash leaves blocks of them (ext4(5), delayed allocation), and the record behind is whole.
 */
import type { Counters } from "../counters.ts";
import type { RecordIndex } from "./record-index.ts";

const PIECE_BYTES = 1_048_576; // also the longest line: the kernel's are below 9 KiB (MAX_AUDIT_MESSAGE_LENGTH)
/** So many bytes prove a place in a log: they hold the longest line, so a time and a serial that are nowhere else. */
export const PROOF_BYTES = 16_384;

export const LINE_BUFFER_BYTES = PROOF_BYTES + PIECE_BYTES;

export interface Piece {
  readonly bytes: Buffer; // whole lines, valid until space() is called
  readonly offset: number; // of the first of them in the log
  readonly index?: RecordIndex | undefined; // of its records, where they were looked for already
}

export class LineBuffer {
  readonly #counters: Counters;
  #bytes: Buffer;
  #base: number; // offset of the buffer's first byte in the log
  #given = 0; // bytes at the buffer's start that were handed out or skipped
  #held = 0; // bytes in the buffer
  #skipping = false; // inside a line that is too long

  /** @param bytes LINE_BUFFER_BYTES, to work in */
  constructor(offset: number, counters: Counters, bytes: Buffer = Buffer.allocUnsafeSlow(LINE_BUFFER_BYTES)) {
    this.#base = offset;
    this.#counters = counters;
    this.#bytes = bytes;
  }

  /** Behind the last line that was handed out. */
  get offset(): number {
    return this.#base + this.#given;
  }

  /** Behind all that was put in. */
  get end(): number {
    return this.#base + this.#held;
  }

  /** The last bytes that were put in, NULs as newlines; fewer than PROOF_BYTES only where no more are known. */
  get proofOfEnd(): Buffer {
    return this.#bytes.subarray(Math.max(0, this.#held - PROOF_BYTES), this.#held);
  }

  /** The same for what was handed out. */
  get proofOfOffset(): Buffer {
    return this.#bytes.subarray(Math.max(0, this.#given - PROOF_BYTES), this.#given);
  }

  /**
   * Where to put what comes next; never empty. The piece handed out last is gone then.
   * @param into other bytes to work in from now on, so that the piece stays
   */
  space(into: Buffer = this.#bytes): Buffer {
    this.#skipTooLong();
    const start = Math.max(0, this.#given - PROOF_BYTES);
    this.#bytes.copy(into, 0, start, this.#held);
    this.#bytes = into;
    this.#base += start;
    this.#given -= start;
    this.#held -= start;
    return this.#bytes.subarray(this.#held);
  }

  /**
   * @param added how many bytes were put into the space
   * @returns the lines that are whole now; what comes after the last newline is held until its newline comes
   */
  lines(added: number): Piece | undefined {
    const from = this.#held;
    this.#held += added;
    const held = this.#bytes.subarray(0, this.#held);
    blankNuls(held.subarray(from));
    const end = held.lastIndexOf(0x0a) + 1;
    if (end <= from) {
      if (this.#skipping) this.#given = this.#held;
      return undefined;
    }
    const start = this.#skipping ? held.indexOf(0x0a, from) + 1 : this.#given;
    this.#skipping = false;
    this.#given = end;
    return start === end ? undefined : { bytes: held.subarray(start, end), offset: this.#base + start };
  }

  /** The last line of a log that will not grow any more, given the newline that it lacks. */
  rest(): Piece | undefined {
    this.#skipTooLong();
    if (this.#held === this.#given) return undefined;
    const { offset } = this;
    const bytes = Buffer.concat([this.#bytes.subarray(this.#given, this.#held), Buffer.from("\n")]);
    this.#given = this.#held;
    return { bytes, offset };
  }

  #skipTooLong(): void {
    if (this.#held - this.#given < PIECE_BYTES) return;
    this.#counters.records_oversized += 1;
    this.#skipping = true;
    this.#given = this.#held;
  }
}

/** In place. */
export function blankNuls(bytes: Buffer): Buffer {
  for (let at = bytes.indexOf(0); at !== -1; at = bytes.indexOf(0, at)) {
    while (bytes[at] === 0) {
      bytes[at] = 0x0a;
      at += 1;
    }
  }
  return bytes;
}
