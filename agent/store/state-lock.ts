/**
 * One writer for a state folder: two of them would raise and forget each other's alerts. The lock is SQLite's own on an empty
 * file beside the database, held until the end; the kernel lets go of it however a process dies (fcntl_locking(2)). It is not
 * on the database itself, so that `kinwatch alerts` can read meanwhile.
 */
import { closeSync, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { KinwatchError } from "../errors.ts";
import { Database, stateError } from "./database.ts";

const LOCK = "kinwatch.lock";

export class StateLock implements Disposable {
  readonly #database: Database;

  /** @throws KW_STATE_LOCKED, which names the process that holds it where /proc tells */
  constructor(directory: string) {
    const file = join(directory, LOCK);
    try {
      // Whoever may read it may hold a lock on it. Not opened again by ourselves: closing it would end our own lock.
      if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
    } catch (error) {
      throw stateError(file, error);
    }
    this.#database = new Database(file, { waitMs: 0 });
    try {
      this.#database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE"); // nothing is written, so no journal is needed
    } catch (error) {
      this.#database[Symbol.dispose]();
      if (!(error instanceof KinwatchError && error.code === "KW_STATE_LOCKED")) throw error;
      const holder = holderOf(directory);
      throw new KinwatchError(
        "KW_STATE_LOCKED",
        `Another kinwatch${holder === undefined ? "" : `, process ${holder},`} keeps its state in ${directory}`,
        "Stop it, or give this one a state.directory of its own",
        { cause: error },
      );
    }
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

/**
 * The pid of the kinwatch that has a state; undefined: none, or nobody can say.
 * The lines are "1: POSIX  ADVISORY  WRITE 1234 fe:01:131073 0 EOF"; the device differs on some file systems. proc_locks(5)
 */
export function holderOf(directory: string): string | undefined {
  try {
    const { ino } = statSync(join(directory, LOCK));
    return new RegExp(`WRITE (\\d+) [\\da-f]+:[\\da-f]+:${ino} `).exec(
      readFileSync("/proc/locks", "utf8"),
    )?.[1];
  } catch {
    return undefined;
  }
}
