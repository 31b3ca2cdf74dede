/** Which source the daemon reads: the one that was asked for, or the best there is, and why not a better one. */
import { closeSync, openSync } from "node:fs";
import type { Config } from "../config.ts";
import { type Counters, newCounters } from "../counters.ts";
import { KinwatchError, systemCode } from "../errors.ts";
import { isRecorded } from "../health/audit-proof.ts";
import { showsHostProcesses } from "../health/pid-namespace.ts";
import { AuditLogSource } from "../sources/audit-log.ts";
import { ProcPollSource } from "../sources/proc-poll.ts";
import { ProcessTrace } from "../sources/process-trace.ts";
import type { LogCursor, Source } from "../sources/source.ts";
import { TracefsSource } from "../sources/tracefs.ts";

export interface SourceOptions {
  readonly cursor: LogCursor | undefined;
  readonly stop: AbortSignal;
  readonly sinceMs: number | undefined; // until when another source had seen all; what began later and runs is judged
  readonly counters: Counters;
  readonly report: (error: KinwatchError) => void;
}

type LiveSource = Source & { readonly name: "audit-log" | "tracefs" | "procfs" };

const PROOF_MS = 500; // auditd writes within some milliseconds; who waits for the start should not wait longer

/** @returns beside the source the reason why it is not a better one; undefined for the best, or where one was asked for */
export async function openSource(
  { type, audit_log: path }: Config["source"],
  trace: ProcessTrace | KinwatchError | undefined,
  { cursor, stop, sinceMs, counters, report }: SourceOptions,
): Promise<{ source: LiveSource; reason: string | undefined }> {
  const reason = type === "auto" ? await whyNotAuditLog(path) : undefined;
  if (type === "audit-log" || (type === "auto" && reason === undefined))
    return { source: new AuditLogSource({ path, cursor, stop, counters, report }), reason };
  if (type === "tracefs" && trace instanceof KinwatchError) throw trace;
  const source =
    trace instanceof ProcessTrace
      ? new TracefsSource({ trace, stop, sinceMs, counters })
      : new ProcPollSource({ stop, sinceMs, counters });
  const alsoNot =
    reason !== undefined && trace instanceof KinwatchError ? `, nor tracepoints (${trace.code})` : "";
  return { source, reason: reason && reason + alsoNot };
}

/** Listens to the kernel's tracepoints, for a source or beside one. @returns an error: why that cannot be had; undefined: it is not wanted */
export function openTrace(
  { type, tracefs }: Config["source"],
  counters: Counters,
): ProcessTrace | KinwatchError | undefined {
  if (type === "procfs" || (type !== "tracefs" && !tracefs)) return undefined;
  try {
    if (showsHostProcesses()) return new ProcessTrace(counters);
    return new KinwatchError(
      "KW_TRACEFS_REFUSED",
      "/proc shows a container's pids, which tracepoints do not know",
      "Start the container with the pids of the host (--pid=host, hostPID: true)",
    );
  } catch (error) {
    if (error instanceof KinwatchError) return error;
    throw error;
  }
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

/** Whether executions reach the log. @returns why not */
export async function whyNotAuditLog(path: string): Promise<string | undefined> {
  try {
    closeSync(openSync(path, "r"));
  } catch (error) {
    return `the audit log ${path} cannot be read: ${systemCode(error)}`;
  }
  if (await isRecorded(path, PROOF_MS)) return undefined;
  return `an execution of our own did not appear in ${path}: auditd does not run, or no audit rule watches execve`;
}
