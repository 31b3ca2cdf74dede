/**
 * Follows auditd's log: all that is retained, oldest first, then what is written. auditd rotates by renaming and opening
 * anew, and no record says so (auditd.conf(5), max_log_file_action); a file held open is read to its end before the next.
 */
import { closeSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { watch } from "chokidar";
import type { Counters } from "../counters.ts";
import { KinwatchError, systemCode } from "../errors.ts";
import { LineReader } from "./line-reader.ts";
import { findCursor, fingerprintBefore, type LogFile, retainedLogs } from "./log-position.ts";
import type { LogCursor, LogObservation, LogPosition, Observation, Source } from "./source.ts";

export interface AuditLogOptions {
  readonly path: string;
  readonly cursor: LogCursor | undefined;
  readonly stop: AbortSignal;
  readonly counters: Counters;
  /** Told to a person: the log is missing or unreadable, and is tried again. Once until it changes. */
  readonly report: (error: KinwatchError) => void;
}

const POLL_MS = 1_000; // for file systems that tell nothing; also how long a missing log stays unnoticed

export class AuditLogSource implements Source {
  readonly name = "audit-log";
  readonly description: string;
  readonly #options: AuditLogOptions;
  #wake: () => void = () => {};
  #woken = false;
  #reported = "";

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.description = `${options.path}: all executions that the kernel's audit rules log, with arguments and outcomes`;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Observation> {
    const { path, stop, counters } = this.#options;
    const watcher = watch(dirname(path), { depth: 0, ignoreInitial: true, persistent: true });
    watcher.on("all", () => this.#ring());
    watcher.on("error", () => {}); // the poll goes on
    stop.addEventListener("abort", () => this.#ring(), { once: true });
    let reader: LineReader | undefined;
    try {
      let { logs, cursorIn } = this.#begin();
      for (let index = 0; index < logs.length && !stop.aborted; index += 1) {
        const log = logs[index] as LogFile;
        const seenUntil =
          index < cursorIn
            ? Number.POSITIVE_INFINITY
            : index === cursorIn
              ? (this.#options.cursor?.offset ?? 0)
              : 0;
        reader?.[Symbol.dispose]();
        reader = this.#open(log.path, 0);
        if (reader === undefined) continue;
        yield* this.#drain(reader, seenUntil, index === logs.length - 1);
      }
      logs = [];
      cursorIn = -1;
      while (!stop.aborted) {
        if (reader === undefined) {
          reader = this.#open(path, 0);
        } else {
          yield* this.#drain(reader, 0, true);
          const next = this.#after(reader);
          if (next !== undefined) {
            yield* this.#drain(reader, 0, false); // what was written between the last look and the rename
            reader[Symbol.dispose]();
            reader = this.#open(next, 0);
            counters.logs_rotated += 1;
            continue;
          }
          if (reader.size < reader.end) {
            counters.logs_truncated += 1;
            reader[Symbol.dispose]();
            reader = this.#open(path, 0);
            continue;
          }
        }
        yield { kind: "idle", nowMs: Date.now() };
        await this.#wait();
      }
    } finally {
      reader?.[Symbol.dispose]();
      await watcher.close();
    }
  }

  cursorAt({ device, inode, offset }: LogPosition): LogCursor | undefined {
    for (const log of this.#list()) {
      if (log.inode !== inode || log.device !== device || log.size < offset) continue;
      try {
        const fd = openSync(log.path, "r");
        try {
          return { device, inode, offset, fingerprint: fingerprintBefore(fd, offset) };
        } finally {
          closeSync(fd);
        }
      } catch {
        return undefined; // rotated away this moment; the next commit has a newer position
      }
    }
    return undefined;
  }

  #begin(): { logs: LogFile[]; cursorIn: number } {
    const { cursor, counters, path } = this.#options;
    const logs = this.#list();
    const cursorIn = cursor === undefined ? -1 : findCursor(cursor, logs);
    if (cursor !== undefined && cursorIn === -1 && logs.length > 0) {
      counters.logs_lost += 1;
      this.#report(
        new KinwatchError(
          "KW_AUDIT_LOG_GAP",
          `The place where reading of ${path} stopped is in none of the retained logs`,
          "Nothing to do now: all that is retained is read. Raise max_log_file or num_logs in auditd.conf(5) so that a stop of this length loses nothing",
        ),
      );
    }
    return { logs, cursorIn };
  }

  *#drain(reader: LineReader, seenUntil: number, live: boolean): Generator<LogObservation> {
    const { stop } = this.#options;
    for (;;) {
      const seen = reader.offset < seenUntil;
      const piece = reader.next(seen ? seenUntil : undefined) ?? (live ? undefined : reader.rest());
      if (piece === undefined) {
        if (seen && reader.offset < Math.min(seenUntil, reader.size))
          seenUntil = 0; // the cursor is not at a line's end
        else return;
        continue;
      }
      yield { kind: "log", bytes: piece.bytes, position: positionOf(reader, piece.offset), seen };
      if (stop.aborted) return;
    }
  }

  /** The path of the log to read after this one, when this one is no longer the live one. */
  #after(reader: LineReader): string | undefined {
    const { path } = this.#options;
    try {
      const live = statSync(path);
      if (live.ino === reader.inode && live.dev === reader.device) return undefined;
    } catch (error) {
      this.#unreadable(error);
      return undefined;
    }
    const logs = this.#list();
    const here = logs.findIndex((log) => log.inode === reader.inode && log.device === reader.device);
    return (here === -1 ? logs[0] : logs[here + 1])?.path; // gone altogether: begin with the oldest, twice is harmless
  }

  #open(path: string, offset: number): LineReader | undefined {
    try {
      const reader = new LineReader(path, offset, this.#options.counters);
      this.#reported = "";
      return reader;
    } catch (error) {
      this.#unreadable(error);
      return undefined;
    }
  }

  #list(): LogFile[] {
    try {
      return retainedLogs(this.#options.path);
    } catch (error) {
      this.#unreadable(error);
      return [];
    }
  }

  #unreadable(error: unknown): void {
    const { path, counters } = this.#options;
    counters.source_retries += 1;
    const code = systemCode(error);
    this.#report(
      code === "ENOENT"
        ? new KinwatchError(
            "KW_AUDIT_LOG_MISSING",
            `There is no ${path}`,
            "Start auditd, or set source.audit_log to the log_file of auditd.conf(5); it is tried again each second",
          )
        : new KinwatchError(
            "KW_AUDIT_LOG_UNREADABLE",
            `Cannot read ${path}: ${code}`,
            "Run as root, or join the group that log_group names in auditd.conf(5); it is tried again each second",
          ),
    );
  }

  #report(error: KinwatchError): void {
    if (this.#reported === error.code) return;
    this.#reported = error.code;
    this.#options.report(error);
  }

  #ring(): void {
    this.#woken = true;
    this.#wake();
  }

  async #wait(): Promise<void> {
    if (!this.#woken && !this.#options.stop.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, POLL_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#woken = false;
  }
}

function positionOf({ device, inode }: LineReader, offset: number): LogPosition {
  return { device, inode, offset };
}
