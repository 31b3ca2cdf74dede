/**
 * Asks this host's package databases whose files some are: rpm's, and dpkg's where there is one. The programs that know them are run,
 * one at a time, within a time limit; what they say is read by owner-answer.ts.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { accessSync, constants, readlinkSync, statSync } from "node:fs";
import type { Readable } from "node:stream";
import type { Counters } from "../counters.ts";
import {
  dpkgFormat,
  dpkgNames,
  dpkgPackages,
  dpkgPattern,
  type OwnedBy,
  type Owner,
  oneOf,
  rpmArguments,
  rpmOwners,
} from "./owner-answer.ts";

/** Where to ask; tests have others. */
export interface OwnerPlaces {
  readonly programs: readonly string[]; // folders that root alone may write: not those of PATH
  readonly rpm: readonly string[]; // folders that may hold rpm's database
  readonly dpkg: string;
  readonly msMax: number; // of one question; rpm may wait for a lock
}

const usual: OwnerPlaces = {
  programs: ["/usr/bin", "/bin"],
  rpm: ["/usr/lib/sysimage/rpm", "/var/lib/rpm"], // %_dbpath since Fedora 36 and of openSUSE, and before
  dpkg: "/var/lib/dpkg",
  msMax: 5_000, // an answer takes some dozen milliseconds, on a host that is busy a second
};

const ANSWER_MAX = 1_048_576; // bytes; 64 answers take some kB
const COMPLAINTS_MAX = 65_536; // characters of standard error; each file that has gone is a line
const PAUSE_MS = 60_000; // after a question that got no answer: who waits for it would wait each time
const MARK_BYTES = 12;
const merged = /^\/usr(\/(?:bin|sbin|lib|lib32|lib64|libo32|libx32)\/.*)$/s;

type Answer = { readonly code: number; readonly text: string; readonly complaints: string };
type Failure = { readonly reason: string; readonly isLate: boolean };

export class PackageDatabases {
  readonly #counters: Counters;
  readonly #places: OwnerPlaces;
  readonly #mark = randomBytes(MARK_BYTES).toString("hex");
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #children = 0; // one that was killed may stay for a while, as where a disk hangs: no other is started then

  constructor(counters: Counters, places: Partial<OwnerPlaces>) {
    this.#counters = counters;
    this.#places = { ...usual, ...places };
  }

  /** Whether one of them did not answer lately, so that none is asked for now. */
  get isPaused(): boolean {
    return this.#children > 0 || performance.now() < this.#pausedUntilMs;
  }

  /** Of each database that this host has: a file is of no package when all say so. Never rejects. */
  async owners(paths: readonly string[]): Promise<ReadonlyMap<string, Owner>> {
    const { rpm, dpkg } = this.#databases();
    if (this.isPaused) return all(paths, paused);
    if (rpm === undefined && !dpkg) return all(paths, unknown("this host has no package database"));
    this.#counters.owners_asked += paths.length;
    const owners = new Map(rpm === undefined ? all(paths, none) : await this.#rpm(paths, rpm));
    const open = paths.filter((path) => owners.get(path)?.result === "none");
    if (dpkg && open.length > 0) for (const [path, owner] of await this.#dpkg(open)) owners.set(path, owner);
    return owners;
  }

  async #rpm(paths: readonly string[], dbpath: string): Promise<ReadonlyMap<string, Owner>> {
    const answer = await this.#run("rpm", rpmArguments(paths, this.#mark, dbpath));
    if ("reason" in answer) return this.#failed(paths, answer);
    // A database that cannot be read has no files, to rpm: standard error tells.
    const isWhole = answer.complaints
      .split("\n")
      .every((line) => !line.startsWith("error: ") || line.startsWith("error: file "));
    const owners = isWhole ? rpmOwners(answer.text, paths, this.#mark) : undefined;
    if (owners !== undefined) return owners;
    if (paths.length === 1 || !isWhole) return this.#failed(paths, notUnderstood);
    const each = new Map<string, Owner>(); // one name must not hide the others
    for (const path of paths) for (const one of await this.#rpm([path], dbpath)) each.set(...one);
    return each;
  }

  async #dpkg(paths: readonly string[]): Promise<ReadonlyMap<string, Owner>> {
    const askable = paths.filter((path) => !path.includes("\n")); // its lists are lines: no file in them has such a name
    const names = await this.#dpkgNames(askable);
    if ("reason" in names) return this.#failed(paths, names);
    const wanted = [...new Set([...names.values()].flat())];
    if (wanted.length === 0) return all(paths, none);
    const shown = await this.#dpkgQuery("--show", `--showformat=${dpkgFormat}`, "--", ...wanted);
    if ("reason" in shown) return this.#failed(paths, shown);
    const packages = dpkgPackages(shown.text);
    return new Map(
      paths.map((path): [string, Owner] => {
        const owners = (names.get(path) ?? []).map((name): OwnedBy | undefined => packages.get(name));
        const known = owners.filter((owner) => owner !== undefined);
        return [path, known.length < owners.length ? unknown(notUnderstood.reason) : oneOf(known)];
      }),
    );
  }

  async #dpkgNames(paths: readonly string[]): Promise<ReadonlyMap<string, readonly string[]> | Failure> {
    const spellings = paths.flatMap(dpkgSpellings);
    if (spellings.length === 0) return new Map();
    const found = await this.#dpkgQuery("--search", "--", ...spellings.map(dpkgPattern));
    if ("reason" in found) return found;
    const names = dpkgNames(found.text);
    return new Map(
      paths.map((path) => [
        path,
        [...new Set(dpkgSpellings(path).flatMap((spelling) => names.get(spelling) ?? []))],
      ]),
    );
  }

  /** Changes when the file does, or when a package was installed or removed. */
  stampOf(path: string): string {
    const { rpm, dpkg } = this.#places;
    const databases = rpm.flatMap((folder) => rpmFiles.map((name) => `${folder}/${name}`));
    const logs = databases.map((file) => `${file}-wal`).filter((file) => sizeOf(file) > 0); // a reader makes an empty one
    return [path, ...databases, ...logs, `${dpkg}/status`, `${dpkg}/info`, `${dpkg}/diversions`]
      .map(stampOfFile)
      .join();
  }

  /** Its exit code is 1 where one of the files is of no package, and 2 where the database cannot be read. */
  async #dpkgQuery(...args: readonly string[]): Promise<Answer | Failure> {
    const answer = await this.#run("dpkg-query", [`--admindir=${this.#places.dpkg}`, ...args]);
    if ("reason" in answer || answer.code <= 1) return answer;
    return { reason: "dpkg-query cannot read its database", isLate: false };
  }

