/** The thread of scan-ahead.ts: reads a log and indexes its records, as far ahead as there are slots. */
import { readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { newCounters } from "../counters.ts";
import { systemCode } from "../errors.ts";
import { LineBuffer, type Piece } from "./line-buffer.ts";
import { RecordIndex } from "./record-index.ts";
import type { Scanned, ScanTask } from "./scan-ahead.ts";

const { fd, slots, states } = workerData as ScanTask;
const buffers = slots.map(({ bytes }) => Buffer.from(bytes));
const indexes = slots.map(({ index }) => new RecordIndex(index));
const counters = newCounters();
const lines = new LineBuffer(0, counters, buffers[0]);

const tell = (scanned: Scanned): void => parentPort?.postMessage(scanned);

function next(into: Buffer): Piece | undefined {
  for (;;) {
    const space = lines.space(into);
    const read = readSync(fd, space, 0, space.length, lines.end);
    const piece = lines.lines(read);
    if (piece !== undefined || read === 0) return piece;
  }
}

try {
  for (let slot = 0; ; slot = (slot + 1) % slots.length) {
    Atomics.wait(states, slot, 1);
    const piece = next(buffers[slot] as Buffer);
    if (piece === undefined) break;
    const { bytes, offset } = piece;
    const index = indexes[slot] as RecordIndex;
    index.scan(bytes, 0);
    Atomics.store(states, slot, 1);
    const { count, lines: walked, end } = index;
    tell({ kind: "piece", start: bytes.byteOffset, length: bytes.length, offset, count, lines: walked, end });
  }
  tell({ kind: "end", rest: lines.rest(), oversized: counters.records_oversized });
} catch (error) {
  tell({
    kind: "failed",
    message: error instanceof Error ? error.message : String(error),
    code: systemCode(error),
  });
}
