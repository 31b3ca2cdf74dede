/** The processes of a host, as /proc lists them. */
import { readdirSync } from "node:fs";
import { type ProcStat, readProcStat } from "./proc-entry.ts";
import type { ProcEntry, ProcessObservation } from "./source.ts";

export function listPids(procRoot: string): number[] {
  return readdirSync(procRoot).flatMap((name) => (/^\d+$/.test(name) ? Number(name) : []));
}

/** All there are, in the order of their birth: parents before children, pids as they were handed out. */
export function listProcesses(procRoot = "/proc"): ProcStat[] {
  const stats = listPids(procRoot).flatMap((pid) => readProcStat(pid, procRoot) ?? []);
  stats.sort((a, b) => a.startTicks - b.startTicks || a.pid - b.pid);
  return stats.filter(({ kind }) => kind === "process");
}

/** One that runs when a source starts. @param sinceMs until when another source had seen all; NaN: none had */
export function foundRunning(process: ProcEntry, sinceMs: number): ProcessObservation {
  return { kind: "process", process, nowMs: Date.now(), seen: !(process.startTimeMs > sinceMs) };
}
