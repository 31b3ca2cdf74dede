/**
 * Reads a file or folder that decides what kinwatch does, if nobody but root and the user that runs kinwatch can change what
 * stands there. Checked is the opened file, every folder on the way to it from / on, and every symbolic link on that way,
 * for who may write a folder may put another file in its place. A folder with the sticky bit (/tmp) is the exception: there
 * only the owner of an entry can replace it (inode(7)), and the owner of each entry is checked. An access control
 * list cannot hide a writer: its mask is shown as the group's bits (acl(5)).
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { dirname, join } from "node:path";
import { type ErrorCode, KinwatchError, systemCode } from "./errors.ts";
import { printable } from "./printable.ts";

const linksMax = 40; // as the kernel follows (MAXSYMLINKS in include/linux/namei.h)
const othersMayWrite = 0o022;
const othersMayAll = 0o077;
const sticky = 0o1000;

/** What a file is for: the codes of its refusal, and what its reader can do but put it right. */
export interface TrustedUse {
  readonly insecure: ErrorCode;
  readonly unreadable: ErrorCode;
  readonly instead: string;
  readonly isSecret?: boolean; // others may not read it either
}
const configuration: TrustedUse = {
  insecure: "KW_CONFIG_INSECURE",
  unreadable: "KW_CONFIG_UNREADABLE",
  instead: ", or leave --config out to run with the defaults",
};

/**
 * @param bytesMax a longer file is refused, not cut
 * @throws KW_CONFIG_UNREADABLE, KW_CONFIG_INSECURE, or those of the use
 */
export function readTrustedFile(path: string, bytesMax: number, use = configuration): Buffer {
  let fd: number | undefined;
  try {
    const absolute = absoluteOf(path);
    fd = openSync(absolute, constants.O_RDONLY | constants.O_NONBLOCK); // a fifo must not make us wait
    const opened = fstatSync(fd);
    if (!opened.isFile()) throw new Unreadable("not a regular file");
    refuseUntrusted(absolute, opened);
    if (use.isSecret) refuseReadable(absolute, opened);
    const found = checkWay(absolute);
    if (found.ino !== opened.ino || found.dev !== opened.dev)
      throw new Insecure("it was replaced while it was read", "Find out who writes there, then start again");
    return readAtMost(fd, bytesMax);
  } catch (cause) {
    throw refusal(path, cause, use);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * The names in a folder in which nobody else can add or remove any, sorted.
 * @throws as readTrustedFile() does
 */
export function readTrustedFolder(path: string, use: TrustedUse): string[] {
  try {
    const absolute = absoluteOf(path);
    const found = checkWay(absolute);
    if (!found.isDirectory()) throw new Unreadable("not a folder");
    refuseUntrusted(absolute, found);
    return readdirSync(absolute).toSorted();
  } catch (cause) {
    throw refusal(path, cause, use);
  }
}

/** Not resolve(): it would take ".." before a symbolic link is followed, which the kernel does not. */
function absoluteOf(path: string): string {
  return path.startsWith("/") ? path : `${process.cwd()}/${path}`;
}

/** Nothing of that name is there, not even a link to nowhere or a file that we may not read. */
export function isMissing(path: string): boolean {
  try {
    lstatSync(path);
    return false;
  } catch (error) {
    return systemCode(error) === "ENOENT";
  }
}

/** Follows the path from / on as the kernel does (path_resolution(7)). @returns what stands at its end */
function checkWay(absolute: string): Stats {
  const ahead = absolute.split("/");
  let at = "/";
  let found = lstatSync(at);
  for (let links = 0; ahead.length > 0; ) {
    const name = ahead.shift();
    if (name === ".." || name === "." || !name) {
      if (name === "..") at = dirname(at);
      continue;
    }
    const folder = lstatSync(at);
    refuseUntrusted(at, folder);
    const next = join(at, name);
    found = lstatSync(next);
    if (found.isSymbolicLink()) {
      if (++links > linksMax) throw new Unreadable("ELOOP");
      refuseUntrusted(next, found);
      const target = readlinkSync(next);
      ahead.unshift(...target.split("/"));
      if (target.startsWith("/")) at = "/";
    } else at = next;
  }
  return found;
}

function refuseUntrusted(at: string, stats: Stats): void {
  const where = printable(at, 200);
  if (stats.uid !== 0 && stats.uid !== process.geteuid?.())
    throw new Insecure(`${where} belongs to user ${stats.uid}`, `Give it to root: chown root ${where}`);
  if (stats.isSymbolicLink()) return; // its mode means nothing
  if (stats.isDirectory() && (stats.mode & sticky) !== 0) return;
  if ((stats.mode & othersMayWrite) === 0) return;
  throw new Insecure(
    `others may write ${where} (mode ${modeOf(stats)})`,
    `Take that away: chmod go-w ${where}`,
  );
}

function refuseReadable(at: string, stats: Stats): void {
  if ((stats.mode & othersMayAll) === 0) return;
  const where = printable(at, 200);
  throw new Insecure(
    `it is a secret, and others may use ${where} (mode ${modeOf(stats)})`,
    `Take that away: chmod 600 ${where}`,
  );
}

function modeOf({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

function readAtMost(fd: number, bytesMax: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytesMax + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < buffer.length; length += read) {
    read = readSync(fd, buffer, length, buffer.length - length, null);
  }
  if (length > bytesMax) throw new Unreadable(`longer than ${bytesMax} bytes`);
  return buffer.subarray(0, length);
}

class Unreadable extends Error {}

class Insecure extends Error {
  readonly remedy: string;

  constructor(reason: string, remedy: string) {
    super(reason);
    this.remedy = remedy;
  }
}

function refusal(path: string, cause: unknown, use: TrustedUse): KinwatchError {
  const name = printable(path, 200);
  if (cause instanceof Insecure) {
    const what = `Refusing ${name}${use.isSecret ? "" : ", which others could change"}: ${cause.message}`;
    return new KinwatchError(use.insecure, what, cause.remedy);
  }
  const reason = cause instanceof Unreadable ? cause.message : systemCode(cause);
  const remedy =
    reason === "EACCES" ? readable : (remedies[reason] ?? "Name a readable regular file") + use.instead;
  return new KinwatchError(use.unreadable, `Cannot read ${name}: ${reason}`, remedy, { cause });
}

const readable = "Let the user that runs kinwatch read it and enter the folders on the way to it";
const remedies: Readonly<Record<string, string>> = {
  ENOENT: "Name one that exists",
  "not a folder": "Name a folder",
};
