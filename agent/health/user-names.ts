/**
 * Names of this host's users: those in /etc/passwd. A directory service (sssd, LDAP) is not asked: that can take seconds, and
 * would start programs of our own. Its users keep their numbers. passwd(5)
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

const BYTES_MAX = 4_194_304; // some 60,000 users; those behind keep their numbers

export class UserNames {
  readonly #path: string;
  #names: ReadonlyMap<number, string> = new Map();
  #version = ""; // of the file that they were read from

  constructor(path = "/etc/passwd") {
    this.#path = path;
  }

  /** As the file is now; it is read again only when it is another. */
  of(uid: number): string | undefined {
    try {
      const { ino, mtimeMs, size } = statSync(this.#path);
      const version = `${ino} ${mtimeMs} ${size}`;
      if (version !== this.#version) this.#names = parseUserNames(readStart(this.#path));
      this.#version = version;
    } catch {
      // it is replaced at the moment, or there is none: what was read last holds
    }
    return this.#names.get(uid);
  }
}

/** Of several names of one number the first one counts, as for getpwuid(3). */
export function parseUserNames(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const [, name = "", uid] of text.matchAll(/^([^:\n+-][^:\n]*):[^:\n]*:(\d{1,10}):/gm)) {
    if (!names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

function readStart(path: string): string {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, BYTES_MAX));
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}
