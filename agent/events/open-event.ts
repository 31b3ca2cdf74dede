/** An event some of whose records are still to come. Takes from each record what is wanted, as it is written. */
import type { LogPosition } from "../sources/source.ts";
import { AuditExec, baseName, cutAt, type Image } from "./audit-exec.ts";
import { executeArguments, titleArguments } from "./audit-text.ts";
import type { HostLog } from "./host-log.ts";
import { type SyscallRecord, valueEnd } from "./syscall-record.ts";
import type { TextCache } from "./text-cache.ts";

const ARGUMENTS_MAX = 1_048_576; // bytes of a list of arguments: a line with every package of a distribution fits

/** What is remembered of texts that come again and again. */
export interface Texts {
  readonly images: TextCache<Image>;
  readonly terminals: TextCache<string | undefined>;
  readonly directories: TextCache<string>;
}

export class OpenEvent {
  readonly exec = new AuditExec();
  readonly key: number;
  readonly host: HostLog;
  readonly openedMs: number; // by the host's clock, as far as was read then
  readonly chunk: LogPosition; // of its first record
  readonly offset: number; // in that chunk
  idleSinceMs: number | undefined = undefined; // the first time that nothing more came
  hasSyscall = false;
  ended = false; // its last record came: all are there, if none is late or lost
  out = false;
  #items = 0;
  #loader = false; // PATH item 1 is the loader
  #argumentsWhole = false;
  #argumentsRead = 0; // how much of them was looked at

  constructor(key: number, host: HostLog, chunk: LogPosition, offset: number) {
    this.key = key;
    this.host = host;
    this.openedMs = host.clockMs;
    this.chunk = chunk;
    this.offset = offset;
    this.exec.node = host.name;
  }

  takeSyscall(record: SyscallRecord, bytes: Buffer, end: number, texts: Texts): void {
    const { exec } = this;
    this.hasSyscall = true;
    this.#items = record.items;
    exec.pid = record.pid;
    exec.ppid = record.ppid;
    exec.uid = record.uid;
    exec.auid = record.auid;
    exec.ses = record.ses;
    exec.tty = texts.terminals.of(bytes, record.ttyStart, record.ttyEnd);
    exec.image = texts.images.of(bytes, record.exeStart, record.exeEnd);
    if (exec.image.packageTool) {
      const trailer = bytes.indexOf(0x1d, record.exeEnd);
      if (trailer !== -1 && trailer < end) exec.trailer = bytes.toString("latin1", trailer + 1, end);
    }
  }

  takeArguments(bytes: Buffer, body: number, end: number): void {
    const { exec } = this;
    const kept = exec.execve?.length ?? 0;
    if (kept >= ARGUMENTS_MAX) {
      exec.cut = true;
      return;
    }
    const text = bytes.toString("latin1", body, end);
    if (exec.execve === undefined) this.#argumentsWhole = holdsLastArgument(bytes, body, end);
    exec.execve = exec.execve === undefined ? text : `${exec.execve}\n${text}`;
    if (exec.execve.length > ARGUMENTS_MAX) {
      exec.execve = exec.execve.slice(0, cutAt(exec.execve, ARGUMENTS_MAX));
      exec.cut = true;
    }
  }

  takeDirectory(bytes: Buffer, body: number, texts: Texts): void {
    this.exec.cwd = texts.directories.of(bytes, body + 4, valueEnd(bytes, body + 4));
  }

  /**
   * "item=0 name=…". Items: the script, the script's interpreters from the first to the last, the loader; a program that
   * is no script is item 0 itself, and one that is linked statically has no loader. fs/exec.c, fs/binfmt_elf.c.
   */
  takePath(bytes: Buffer, body: number): void {
    const item = (bytes[body + 5] as number) - 0x30;
    if (bytes[body + 6] !== 0x20) return;
    const start = body + 12;
    if (item === 0 && this.#items !== 1) {
      const stop = valueEnd(bytes, start);
      if (this.#items >= 3 || !isTail(bytes, start, stop, this.exec.executable))
        this.exec.path = bytes.toString("latin1", start, stop);
    } else if (item === 1 && this.#items < 3) {
      this.#loader = isLoader(bytes, start, valueEnd(bytes, start));
    }
    if (item + 1 === this.#items) this.ended = true;
  }

  takeTitle(bytes: Buffer, body: number): void {
    this.exec.title = bytes.toString("latin1", body + 10, valueEnd(bytes, body + 10));
  }

  isComplete(): boolean {
    return this.hasSyscall && this.exec.execve !== undefined && this.hasAllArguments();
  }

  hasAllArguments(): boolean {
    const { execve, cut } = this.exec;
    if (this.#argumentsWhole || cut || execve === undefined) return this.#argumentsWhole || cut;
    if (execve.length > this.#argumentsRead) {
      this.#argumentsRead = execve.length;
      this.#argumentsWhole = executeArguments(execve).complete;
    }
    return this.#argumentsWhole;
  }

  /** Nothing more is taken: what is left is what is known. */
  close(): void {
    const { exec } = this;
    this.out = true;
    if (this.#items === 1 || (this.#items === 2 && this.#loader)) exec.path = undefined;
    if (exec.execve === undefined && exec.title !== undefined && !isTitleOf(exec.title, exec.image))
      exec.title = undefined;
  }
}

/** Whether "argc=3 a0=… a1=… a2=…" ends in its last argument: the records are whole then, or an argument is long. */
function holdsLastArgument(bytes: Buffer, body: number, end: number): boolean {
  let argc = 0;
  let p = body + 5;
  for (; bytes[p] !== 0x20; p += 1) {
    const digit = (bytes[p] as number) - 0x30;
    if (p >= end || digit < 0 || digit > 9) return false;
    argc = argc * 10 + digit;
  }
  p = end - 1;
  while (p > body && bytes[p] !== 0x20) p -= 1;
  let index = 0;
  for (p += 2; p < end && bytes[p] !== 0x3d; p += 1) {
    const digit = (bytes[p] as number) - 0x30;
    if (digit < 0 || digit > 9) return false; // "a1[0]=": more of it may follow
    index = index * 10 + digit;
  }
  return index + 1 >= argc;
}

/** "/bin/true" is a tail of "/usr/bin/true": the program itself, by the name that leads to it where /bin is a link. */
function isTail(bytes: Buffer, start: number, stop: number, path: string): boolean {
  if (bytes[start + 1] !== 0x2f) return false;
  let index = path.length - 1;
  for (let p = stop - 2; p > start; p -= 1, index -= 1) if (bytes[p] !== path.charCodeAt(index)) return false;
  return true;
}

/** ld-linux-x86-64.so.2, ld64.so.2, ld-musl-x86_64.so.1, ld.so.1: ld.so(8). */
function isLoader(bytes: Buffer, start: number, stop: number): boolean {
  let p = stop;
  while (p > start && bytes[p - 1] !== 0x2f) p -= 1;
  if (bytes[p] !== 0x6c || bytes[p + 1] !== 0x64) return false;
  for (; p < stop; p += 1)
    if (bytes[p] === 0x2e && bytes[p + 1] === 0x73 && bytes[p + 2] === 0x6f) return true;
  return false;
}

/**
 * The kernel reads a process's title once, so the title of a process that had another event before is that of its image
 * before: kernel/auditsc.c, audit_log_proctitle().
 */
function isTitleOf(title: string, { executable }: Image): boolean {
  const named = (titleArguments(title)[0] ?? "").replace(/^.*\/|^-/g, "");
  const name = baseName(executable); // its links are called so: python3 is python3.11, sh is dash
  return named !== "" && (name.startsWith(named) || name.endsWith(named));
}
