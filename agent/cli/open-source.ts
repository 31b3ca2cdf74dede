/** Which source the daemon reads: the one that was asked for, or the best there is, and why not a better one. */
import { closeSync, openSync } from "node:fs";
import type { Config } from "../config.ts";
import { type Counters, newCounters } from "../counters.ts";
import { type KinwatchError, systemCode } from "../errors.ts";
import { isRecorded } from "../health/audit-proof.ts";
import { AuditLogSource } from "../sources/audit-log.ts";
import { ProcPollSource } from "../sources/proc-poll.ts";
import type { LogCursor, Source } from "../sources/source.ts";

export interface SourceOptions {
  readonly cursor: LogCursor | undefined;
  readonly stop: AbortSignal;
  readonly counters: Counters;
  readonly report: (error: KinwatchError) => void;
}

const PROOF_MS = 500; // auditd writes within some milliseconds; who waits for the start should not wait longer

/** @returns beside the source the reason why it is not a better one; undefined for the best, or where one was asked for */
export async function openSource(
  { type, audit_log: path }: Config["source"],
  { cursor, stop, counters, report }: SourceOptions,
): Promise<{ source: Source; reason: string | undefined }> {
  const reason = type === "auto" ? await whyNotAuditLog(path) : undefined;
  if (type === "procfs" || reason !== undefined) {
    return { source: new ProcPollSource({ stop, counters }), reason };
  }
  return { source: new AuditLogSource({ path, cursor, stop, counters, report }), reason };
}

/** Reads what is retained of a source's log up to a position, beside it. undefined: its source has no past */
export function openPast(
  { name }: Source,
  { audit_log: path }: Config["source"],
  stop: AbortSignal,
): ((until: LogCursor) => AuditLogSource) | undefined {
  if (name !== "audit-log") return undefined;
  return (cursor) =>
    new AuditLogSource({
      path,
      cursor,
      stop,
      counters: newCounters(), // what is read twice counts once
      report: () => {}, // it is tried again by who follows the log, and told there
      watch: { follow: () => {}, wait: async () => {} },
    });
}

async function whyNotAuditLog(path: string): Promise<string | undefined> {
  try {
    closeSync(openSync(path, "r"));
  } catch (error) {
    return `the audit log ${path} cannot be read: ${systemCode(error)}`;
  }
  if (await isRecorded(path, PROOF_MS)) return undefined;
  return `an execution of our own did not appear in ${path}: auditd does not run, or no audit rule watches execve`;
}
