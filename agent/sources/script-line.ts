/**
 * By what a script's first line has it run: execve(2), "Interpreter scripts"; env(1), --split-string. Whoever gives the interpreter
 * other options may have it run other code first, under the script's name.
 */
import { closeSync, constants, openSync, readSync, realpathSync } from "node:fs";
import { basename } from "node:path";

export interface ScriptLine {
  readonly interpreter: string; // its file; behind env a name
  readonly options: readonly string[];
}

const LINE_MAX = 256; // as the kernel reads: BINPRM_BUF_SIZE in include/uapi/linux/binfmts.h

/** undefined: it has none, or cannot be read */
export function readScriptLine(path: string): ScriptLine | undefined {
  const text = readStart(path);
  const [, interpreter, rest = ""] = /^#![ \t]*([^ \t\n]+)[ \t]*([^\n]*)/.exec(text ?? "") ?? [];
  if (interpreter === undefined) return undefined;
  const argument = rest.trim();
  if (basename(interpreter) !== "env")
    return { interpreter: fileOf(interpreter), options: argument === "" ? [] : [argument] };
  const [name, ...options] = argument.replace(/^(?:-S|--split-string)[ =]?/, "").split(/\s+/);
  // Assignments and options of env itself make it another program's environment: not understood.
  return name === undefined || /^$|^-|=/.test(name) ? undefined : { interpreter: name, options };
}

/**
 * Whether an interpreter runs a script as its first line says, or without any option.
 * @param words the arguments before the script; undefined: they are not known
 */
export function isAsWritten(
  line: ScriptLine | undefined,
  executable: string,
  words: readonly string[] | undefined,
): boolean {
  if (words === undefined) return false;
  if (line === undefined) return words.length === 0;
  const { interpreter, options } = line;
  const isOwn = interpreter.startsWith("/")
    ? interpreter === executable
    : basename(executable).startsWith(interpreter); // python3 is python3.11
  return isOwn && (words.length === 0 || words.join("\0") === options.join("\0"));
}

function fileOf(interpreter: string): string {
  try {
    return realpathSync(interpreter);
  } catch {
    return interpreter;
  }
}

function readStart(path: string): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(LINE_MAX);
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, LINE_MAX, 0));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
