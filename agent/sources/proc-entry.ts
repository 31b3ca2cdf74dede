/**
 * One process from /proc, whole or not at all: it may execute, end, or hand its pid on between two reads, so what was read
 * counts only if the process is the same before and after. Fields: proc_pid_stat(5); fs/proc/array.c, do_task_stat().
 */
import { closeSync, existsSync, openSync, readlinkSync, readSync } from "node:fs";
import { bootTimeMs } from "./boot-time.ts";
import type { ProcEntry } from "./source.ts";

/** What stat alone tells, at a quarter of the cost of the whole entry. */
export interface ProcStat {
  readonly pid: number;
  readonly ppid: number;
  readonly comm: string;
  readonly startTicks: number; // since boot: (pid, startTicks) names a process
  readonly processGroup: number; // the pid of its leader
  readonly session: number; // the same
  readonly ttyNumber: number;
  readonly kind: "process" | "thread" | "kernel" | "zombie";
  readonly executed: boolean; // false: a copy of the process that forked it, as yet
  readonly permitted: boolean; // we may see its addresses, and its executable. ptrace(2), PTRACE_MODE_READ_FSCREDS
  readonly image: string; // changes with each execution; "" in the middle of one
}

const PF_FORKNOEXEC = 0x40; // include/linux/sched.h: set by copy_process(), cleared by begin_new_exec()
const PF_KTHREAD = 0x200000;
const TICKS_MS = 10; // 1 s / USER_HZ, which is 100 wherever Node runs
const ARGUMENTS_MAX = 131_072; // longest single argument of execve(2): an rpm line of 1,000 packages fits
const SLACK_MS = 20; // audit stamps with the clock of the last timer interrupt (audit_log_start()), up to 10 ms ago; ours is cut to 1
const TRIES = 3; // a process that executes each time that it is read is read once more by the next poll
const UNSET = 4294967295;
const DELETED = " (deleted)"; // fs/d_path.c, d_path()

const buffer = Buffer.allocUnsafeSlow(ARGUMENTS_MAX + 1);

/** undefined: there is no such process any more, or what there is cannot be understood. */
export function readProcStat(pid: number, procRoot = "/proc"): ProcStat | undefined {
  const path = `${procRoot}/${pid}/stat`;
  const text = existsSync(path) ? readText(path) : undefined; // most are asked once more when they are over; an error costs five times this
  const open = text?.indexOf("(") ?? -1;
  const close = text?.lastIndexOf(")") ?? -1; // a name may hold anything, these too
  if (text === undefined || open === -1 || close < open) return undefined;
  const fields = text.slice(close + 2).split(" "); // from field 3 on
  const number = (field: number) => Number(fields[field - 3] || Number.NaN);
  const state = fields[0];
  const ppid = number(4);
  const flags = number(9);
  const startTicks = number(22);
  const startCode = fields[23];
  if (!Number.isInteger(ppid) || !Number.isInteger(flags) || !Number.isInteger(startTicks)) return undefined;
  if (Number.parseInt(text, 10) !== pid || startCode === undefined) return undefined;
  const permitted = startCode !== "1"; // 1 stands for an address that is withheld
  const comm = Buffer.from(text.slice(open + 1, close), "latin1").toString("utf8");
  return {
    pid,
    ppid,
    comm,
    startTicks,
    processGroup: number(5),
    session: number(6),
    ttyNumber: number(7),
    kind:
      state === "Z" || state === "X"
        ? "zombie"
        : (flags & PF_KTHREAD) !== 0
          ? "kernel"
          : number(38) === -1 // include/linux/sched/signal.h, thread_group_leader()
            ? "thread"
            : "process",
    executed: (flags & PF_FORKNOEXEC) === 0,
    permitted,
    // load_elf_binary() fills in the addresses last, after the arguments; where they lie is drawn at each execution.
    image: !permitted ? comm : startCode === "0" ? "" : fields.slice(23, 26).join(" "),
  };
}

