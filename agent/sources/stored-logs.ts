/**
 * Audit logs that a person names, oldest first by what is in them: names lie (audit.log.10 sorts before audit.log.2), and
 * times of files are those of copying.
 */
import { basename } from "node:path";
import type { Counters } from "../counters.ts";
import { KinwatchError } from "../errors.ts";
import { isSameFile } from "./log-position.ts";
import type { LogCursor, LogObservation, LogPosition, Source } from "./source.ts";
import { StoredFile } from "./stored-file.ts";

export interface StoredLogOptions {
  readonly files: readonly string[]; // "-" is standard input
  readonly cursor: LogCursor | undefined;
  readonly counters: Counters;
  readonly stdin?: AsyncIterable<Buffer>;
}

const SHOWN_MAX = 20; // files of one message: a wrong folder has hundreds
const nowhere = { device: 0, inode: 0 }; // where a stream is

export class StoredLogSource implements Source {
  readonly name = "files";
  readonly description: string;
  readonly #options: StoredLogOptions;
  #files: StoredFile[] = [];

  constructor(options: StoredLogOptions) {
    this.#options = options;
    this.description = `${options.files.join(", ")}: all executions that were logged there`;
  }

  /** On disk; undefined when nobody knows, as of a stream. */
  get bytesTotal(): number | undefined {
    return this.#files.reduce<number | undefined>(
      (sum, { bytesTotal }) => (sum === undefined || bytesTotal === undefined ? undefined : sum + bytesTotal),
      0,
    );
  }

  get bytesRead(): number {
    return this.#files.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  }

  /** @throws KW_INPUT_UNREADABLE, KW_INPUT_INVALID: of any of the files before the first is read, or where one is damaged */
  async *[Symbol.asyncIterator](): AsyncGenerator<LogObservation> {
    try {
      await this.#open();
      const { cursor } = this.#options;
      const last = this.#find(cursor);
      for (const [index, file] of this.#files.entries()) {
        const seenUntil =
          index < last ? Number.POSITIVE_INFINITY : index === last ? (cursor?.offset ?? 0) : 0;
        for await (const { bytes, offset, index } of file.pieces()) {
          const position = { ...(file.identity ?? nowhere), offset };
          const cut =
            seenUntil >= offset + bytes.length
              ? bytes.length
              : bytes.subarray(0, Math.max(0, seenUntil - offset)).lastIndexOf(0x0a) + 1;
          if (cut === 0 || cut === bytes.length) {
            yield { kind: "log", bytes, position, seen: cut > 0, index };
          } else {
            yield { kind: "log", bytes: bytes.subarray(0, cut), position, seen: true };
            const rest = { ...position, offset: offset + cut };
            yield { kind: "log", bytes: bytes.subarray(cut), position: rest, seen: false };
          }
        }
      }
    } finally {
      for (const file of this.#files) file[Symbol.dispose]();
    }
  }

  /** None for a stream, nor for the very beginning of a file. */
  cursorAt({ device, inode, offset }: LogPosition): LogCursor | undefined {
    const file = this.#files.find(({ identity }) => identity && isSameFile(identity, { device, inode }));
    const fingerprint = file?.fingerprintAt(offset);
    return fingerprint === undefined ? undefined : { device, inode, offset, fingerprint };
  }

  async #open(): Promise<void> {
    const { counters, stdin = process.stdin } = this.#options;
    const paths = new Set(this.#options.files);
    const errors: KinwatchError[] = [];
    for (const path of paths) {
      const file = await StoredFile.open(path, stdin, counters).catch(refusal);
      if (file instanceof KinwatchError) {
        errors.push(file);
        continue;
      }
      const { identity } = file;
      const twice =
        identity && this.#files.some((other) => other.identity && isSameFile(other.identity, identity));
      if (twice) file[Symbol.dispose]();
      else this.#files.push(file);
    }
    if (errors.length > 1) throw all(errors, paths.size);
    for (const error of errors) throw error;
    this.#files.sort((a, b) => Math.sign(a.firstMs - b.firstMs) || ageOf(b) - ageOf(a));
  }

  /** The file that holds the cursor's position: the one of its inode if its beginning agrees, else any that begins so. */
  #find(cursor: LogCursor | undefined): number {
    if (cursor === undefined) return -1;
    const holds = (file: StoredFile): boolean =>
      file.identity !== undefined && file.fingerprintAt(cursor.offset) === cursor.fingerprint;
    const named = this.#files.findIndex(
      (file) => file.identity && isSameFile(file.identity, cursor) && holds(file),
    );
    return named === -1 ? this.#files.findIndex(holds) : named;
  }
}

/** Of audit.log.3.gz: 3. */
function ageOf({ path }: StoredFile): number {
  return Number(/\.(\d+)(?:\.\w+)?$/.exec(basename(path))?.[1] ?? 0);
}

function refusal(error: unknown): KinwatchError {
  if (error instanceof KinwatchError) return error;
  throw error;
}

/** A line for each: who named many files mends all that is wrong with them at once. */
function all(errors: readonly KinwatchError[], files: number): KinwatchError {
  const more = errors.length > SHOWN_MAX ? [`and ${errors.length - SHOWN_MAX} more`] : [];
  const lines = errors.slice(0, SHOWN_MAX).map(({ message }) => message.replace(/\.$/, ""));
  return new KinwatchError(
    errors.every(({ code }) => code === "KW_INPUT_UNREADABLE") ? "KW_INPUT_UNREADABLE" : "KW_INPUT_INVALID",
    [`${errors.length} of ${files} files cannot be read, and none was`, ...lines, ...more].join("\n"),
    "Name others in their place, or leave them out",
  );
}
