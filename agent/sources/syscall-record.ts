/**
 * Reads a SYSCALL record in place, without strings: most records on a host are none that anybody wants.
 * Field order: kernel/auditsc.c, audit_log_exit(); kernel/audit.c, audit_log_task_info().
 */

/** failed: an execution that did not happen, such as the misses of a search along PATH. broken: lacks what all have. */
export type SyscallOutcome = "executed" | "failed" | "other" | "broken";

export const UNSET = 4294967295; // a user or session that nobody set
const PID_MAX = 2 ** 22; // PID_MAX_LIMIT, linux/threads.h

/** (architecture, execve, execveat): kernel syscall tables; AUDIT_ARCH_* in uapi/linux/audit.h. */
const execCalls: ReadonlyMap<number, readonly [number, number]> = new Map([
  [0xc000003e, [59, 322]], // x86_64, and x32 below
  [0x40000003, [11, 358]], // i386
  [0xc00000b7, [221, 281]], // aarch64
  [0x40000028, [11, 387]], // arm
  [0xc0000015, [11, 362]], // ppc64le
  [0x80000015, [11, 362]], // ppc64
  [0x14, [11, 362]], // ppc
  [0x80000016, [11, 354]], // s390x
  [0x16, [11, 354]], // s390
  [0xc00000f3, [221, 281]], // riscv64
  [0xc0000102, [221, 281]], // loongarch64
]);
const X32 = 0x40000000; // __X32_SYSCALL_BIT: execve 520, execveat 545

function isExec(arch: number, call: number): boolean {
  if (arch === 0xc000003e && call < X32) return call === 59 || call === 322;
  if (arch === 0xc000003e) return call === X32 + 520 || call === X32 + 545;
  const calls = execCalls.get(arch);
  return calls !== undefined && (call === calls[0] || call === calls[1]);
}

/** Behind a value as it is written: at the next blank, at the enriched part (0x1d) or at the end of the line. */
export function valueEnd(bytes: Buffer, start: number): number {
  let p = start;
  while ((bytes[p] as number) > 0x20) p += 1;
  return p;
}

let at = 0; // where the last number ended

function decimal(bytes: Buffer, start: number): number {
  let value = 0;
  let p = start;
  for (; ; p += 1) {
    const digit = (bytes[p] as number) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    value = value * 10 + digit;
  }
  at = p;
  return p === start ? UNSET : value; // "-1" is how some tools write the unset user
}

function hexadecimal(bytes: Buffer, start: number): number {
  let value = 0;
  let p = start;
  for (; ; p += 1) {
    const byte = bytes[p] as number;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (byte >= 0x61 && byte <= 0x66) value = value * 16 + byte - 0x57;
    else break;
  }
  at = p;
  return value;
}

/** Where the fields of an execution go; bounds are of values in the bytes, quotes included. */
export interface SyscallFields {
  readonly items: Uint32Array; // PATH records of the event: a program, its loader; before them a script and its interpreters
  readonly pids: Uint32Array;
  readonly ppids: Uint32Array;
  readonly auids: Uint32Array; // UNSET, and so below
  readonly uids: Uint32Array; // effective
  readonly sessions: Uint32Array;
  readonly ttys: Uint32Array;
  readonly ttyEnds: Uint32Array;
  readonly executables: Uint32Array;
  readonly executableEnds: Uint32Array;
}

/** Reads the fields between `start` (after "audit(…): ") and `end` into `fields` at `index`. */
export function readExecSyscall(
  bytes: Buffer,
  start: number,
  end: number,
  fields: SyscallFields,
  index: number,
): SyscallOutcome {
  let arch = 0;
  let call = -1;
  let success = false;
  let items = 0;
  let pid = -1;
  let ppid = -1;
  let auid = UNSET;
  let uid = UNSET;
  let session = UNSET;
  let tty = 0;
  let ttyEnd = 0;
  let executable = 0;
  let executableEnd = 0;
  for (let p = start; p < end; p += 1) {
    // p is at the first letter of a name; each case leaves `at` inside or behind its value
    const first = bytes[p] as number;
    const second = bytes[p + 1] as number;
    at = p;
    if (first === 0x1d) break;
    if (first === 0x61) {
      // arch auid (a0 … a3 are registers)
      if (second === 0x72) arch = hexadecimal(bytes, p + 5);
      else if (second === 0x75) auid = decimal(bytes, p + 5);
    } else if (first === 0x73) {
      // syscall success ses (suid sgid subj)
      if (second === 0x79) {
        call = decimal(bytes, p + 8);
        if (!isExec(arch, call)) return "other";
      } else if (second === 0x75 && bytes[p + 2] === 0x63) {
        success = bytes[bytes[p + 8] === 0x22 ? p + 9 : p + 8] === 0x79; // yes
        if (!success) return call === -1 ? "broken" : "failed";
      } else if (second === 0x65 && bytes[p + 3] === 0x3d) session = decimal(bytes, p + 4);
    } else if (first === 0x70) {
      // ppid pid (per)
      if (second === 0x70) ppid = decimal(bytes, p + 5);
      else if (second === 0x69) pid = decimal(bytes, p + 4);
    } else if (first === 0x69) items = decimal(bytes, p + 6);
    else if (first === 0x65) {
      // exe euid (egid exit)
      if (second === 0x75) uid = decimal(bytes, p + 5);
      else if (second === 0x78 && bytes[p + 3] === 0x3d) {
        executable = p + 4;
        executableEnd = valueEnd(bytes, p + 4);
        break; // what follows is the security label and the key
      }
    } else if (first === 0x74) {
      if (second !== 0x74) return "broken"; // "type=": another record begins in this line
      tty = p + 4;
      ttyEnd = at = valueEnd(bytes, p + 4);
    }
    p = valueEnd(bytes, at);
    if (bytes[p] === 0x1d) break;
  }
  const isWhole =
    call !== -1 && success && pid > 0 && pid <= PID_MAX && ppid >= 0 && ppid <= PID_MAX && executableEnd > 0;
  if (!isWhole) return "broken";
  fields.items[index] = items;
  fields.pids[index] = pid;
  fields.ppids[index] = ppid;
  fields.auids[index] = auid;
  fields.uids[index] = uid;
  fields.sessions[index] = session;
  fields.ttys[index] = tty;
  fields.ttyEnds[index] = ttyEnd;
  fields.executables[index] = executable;
  fields.executableEnds[index] = executableEnd;
  return "executed";
}
