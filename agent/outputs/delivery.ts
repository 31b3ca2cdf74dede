/**
 * Hands what waits in the store's outbox to the outputs, each in order. An output that refuses is tried again later, and holds
 * up no other. A row goes when its output has taken it: killed in between, it is handed over once more.
 */
import type { AlertDocument } from "../alert/alert-document.ts";
import type { Counters } from "../counters.ts";
import { KinwatchError } from "../errors.ts";
import type { OutboxRow, Store } from "../store/store.ts";
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
}

export class Delivery {
  readonly names: readonly string[];
  readonly #options: DeliveryOptions;
  readonly #ways: { readonly output: Output; waiting: boolean; retryAtMs: number; backoffMs: number }[];
  readonly #nowMs: () => number;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#ways = options.outputs.map((output) => ({
      output,
      waiting: true,
      retryAtMs: 0,
      backoffMs: BACKOFF_MS_MIN,
    }));
    this.names = options.outputs.map(({ name }) => name);
    options.store.keepOutputs(this.names);
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** @param posted whether the outbox may hold something new */
  async deliver(posted: boolean): Promise<void> {
    const { store, counters, report } = this.#options;
    for (const way of this.#ways) {
      way.waiting ||= posted;
      while (way.waiting && this.#nowMs() >= way.retryAtMs) {
        const rows = store.outbox(way.output.name, BATCH);
        way.waiting = rows.length > 0;
        const taken: number[] = [];
        try {
          try {
            for (const row of rows) {
              await this.#hand(way.output, row);
              taken.push(row.sequence);
            }
          } finally {
            if (taken.length > 0) store.taken(taken);
          }
          way.backoffMs = BACKOFF_MS_MIN;
        } catch (error) {
          counters.outputs_failed += 1;
          report(way.output.name, error);
          way.retryAtMs = this.#nowMs() + way.backoffMs;
          way.backoffMs = Math.min(2 * way.backoffMs, BACKOFF_MS_MAX);
        }
      }
    }
  }

  /** @throws what is worth another try; an alert that an output cannot show is told, stays in the store, and holds up no other */
  async #hand(output: Output, { stage, document }: OutboxRow): Promise<void> {
    try {
      await output[stage](JSON.parse(document) as AlertDocument);
    } catch (error) {
      if (error instanceof KinwatchError) throw error;
      this.#options.counters.outputs_failed += 1;
      this.#options.report(output.name, error);
    }
  }
}
