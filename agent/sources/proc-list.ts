/** The processes of a host, as /proc lists them. */
import { readdirSync } from "node:fs";
import { type ProcStat, readProcStat } from "./proc-entry.ts";

/** All there are, in the order of their birth: parents before children, pids as they were handed out. */
export function listProcesses(procRoot = "/proc"): ProcStat[] {
  const stats = readdirSync(procRoot).flatMap((name) =>
    /^\d+$/.test(name) ? (readProcStat(Number(name), procRoot) ?? []) : [],
  );
  stats.sort((a, b) => a.startTicks - b.startTicks || a.pid - b.pid);
  return stats.filter(({ kind }) => kind === "process");
}
