/** A process found in /proc as an execution: when it executed is not known, so its time is that of its start. */
import type { ProcEntry } from "../sources/source.ts";
import { absolute, baseName } from "./audit-exec.ts";
import type { ExecEvent } from "./exec-event.ts";
import { isInterpreter, scriptArgument } from "./interpreter.ts";

export function procExec(process: ProcEntry): ExecEvent {
  const { pid, ppid, args, workingDirectory, uid, auid, ses, deleted } = process;
  // Without permission to read the link, the name it was started by is the next best, when it is a path.
  const executable = process.executable ?? (args[0]?.startsWith("/") ? args[0] : "");
  const name = baseName(executable);
  const script = isInterpreter(name) ? scriptArgument(name, args) : undefined;
  return {
    kind: "exec",
    source: "procfs",
    node: undefined,
    timeMs: process.startTimeMs,
    serial: pid,
    pid,
    ppid,
    executable,
    deleted,
    script: script === undefined ? undefined : absolute(script, workingDirectory),
    uid,
    auid,
    ses,
    tty: undefined,
    userName: undefined,
    loginName: undefined,
    workingDirectory,
    argumentsFrom: args.length === 0 ? "none" : "procfs",
    argumentsComplete: true,
    args,
  };
}
