/** One line on standard error that says how far long work has come, where a person looks on. */
const EVERY_MS = 200;
const FIRST_MS = 500; // work that is done by then needs no such line

export interface Work {
  readonly bytesTotal: number | undefined; // undefined: nobody knows, as of standard input
  readonly bytesRead: number;
}

export class Progress implements Disposable {
  readonly #work: Work;
  readonly #stream: NodeJS.WriteStream;
  readonly #begunMs = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #shown = false;

  constructor(work: Work, stream: NodeJS.WriteStream = process.stderr) {
    this.#work = work;
    this.#stream = stream;
    if (stream.isTTY) this.#timer = setInterval(() => this.#show(), EVERY_MS).unref();
  }

  /** Before anything else is written to the terminal. */
  clear(): void {
    if (this.#shown) this.#stream.write("\r\x1b[2K"); // erase in line: console_codes(4)
    this.#shown = false;
  }

  /** A message beside the line. */
  say(text: string): void {
    this.clear();
    this.#stream.write(`kinwatch: ${text}\n`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #show(): void {
    const elapsedMs = performance.now() - this.#begunMs;
    if (elapsedMs < FIRST_MS) return;
    const { bytesRead, bytesTotal } = this.#work;
    const megabytes = (bytesRead / 1e6).toFixed(0);
    const share = bytesTotal
      ? ` of ${(bytesTotal / 1e6).toFixed(0)} MB (${((100 * bytesRead) / bytesTotal).toFixed(0)} %)`
      : " MB";
    this.clear();
    this.#stream.write(`read ${megabytes}${share}, ${(bytesRead / 1e3 / elapsedMs).toFixed(0)} MB/s`);
    this.#shown = true;
  }
}
