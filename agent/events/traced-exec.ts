/** An execution that a tracepoint told of. */
import type { TracedObservation } from "../sources/source.ts";
import type { ExecEvent } from "./exec-event.ts";
import { procExec } from "./proc-exec.ts";
import { PPID_UNKNOWN, unseenExec } from "./unseen-exec.ts";

export function tracedExec({ pid, path, timeMs, birth, process }: TracedObservation): ExecEvent {
  // Who began it, who may be dead by now: /proc tells who took it over.
  if (process !== undefined) {
    const found = procExec(process, timeMs);
    return { ...found, source: "tracefs", ppid: birth?.parent ?? found.ppid };
  }
  const ppid = birth?.parent ?? PPID_UNKNOWN;
  const known = {
    source: "tracefs",
    node: undefined,
    timeMs,
    serial: pid,
    pid,
    ppid,
    executable: path,
  } as const;
  return { ...unseenExec(known), startTimeMs: birth?.timeMs };
}
