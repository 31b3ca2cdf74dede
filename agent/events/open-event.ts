/** An event some of whose records are still to come. Takes from each record what is wanted, as it is written. */
import { isLoader, pathItem, pathName } from "../sources/path-record.ts";
import { holdsLastArgument, type RecordIndex } from "../sources/record-index.ts";
import type { LogPosition } from "../sources/source.ts";
import { UNSET, valueEnd } from "../sources/syscall-record.ts";
import { AuditExec, baseName, cutAt, type Image } from "./audit-exec.ts";
import { executeArguments, titleArguments, trailerOf, withoutTrailer } from "./audit-text.ts";
import type { HostLog } from "./host-log.ts";
import type { PieceTexts } from "./piece-texts.ts";

const ARGUMENTS_MAX = 1_048_576; // bytes of a list of arguments: a line with every package of a distribution fits

export class OpenEvent {
  exec = new AuditExec();
  host: HostLog;
  openedMs = 0; // by the host's clock, as far as was read then
  chunk: LogPosition; // of its first record
  offset = 0; // in that chunk
  idleSinceMs: number | undefined = undefined; // the first time that nothing more came
  hasSyscall = false;
  ended = false; // its last record came: all are there, if none is late or lost
  out = true;
  #items = 0;
  #loader = false; // PATH item 1 is the loader
  #argumentsWhole = false;
  #argumentsRead = 0; // how much of them was looked at

  constructor(host: HostLog, chunk: LogPosition) {
    this.host = host;
    this.chunk = chunk;
  }

  /** Begins anew. */
  begin(
    exec: AuditExec,
    host: HostLog,
    chunk: LogPosition,
    offset: number,
    timeMs: number,
    serial: number,
  ): void {
    exec.node = host.name;
    exec.timeMs = timeMs;
    exec.serial = serial;
    this.exec = exec;
    this.host = host;
    this.openedMs = host.clockMs;
    this.chunk = chunk;
    this.offset = offset;
    this.idleSinceMs = undefined;
    this.hasSyscall = false;
    this.ended = false;
    this.out = false;
    this.#items = 0;
    this.#loader = false;
    this.#argumentsWhole = false;
    this.#argumentsRead = 0;
  }

  /** All of its records. */
  takeWhole(index: RecordIndex, at: number, bytes: Buffer, texts: PieceTexts): void {
    this.takeSyscall(index, at, bytes, texts);
    const directory = index.directoryTexts[at] as number;
    const script = index.scripts[at] as number;
    if (directory !== 0) this.exec.cwd = texts.directory(directory);
    if (script !== 0) this.takePath(bytes, script);
    this.ended = true;
    const start = index.execves[at] as number;
    const end = index.execveEnds[at] as number;
    if (!this.exec.borrowed) this.takeArguments(bytes, start, end);
    else {
      this.#argumentsWhole = true;
      this.exec.lendArguments(bytes, start, end);
    }
  }

  takeSyscall(index: RecordIndex, at: number, bytes: Buffer, texts: PieceTexts): void {
    const { exec } = this;
    this.hasSyscall = true;
    this.#items = index.items[at] as number;
    exec.pid = index.pids[at] as number;
    exec.ppid = index.ppids[at] as number;
    exec.uid = set(index.uids[at] as number);
    exec.auid = set(index.auids[at] as number);
    exec.ses = set(index.sessions[at] as number);
    exec.tty = texts.terminal(index.ttyTexts[at] as number);
    exec.image = texts.image(index.executableTexts[at] as number);
    if (exec.image.packageTool) {
      exec.trailer = trailerOf(bytes.toString("latin1", index.executableEnds[at], index.ends[at]));
    }
  }

  takeArguments(bytes: Buffer, body: number, end: number): void {
    const { exec } = this;
    const kept = exec.execve?.length ?? 0;
    if (kept >= ARGUMENTS_MAX) {
      exec.cut = true;
      return;
    }
    const text = withoutTrailer(bytes.toString("latin1", body, end));
    if (exec.execve === undefined) this.#argumentsWhole = holdsLastArgument(bytes, body, body + text.length);
    exec.execve = exec.execve === undefined ? text : `${exec.execve}\n${text}`;
    if (exec.execve.length > ARGUMENTS_MAX) {
      exec.execve = exec.execve.slice(0, cutAt(exec.execve, ARGUMENTS_MAX));
      exec.cut = true;
    }
  }

  takeDirectory(bytes: Buffer, body: number, texts: PieceTexts): void {
    this.exec.cwd = texts.directoryAt(bytes, body + 4, valueEnd(bytes, body + 4));
  }

  /**
   * "item=0 name=…". Items: the script, the script's interpreters from the first to the last, the loader; a program that
   * is no script is item 0 itself, and one that is linked statically has no loader. fs/exec.c, fs/binfmt_elf.c.
   */
  takePath(bytes: Buffer, body: number): void {
    const item = pathItem(bytes, body);
    const start = pathName(body);
    if (item === 0 && this.#items !== 1) {
      const stop = valueEnd(bytes, start);
      if (this.#items >= 3 || !isTail(bytes, start, stop, this.exec.executable))
        this.exec.path = bytes.toString("latin1", start, stop);
    } else if (item === 1 && this.#items < 3) {
      this.#loader = isLoader(bytes, body);
    }
    if (item + 1 === this.#items) this.ended = true;
  }

  takeTitle(bytes: Buffer, body: number): void {
    this.exec.title = bytes.toString("latin1", body + 10, valueEnd(bytes, body + 10));
  }

  /** PATH item 0: no script. */
  get #isProgramItself(): boolean {
    return this.#items === 1 || (this.#items === 2 && this.#loader);
  }

  isComplete(): boolean {
    return this.hasSyscall && this.hasAllArguments();
  }

  hasAllArguments(): boolean {
    if (this.#argumentsWhole) return true;
    const { execve, cut } = this.exec;
    if (cut || execve === undefined) return cut;
    if (execve.length > this.#argumentsRead) {
      this.#argumentsRead = execve.length;
      this.#argumentsWhole = executeArguments(execve).complete;
    }
    return this.#argumentsWhole;
  }

  /** Nothing more is taken: what is left is what is known. */
  close(): void {
    const { exec } = this;
    if (this.#isProgramItself) exec.path = undefined;
    if (exec.title !== undefined && exec.execve === undefined && !isTitleOf(exec.title, exec.image))
      exec.title = undefined;
  }
}

function set(id: number): number | undefined {
  return id === UNSET ? undefined : id;
}

/** "/bin/true" is a tail of "/usr/bin/true": the program itself, by the name that leads to it where /bin is a link. */
function isTail(bytes: Buffer, start: number, stop: number, path: string): boolean {
  if (bytes[start + 1] !== 0x2f) return false;
  let index = path.length - 1;
  for (let p = stop - 2; p > start; p -= 1, index -= 1) if (bytes[p] !== path.charCodeAt(index)) return false;
  return true;
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
