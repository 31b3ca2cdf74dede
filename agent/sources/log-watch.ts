/**
 * Tells when to look at the log again: at once when it or its folder changes, within a second where a file system tells
 * nothing. While much is written it listens to nobody and looks every few milliseconds: at 1,000 writes a second chokidar
 * costs a tenth of a core, looking a fiftieth (docs/performance.md).
 */
import { type FSWatcher as FileWatcher, watch as watchFile } from "node:fs";
import { dirname } from "node:path";
import { type FSWatcher as FolderWatcher, watch as watchFolder } from "chokidar";

const POLL_MS = 1_000; // also how long a missing log stays unnoticed at most
const PACE_MS = 5; // between two looks: what is written meanwhile is read in one piece
const BUSY_LOOKS = 100; // of the 200 in a second that found something: cheaper than as many events

export class LogWatch implements AsyncDisposable {
  readonly #folder: string;
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
    this.#folder = dirname(path);
    this.#stop = stop;
    stop.addEventListener("abort", this.#ring, { once: true });
    this.#listen();
  }

  /** Which file is read now. Its folder does not tell of writes where the log is a symbolic link. */
  follow(log: { readonly fd: number } | undefined): void {
    if (log === this.#followed) return;
    this.#followed = log;
    this.#fileWatcher?.close();
    this.#fileWatcher = undefined;
    if (log === undefined || this.#busy) return;
    try {
      this.#fileWatcher = watchFile(`/proc/self/fd/${log.fd}`, this.#ring).on("error", () => {});
    } catch {
      // no /proc, or fs.inotify.max_user_watches: the folder's watcher and the poll go on
    }
    this.#rung = true; // for what was written before it listened
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
    this.#busy = this.#found >= BUSY_LOOKS;
    this.#found = 0;
    this.#windowMs = performance.now();
    if (this.#busy) this.#close();
    else this.#listen();
  }

  #listen(): void {
    if (this.#folderWatcher !== undefined) return;
    // atomic would hold back a rename for 100 ms; the file's own events are throttled, so they are not relied on
    this.#folderWatcher = watchFolder(this.#folder, { depth: 0, ignoreInitial: true, atomic: false });
    this.#folderWatcher.on("all", this.#ring).on("error", () => {}); // the poll goes on
    const followed = this.#followed;
    this.#followed = undefined;
    this.follow(followed);
  }

  #close(): Promise<void> | undefined {
    this.#fileWatcher?.close();
    this.#fileWatcher = undefined;
    const closing = this.#folderWatcher?.close();
    this.#folderWatcher = undefined;
    return closing;
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
    await this.#close();
  }
}
