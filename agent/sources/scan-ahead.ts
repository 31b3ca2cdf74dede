/**
 * Reads a large stored log on a second thread, which walks over its bytes while this one joins the records of the pieces
 * before: scan-worker.ts. Both see the same memory, so that nothing is copied but a few numbers.
 */
import { on } from "node:events";
import { Worker } from "node:worker_threads";
import type { Counters } from "../counters.ts";
import { LINE_BUFFER_BYTES, type Piece } from "./line-buffer.ts";
import { RecordIndex } from "./record-index.ts";

const SLOTS = 4; // pieces that the thread may be ahead: enough that neither waits when one of them is held up

interface Slot {
  readonly bytes: SharedArrayBuffer;
  readonly index: SharedArrayBuffer;
}

/** What the thread is started with. */
export interface ScanTask {
  readonly fd: number;
  readonly slots: readonly Slot[];
  readonly states: Int32Array; // of each slot: 1 while its piece is in use; behind them: 0 until `from` is known
  readonly from: Float64Array; // where in the log to begin
}

/** What it tells: that it is there; then each piece, in the next slot; at last what is left without a newline. */
export type Scanned =
  | { readonly kind: "started" }
  | {
      readonly kind: "piece";
      readonly start: number; // in the slot's bytes
      readonly length: number;
      readonly offset: number; // in the log
      readonly count: number; // of the slot's index
      readonly lines: number;
      readonly end: number;
      readonly oversized: number; // lines left out since the piece before
    }
  | { readonly kind: "end"; readonly rest: Piece | undefined; readonly oversized: number }
  | { readonly kind: "failed"; readonly message: string; readonly code: string | undefined };

export class ScanAhead implements AsyncDisposable {
  /** Whether the thread is there: it takes a while. */
  isStarted = false;
  readonly #counters: Counters;
  readonly #worker: Worker;
  readonly #slots: readonly Slot[] = Array.from({ length: SLOTS }, () => ({
    bytes: new SharedArrayBuffer(LINE_BUFFER_BYTES),
    index: new SharedArrayBuffer(RecordIndex.bytes),
  }));
  readonly #indexes = this.#slots.map(({ index }) => new RecordIndex(index));
  readonly #states = new Int32Array(new SharedArrayBuffer(4 * (SLOTS + 1)));
  readonly #from = new Float64Array(new SharedArrayBuffer(8));

  /** @param fd of a regular file; open until this is disposed of */
  constructor(fd: number, counters: Counters) {
    this.#counters = counters;
    const task: ScanTask = { fd, slots: this.#slots, states: this.#states, from: this.#from };
    this.#worker = new Worker(new URL("./scan-worker.ts", import.meta.url), { workerData: task });
    this.#worker.on("error", () => {}); // one that cannot start is not needed; later it is told to who waits for its pieces
    this.#worker.once("message", () => {
      this.isStarted = true;
    });
  }

  /**
   * Once, when it is started.
   * @param from the start of a line
   * @returns what LineBuffer gives, with the index of the records; each is valid until the next is asked for
   * @throws a system error, after all that could be read
   */
  async *pieces(from: number): AsyncGenerator<Piece> {
    const told = on(this.#worker, "message") as AsyncIterable<[Scanned]>;
    this.#from[0] = from;
    this.#set(SLOTS, 1);
    let slot = 0;
    for await (const [message] of told) {
      if (message.kind === "failed")
        throw Object.assign(new Error(message.message), { code: message.code, syscall: "read" });
      if (message.kind === "started") continue;
      this.#counters.records_oversized += message.oversized;
      if (message.kind === "end") {
        if (message.rest !== undefined) yield { ...message.rest, bytes: Buffer.from(message.rest.bytes) };
        return;
      }
      const { start, length, offset, count, lines, end } = message;
      const { bytes } = this.#slots[slot] as Slot;
      const index = Object.assign(this.#indexes[slot] as RecordIndex, { count, lines, end });
      yield { bytes: Buffer.from(bytes, start, length), offset, index };
      this.#set(slot, 0);
      slot = (slot + 1) % SLOTS;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #set(slot: number, state: number): void {
    Atomics.store(this.#states, slot, state);
    Atomics.notify(this.#states, slot);
  }
}
