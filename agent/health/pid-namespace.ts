/** Whether /proc here names processes as audit does, which knows the host's pids alone (kernel/audit.c, task_tgid_nr()). */
import { readlinkSync } from "node:fs";

const HOST = "pid:[4026531836]"; // include/linux/proc_ns.h, PROC_PID_INIT_INO

/** @returns true also where that cannot be told */
export function showsHostProcesses(link = "/proc/self/ns/pid"): boolean {
  try {
    return readlinkSync(link) === HOST;
  } catch {
    return true; // a kernel without namespaces
  }
}
