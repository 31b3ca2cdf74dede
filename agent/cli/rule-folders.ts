/**
 * Rule files on this disk: the built-in ones, the configured folders, and what a person names. Of a folder only *.toml is read,
 * in the order of the names and without what is below it; a name that begins with a dot is an editor's.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { type RuleFile, type RuleSet, readRules } from "../rules/rule-file.ts";
import type { RuleRemark } from "../rules/rule-mistakes.ts";
import { isMissing, readTrustedFile, readTrustedFolder, type TrustedUse } from "../trusted-file.ts";

export interface FoundRules {
  readonly files: readonly RuleFile[];
  readonly mistakes: readonly RuleRemark[]; // what could not be read
}

const bytesMax = 262_144; // Elastic's longest have some 40 KB
const filesMax = 2_000; // of a folder; Elastic has about that many for all systems together
const definitions = fileURLToPath(new URL("../rules/definitions/", import.meta.url));
/** What files are for: of rules, or of something like them. */
export interface FolderUse extends TrustedUse {
  readonly kind: string; // "rule"
}
const ofRules: FolderUse = {
  kind: "rule",
  insecure: "KW_RULE_INSECURE",
  unreadable: "KW_RULE_UNREADABLE",
  instead: "",
};

/** The built-in rules, then those of the folders: all that a daemon with this configuration has. */
export function loadRules(directories: readonly string[]): RuleSet {
  return readFound(findConfigured(directories), builtInRules());
}

export function readFound({ files, mistakes }: FoundRules, builtIn: readonly RuleFile[]): RuleSet {
  const set = readRules([...builtIn, ...files]);
  return { ...set, mistakes: [...mistakes, ...set.mistakes] };
}

/** They are a part of the program: who may write them may write it. */
export function builtInRules(): RuleFile[] {
  return readdirSync(definitions)
    .toSorted()
    .map((name) => ({
      path: join(definitions, name),
      bytes: readFileSync(join(definitions, name)),
      builtIn: true,
    }));
}

/** @param paths files, and folders of them */
export function findRules(paths: readonly string[]): FoundRules {
  return merged(paths.map((path) => (isFolder(path) ? findInFolder(path) : findFile(path))));
}

/** @param directories as configured: one that does not exist is empty */
export function findConfigured(directories: readonly string[], use = ofRules): FoundRules {
  const existing = directories.filter((directory) => !isMissing(directory));
  return merged(existing.map((directory) => findInFolder(directory, use)));
}

/** Whether a path that a person named is one of the built-in rules' own files. */
export function isSameFile(one: RuleFile, other: RuleFile): boolean {
  return resolve(one.path) === resolve(other.path);
}

function findInFolder(path: string, use = ofRules): FoundRules {
  let names: string[];
  try {
    names = readTrustedFolder(path, use).filter((name) => name.endsWith(".toml") && !name.startsWith("."));
  } catch (error) {
    return { files: [], mistakes: [remarkOf(path, error)] };
  }
  const found = merged(names.slice(0, filesMax).map((name) => findFile(join(path, name), use)));
  if (names.length <= filesMax) return found;
  const what = `${printable(path, 200)} has ${names.length} ${use.kind} files, and the first ${filesMax} are read`;
  const error = new KinwatchError(use.unreadable, what, "Put the rest into a second folder");
  return { ...found, mistakes: [...found.mistakes, remarkOf(path, error)] };
}

export function findFile(path: string, use = ofRules): FoundRules {
  try {
    return { files: [{ path, bytes: readTrustedFile(path, bytesMax, use), builtIn: false }], mistakes: [] };
  } catch (error) {
    return { files: [], mistakes: [remarkOf(path, error)] };
  }
}

function remarkOf(file: string, error: unknown): RuleRemark {
  if (!(error instanceof KinwatchError)) throw error;
  return { file, position: undefined, code: error.code, text: error.message };
}

/** A file that was found twice is one. */
function merged(found: readonly FoundRules[]): FoundRules {
  const files = new Map(found.flatMap(({ files }) => files.map((file) => [resolve(file.path), file])));
  return { files: [...files.values()], mistakes: found.flatMap(({ mistakes }) => mistakes) };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
