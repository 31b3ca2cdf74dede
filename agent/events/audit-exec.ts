/**
 * An execution read from audit records. There is one for each execution on the host, most of which no rule wants, so
 * text is kept as it was written and decoded when somebody asks.
 */
import {
  type Arguments,
  executeArguments,
  fieldOf,
  pathOf,
  titleArguments,
  untrusted,
  withoutTrailer,
} from "./audit-text.ts";
import type { ExecEvent } from "./exec-event.ts";
import { isInterpreter, scriptArgument } from "./interpreter.ts";

/** A program file, shared by all of its executions. */
export interface Image {
  readonly executable: string;
  readonly deleted: boolean;
  readonly interpreter: boolean;
  readonly packageTool: boolean; // the user names of its executions are kept
}

const DELETED = " (deleted)"; // fs/d_path.c, d_path()
const KEPT_MAX = 1_024; // characters of a text that the process table keeps for long: 32,768 executions must stay small

/** @param value the exe= field as written, quotes and hex untouched */
export function imageOf(value: string): Image {
  const path = pathOf(value);
  const deleted = path.endsWith(DELETED);
  const executable = deleted ? path.slice(0, -DELETED.length) : path;
  const name = baseName(executable);
  return { executable, deleted, interpreter: isInterpreter(name), packageTool: /^rpm/.test(name) };
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * One path for one file, as far as can be told without its file system: "//" and "/./" mean nothing, but behind a link
 * ".." leads elsewhere.
 */
export function absolute(path: string, workingDirectory: string | undefined): string {
  const whole = path.startsWith("/") || workingDirectory === undefined ? path : `${workingDirectory}/${path}`;
  return whole.startsWith("/") ? whole.replace(/\/(?:\.?\/)+/g, "/") : whole;
}

export class AuditExec implements ExecEvent {
  node: string | undefined = undefined;
  timeMs = 0;
  serial = 0;
  pid = 0;
  ppid = 0;
  uid: number | undefined = undefined;
  auid: number | undefined = undefined;
  ses: number | undefined = undefined;
  tty: string | undefined = undefined;
  image: Image = unknownImage;
  /** Raw texts: a proctitle value; CWD's value; SYSCALL's trailer. */
  title: string | undefined = undefined;
  cwd: string | undefined = undefined;
  trailer: string | undefined = undefined;
  path: string | undefined = undefined; // PATH item 0's value, where it may be a script's
  cut = false; // the raw arguments met a bound of ours
  borrowed = false; // used again for the next execution: who keeps it keeps a copy()
  #execve: string | undefined;
  #bytes: Buffer | undefined; // where the arguments stand, as long as nobody has asked for them
  #start = 0;
  #end = 0;
  #kept: { readonly script: string | undefined } | undefined; // told from arguments that are cut now

  /** As it was made, to be used again. */
  begin(): void {
    this.node = undefined;
    this.tty = undefined;
    this.title = undefined;
    this.cwd = undefined;
    this.trailer = undefined;
    this.path = undefined;
    this.cut = false;
    this.execve = undefined;
    this.#kept = undefined;
  }

  copy(): AuditExec {
    const copy = new AuditExec();
    copy.node = this.node;
    copy.timeMs = this.timeMs;
    copy.serial = this.serial;
    copy.pid = this.pid;
    copy.ppid = this.ppid;
    copy.uid = this.uid;
    copy.auid = this.auid;
    copy.ses = this.ses;
    copy.tty = this.tty;
    copy.image = this.image;
    copy.title = this.title;
    copy.cwd = this.cwd;
    copy.trailer = this.trailer;
    copy.path = this.path;
    copy.cut = this.cut;
    copy.#execve = this.execve;
    copy.#kept = this.#kept;
    return copy;
  }

  /** Raw text: EXECVE records from "argc=" on. */
  get execve(): string | undefined {
    if (this.#bytes !== undefined)
      this.execve = withoutTrailer(this.#bytes.toString("latin1", this.#start, this.#end));
    return this.#execve;
  }

  set execve(text: string | undefined) {
    this.#execve = text;
    this.#bytes = undefined;
  }

  /** The same, read when somebody asks: the bytes must stay until then. */
  lendArguments(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  /** Copies the raw arguments. @returns how many bytes they have; undefined: there are none, or more than that */
  writeArguments(into: Buffer, at: number, bytesMax: number): number | undefined {
    const bytes = this.#bytes;
    const start = this.#start;
    const length = bytes === undefined ? this.#execve?.length : this.#end - start;
    if (length === undefined || length > bytesMax) return undefined;
    if (bytes === undefined) return into.write(this.#execve as string, at, "latin1");
    for (let index = 0; index < length; index += 1) into[at + index] = bytes[start + index] as number;
    return length;
  }

  /** The same for all: not a field of each. */
  get kind(): "exec" {
    return "exec";
  }

  get source(): "audit-log" {
    return "audit-log";
  }

  get startTimeMs(): undefined {
    return undefined;
  }

  get executable(): string {
    return this.image.executable;
  }

  get deleted(): boolean {
    return this.image.deleted;
  }

  get workingDirectory(): string | undefined {
    return pathOf(this.cwd) || undefined;
  }

  get script(): string | undefined {
    if (this.#kept !== undefined) return this.#kept.script;
    if (this.path === undefined && !this.image.interpreter) return undefined;
    const named =
      this.#executedScript() ??
      (this.image.interpreter ? scriptArgument(baseName(this.executable), this.args) : undefined);
    return named === undefined ? undefined : absolute(named, this.workingDirectory);
  }

  /**
   * The kernel hands an interpreter the name of the file that was to be executed: fs/binfmt_script.c, load_script();
   * fs/binfmt_misc.c, load_misc_binary(). A file given by descriptor has a name below /dev/fd: fs/exec.c, alloc_bprm().
   */
  #executedScript(): string | undefined {
    if (this.path === undefined) return undefined;
    const name = untrusted(this.path);
    const { args } = this;
    if (name !== "" && (this.execve === undefined || args.includes(name, 1))) return name;
    const byDescriptor = name === "" ? /^\/dev\/fd\/\d+$/ : /^\/dev\/fd\/\d+\//;
    return args.find((arg, index) => index > 0 && byDescriptor.test(arg) && arg.endsWith(name));
  }

  get argumentsFrom(): ExecEvent["argumentsFrom"] {
    return this.execve !== undefined ? "execve" : this.title !== undefined ? "proctitle" : "none";
  }

  get argumentsComplete(): boolean {
    return !this.cut && this.#executed?.complete === true;
  }

  get args(): readonly string[] {
    return this.#executed?.args ?? (this.title !== undefined ? titleArguments(this.title) : []);
  }

  get #executed(): Arguments | undefined {
    const { execve } = this;
    return execve === undefined ? undefined : decoded(execve);
  }

  get userName(): string | undefined {
    return this.trailer === undefined ? undefined : nameIn(this.trailer, "EUID");
  }

  get loginName(): string | undefined {
    return this.auid === undefined || this.trailer === undefined ? undefined : nameIn(this.trailer, "AUID");
  }

  /** Whether its numbers, its program, its directory and short arguments are all that there is: so it is with most. */
  get isPlain(): boolean {
    const { path, title, trailer, cut, cwd, image } = this;
    if (path !== undefined || title !== undefined || trailer !== undefined || cut) return false;
    if (image.packageTool || image.executable === "" || isLong(image.executable)) return false;
    const length = this.#bytes === undefined ? (this.#execve?.length ?? 0) : this.#end - this.#start;
    return length <= KEPT_MAX && !isLong(cwd) && this.#kept === undefined;
  }

  shrink(): void {
    if (this.isPlain) return;
    const { execve, path, cwd, image } = this;
    if (isLong(execve) || isLong(path) || isLong(cwd)) {
      const { script } = this;
      this.#kept = { script: isLong(script) ? firstOf(script, KEPT_MAX) : script };
      this.path = undefined;
      if (isLong(cwd)) this.cwd = undefined; // a part of a path is another path
      if (isLong(execve)) {
        this.execve = firstOf(execve, cutAt(execve, KEPT_MAX));
        this.cut = true;
      }
    }
    if (isLong(image.executable)) this.image = { ...image, executable: firstOf(image.executable, KEPT_MAX) };
  }
}

function isLong(text: string | undefined): text is string {
  return text !== undefined && text.length > KEPT_MAX;
}

/** Where raw arguments may be cut at `length` or before it: not between the two digits of a byte. */
export function cutAt(execve: string, length: number): number {
  const start = execve.lastIndexOf("=", length - 1) + 1; // of the last value
  return execve[start] !== '"' && (length - start) % 2 === 1 ? length - 1 : length;
}

/** A copy: what slice() gives holds on to the whole text. */
function firstOf(text: string, length: number): string {
  return Buffer.from(text.slice(0, length)).toString();
}

/** Rules ask for the arguments of one execution, and of who started it, again and again. */
let last: readonly (readonly [execve: string, Arguments])[] = [];
const LAST_MAX = 4;

function decoded(execve: string): Arguments {
  const known = last.find(([text]) => text === execve);
  if (known !== undefined) return known[1];
  const decoded = executeArguments(execve);
  last = [[execve, decoded], ...last.slice(0, LAST_MAX - 1)];
  return decoded;
}

const unknownImage: Image = { executable: "", deleted: false, interpreter: false, packageTool: false };

/** auditd's enriched part: `AUID="root"`; "unset" and "unknown(1000)" are not names. auditd.conf(5), log_format. */
function nameIn(trailer: string, field: string): string | undefined {
  const name = untrusted(fieldOf(trailer, field));
  return name === "" || name === "unset" || name.startsWith("unknown(") ? undefined : name;
}
