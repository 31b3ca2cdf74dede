/**
 * Where reading stopped, so that it can be found again after rotations and restarts. An inode alone does not prove a file:
 * it is reused. The bytes before the position do.
 */
import { createHash } from "node:crypto";
import { readdirSync, readSync } from "node:fs";
import { basename, dirname } from "node:path";
import { blankNuls, PROOF_BYTES } from "./line-buffer.ts";
import type { FileIdentity, LogCursor } from "./source.ts";

/** A hash of the bytes before a position. */
export function fingerprintOf(proof: Buffer): string {
  return createHash("sha256").update(proof).digest("hex").slice(0, 32);
}

/** @returns undefined when the file is shorter than that */
export function fingerprintBefore(fd: number, offset: number): string | undefined {
  const length = Math.min(PROOF_BYTES, offset);
  const proof = Buffer.allocUnsafe(length);
  const read = readSync(fd, proof, 0, length, offset - length);
  return read < length ? undefined : fingerprintOf(blankNuls(proof));
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.inode === b.inode && a.device === b.device;
}

/**
 * The paths of the live log and of the rotated ones beside it (audit.log.1, …: auditd.conf(5), num_logs, 999 at most), newest
 * first. Who opens them in this order misses none: a rotation meanwhile moves each one on to a path still to come. So paths
 * are named where nothing is at the moment: a listing misses names that are changed while it is made (readdir(3)).
 * @throws a system error, of the folder
 */
export function logPaths(path: string): string[] {
  const name = basename(path);
  const ages = readdirSync(dirname(path)).map((entry) => {
    const age = entry.startsWith(`${name}.`) ? entry.slice(name.length + 1) : "";
    return /^[1-9]\d{0,2}$/.test(age) ? Number(age) : 0;
  });
  const oldest = ages.reduce((a, b) => Math.max(a, b), 0);
  return [path, ...Array.from({ length: oldest + 1 }, (_, index) => `${path}.${index + 1}`)];
}

/** Which of the logs holds the cursor's position: the one of its inode if the bytes agree, else any whose bytes do. */
export function findCursor<Log extends FileIdentity & { readonly fd: number }>(
  cursor: LogCursor,
  logs: readonly Log[],
): Log | undefined {
  const holding = logs.filter(({ fd }) => fingerprintBefore(fd, cursor.offset) === cursor.fingerprint);
  return holding.find((log) => isSameFile(log, cursor)) ?? holding[0];
}
