/**
 * Reads a file that decides what kinwatch does, if nobody but root and the user that runs kinwatch can change what
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
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { dirname, join } from "node:path";
import { KinwatchError, systemCode } from "./errors.ts";
import { printable } from "./printable.ts";

const linksMax = 40; // as the kernel follows (MAXSYMLINKS in include/linux/namei.h)
const othersMayWrite = 0o022;
const sticky = 0o1000;

/**
 * @param bytesMax a longer file is refused, not cut
 * @throws KW_CONFIG_UNREADABLE, KW_CONFIG_INSECURE
 */
export function readTrustedFile(path: string, bytesMax: number): Buffer {
  // Not resolve(): it would take ".." before a symbolic link is followed, which the kernel does not.
  const absolute = path.startsWith("/") ? path : `${process.cwd()}/${path}`;
  let fd: number | undefined;
  try {
    fd = openSync(absolute, constants.O_RDONLY | constants.O_NONBLOCK); // a fifo must not make us wait
    const opened = fstatSync(fd);
    if (!opened.isFile()) throw unreadable(path, "not a regular file");
    refuseUntrusted(absolute, opened, path);
    const found = checkWay(absolute, path);
    if (found.ino !== opened.ino || found.dev !== opened.dev) {
      throw insecure(
        path,
        "it was replaced while it was read",
        "Find out who writes there, then start again",
      );
    }
    return readAtMost(fd, bytesMax, path);
  } catch (cause) {
    if (cause instanceof KinwatchError) throw cause;
    throw unreadable(path, systemCode(cause), cause);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
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
function checkWay(absolute: string, path: string): Stats {
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
    refuseUntrusted(at, folder, path);
    const next = join(at, name);
    found = lstatSync(next);
    if (found.isSymbolicLink()) {
      if (++links > linksMax) throw unreadable(path, "ELOOP");
      refuseUntrusted(next, found, path);
      const target = readlinkSync(next);
      ahead.unshift(...target.split("/"));
      if (target.startsWith("/")) at = "/";
    } else at = next;
  }
  return found;
}

function refuseUntrusted(at: string, stats: Stats, path: string): void {
  const where = printable(at, 200);
  if (stats.uid !== 0 && stats.uid !== process.geteuid?.()) {
    throw insecure(path, `${where} belongs to user ${stats.uid}`, `Give it to root: chown root ${where}`);
  }
  if (stats.isSymbolicLink()) return; // its mode means nothing
  if (stats.isDirectory() && (stats.mode & sticky) !== 0) return;
  if ((stats.mode & othersMayWrite) === 0) return;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, "0");
  throw insecure(path, `others may write ${where} (mode ${mode})`, `Take that away: chmod go-w ${where}`);
}

function readAtMost(fd: number, bytesMax: number, path: string): Buffer {
  const buffer = Buffer.allocUnsafe(bytesMax + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < buffer.length; length += read) {
    read = readSync(fd, buffer, length, buffer.length - length, null);
  }
  if (length > bytesMax) throw unreadable(path, `longer than ${bytesMax} bytes`);
  return buffer.subarray(0, length);
}

function insecure(path: string, reason: string, remedy: string): KinwatchError {
  const what = `Refusing ${printable(path, 200)}, which others could change: ${reason}`;
  return new KinwatchError("KW_CONFIG_INSECURE", what, remedy);
}

function unreadable(path: string, reason: string, cause?: unknown): KinwatchError {
  const what = `Cannot read ${printable(path, 200)}: ${reason}`;
  return new KinwatchError("KW_CONFIG_UNREADABLE", what, remedies[reason] ?? remedy, { cause });
}

const remedy = "Name a readable regular file, or leave --config out to run with the defaults";
const remedies: Readonly<Record<string, string>> = {
  ENOENT: "Name a file that exists, or leave --config out to run with the defaults",
  EACCES: "Let the user that runs kinwatch read the file and enter its folders",
};