/** undefined: not there, no process of its own (a thread), a zombie, a kernel thread, or never twice the same. */
export function readProcEntry(pid: number, procRoot = "/proc"): ProcEntry | undefined {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const stat = readProcStat(pid, procRoot);
    if (stat === undefined || stat.kind !== "process") return undefined;
    const entry = readRest(stat, procRoot);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** Whether the process that executed at this time, by audit's clock, lives: its pid may have gone to another since. */
export function isAlive(pid: number, timeMs: number, procRoot = "/proc"): boolean {
  const stat = readProcStat(pid, procRoot);
  return stat?.kind === "process" && wasBornBy(stat, timeMs);
}

/** @param timeMs by audit's clock */
export function wasBornBy({ startTicks }: ProcStat, timeMs: number): boolean {
  return bootTimeMs() + startTicks * TICKS_MS <= timeMs + SLACK_MS;
}

/** The rest of a process whose stat was just read; undefined when it is not that process or image any more. */
export function readRest(stat: ProcStat, procRoot = "/proc"): ProcEntry | undefined {
  const { pid, ppid, comm, startTicks, image } = stat;
  if (stat.kind !== "process" || image === "") return undefined;
  const folder = `${procRoot}/${pid}`;
  const root = readLink(`${folder}/root`);
  const { executable, deleted } = readExecutable(folder, root);
  const cwd = readLink(`${folder}/cwd`);
  const read = readBytes(`${folder}/cmdline`);
  if (read === undefined) return undefined;
  const argumentsComplete = read <= ARGUMENTS_MAX;
  const args = split(buffer.subarray(0, Math.min(read, ARGUMENTS_MAX)));
  const uid = Number(/^Uid:\t\d+\t(\d+)/m.exec(readText(`${folder}/status`) ?? "")?.[1] ?? Number.NaN);
  const auid = readId(`${folder}/loginuid`);
  const ses = auid === undefined ? undefined : readId(`${folder}/sessionid`); // both are set at login: audit_set_loginuid()
  const after = readProcStat(pid, procRoot);
  if (Number.isNaN(uid) || after?.startTicks !== startTicks || after.image !== image) return undefined;
  if (after.kind !== "process") return undefined;
  return {
    pid,
    ppid,
    startTimeMs: bootTimeMs() + startTicks * TICKS_MS,
    comm,
    executable,
    deleted,
    args,
    argumentsComplete,
    workingDirectory: below(root, cwd),
    uid,
    auid,
    ses,
    tty: ttyName(stat.ttyNumber),
  };
}

/** @returns its path as it names it itself; undefined where that is not permitted */
export function readExecutable(
  folder: string,
  root = readLink(`${folder}/root`),
): { executable: string | undefined; deleted: boolean } {
  const link = readLink(`${folder}/exe`);
  const deleted = link?.endsWith(DELETED) ?? false;
  return { executable: below(root, deleted ? link?.slice(0, -DELETED.length) : link), deleted };
}

/** The links are told from our root; a program in a chroot is named as it names itself, and as audit does. */
function below(root: string | undefined, path: string | undefined): string | undefined {
  if (root === undefined || root === "/" || path === undefined) return path;
  return path === root ? "/" : path.startsWith(`${root}/`) ? path.slice(root.length) : path;
}

/** Each argument ends with a NUL; a title written over them may lack the last. */
function split(bytes: Buffer): string[] {
  if (bytes.length === 0) return [];
  return bytes.toString("utf8", 0, bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length).split("\0");
}

/** Admin-guide/devices.txt of the kernel; the device number as new_encode_dev() packs it. Of rarer ones /sys has the name. */
function ttyName(number: number): string | undefined {
  if (number === 0) return undefined;
  const major = (number >> 8) & 0xfff;
  const minor = (number & 0xff) | ((number >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  if (major === 229) return `hvc${minor}`;
  return readLink(`/sys/dev/char/${major}:${minor}`)?.split("/").at(-1) ?? `${major}:${minor}`;
}

function readId(path: string): number | undefined {
  const text = readText(path); // absent in a kernel without audit
  return text === undefined || !/^\d+/.test(text) || Number(text) === UNSET
    ? undefined
    : Number.parseInt(text, 10);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // another user's, or gone: what is read after this tells
  }
}

function readText(path: string): string | undefined {
  const read = readBytes(path);
  return read === undefined ? undefined : buffer.toString("latin1", 0, read);
}

/** Into the buffer; how many. The kernel gives all that fits with one read. */
function readBytes(path: string): number | undefined {
  try {
    const fd = openSync(path, "r");
    try {
      return readSync(fd, buffer, 0, buffer.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
