/**
 * An execution read from audit records. There is one for each execution on the host, most of which no rule wants, so
 * text is kept as it was written and decoded when somebody asks.
 */
import { executeArguments, fieldOf, titleArguments, untrusted } from "./audit-text.ts";
import type { ExecEvent } from "./exec-event.ts";
import { isInterpreter, scriptArgument } from "./interpreter.ts";

/** A program file, shared by all of its executions. */
export interface Image {
  readonly executable: string;
  readonly deleted: boolean;
  readonly interpreter: boolean;
  readonly packageTool: boolean; // its arguments, working directory and user names are kept whole
}

const DELETED = " (deleted)"; // fs/d_path.c, d_path()

/** @param value the exe= field as written, quotes and hex untouched */
export function imageOf(value: string): Image {
  const path = untrusted(value);
  const deleted = path.endsWith(DELETED);
  const executable = deleted ? path.slice(0, -DELETED.length) : path;
  const name = baseName(executable);
  return { executable, deleted, interpreter: isInterpreter(name), packageTool: /^rpm/.test(name) };
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Path arithmetic without a file system: "." and ".." are left to the reader, links could make them lie. */
export function absolute(path: string, workingDirectory: string | undefined): string {
  if (path.startsWith("/") || workingDirectory === undefined) return path;
  const relative = path.replace(/^(?:\.\/+)+/, "");
  return workingDirectory === "/" ? `/${relative}` : `${workingDirectory}/${relative}`;
}

export class AuditExec implements ExecEvent {
  readonly kind = "exec";
  readonly source = "audit-log";
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
  /** Raw texts: EXECVE records from "argc=" on; a proctitle value; CWD's and PATH item 0's values; SYSCALL's trailer. */
  execve: string | undefined = undefined;
  title: string | undefined = undefined;
  cwd: string | undefined = undefined;
  path: string | undefined = undefined;
  trailer: string | undefined = undefined;
  cut = false; // the raw arguments met our own bound

  get executable(): string {
    return this.image.executable;
  }

  get deleted(): boolean {
    return this.image.deleted;
  }

  get workingDirectory(): string | undefined {
    return this.cwd === undefined ? undefined : untrusted(this.cwd);
  }

  get script(): string | undefined {
    const named =
      this.path !== undefined
        ? untrusted(this.path)
        : this.image.interpreter
          ? scriptArgument(baseName(this.executable), this.args)
          : undefined;
    return named === undefined || named === "" ? undefined : absolute(named, this.workingDirectory);
  }

  get argumentsFrom(): ExecEvent["argumentsFrom"] {
    return this.execve !== undefined ? "execve" : this.title !== undefined ? "proctitle" : "none";
  }

  get argumentsComplete(): boolean {
    return !this.cut && this.execve !== undefined && executeArguments(this.execve).complete;
  }

  get args(): readonly string[] {
    if (this.execve !== undefined) return executeArguments(this.execve).args;
    return this.title !== undefined ? titleArguments(this.title) : [];
  }

  get userName(): string | undefined {
    return this.trailer === undefined ? undefined : nameIn(this.trailer, "EUID");
  }

  get loginName(): string | undefined {
    return this.auid === undefined || this.trailer === undefined ? undefined : nameIn(this.trailer, "AUID");
  }
}

const unknownImage: Image = { executable: "", deleted: false, interpreter: false, packageTool: false };

/** auditd's enriched part: `AUID="root"`; "unset" and "unknown(1000)" are not names. auditd.conf(5), log_format. */
function nameIn(trailer: string, field: string): string | undefined {
  const name = untrusted(fieldOf(trailer, field));
  return name === "" || name === "unset" || name.startsWith("unknown(") ? undefined : name;
}
