/**
 * What only /proc tells of a process, and only as long as it lives: for rules that ask. Most never do, so it is read when
 * somebody wants it, and not with each entry.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { readExecutable, readProcStat, wasBornBy } from "./proc-entry.ts";
import { environmentNames, type ProcessDetails } from "./source.ts";

const ENVIRONMENT_MAX = 2_097_152; // bytes; all that execve(2) takes with the usual limit of the stack (8 MB)

/** include/uapi/linux/capability.h, in its order. */
const capabilityNames = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE " +
  "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split(" ");

/**
 * @param timeMs when it executed, by audit's clock: a process that began later only has the pid
 * @param executable what it executed: a process that runs another program by now has other details
 */
export function readProcDetails(
  { pid, timeMs, executable }: { readonly pid: number; readonly timeMs: number; readonly executable: string },
  procRoot = "/proc",
): ProcessDetails | undefined {
  const folder = `${procRoot}/${pid}`;
  const stat = readProcStat(pid, procRoot);
  if (stat?.kind !== "process" || !wasBornBy(stat, timeMs)) return undefined;
  const now = readExecutable(folder).executable;
  if (now !== undefined && now !== executable) return undefined;
  const status = readStatus(`${folder}/status`);
  const environment = readEnvironment(`${folder}/environ`);
  const after = readProcStat(pid, procRoot);
  if (status === undefined || after?.startTicks !== stat.startTicks || after.image !== stat.image)
    return undefined;
  return {
    gid: Number(/^Gid:\t\d+\t(\d+)/m.exec(status)?.[1]),
    processGroup: stat.processGroup,
    session: stat.session,
    environment,
    effectiveCapabilities: capabilitiesIn(status, "CapEff"),
    permittedCapabilities: capabilitiesIn(status, "CapPrm"),
  };
}

function capabilitiesIn(status: string, field: string): string[] {
  const set = BigInt(`0x${new RegExp(`^${field}:\\t([0-9a-f]+)`, "m").exec(status)?.[1] ?? 0}`);
  const names: string[] = [];
  for (let bit = 0n; set >> bit > 0n; bit += 1n) {
    if (((set >> bit) & 1n) === 1n) names.push(`CAP_${capabilityNames[Number(bit)] ?? bit}`);
  }
  return names;
}

function readStatus(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined; // it ended
  }
}

/** What it was executed with, as far as it has not written over it. */
function readEnvironment(path: string): string[] {
  try {
    const fd = openSync(path, "r");
    try {
      const bytes = Buffer.allocUnsafe(ENVIRONMENT_MAX);
      const text = bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, 0));
      return text
        .split("\0")
        .filter((variable) => environmentNames.some((name) => variable.startsWith(`${name}=`)));
    } finally {
      closeSync(fd);
    }
  } catch {
    return []; // another user's, or it ended
  }
}
