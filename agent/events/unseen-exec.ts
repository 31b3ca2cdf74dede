/** A process that is known by a record of its doings alone: its execution was before the log, or was not logged. */
import type { ExecEvent, SoftwareUpdate } from "./exec-event.ts";

export function unseenExec({
  node,
  timeMs,
  serial,
  pid,
  executable,
  uid,
  auid,
  ses,
}: SoftwareUpdate): ExecEvent {
  return {
    kind: "exec",
    source: "audit-log",
    node,
    timeMs,
    serial,
    pid,
    ppid: -1, // such records do not say
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
