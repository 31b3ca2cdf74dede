/** Exception files on this disk: read as rule files are, and written whole or not at all. */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Config } from "../config.ts";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";
import type { Exception } from "../rules/exception.ts";
import { type ExceptionSet, readExceptions } from "../rules/exception-file.ts";
import { newParentRule } from "../rules/new-parent.ts";
import type { Rule } from "../rules/rule.ts";
import { kinwatch } from "./checkout.ts";
import { type FolderUse, type FoundRules, findConfigured, findFile, loadRules } from "./rule-folders.ts";
import { remarkLine } from "./rules-check.ts";

const use: FolderUse = {
  kind: "exception",
  insecure: "KW_EXCEPTION_INSECURE",
  unreadable: "KW_EXCEPTION_UNREADABLE",
  instead: "",
};

/** What commands need to know of a rule. */
export type KnownRule = Pick<Rule, "id" | "name" | "on">;
export type KnownRules = ReadonlyMap<string, KnownRule>; // by id

/** All that a configuration has, disabled ones too. */
export function knownRules({ rules: { directories } }: Config): KnownRules {
  const { id, name } = newParentRule;
  const all: KnownRule[] = [{ id, name, on: "installation" }, ...loadRules(directories).rules];
  return new Map(all.map((rule) => [rule.id, rule]));
}

/** @param directory as configured: one that does not exist is empty */
export function loadExceptions(directory: string, rules: ReadonlySet<string>): ExceptionSet {
  return read(findExceptions(directory), rules);
}

export function findExceptions(directory: string): FoundRules {
  return findConfigured([directory], use);
}

export function loadExceptionFile(path: string, rules: ReadonlySet<string>): ExceptionSet {
  return read(findFile(path, use), rules);
}

function read({ files, mistakes }: ReturnType<typeof findFile>, rules: ReadonlySet<string>): ExceptionSet {
  const set = readExceptions(files, rules);
  return { ...set, mistakes: [...mistakes, ...set.mistakes] };
}

/** The same with a line to standard error for each mistake: who asks for exceptions sees why one is not there. */
export function tellMistakes<Set extends ExceptionSet>(set: Set): Set {
  for (const remark of set.mistakes) process.stderr.write(`kinwatch: ${remarkLine(remark)}\n`);
  for (const remark of set.warnings) process.stderr.write(`kinwatch: ${remarkLine(remark, "warning: ")}\n`);
  return set;
}

/** @throws KW_EXCEPTION_UNKNOWN where no id begins so, or more than one */
export function exceptionOfId(exceptions: readonly Exception[], id: string): Exception {
  const found = exceptions.filter((exception) => exception.id.startsWith(id));
  const exception = found.find((one) => one.id === id) ?? (found.length === 1 ? found[0] : undefined);
  if (exception !== undefined) return exception;
  throw new KinwatchError(
    "KW_EXCEPTION_UNKNOWN",
    `${found.length === 0 ? "No exception has" : "More than one exception has"} an id that begins with ${printable(id, 100)}`,
    `See ${kinwatch} exceptions list`,
  );
}

/**
 * For the daemon to read, whoever writes it. Its folder is made when it is missing.
 * @throws KW_EXCEPTION_UNWRITABLE
 */
export function writeExceptionFile(path: string, text: string): void {
  attempt(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const unfinished = join(dirname(path), `.${basename(path)}.new`); // such a name is not read
    rmSync(unfinished, { force: true });
    const file = openSync(unfinished, "wx", 0o644);
    try {
      fchmodSync(file, 0o644); // whatever the umask
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
    syncFolder(path);
  });
}

/** @throws KW_EXCEPTION_UNWRITABLE */
export function removeExceptionFile(path: string): void {
  attempt(path, () => {
    rmSync(path);
    syncFolder(path);
  });
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
}

function attempt(path: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    throw new KinwatchError(
      "KW_EXCEPTION_UNWRITABLE",
      `Cannot write ${printable(path, 200)}: ${systemCode(cause)}`,
      "Do it as root, or as the user whom that folder belongs to",
      { cause },
    );
  }
}
