/**
 * Tells when to look at the log again: at once when it or its folder changes, within a second where a file system tells
 * nothing. The more is written, the fewer it listens to: chokidar tells of new names in a quiet folder, and each look finds
 * them in any case; beyond some events a second, looking by the clock is cheaper. At 1,000 writes a second chokidar alone
 * takes a tenth of a core, all that is here a thirtieth.
 */
import { type FSWatcher as FileWatcher, watch as watchFile } from "node:fs";
import { dirname } from "node:path";
import { type FSWatcher as FolderWatcher, watch as watchFolder } from "chokidar";

const POLL_MS = 1_000; // also how long a missing log stays unnoticed at most
const PACE_MS = 8; // between two looks: what is written meanwhile is read in one piece
// Looks in a second that found something
const LIVELY_LOOKS = 5; // chokidar wakes us some ten times for each
const BUSY_LOOKS = 60; // of 125: as dear as events, of which there may be many more

export class LogWatch implements AsyncDisposable {
  readonly #path: string;
  readonly #stop: AbortSignal;
  #folderWatcher: FolderWatcher | undefined;
  #fileWatcher: FileWatcher | undefined;
  #followed: { readonly fd: number } | undefined;
  #rung = false;
  #wake: () => void = () => {};
  #lookedMs = 0;
  #windowMs = performance.now(); // when the second began that is counted
  #found = 0; // looks in it that found something
  #busy = false;

  constructor(path: string, stop: AbortSignal) {
    this.#path = path;
    this.#stop = stop;
    stop.addEventListener("abort", this.#ring, { once: true });
    this.#listen();
  }

  /** Which file is read now. Its folder does not tell of writes where the log is a symbolic link. */
  follow(log: { readonly fd: number } | undefined): void {
    if (log === this.#followed) return;
    this.#followed = log;
    this.#listenToFile();
  }

  /** Until it is time to look again. @param found whether the last look found something */
  async wait(found: boolean): Promise<void> {
    this.#measure(found);
    await this.#sleep(PACE_MS - (performance.now() - this.#lookedMs), true);
    if (!this.#busy && !this.#rung) await this.#sleep(POLL_MS, false);
    this.#rung = false;
    this.#lookedMs = performance.now();
  }

  #measure(found: boolean): void {
    if (found) this.#found += 1;
    if (performance.now() - this.#windowMs < POLL_MS) return;
    if (this.#found < LIVELY_LOOKS) this.#listen();
    else void this.#closeFolder();
    const wasBusy = this.#busy;
    this.#busy = this.#found >= BUSY_LOOKS;
    if (this.#busy !== wasBusy) this.#listenToFile();
    this.#found = 0;
    this.#windowMs = performance.now();
  }

  #listen(): void {
    if (this.#folderWatcher !== undefined) return;
    // atomic would hold back a rename for 100 ms. The log's own changes are its watcher's: these here are throttled.
    this.#folderWatcher = watchFolder(dirname(this.#path), { depth: 0, ignoreInitial: true, atomic: false });
    this.#folderWatcher
      .on("all", (event, path) => {
        if (event !== "change" || path !== this.#path || this.#fileWatcher === undefined) this.#ring();
      })
      .on("error", () => {}); // the poll goes on
  }

  #listenToFile(): void {
    this.#fileWatcher?.close();
    this.#fileWatcher = undefined;
    if (this.#followed === undefined || this.#busy) return;
    try {
      this.#fileWatcher = watchFile(`/proc/self/fd/${this.#followed.fd}`, this.#ring).on("error", () => {});
    } catch {
      // no /proc, or fs.inotify.max_user_watches: the folder's watcher and the poll go on
    }
    this.#rung = true; // for what was written before it listened
  }

  async #closeFolder(): Promise<void> {
    const watcher = this.#folderWatcher;
    this.#folderWatcher = undefined;
    await watcher?.close().catch(() => {}); // nobody listens to it any more
  }

  #ring = (): void => {
    this.#rung = true;
    this.#wake();
  };

  /** @param deaf not to changes, but to the end */
  async #sleep(ms: number, deaf: boolean): Promise<void> {
    if (ms <= 0 || this.#stop.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (deaf && !this.#stop.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.removeEventListener("abort", this.#ring);
    this.#fileWatcher?.close();
    await this.#closeFolder();
  }
}
