/**
 * Reads a large stored log on a second thread, which walks over its bytes while this one joins the records of the pieces
 * before: scan-worker.ts. Both see the same memory, so that nothing is copied but a few numbers.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { Counters } from "../counters.ts";
import { Breath } from "./breath.ts";
import { LINE_BUFFER_BYTES, type Piece } from "./line-buffer.ts";
import { RecordIndex } from "./record-index.ts";
import { takeScanThread } from "./scan-thread.ts";

const SLOTS = 4; // pieces that the thread may be ahead: enough that neither waits when one of them is held up

interface Slot {
  readonly bytes: SharedArrayBuffer;
  readonly index: SharedArrayBuffer;
}

export interface ScanTask {
  readonly fd: number;
  readonly from: number; // where in the log to begin
  readonly slots: readonly Slot[];
  readonly states: Int32Array; // of each slot: 1 while its piece is in use
  readonly port: MessagePort; // where it tells,
  readonly told: Int32Array; // one: and how often it did
}

/** What it tells: each piece, in the next slot; at last what is left without a newline. */
export type Scanned =
  | {
      readonly kind: "piece";
      readonly start: number; // in the slot's bytes
      readonly length: number;
      readonly offset: number; // in the log
      readonly count: number; // of the slot's index
      readonly texts: number;
      readonly lines: number;
      readonly end: number;
      readonly oversized: number; // lines left out since the piece before
    }
  | { readonly kind: "end"; readonly rest: Piece | undefined; readonly oversized: number }
  | { readonly kind: "failed"; readonly message: string; readonly code: string | undefined };

export class ScanAhead implements AsyncDisposable {
  readonly #fd: number;
  readonly #counters: Counters;
  readonly #thread = takeScanThread();
  readonly #slots: readonly Slot[] = Array.from({ length: SLOTS }, () => ({
    bytes: new SharedArrayBuffer(LINE_BUFFER_BYTES),
    index: new SharedArrayBuffer(RecordIndex.bytes),
  }));
  readonly #indexes = this.#slots.map(({ index }) => new RecordIndex(index));
  readonly #states = sharedNumbers(SLOTS);
  readonly #told = sharedNumbers(1);
  #broken: unknown;

  /** @param fd of a regular file; open until this is disposed of */
  constructor(fd: number, counters: Counters) {
    this.#fd = fd;
    this.#counters = counters;
  }

  /** Whether the thread is there: it takes a while. */
  get isStarted(): boolean {
    return this.#thread.isStarted;
  }

  /**
   * Once.
   * @param from the start of a line
   * @returns what LineBuffer gives, with the index of the records; each is valid until the next is asked for
   * @throws a system error, after all that could be read
   */
  async *pieces(from: number): AsyncGenerator<Piece> {
    const port = this.#begin(from);
    const breath = new Breath();
    for (let slot = 0; ; slot = (slot + 1) % SLOTS) {
      await breath.take();
      const message = await this.#next(port);
      if (message.kind === "failed")
        throw Object.assign(new Error(message.message), { code: message.code, syscall: "read" });
      this.#counters.records_oversized += message.oversized;
      if (message.kind === "end") {
        if (message.rest !== undefined) yield { ...message.rest, bytes: Buffer.from(message.rest.bytes) };
        return;
      }
      const { start, length, offset, count, texts, lines, end } = message;
      const { bytes } = this.#slots[slot] as Slot;
      const index = Object.assign(this.#indexes[slot] as RecordIndex, { count, lines, end });
      index.texts.count = texts;
      yield { bytes: Buffer.from(bytes, start, length), offset, index };
      set(this.#states, slot, 0);
    }
  }

  /** @returns where the thread tells */
  #begin(from: number): MessagePort {
    const { worker } = this.#thread;
    const { port1, port2 } = new MessageChannel();
    const task: ScanTask = {
      fd: this.#fd,
      from,
      slots: this.#slots,
      states: this.#states,
      port: port2,
      told: this.#told,
    };
    worker.ref();
    worker.postMessage(task, [port2]);
    this.#thread.onBreak((error) => {
      this.#broken = error;
      set(this.#told, 0, -1);
    });
    return port1;
  }

  /** What it tells next. Where it is told already, nothing else has its turn before. */
  async #next(port: MessagePort): Promise<Scanned> {
    for (;;) {
      const told = Atomics.load(this.#told, 0);
      const received = receiveMessageOnPort(port);
      if (received !== undefined) return received.message as Scanned;
      if (this.#broken !== undefined) throw this.#broken;
      await Atomics.waitAsync(this.#told, 0, told).value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}

function sharedNumbers(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4 * count));
}

/** Wakes who waits for it. */
function set(numbers: Int32Array<SharedArrayBuffer>, at: number, to: number): void {
  Atomics.store(numbers, at, to);
  Atomics.notify(numbers, at);
}
