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

/** What the thread is started with. A slot's state is 1 while its piece is in use, else 0. */
export interface ScanTask {
  readonly fd: number;
  readonly slots: readonly { readonly bytes: SharedArrayBuffer; readonly index: SharedArrayBuffer }[];
  readonly states: Int32Array;
}

/** What it tells, piece by piece, each in the next slot; at last what is left without a newline. */
export type Scanned =
  | {
      readonly kind: "piece";
      readonly start: number; // in the slot's bytes
      readonly length: number;
      readonly offset: number; // in the log
      readonly count: number; // of the slot's index
      readonly lines: number;
      readonly end: number;
    }
  | { readonly kind: "end"; readonly rest: Piece | undefined; readonly oversized: number }
  | { readonly kind: "failed"; readonly message: string; readonly code: string | undefined };

/**
 * @param fd of a regular file, from its beginning
 * @returns what LineBuffer gives of it, with the index of the records; each valid until the next is asked for
 * @throws a system error, after all that could be read
 */
export async function* scanAhead(fd: number, counters: Counters): AsyncGenerator<Piece> {
  const states = new Int32Array(new SharedArrayBuffer(4 * SLOTS));
  const slots = Array.from({ length: SLOTS }, () => ({
    bytes: new SharedArrayBuffer(LINE_BUFFER_BYTES),
    index: new SharedArrayBuffer(RecordIndex.bytes),
  }));
  const indexes = slots.map(({ index }) => new RecordIndex(index));
  const worker = new Worker(new URL("./scan-worker.ts", import.meta.url), {
    workerData: { fd, slots, states } satisfies ScanTask,
  });
  try {
    let slot = 0;
    for await (const [message] of on(worker, "message") as AsyncIterable<[Scanned]>) {
      if (message.kind === "failed")
        throw Object.assign(new Error(message.message), { code: message.code, syscall: "read" });
      if (message.kind === "end") {
        counters.records_oversized += message.oversized;
        if (message.rest !== undefined) yield { ...message.rest, bytes: Buffer.from(message.rest.bytes) };
        return;
      }
      const { start, length, offset, count, lines, end } = message;
      const { bytes } = slots[slot] as (typeof slots)[number];
      const index = indexes[slot] as RecordIndex;
      yield {
        bytes: Buffer.from(bytes, start, length),
        offset,
        index: Object.assign(index, { count, lines, end }),
      };
      Atomics.store(states, slot, 0);
      Atomics.notify(states, slot);
      slot = (slot + 1) % SLOTS;
    }
  } finally {
    await worker.terminate(); // before anybody closes what it reads
  }
}
