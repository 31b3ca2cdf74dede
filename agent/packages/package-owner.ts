/**
 * Which installed package a file of this host belongs to. Off the hot path: what is not known is asked of the databases, several
 * files at a time, and what was answered is kept until the file or a database changes.
 *
 * Invariant: an answer is of the file by its name. Whether its content is still the package's is not looked at.
 */
import type { Counters } from "../counters.ts";
import type { Owner } from "./owner-answer.ts";
import { type OwnerPlaces, PackageDatabases, paused, unknown } from "./package-database.ts";

const KEPT_MAX = 4_096; // files; a host installs from some dozen parents
const PATHS_MAX = 64; // in one question, twice as many words: below any limit of a command line
const WAITING_MAX = 512; // files that wait for their question; a burst of other installers beyond that is no everyday thing
const AGAIN_MS = 60_000; // what is not known is asked again after that

interface Kept {
  readonly stamp: string; // of the file and the databases
  readonly owner: Owner;
  readonly untilMs: number; // what is not known is asked again then
}

export class PackageOwners {
  readonly #counters: Counters;
  readonly #databases: PackageDatabases;
  readonly #kept = new Map<string, Kept>(); // the longest unasked first
  readonly #waiting = new Map<string, PromiseWithResolvers<Owner>>();
  #isAsking = false;

  constructor(counters: Counters, places: Partial<OwnerPlaces> = {}) {
    this.#counters = counters;
    this.#databases = new PackageDatabases(counters, places);
  }

  /**
   * Never rejects, and answers at once what is known.
   * @param path a regular file of this host, absolute and without links
   */
  ask(path: string): Owner | Promise<Owner> {
    const kept = this.#kept.get(path);
    const stamp = this.#databases.stampOf(path);
    if (kept !== undefined && kept.stamp === stamp && performance.now() < kept.untilMs) {
      this.#keep(path, kept);
      return kept.owner;
    }
    const waiting = this.#waiting.get(path);
    if (waiting !== undefined) return waiting.promise;
    if (!this.#isAsking && this.#databases.isPaused) return paused;
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
      const stamps = paths.map((path) => this.#databases.stampOf(path));
      const owners = await this.#databases.owners(paths);
      for (const [index, path] of paths.entries()) {
        const owner = owners.get(path) ?? unknown("the package database gave no answer");
        const stamp = stamps[index] as string;
        const untilMs = owner.result === "unknown" ? performance.now() + AGAIN_MS : Number.POSITIVE_INFINITY;
        this.#keep(path, { stamp, owner, untilMs });
        this.#waiting.get(path)?.resolve(owner);
        this.#waiting.delete(path);
      }
    }
    this.#isAsking = false;
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
