/** A process that executed nothing itself runs what the one ran that forked it. */
import type { Birth } from "../sources/source.ts";
import type { ExecEvent } from "./exec-event.ts";

/** @param forker what its parent ran at that moment */
export function forkedExec(forker: ExecEvent, { pid, parent, timeMs }: Birth): ExecEvent {
  const { source, node, executable, deleted, script, uid, auid, ses, tty } = forker;
  const { userName, loginName, workingDirectory, argumentsFrom, argumentsComplete, args } = forker;
  return {
    kind: "exec",
    ...{ source, node, executable, deleted, script, uid, auid, ses, tty },
    ...{ userName, loginName, workingDirectory, argumentsFrom, argumentsComplete, args },
    timeMs,
    startTimeMs: timeMs,
    serial: pid,
    pid,
    ppid: parent,
    shrink: () => {},
  };
}
