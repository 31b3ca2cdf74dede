/**
 * Where reading stopped, so that it can be found again after rotations and restarts. An inode alone does not prove a file:
 * it is reused. The bytes before the position do.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { LogCursor, LogPosition } from "./source.ts";

const FINGERPRINT_BYTES = 1_024; // some lines; each has its time and serial, so that no two places are alike

/** A hash of the bytes before an offset; "" at the very beginning. */
export function fingerprintBefore(fd: number, offset: number): string {
  const length = Math.min(FINGERPRINT_BYTES, offset);
  if (length === 0) return "";
  const bytes = Buffer.allocUnsafe(length);
  const read = readSync(fd, bytes, 0, length, offset - length);
  return read < length ? "short" : createHash("sha256").update(bytes).digest("hex").slice(0, 32);
}

export interface LogFile extends LogPosition {
  readonly path: string;
  readonly offset: 0;
  readonly size: number;
}

/** The live log and the rotated ones beside it (audit.log.1, …), oldest first. auditd.conf(5), num_logs. */
export function retainedLogs(path: string): LogFile[] {
  const name = basename(path);
  const ages = readdirSync(dirname(path)).flatMap((entry) => {
    if (entry === name) return [0];
    const age = entry.startsWith(`${name}.`) ? entry.slice(name.length + 1) : "";
    return /^\d{1,5}$/.test(age) ? [Number(age)] : [];
  });
  return ages
    .sort((a, b) => b - a)
    .flatMap((age) => {
      const file = age === 0 ? path : join(dirname(path), `${name}.${age}`);
      return withFile(file, (fd) => {
        const { dev, ino, size } = fstatSync(fd);
        return [{ path: file, device: dev, inode: ino, offset: 0 as const, size }];
      });
    });
}

/** Which of the logs holds the cursor's position: the one of its inode if the bytes agree, else any whose bytes do. */
export function findCursor(cursor: LogCursor, logs: readonly LogFile[]): number {
  const isHere = (log: LogFile): boolean =>
    log.size >= cursor.offset &&
    withFile(log.path, (fd) => [fingerprintBefore(fd, cursor.offset)])[0] === cursor.fingerprint;
  const named = logs.findIndex(
    (log) => log.inode === cursor.inode && log.device === cursor.device && isHere(log),
  );
  if (named !== -1 || cursor.offset === 0) return named;
  return logs.findIndex(isHere);
}

/** A file may be rotated away between the listing and the opening: then there is nothing to say of it. */
function withFile<T>(path: string, use: (fd: number) => T[]): T[] {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return [];
  }
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
