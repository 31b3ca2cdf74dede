/**
 * Which file of this host a path of a process means. A process in a container or a chroot names its files from its own root, so a
 * path alone proves nothing: it is the same file only if both ways lead to the same device and inode.
 */
import { type BigIntStats, lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { isAlive, readExecutable } from "./proc-entry.ts";

export interface ProcessPath {
  readonly pid: number;
  readonly timeMs: number; // when it executed, by audit's clock: a process that began later only has the pid
  readonly path: string; // as the process names it
  readonly what: "executable" | "script";
}

/** path: of this host, without links. isOver: nobody can tell any more, whatever was known before. */
export type ProcessFile = { readonly path: string } | { readonly reason: string; readonly isOver?: true };

const over: ProcessFile = { reason: "the process was over before it was asked", isOver: true };
const LINKS_MAX = 40; // as the kernel follows (MAXSYMLINKS in include/linux/namei.h)
const PATH_MAX = 4_096; // include/uapi/linux/limits.h

/** Never throws: what cannot be proved is a reason, for people. */
export function processFile({ pid, timeMs, path, what }: ProcessPath, procRoot = "/proc"): ProcessFile {
  if (!path.startsWith("/") || path.length > PATH_MAX) return { reason: "its path is not known whole" };
  if (path.includes("\ufffd") || path.includes("\0")) return { reason: "its name is no text" };
  const folder = `${procRoot}/${pid}`;
  if (!isAlive(pid, timeMs, procRoot)) return over;
  try {
    const ours = statSync(path, { bigint: true, throwIfNoEntry: false });
    const theirs = what === "executable" ? runningFile(folder, path) : undefined;
    const found = theirs ?? fileBelow(`${folder}/root`, path);
    if (!isAlive(pid, timeMs, procRoot)) return over;
    if ("reason" in found) return found;
    if (ours === undefined || ours.dev !== found.stats.dev || ours.ino !== found.stats.ino)
      return { reason: "it is another file on this host: a container, another root, or replaced since" };
    if (!ours.isFile()) return { reason: "it is no regular file" };
    return { path: realpathSync(path) };
  } catch {
    return isAlive(pid, timeMs, procRoot) ? { reason: "it may not be read, or has gone" } : over;
  }
}

type Found = { readonly stats: BigIntStats } | { readonly reason: string };

/** By the kernel's own link, which leads to the file that runs, wherever it lies. undefined: it runs another program by now */
function runningFile(folder: string, path: string): Found | undefined {
  const { executable, deleted } = readExecutable(folder);
  if (executable !== path) return undefined;
  return deleted
    ? { reason: "its file was deleted or replaced" }
    : { stats: statSync(`${folder}/exe`, { bigint: true }) };
}

/** Follows the path within the root as the process does: a link to /x leads to the root's x. path_resolution(7) */
function fileBelow(root: string, path: string): Found {
  const ahead = path.split("/");
  const at: string[] = [];
  for (let links = 0; ; ) {
    const name = ahead.shift();
    if (name === undefined) return { stats: lstatSync(`${root}/${at.join("/")}`, { bigint: true }) };
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at.pop();
      continue;
    }
    const next = `${[root, ...at].join("/")}/${name}`;
    const target = lstatSync(next).isSymbolicLink() ? readlinkSync(next) : undefined;
    if (target === undefined) at.push(name);
    else {
      if (++links > LINKS_MAX) return { reason: "its path has too many links" };
      if (target.startsWith("/")) at.length = 0;
      ahead.unshift(...target.split("/"));
    }
  }
}
