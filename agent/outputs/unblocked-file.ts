/**
 * A terminal or pipe of ours, written to without waiting for who reads it. Node writes to terminals synchronously ("A note on
 * process I/O" in its manual), so that one that was stopped with Ctrl-S would stop the whole process, its signals included.
 * It is opened anew because O_NONBLOCK belongs to the open file, which other programs at this terminal share.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { systemCode } from "../errors.ts";

const AGAIN_MS = 50; // what a person releases is there before it is noticed

interface Waiting {
  readonly bytes: Buffer;
  readonly done: (error?: unknown) => void;
}

export class UnblockedFile {
  readonly #fd: number;
  readonly #waiting: Waiting[] = [];
  #written = 0; // of the first that waits
  #timer: NodeJS.Timeout | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns undefined where it is neither, or may not be opened: another user's terminal, say */
  static reopen(fd: number): UnblockedFile | undefined {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    try {
      if (!isatty(fd) && !fstatSync(fd).isFIFO()) return undefined;
      return new UnblockedFile(openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY));
    } catch {
      return undefined;
    }
  }

  /** How many texts are not taken yet: for who bounds them. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Done when the system has taken all of it; keeps no process alive. @throws a system error */
  write(text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = (error?: unknown) => (error === undefined ? resolve() : reject(error));
    this.#waiting.push({ bytes: Buffer.from(text), done });
    if (this.#timer === undefined) this.#go();
    return promise;
  }

  #go(): void {
    this.#timer = undefined;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      try {
        this.#written += writeSync(this.#fd, next.bytes, this.#written);
        if (this.#written < next.bytes.length) continue;
        next.done();
      } catch (error) {
        if (systemCode(error) === "EAGAIN") {
          this.#timer = setTimeout(() => this.#go(), AGAIN_MS).unref();
          return;
        }
        next.done(error);
      }
      this.#waiting.shift();
      this.#written = 0;
    }
  }
}