  #failed(paths: readonly string[], { reason, isLate }: Failure): ReadonlyMap<string, Owner> {
    this.#counters.owners_failed += paths.length;
    if (isLate) this.#pausedUntilMs = performance.now() + PAUSE_MS;
    return all(paths, unknown(reason));
  }

  #run(name: string, args: readonly string[]): Promise<Answer | Failure> {
    const { msMax, programs } = this.#places;
    const program = programs.map((folder) => `${folder}/${name}`).find(isExecutable);
    if (program === undefined) return Promise.resolve({ reason: `${name} is not there`, isLate: false });
    return new Promise((resolve) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      let complaints = "";
      const child = start(program, args);
      if (child === undefined) {
        resolve({ reason: `${name} could not be started`, isLate: false });
        return;
      }
      const end = (answer: Answer | Failure): void => {
        clearTimeout(timer);
        child.stdout.destroy();
        child.stderr.destroy();
        child.kill("SIGKILL");
        resolve(answer);
      };
      const fail = (reason: string, isLate = false): void => end({ reason: `${name} ${reason}`, isLate });
      const timer = setTimeout(() => fail(`did not answer within ${msMax} ms`, true), msMax);
      child.stdout.on("data", (piece: Buffer) => {
        bytes += piece.length;
        if (bytes > ANSWER_MAX) fail("said more than was asked for");
        else pieces.push(piece);
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        if (complaints.length < COMPLAINTS_MAX) complaints += text;
      });
      child.on("error", () => fail("could not be started"));
      child.on("close", (code) => {
        if (code === null) fail("was killed");
        else end({ code, text: Buffer.concat(pieces).toString(), complaints });
      });
      if (child.pid === undefined) return; // there will be no exit
      this.#children += 1;
      child.once("exit", () => {
        this.#children -= 1;
      });
    });
  }

  #databases(): { readonly rpm: string | undefined; readonly dpkg: boolean } {
    const { rpm, dpkg } = this.#places;
    return {
      rpm: rpm.find((folder) => rpmFiles.some((name) => sizeOf(`${folder}/${name}`) > 0)),
      dpkg: sizeOf(`${dpkg}/status`) > 0,
    };
  }
}

/** Of rpm's backends sqlite, ndb and Berkeley DB. rpm, lib/backend/ */
const rpmFiles = ["rpmdb.sqlite", "Packages.db", "Packages"];

/** @returns undefined: there is no memory for it, or too little; other errors it tells later */
function start(
  program: string,
  args: readonly string[],
): ChildProcessByStdio<null, Readable, Readable> | undefined {
  try {
    return spawn(program, args, {
      cwd: "/",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C", HOME: "/" }, // nobody's ~/.popt or ~/.rpmmacros
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch {
    return undefined;
  }
}

const none: Owner = { result: "none" };
export const paused = unknown("the package database did not answer a moment ago");
const notUnderstood: Failure = { reason: "its answer was not understood", isLate: false };

export function unknown(reason: string): Owner {
  return { result: "unknown", reason };
}

function all(paths: readonly string[], owner: Owner): ReadonlyMap<string, Owner> {
  return new Map(paths.map((path) => [path, owner]));
}

/** Where /bin is a link to /usr/bin, packages may still name their files below /bin. */
function dpkgSpellings(path: string): string[] {
  const below = merged.exec(path)?.[1];
  const top = below?.split("/", 2)[1];
  if (below === undefined || top === undefined) return [path];
  try {
    return /^\/?usr\//.test(readlinkSync(`/${top}`)) ? [path, below] : [path];
  } catch {
    return [path]; // a folder of its own, or not there
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}

function stampOfFile(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return "";
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
