/**
 * Audit records as kernel 6.18 and auditd 3.0.9 (log_format = ENRICHED) wrote them on a real host; text that a user can
 * choose is encoded as kernel/audit.c, audit_log_n_untrustedstring() does.
 */
import type { Ids } from "./truth-kernel.ts";

export interface Stamp {
  readonly timeMs: number;
  readonly serial: number;
}

const names = new Map([
  [0, "root"],
  [48, "apache"],
  [1000, "admin"],
  [1001, "deploy"],
  [4294967295, "unset"],
]);
const CAPABILITIES = "cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0";

export function encode(text: string): string {
  return /^[!#-~]*$/.test(text) ? `"${text}"` : Buffer.from(text).toString("hex").toUpperCase();
}

function stampOf({ timeMs, serial }: Stamp): string {
  return `msg=audit(${Math.floor(timeMs / 1_000)}.${String(timeMs % 1_000).padStart(3, "0")}:${serial}):`;
}

const nameOf = (id: number) => names.get(id) ?? `unknown(${id})`;

/** What stays the same for all executions by one user in one session. */
const idTexts = new Map<Ids, { ids: string; tail: string; trailer: string }>();
function idText(ids: Ids): { ids: string; tail: string; trailer: string } {
  let text = idTexts.get(ids);
  if (text === undefined) {
    const { uid, auid, ses, tty } = ids;
    const name = nameOf(uid);
    text = {
      ids: `auid=${auid} uid=${uid} gid=${uid} euid=${uid} suid=${uid} fsuid=${uid} egid=${uid} sgid=${uid} fsgid=${uid}`,
      tail: `tty=${tty} ses=${ses}`,
      trailer: `AUID="${nameOf(auid)}" UID="${name}" GID="${name}" EUID="${name}" SUID="${name}" FSUID="${name}" EGID="${name}" SGID="${name}" FSGID="${name}"`,
    };
    if (idTexts.size > 4_096) idTexts.clear();
    idTexts.set(ids, text);
  }
  return text;
}

export interface Call {
  readonly number: 59 | 322 | 42 | 257;
  readonly exit: number;
  readonly items: number;
  readonly pid: number;
  readonly ppid: number;
  readonly ids: Ids;
  readonly comm: string;
  readonly executable: string;
  readonly key: string;
}

const callNames = { 59: "execve", 322: "execveat", 42: "connect", 257: "openat" };

export function syscall(stamp: Stamp, call: Call): string {
  const { number, exit, items, pid, ppid, ids, comm, executable, key } = call;
  const text = idText(ids);
  return `type=SYSCALL ${stampOf(stamp)} arch=c000003e syscall=${number} success=${exit < 0 ? "no" : "yes"} exit=${exit} a0=55a0968c5390 a1=55a0968c12c0 a2=55a0968bf7e0 a3=8 items=${items} ppid=${ppid} pid=${pid} ${text.ids} ${text.tail} comm=${encode(comm.slice(0, 15))} exe=${encode(executable)} key="${key}"\x1dARCH=x86_64 SYSCALL=${callNames[number]} ${text.trailer}`;
}

/** The arguments, in records of 7,500 bytes at most (kernel/auditsc.c, MAX_EXECVE_AUDIT_LEN). */
export function execve(stamp: Stamp, argv: readonly string[]): string[] {
  const head = `type=EXECVE ${stampOf(stamp)}`;
  const lines: string[] = [];
  let line = `${head} argc=${argv.length}`;
  for (const [index, argument] of argv.entries()) {
    const text = ` a${index}=${encode(argument)}`;
    if (line.length + text.length > 7_500) {
      lines.push(line);
      line = head;
    }
    line += text;
  }
  lines.push(line);
  return lines;
}

export function cwd(stamp: Stamp, path: string): string {
  return `type=CWD ${stampOf(stamp)} cwd=${encode(path)}`;
}

export function path(stamp: Stamp, item: number, name: string, isThere = true): string {
  return isThere
    ? `type=PATH ${stampOf(stamp)} item=${item} name=${encode(name)} inode=${1_000 + ((name.length * 7_919) % 90_000)} dev=fe:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL ${CAPABILITIES}\x1dOUID="root" OGID="root"`
    : `type=PATH ${stampOf(stamp)} item=${item} name=${encode(name)} nametype=UNKNOWN ${CAPABILITIES}`;
}

export function proctitle(stamp: Stamp, argv: readonly string[]): string {
  return `type=PROCTITLE ${stampOf(stamp)} proctitle=${encode(argv.join("\0").slice(0, 127))}`;
}

export function endOfEvent(stamp: Stamp): string {
  return `type=EOE ${stampOf(stamp)} `;
}

/** @param text what stands in msg='…' */
export function user(type: string, stamp: Stamp, pid: number, { uid, auid, ses }: Ids, text: string): string {
  return `type=${type} ${stampOf(stamp)} pid=${pid} uid=${uid} auid=${auid} ses=${ses} msg='${text}'\x1dUID="${nameOf(uid)}" AUID="${nameOf(auid)}"`;
}

/** pam_loginuid(8) sets it: kernel/auditsc.c, audit_log_set_loginuid(). */
export function login(stamp: Stamp, pid: number, before: Ids, after: Ids): string {
  return `type=LOGIN ${stampOf(stamp)} pid=${pid} uid=0 old-auid=${before.auid} auid=${after.auid} tty=(none) old-ses=${before.ses} ses=${after.ses} res=1\x1dUID="root" OLD-AUID="unset" AUID="${nameOf(after.auid)}"`;
}

export function daemon(type: "DAEMON_START" | "DAEMON_END", stamp: Stamp): string {
  const op = type === "DAEMON_START" ? "op=start ver=3.0.9 format=enriched kernel=6.18.44" : "op=terminate";
  return `type=${type} ${stampOf(stamp)} ${op} auid=4294967295 pid=612 uid=0 ses=4294967295 res=success\x1dAUID="unset" UID="root"`;
}
