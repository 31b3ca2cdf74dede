/** A process found in /proc as an execution. */
import type { ProcEntry } from "../sources/source.ts";
import { absolute, baseName } from "./audit-exec.ts";
import type { ExecEvent } from "./exec-event.ts";
import { isInterpreter, scriptArgument } from "./interpreter.ts";

const KEPT_MAX = 1_024; // characters of arguments that the process table keeps for long

/** @param executedMs when it was first met, where its execution is not older than that; else only its start is known */
export function procExec(process: ProcEntry, executedMs = process.startTimeMs): ExecEvent {
  const { pid, ppid, args, workingDirectory } = process;
  const executable = process.executable ?? nameOf(process);
  const name = baseName(executable);
  // `env script` is not read: it is env for a moment only, and would be another parent each time that it is met as such.
  const script = isInterpreter(name) ? scriptArgument(name, args) : undefined;
  return {
    kind: "exec",
    source: "procfs",
    node: undefined,
    timeMs: executedMs,
    startTimeMs: process.startTimeMs,
    serial: pid,
    pid,
    ppid,
    executable,
    deleted: process.deleted,
    script: script === undefined ? undefined : absolute(script, workingDirectory),
    uid: process.uid,
    auid: process.auid,
    ses: process.ses,
    tty: process.tty,
    userName: undefined,
    loginName: undefined,
    workingDirectory,
    argumentsFrom: args.length === 0 ? "none" : "procfs",
    argumentsComplete: process.argumentsComplete,
    args,
    shrink() {
      const kept = firstOf(this.args);
      if (kept === this.args) return;
      Object.assign(this, { args: kept, argumentsComplete: false });
    },
  };
}

/**
 * Another user's program, whose path a plain user may not read: the path that it was started by, else its bare name.
 * comm names a script and not its interpreter; the first argument may be a title ("sshd: root@pts/0").
 */
function nameOf({ comm, args: [first = ""] }: ProcEntry): string {
  return /^\/[^\0 ]+$/.test(first) || isInterpreter(baseName(first)) ? first : comm;
}

/** The arguments that begin within KEPT_MAX characters, the last one cut there. */
function firstOf(args: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let left = KEPT_MAX;
  for (const arg of args) {
    if (left <= 0) return kept;
    kept.push(arg.length > left ? Buffer.from(arg.slice(0, left)).toString() : arg); // slice() alone holds on to the whole
    left -= arg.length + 1;
  }
  return left < -1 ? kept : args;
}
