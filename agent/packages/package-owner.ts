/**
 * Which installed package a file of this host belongs to: asks rpm's database, and dpkg's where there is one. Off the hot path: a
 * program that is run beside us, several files at a time, one at a time of each database, within a time limit. What was answered
 * is kept until the file or the database changes.
 *
 * Invariant: an answer is of the file by its name. Whether its content is still the package's is not looked at.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { accessSync, constants, readlinkSync, statSync } from "node:fs";
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
  msMax: 2_000,
};

const KEPT_MAX = 4_096; // files; a host installs from some dozen parents
const PATHS_MAX = 64; // in one question, twice as many words: below any limit of a command line
const WAITING_MAX = 512; // files that wait for their question; a burst of other installers beyond that is no everyday thing
const ANSWER_MAX = 1_048_576; // bytes; 64 answers take some kB
const COMPLAINTS_MAX = 65_536; // characters of standard error; each file that has gone is a line
const PAUSE_MS = 60_000; // after a question that got no answer: who waits for it would wait each time
const MARK_BYTES = 12;
const merged = /^\/usr(\/(?:bin|sbin|lib|lib32|lib64|libo32|libx32)\/.*)$/s;

interface Kept {
  readonly stamp: string; // of the file and the databases
  readonly owner: Owner;
  readonly untilMs: number; // what is not known is asked again then
}

type Answer = { readonly code: number; readonly text: string; readonly complaints: string };
type Failure = { readonly reason: string; readonly isLate: boolean };

export class PackageOwners {
  readonly #counters: Counters;
  readonly #places: OwnerPlaces;
  readonly #mark = randomBytes(MARK_BYTES).toString("hex");
  readonly #kept = new Map<string, Kept>(); // the longest unasked first
  readonly #waiting = new Map<string, PromiseWithResolvers<Owner>>();
  #isAsking = false;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #children = 0; // one that was killed may stay for a while, as where a disk hangs: no other is started then

  constructor(counters: Counters, places: Partial<OwnerPlaces> = {}) {
    this.#counters = counters;
    this.#places = { ...usual, ...places };
  }

  /**
   * Never rejects, and answers at once what is known.
   * @param path a regular file of this host, absolute and without links
   */
  ask(path: string): Owner | Promise<Owner> {
    const kept = this.#kept.get(path);
    const stamp = this.#stampOf(path);
    if (kept !== undefined && kept.stamp === stamp && performance.now() < kept.untilMs) {
      this.#keep(path, kept);
      return kept.owner;
    }
    const waiting = this.#waiting.get(path);
    if (waiting !== undefined) return waiting.promise;
    if (performance.now() < this.#pausedUntilMs || (this.#children > 0 && !this.#isAsking)) return paused;
    if (this.#waiting.size >= WAITING_MAX) {
      this.#counters.owners_let_go += 1;
      return unknown("too many files were asked for at once");
    }
    const asked = Promise.withResolvers<Owner>();
    this.#waiting.set(path, asked);
    if (!this.#isAsking) {
      this.#isAsking = true;
      queueMicrotask(() => void this.#work()); // what else is asked for in this moment comes along
    }
    return asked.promise;
  }

  async #work(): Promise<void> {
    while (this.#waiting.size > 0) {
      const paths = [...this.#waiting.keys()].slice(0, PATHS_MAX);
      const stamps = paths.map((path) => this.#stampOf(path));
      const owners = await this.#owners(paths);
      for (const [index, path] of paths.entries()) {
        const owner = owners.get(path) ?? unknown("the package database gave no answer");
        const stamp = stamps[index] as string;
        const untilMs = owner.result === "unknown" ? performance.now() + PAUSE_MS : Number.POSITIVE_INFINITY;
        this.#keep(path, { stamp, owner, untilMs });
        this.#waiting.get(path)?.resolve(owner);
        this.#waiting.delete(path);
      }
    }
    this.#isAsking = false;
  }

  /** Of each database that this host has: a file is of no package when all say so. */
  async #owners(paths: readonly string[]): Promise<ReadonlyMap<string, Owner>> {
    const { rpm, dpkg } = this.#databases();
    if (performance.now() < this.#pausedUntilMs) return all(paths, paused);
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
      const child = spawn(program, args, {
        cwd: "/",
        env: { PATH: "/usr/bin:/bin", LC_ALL: "C", HOME: "/" }, // nobody's ~/.popt or ~/.rpmmacros
        stdio: ["ignore", "pipe", "pipe"],
      });
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

  /** Changes when the file does, or when a package was installed or removed. */
  #stampOf(path: string): string {
    const { rpm, dpkg } = this.#places;
    const databases = rpm.flatMap((folder) => rpmFiles.map((name) => `${folder}/${name}`));
    const logs = databases.map((file) => `${file}-wal`).filter((file) => sizeOf(file) > 0); // a reader makes an empty one
    return [path, ...databases, ...logs, `${dpkg}/status`, `${dpkg}/info`, `${dpkg}/diversions`]
      .map(stampOfFile)
      .join();
  }

  #keep(path: string, kept: Kept): void {
    this.#kept.delete(path);
    this.#kept.set(path, kept);
    if (this.#kept.size > KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value as string);
  }
}

/** Ends when the answers are there, or their time is up: what is not known by then is told as not known. */
export async function waitAtMost(answers: Promise<unknown>, msMax: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, msMax);
  await Promise.race([answers, late.promise]);
  clearTimeout(timer);
}

/** Of rpm's backends sqlite, ndb and Berkeley DB. rpm, lib/backend/ */
const rpmFiles = ["rpmdb.sqlite", "Packages.db", "Packages"];

const none: Owner = { result: "none" };
const paused = unknown("the package database did not answer a moment ago");
const notUnderstood: Failure = { reason: "its answer was not understood", isLate: false };

function unknown(reason: string): Owner {
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
