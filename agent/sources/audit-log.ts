/**
 * Follows auditd's log: all that is retained, oldest first, then what is written. auditd rotates by renaming and opening
 * anew, and no record says so (auditd.conf(5), max_log_file_action).
 *
 * Invariant: a log that was once listed stays open until it is read, so that no rotation can take it away, and a log is left
 * only for one that has bytes: its writer has moved on by then, and it is complete.
 */
import { type Stats, statSync } from "node:fs";
import type { Counters } from "../counters.ts";
import { isDenied, KinwatchError, systemCode } from "../errors.ts";
import { Breath } from "./breath.ts";
import { LineReader } from "./line-reader.ts";
import { findCursor, fingerprintBefore, isSameFile, logPaths } from "./log-position.ts";
import { LogWatch } from "./log-watch.ts";
import type { FileIdentity, LogCursor, LogObservation, LogPosition, Observation, Source } from "./source.ts";

export interface AuditLogOptions {
  readonly path: string;
  readonly cursor: LogCursor | undefined;
  readonly stop: AbortSignal;
  readonly counters: Counters;
  /** Told to a person: the log is missing or unreadable, and is tried again. Once until it changes. */
  readonly report: (error: KinwatchError) => void;
  /** When to look again, in place of the file system's events. */
  readonly watch?: Pick<LogWatch, "follow" | "wait">;
}

const MISSING_MS = 1_000; // between auditd's rename and its opening anew there is no log for a moment
const TRIES = 100; // of listing; auditd rotates every few seconds at worst
const READ_MAX = 999; // num_logs of auditd.conf(5) at most; more only where logs are put away by other names

/** An open log, and how much of it was seen before the start. */
interface OpenLog {
  readonly reader: LineReader;
  seenUntil: number;
}

export class AuditLogSource implements Source, Disposable {
  readonly name = "audit-log";
  readonly description: string;
  readonly #options: AuditLogOptions;
  #logs: OpenLog[] = []; // the one that is read, then newer ones
  readonly #read: LineReader[] = []; // logs read to their end; open, lest a new one with the inode of one be taken for it
  #breath = new Breath();
  #missingSinceMs: number | undefined;
  #healthy = true; // since the last look
  #problem: KinwatchError | undefined;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.description = `${options.path}: all executions that the kernel's audit rules log, with arguments and outcomes`;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Observation> {
    const { path, stop } = this.#options;
    await using events = this.#options.watch ? undefined : new LogWatch(path, stop);
    const watch = this.#options.watch ?? events;
    while (!stop.aborted) {
      this.#healthy = true;
      const next = this.#next();
      const log = this.#logs[0]; // read to its end only now that a newer one is known to be written
      const end = log?.reader.end;
      if (log !== undefined) yield* this.#drain(log);
      if (stop.aborted) return;
      if (log?.reader.truncated) {
        this.#restart(log);
      } else if (next !== -1) {
        this.#leave(next);
      } else if (!this.#look() && this.#next() === -1) {
        if (this.#healthy) this.#problem = undefined;
        yield { kind: "idle", nowMs: Date.now() };
        watch?.follow(log?.reader);
        await watch?.wait(log?.reader.end !== end);
      }
    }
  }

  get problem(): KinwatchError | undefined {
    return this.#problem;
  }

  /** None for the very beginning of a log: nothing would prove it. The one before it still holds. */
  cursorAt({ device, inode, offset }: LogPosition): LogCursor | undefined {
    const log = this.#open.find((reader) => isSameFile(reader, { device, inode }));
    if (offset === 0 || log === undefined) return undefined;
    try {
      if (log.offset < offset || !log.isIntact()) return undefined; // of what was there before it was truncated
      const fingerprint = fingerprintBefore(log.fd, offset);
      return fingerprint === undefined ? undefined : { device, inode, offset, fingerprint };
    } catch {
      return undefined; // a disk error: it shows when reading
    }
  }

  /** Not when reading ends: its last position is asked for after that. */
  [Symbol.dispose](): void {
    for (const reader of this.#open) reader[Symbol.dispose]();
    this.#logs = [];
    this.#read.length = 0;
  }

  get #open(): LineReader[] {
    return [...this.#read, ...this.#logs.map(({ reader }) => reader)];
  }

  #isOpen(log: LineReader): boolean {
    return this.#open.some((reader) => isSameFile(reader, log));
  }

