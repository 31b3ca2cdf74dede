/** A process that is known by something else than its execution, which was before the log, or was not logged. */
import type { ExecEvent } from "./exec-event.ts";

export const PPID_UNKNOWN = -1;

export function unseenExec(
  known: Pick<ExecEvent, "source" | "node" | "timeMs" | "serial" | "pid" | "ppid" | "executable"> &
    Partial<Pick<ExecEvent, "uid" | "auid" | "ses">>,
): ExecEvent {
  const { source, node, timeMs, serial, pid, ppid, executable, uid, auid, ses } = known;
  return {
    kind: "exec",
    source,
    node,
    timeMs,
    startTimeMs: undefined,
    serial,
    pid,
    ppid,
    executable,
    deleted: false,
    script: undefined,
    uid,
    auid,
    ses,
    tty: undefined,
    userName: undefined,
    loginName: undefined,
    workingDirectory: undefined,
    argumentsFrom: "none",
    argumentsComplete: false,
    args: [],
    shrink: () => {},
  };
}
