/** Reads a live log as the flow does, and keeps what came. */
import { newCounters } from "../../agent/counters.ts";
import type { KinwatchError } from "../../agent/errors.ts";
import { AuditLogSource } from "../../agent/sources/audit-log.ts";
import type { LogCursor, LogPosition, Observation } from "../../agent/sources/source.ts";

export class Follower implements AsyncDisposable {
  readonly counters = newCounters();
  readonly reports: string[] = []; // codes
  readonly seen: number[] = []; // serials
  readonly unseen: number[] = [];
  text = "";
  idles = 0;
  end: LogPosition | undefined; // behind what came last
  readonly source: AuditLogSource;
  readonly #stop = new AbortController();
  readonly #observations: AsyncIterator<Observation>;

  constructor(path: string, cursor?: LogCursor) {
    this.source = new AuditLogSource({
      path,
      cursor,
      stop: this.#stop.signal,
      counters: this.counters,
      report: ({ code }: KinwatchError) => this.reports.push(code),
    });
    this.#observations = this.source[Symbol.asyncIterator]();
  }

  /** Reads on until it is so; the test's own time limit ends what never is. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { value } = await this.#observations.next();
      if (value.kind === "idle") this.idles += 1;
      else if (value.kind === "log") {
        const text = value.bytes.toString("latin1");
        this.text += text;
        const serials = text.match(/(?<=:)\d+(?=\))/g) ?? [];
        (value.seen ? this.seen : this.unseen).push(...serials.map(Number));
        this.end = { ...value.position, offset: value.position.offset + text.length };
      }
    }
  }

  /** Reads all there is. */
  async caughtUp(): Promise<void> {
    const { idles } = this;
    await this.until(() => this.idles > idles);
  }

  /** Of all that came. */
  cursor(): LogCursor | undefined {
    return this.end && this.source.cursorAt(this.end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#observations.return?.();
    this.source[Symbol.dispose]();
  }
}
