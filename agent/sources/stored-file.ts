/** A log that a person named: plain or compressed, a file or a stream, told by its content and not by its name. */
import { closeSync, createReadStream, openSync, readSync, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { Counters } from "../counters.ts";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";
import { Breath } from "./breath.ts";
import { type Compression, compressionOf, inflate } from "./inflate.ts";
import { blankNuls, LineBuffer, type Piece, PROOF_BYTES } from "./line-buffer.ts";
import { fingerprintOf } from "./log-position.ts";
import { ScanAhead } from "./scan-ahead.ts";
import { AHEAD_BYTES } from "./scan-thread.ts";
import type { FileIdentity } from "./source.ts";

const CHUNK_BYTES = 65_536; // of compressed bytes
const HEAD_BYTES = 1_048_576; // an audit log has a record in its first mebibyte
const SHOWN_CHARS = 200; // of a path
const RECORD = /^(?:node=\S+ )?type=\S+ msg=audit\((\d{1,10})\.(\d{3}):\d+\)/m;

/** What people take for a log: magic(5). */
const others: readonly (readonly [start: string, name: string, remedy: string])[] = [
  ["\xfd7zXZ", "xz data", "Decompress it: xz -dc FILE | kinwatch replay -"],
  ["BZh", "bzip2 data", "Decompress it: bzip2 -dc FILE | kinwatch replay -"],
  ["LPKSHHRH", "a journal of systemd", "Name auditd's log: /var/log/audit/audit.log"],
];

export class StoredFile implements Disposable {
  readonly path: string;
  readonly identity: FileIdentity | undefined; // undefined: a stream, which cannot be found again
  readonly bytesTotal: number | undefined; // on disk, compressed
  bytesRead = 0;
  /** Of its first record; infinite where there is none. */
  firstMs = Number.POSITIVE_INFINITY;
  readonly #counters: Counters;
  readonly #fd: number | undefined;
  readonly #stream: AsyncIterator<Buffer> | undefined;
  #compression: Compression | undefined;
  #kept: Buffer[] = []; // of the stream, read while it was looked at
  #head: Buffer = Buffer.alloc(0);
  #proof = { length: 0, fingerprint: "" }; // the last one: at most places the same

  private constructor(path: string, stdin: AsyncIterable<Buffer>, counters: Counters) {
    this.path = path;
    this.#counters = counters;
    if (path === "-") {
      this.#stream = stdin[Symbol.asyncIterator]();
      return;
    }
    const stats = statSync(path);
    if (stats.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
    if (stats.isFile()) {
      this.#fd = openSync(path, "r");
      this.identity = { device: stats.dev, inode: stats.ino };
      this.bytesTotal = stats.size;
    } else {
      this.#stream = createReadStream(path)[Symbol.asyncIterator](); // a pipe, as of <(zcat FILE)
    }
  }

  /** @throws KW_INPUT_UNREADABLE, KW_INPUT_INVALID: there is no audit record at its beginning */
  static async open(path: string, stdin: AsyncIterable<Buffer>, counters: Counters): Promise<StoredFile> {
    try {
      const file = new StoredFile(path, stdin, counters);
      await file.#look();
      return file;
    } catch (error) {
      throw inputError(path, error);
    }
  }

  /**
   * A hash that this log keeps when it grows, is renamed or compressed; undefined where there is nothing to prove, or when it
   * is shorter than the offset. The newline before the offset is left out: the end of the file may have lacked it.
   */
  fingerprintAt(offset: number): string | undefined {
    const length = Math.min(PROOF_BYTES, offset - 1);
    if (length <= 0 || this.#head.length < length) return undefined;
    if (this.#proof.length !== length)
      this.#proof = { length, fingerprint: fingerprintOf(this.#head.subarray(0, length)) };
    return this.#proof.fingerprint;
  }

  /** @throws KW_INPUT_UNREADABLE, KW_INPUT_INVALID: damaged or cut off, after all that could be read */
  async *pieces(): AsyncGenerator<Piece> {
    this.bytesRead = 0;
    const lines = new LineBuffer(0, this.#counters);
    let isWhole = true; // what the buffer holds at last is the last line
    try {
      if (this.#fd !== undefined && this.#compression === undefined) {
        isWhole = yield* this.#plain(this.#fd, lines);
      } else {
        for await (const chunk of this.#chunks()) yield* split(chunk, lines);
      }
    } catch (error) {
      throw inputError(this.path, error);
    }
    const rest = isWhole ? lines.rest() : undefined;
    if (rest !== undefined) yield rest;
  }

  /** @returns whether the buffer has seen all of it: the end of a large one is read elsewhere */
  async *#plain(fd: number, lines: LineBuffer): AsyncGenerator<Piece, boolean> {
    const breath = new Breath();
    const isLarge = (this.bytesTotal ?? 0) >= AHEAD_BYTES;
    await using ahead = isLarge ? new ScanAhead(fd, this.#counters) : undefined;
    if (isLarge) await setImmediate(); // a thread that is there can say so
    let isBetween = true; // not inside of a line that is too long
    for (;;) {
      if (isBetween && ahead?.isStarted) break;
      const space = lines.space();
      const read = readSync(fd, space, 0, space.length, lines.end);
      if (read === 0) return true;
      this.bytesRead += read;
      const piece = lines.lines(read);
      isBetween = piece !== undefined;
      if (piece !== undefined) yield piece;
      await breath.take();
    }
    for await (const piece of ahead.pieces(lines.offset)) {
      this.bytesRead = piece.offset + piece.bytes.length;
      yield piece;
    }
    return false;
  }

  #chunks(): AsyncGenerator<Buffer> {
    const raw = this.#raw();
    return this.#compression === undefined ? raw : inflate(raw, this.#compression);
  }

  async *#raw(keep = false): AsyncGenerator<Buffer> {
    for (const chunk of this.#kept) {
      this.bytesRead += chunk.length;
      yield chunk;
    }
    if (!keep) this.#kept = [];
    const buffer = this.#fd === undefined ? undefined : Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (;;) {
      let chunk: Buffer;
      if (this.#fd !== undefined && buffer !== undefined) {
        chunk = buffer.subarray(0, readSync(this.#fd, buffer, 0, CHUNK_BYTES, this.bytesRead));
      } else {
        const next = await this.#stream?.next();
        chunk = next?.done === false ? next.value : Buffer.alloc(0);
        if (keep) this.#kept.push(chunk);
      }
      if (chunk.length === 0) return;
      this.bytesRead += chunk.length;
      yield chunk;
    }
  }

  /** Recognises it, by no more of it than that takes. */
  async #look(): Promise<void> {
    const start = await this.#first(this.#raw(true), 8);
    this.#compression = compressionOf(start);
    this.bytesRead = 0;
    let error: unknown;
    const raw = this.#raw(true);
    const head = this.#compression === undefined ? raw : inflate(raw, this.#compression);
    this.#head = await this.#first(head, HEAD_BYTES, (cause) => {
      error = cause;
    });
    this.bytesRead = 0;
    const found = RECORD.exec(blankNuls(this.#head).toString("latin1"));
    if (found !== null) this.firstMs = Number(found[1]) * 1_000 + Number(found[2]);
    else if (error !== undefined) throw error;
    else if (this.#head.length >= HEAD_BYTES || /\S/.test(this.#head.toString("latin1")))
      throw this.#refusal();
    this.#head = Buffer.from(this.#head.subarray(0, PROOF_BYTES));
  }

  /** Some bytes more than these, or all there are. */
  async #first(
    chunks: AsyncIterable<Buffer>,
    bytes: number,
    failed?: (error: unknown) => void,
  ): Promise<Buffer> {
    const parts: Buffer[] = [];
    let length = 0;
    try {
      for await (const chunk of chunks) {
        parts.push(Buffer.from(chunk)); // its memory is used again
        length += chunk.length;
        if (length >= bytes) break;
      }
    } catch (error) {
      if (failed === undefined || isSystemError(error)) throw error;
      failed(error); // what came before it is worth a look
    }
    return Buffer.concat(parts);
  }

  #refusal(): KinwatchError {
    const start = this.#head.toString("latin1", 0, 32);
    const [, name, remedy] = others.find(([magic]) => start.startsWith(magic)) ?? [];
    return new KinwatchError(
      "KW_INPUT_INVALID",
      `${printable(this.path, SHOWN_CHARS)} is no audit log: it begins with ${name ?? `"${printable(start, SHOWN_CHARS)}"`}, and no line of its first mebibyte with type=… msg=audit(…)`,
      remedy ?? "Name a log that auditd wrote, plain or compressed by gzip or zstd",
    );
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    else void this.#stream?.return?.();
  }
}

function* split(chunk: Buffer, lines: LineBuffer): Generator<Piece> {
  for (let at = 0; at < chunk.length; ) {
    const copied = chunk.copy(lines.space(), 0, at);
    at += copied;
    const piece = lines.lines(copied);
    if (piece !== undefined) yield piece;
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function inputError(path: string, error: unknown): unknown {
  if (error instanceof KinwatchError) return error;
  const code = systemCode(error);
  if (isSystemError(error) || code === "EISDIR") {
    return new KinwatchError(
      "KW_INPUT_UNREADABLE",
      `Cannot read ${printable(path, SHOWN_CHARS)}: ${code}`,
      code === "EISDIR" ? "Name the files in it" : "Name a file that you may read: audit logs are root's",
      { cause: error },
    );
  }
  return new KinwatchError(
    "KW_INPUT_INVALID",
    `${printable(path, SHOWN_CHARS)} is damaged or cut off: ${error instanceof Error ? error.message : code}`,
    "What came before that place was used. Check the file with gzip -t or zstd -t, and copy it again",
    { cause: error },
  );
}
