/**
 * Hands what waits in the store's outbox to the outputs, to each in order and at its own pace: one that refuses is tried again
 * later, one that is slow is waited for, and neither holds up the others or the reading. A row goes when its output has taken
 * it: killed in between, it is handed over once more.
 */
import type { AlertDocument } from "../alert/alert-document.ts";
import type { Counters } from "../counters.ts";
import { KinwatchError } from "../errors.ts";
import type { OutboxRow, Outputs, Store } from "../store/store.ts";
import type { Output } from "./output.ts";

const BATCH = 100; // rows that are handed over again at most after a kill
const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 60_000;

export interface DeliveryOptions {
  readonly store: Store;
  readonly outputs: readonly Output[];
  readonly counters: Counters;
  readonly report: (output: string, error: unknown) => void;
  readonly nowMs?: () => number; // monotonic
  /** An alert that takes longer is reported, and waited for all the same; left out: it may take its time. */
  readonly slowMs?: number;
}

interface Way {
  readonly output: Output;
  waiting: boolean; // the outbox may hold something for it
  retryAtMs: number;
  backoffMs: number;
  taken: number[]; // rows that are to go
  isBusy: boolean;
  done: Promise<void>;
}

export class Delivery {
  /** Who takes an alert when. */
  readonly takers: Outputs;
  readonly #options: DeliveryOptions;
  readonly #ways: readonly Way[];
  readonly #nowMs: () => number;
  #isOver = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#ways = options.outputs.map((output) => ({
      output,
      waiting: true,
      retryAtMs: 0,
      backoffMs: BACKOFF_MS_MIN,
      taken: [],
      isBusy: false,
      done: Promise.resolve(),
    }));
    const completed = options.outputs.map(({ name }) => name);
    const raised = options.outputs.flatMap((output) => (output.raised === undefined ? [] : [output.name]));
    this.takers = { raised, completed };
    options.store.keepOutputs(completed);
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /**
   * Begins to hand over what waits, to each output that is not at it already.
   * @param posted whether the outbox may hold something new
   */
  begin(posted: boolean): void {
    for (const way of this.#ways) {
      way.waiting ||= posted;
      if (way.waiting && !way.isBusy && this.#nowMs() >= way.retryAtMs) way.done = this.#deliver(way);
    }
  }

  /**
   * Until each output has taken all or refused.
   * @param limitMs for the last time: what is not taken by then stays in the store; left out: as long as it takes
   * @throws what report() throws
   */
  async finish(limitMs?: number): Promise<void> {
    const { promise: timeIsUp, resolve } = Promise.withResolvers<void>();
    const timer = limitMs === undefined ? undefined : setTimeout(resolve, limitMs);
    await Promise.race([timeIsUp, Promise.all(this.#ways.map(({ done }) => done))]);
    clearTimeout(timer);
    for (const way of this.#ways) this.#letGo(way); // of one that is at it still
    this.#isOver = limitMs !== undefined;
  }

  async #deliver(way: Way): Promise<void> {
    way.isBusy = true;
    try {
      while (way.waiting && this.#nowMs() >= way.retryAtMs) {
        const rows = this.#options.store.outbox(way.output.name, BATCH);
        way.waiting = rows.length > 0;
        for (const row of rows) {
          await this.#hand(way.output, row);
          if (this.#isOver) return; // too late: it is handed over again after the next start
          way.taken.push(row.sequence);
        }
        if (this.#letGo(way)) way.backoffMs = BACKOFF_MS_MIN;
      }
    } catch (error) {
      this.#rest(way, error);
      this.#letGo(way);
    } finally {
      way.isBusy = false;
    }
  }

  /** @throws what is worth another try; an alert that an output cannot show is told, stays in the store, and holds up no other */
  async #hand(output: Output, { stage, document }: OutboxRow): Promise<void> {
    try {
      const handed = output[stage]?.(JSON.parse(document) as AlertDocument);
      if (handed !== undefined) await this.#watched(output, handed);
    } catch (error) {
      if (error instanceof KinwatchError) throw error;
      this.#failed(output, error);
    }
  }

  async #watched(output: Output, handed: Promise<void>): Promise<void> {
    const { slowMs } = this.#options;
    const tell = () => this.#failed(output, slow());
    const timer = slowMs === undefined ? undefined : setTimeout(tell, slowMs).unref();
    try {
      await handed;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns false when the store refused: they are handed over again */
  #letGo(way: Way): boolean {
    const taken = way.taken.splice(0);
    try {
      if (taken.length > 0) this.#options.store.taken(taken);
      return true;
    } catch (error) {
      this.#rest(way, error);
      return false;
    }
  }

  #rest(way: Way, error: unknown): void {
    way.waiting = true;
    way.retryAtMs = this.#nowMs() + way.backoffMs;
    way.backoffMs = Math.min(2 * way.backoffMs, BACKOFF_MS_MAX);
    this.#failed(way.output, error);
  }

  #failed(output: Output, error: unknown): void {
    if (this.#isOver) return;
    this.#options.counters.outputs_failed += 1;
    this.#options.report(output.name, error);
  }
}

function slow(): KinwatchError {
  return new KinwatchError(
    "KW_OUTPUT_SLOW",
    "An alert is not taken",
    "See that somebody reads it: a pager, a terminal stopped with Ctrl-S; alerts wait in the store meanwhile",
  );
}
