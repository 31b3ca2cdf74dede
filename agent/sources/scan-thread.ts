/**
 * The thread of scan-ahead.ts, which takes as long to start as a command to load what it needs: a command that will read a
 * large log has it started before.
 */
import { statSync } from "node:fs";
import { Worker } from "node:worker_threads";

/** Of a log: a smaller one is read in the time that a thread takes to start. */
export const AHEAD_BYTES = 67_108_864;

export class ScanThread implements AsyncDisposable {
  readonly worker: Worker;
  /** Whether it waits for its task. */
  isStarted = false;
  #broken: unknown;
  #onBreak: (error: unknown) => void = () => {};

  constructor() {
    this.worker = new Worker(new URL("./scan-worker.ts", import.meta.url));
    this.worker.unref(); // who waits for what it tells holds it
    this.worker.once("message", () => {
      this.isStarted = true;
    });
    this.worker.on("error", (error) => {
      this.#broken = error;
      this.#onBreak(error);
    });
  }

  /** Told at once where it is broken already: one that cannot start is not needed until somebody waits for it. */
  onBreak(tell: (error: unknown) => void): void {
    this.#onBreak = tell;
    if (this.#broken !== undefined) tell(this.#broken);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.terminate();
  }
}

let prepared: ScanThread | undefined;

/** @param words of a command line, of which one may name a large log */
export function prepareScan(words: readonly string[]): void {
  if (words.some(isLarge)) prepared = new ScanThread();
}

function isLarge(path: string): boolean {
  try {
    return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= AHEAD_BYTES;
  } catch {
    return false; // who reads it says why that cannot be
  }
}

export function takeScanThread(): ScanThread {
  const thread = prepared ?? new ScanThread();
  prepared = undefined;
  return thread;
}
