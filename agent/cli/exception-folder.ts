/** Exception files on this disk: read as rule files are, and written whole or not at all. */
import { closeSync, fchmodSync, fsyncSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";
import type { Exception } from "../rules/exception.ts";
import { type ExceptionSet, readExceptions } from "../rules/exception-file.ts";
import { oneOfId } from "./one-of-id.ts";
import { replaceFile } from "./replace-file.ts";
import { type FolderUse, type FoundRules, findConfigured, findFile } from "./rule-folders.ts";
import { remarkLine } from "./rules-check.ts";

const use: FolderUse = {
  kind: "exception",
  insecure: "KW_EXCEPTION_INSECURE",
  unreadable: "KW_EXCEPTION_UNREADABLE",
  instead: "",
};

/** @param directory as configured: one that does not exist is empty */
export function loadExceptions(directory: string, rules: ReadonlySet<string>): ExceptionSet {
  return readFoundExceptions(findExceptions(directory), rules);
}

export function findExceptions(directory: string): FoundRules {
  return findConfigured([directory], use);
}

export function loadExceptionFile(path: string, rules: ReadonlySet<string>): ExceptionSet {
  return readFoundExceptions(findFile(path, use), rules);
}

export function readFoundExceptions(
  { files, mistakes }: FoundRules,
  rules: ReadonlySet<string>,
): ExceptionSet {
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
  return oneOfId(exceptions, id, { kind: "exception", code: "KW_EXCEPTION_UNKNOWN" });
}

/**
 * For the daemon to read, whoever writes it. Its folder is made when it is missing.
 * @throws KW_EXCEPTION_UNWRITABLE
 */
export function writeExceptionFile(path: string, text: string): void {
  attempt(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const unfinished = join(dirname(path), `.${basename(path)}.new`); // such a name is not read
    replaceFile(path, { unfinished, mode: 0o644 }, (fd) => {
      fchmodSync(fd, 0o644); // whatever the umask
      writeFileSync(fd, text);
    });
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