  /** Opens what is newer than the logs that are open. @returns whether there is such a log */
  #look(): boolean {
    const live = this.#statLive();
    const newest = this.#logs.at(-1)?.reader;
    if (newest === undefined) {
      this.#begin();
      return this.#logs.length > 0;
    }
    if (live !== undefined && isSameFile(newest, identityOf(live))) return false;
    let met = false;
    const found = this.#listed((reader) => {
      met = this.#isOpen(reader);
      return met;
    });
    // As many as are kept were begun since the last look: the first of them may be gone. A single one took its place.
    if (!met && newest.isDeleted && found.length > 1) this.#reportGap();
    this.#options.counters.logs_rotated += found.length;
    this.#logs.push(...found.map((reader) => ({ reader, seenUntil: 0 })));
    return found.length > 0;
  }

  #begin(): void {
    const { cursor } = this.#options;
    const found = this.#listed(() => false);
    const live = this.#statLive();
    if (live !== undefined && !found.some((reader) => isSameFile(reader, identityOf(live)))) {
      // It cannot be read as yet. Begun without it, what was decided of it would count as lost, and be decided again.
      for (const reader of found) reader[Symbol.dispose]();
      return;
    }
    const last = cursor && findCursor(cursor, found);
    const lastSeen = last === undefined ? -1 : found.indexOf(last);
    if (cursor !== undefined && last === undefined && found.length > 0) this.#reportGap();
    this.#logs = found.map((reader, index) => ({
      reader,
      seenUntil: index < lastSeen ? Number.POSITIVE_INFINITY : index === lastSeen ? (cursor?.offset ?? 0) : 0,
    }));
  }

  async *#drain(log: OpenLog): AsyncGenerator<LogObservation> {
    const { reader } = log;
    const { device, inode } = reader;
    this.#checkCursor(log);
    while (!this.#options.stop.aborted) {
      const seen = reader.offset < log.seenUntil;
      let piece: ReturnType<LineReader["next"]>;
      try {
        piece = reader.next(seen ? log.seenUntil : undefined);
      } catch (error) {
        this.#unreadable(error); // a disk error, say; given up when there is a newer log
        return;
      }
      if (piece === undefined) {
        if (!seen || reader.truncated || reader.end < log.seenUntil) return;
        log.seenUntil = 0; // what is left is the beginning of a line that was not whole then
      } else {
        yield { kind: "log", bytes: piece.bytes, position: { device, inode, offset: piece.offset }, seen };
        await this.#breath.take();
      }
    }
  }

  /** Between finding the cursor and coming to its log, that may have been truncated. */
  #checkCursor(log: OpenLog): void {
    const { cursor } = this.#options;
    if (log.reader.end > 0 || log.seenUntil !== cursor?.offset) return;
    if (fingerprintBefore(log.reader.fd, cursor.offset) !== cursor.fingerprint) log.seenUntil = 0;
  }

  /** The first newer log that has bytes, or -1. */
  #next(): number {
    return this.#logs.findIndex(({ reader }, index) => index > 0 && reader.size > 0);
  }

  /** Goes on to a newer log. */
  #leave(next: number): void {
    const { counters } = this.#options;
    for (const { reader } of this.#logs.splice(0, next)) {
      // Its writer died or its disk was full within a line. What is cut off could name the wrong process: it is left out.
      if (reader.end > reader.offset) counters.records_malformed += 1;
      if (reader.size > reader.end) counters.logs_lost += 1; // it could not be read
      reader.release();
      this.#read.push(reader);
    }
    for (const reader of this.#read.filter(({ isDeleted }) => isDeleted)) {
      this.#read.splice(this.#read.indexOf(reader), 1);
      reader[Symbol.dispose]();
    }
    for (const reader of this.#read.splice(0, Math.max(0, this.#read.length - READ_MAX)))
      reader[Symbol.dispose]();
  }

  /** The log was truncated. Where it was copied before (copytruncate in logrotate(8)), the copy has what was not read yet. */
  #restart(log: OpenLog): void {
    this.#options.counters.logs_truncated += 1;
    const cursor = log.reader.lastCursor;
    const listed = this.#listed(() => false);
    const here = listed.findIndex((reader) => isSameFile(reader, log.reader));
    const older = listed
      .slice(0, here === -1 ? listed.length : here)
      .filter((reader) => !this.#isOpen(reader));
    const copy = cursor && findCursor(cursor, older);
    const from = copy === undefined ? older.length : older.indexOf(copy);
    const taken = older.slice(from, here === -1 ? from + 1 : older.length); // truncated twice: there are more copies
    for (const reader of listed) if (!taken.includes(reader)) reader[Symbol.dispose]();
    copy?.start(cursor?.offset ?? 0);
    this.#logs.unshift(
      ...taken.map((reader) => ({ reader, seenUntil: reader === copy ? log.seenUntil : 0 })),
    );
    log.reader.start(0);
    log.seenUntil = 0;
  }

  #statLive(): Stats | undefined {
    try {
      const live = statSync(this.#options.path);
      this.#missingSinceMs = undefined;
      return live;
    } catch (error) {
      if (systemCode(error) !== "ENOENT") this.#unreadable(error);
      else {
        this.#missingSinceMs ??= performance.now();
        if (performance.now() - this.#missingSinceMs >= MISSING_MS) this.#unreadable(error);
      }
      return undefined;
    }
  }

  /** Opens the retained logs, from the newest to the one that is known. @returns them oldest first; they are the caller's */
  #listed(isKnown: (reader: LineReader) => boolean): LineReader[] {
    for (let tries = 1; ; tries += 1) {
      const before = this.#liveInode();
      const found = this.#walk(isKnown);
      // A log begun meanwhile may have come behind an older one by its second rotation.
      if (before === this.#liveInode() || tries === TRIES) return found;
      for (const reader of found) reader[Symbol.dispose]();
    }
  }

  #walk(isKnown: (reader: LineReader) => boolean): LineReader[] {
    const found: LineReader[] = [];
    for (const path of this.#paths()) {
      let reader: LineReader;
      try {
        reader = new LineReader(path, this.#options.counters);
      } catch (error) {
        if (systemCode(error) !== "ENOENT") this.#unreadable(error);
        continue;
      }
      const known = isKnown(reader);
      const twice = found.some((other) => isSameFile(other, reader)); // renamed between two openings
      if (known || twice) reader[Symbol.dispose]();
      else found.unshift(reader);
      if (known) break;
    }
    return found;
  }

  #liveInode(): number | undefined {
    try {
      return statSync(this.#options.path).ino;
    } catch {
      return undefined; // said where it is opened
    }
  }

  #paths(): string[] {
    try {
      return logPaths(this.#options.path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") this.#unreadable(error); // a folder that is missing is a log that is missing
      return [];
    }
  }

  #reportGap(): void {
    this.#options.counters.logs_lost += 1;
    this.#options.report(
      new KinwatchError(
        "KW_AUDIT_LOG_GAP",
        `The place where reading of ${this.#options.path} stopped is in none of the retained logs`,
        "Nothing to do now: all that is retained is read. Raise max_log_file or num_logs in auditd.conf(5) so that a stop of this length loses nothing",
      ),
    );
  }

  #unreadable(error: unknown): void {
    const { path, counters } = this.#options;
    counters.source_retries += 1;
    this.#healthy = false;
    const code = systemCode(error);
    this.#reportOnce(
      code === "ENOENT"
        ? new KinwatchError(
            "KW_AUDIT_LOG_MISSING",
            `There is no ${path}`,
            "Start auditd, or set source.audit_log to the log_file of auditd.conf(5); it is tried again each second",
          )
        : new KinwatchError(
            "KW_AUDIT_LOG_UNREADABLE",
            `Cannot read ${path}: ${code}`,
            `${isDenied(error) ? "Run as root, or join the group that log_group names in auditd.conf(5)" : "Look at that file and its disk"}; it is tried again each second`,
          ),
    );
  }

  #reportOnce(error: KinwatchError): void {
    const isKnown = this.#problem?.code === error.code;
    this.#problem = error;
    if (isKnown) return;
    this.#options.report(error);
  }
}

function identityOf({ dev, ino }: Stats): FileIdentity {
  return { device: dev, inode: ino };
}
