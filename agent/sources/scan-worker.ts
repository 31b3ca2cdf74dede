/** The thread of scan-ahead.ts: reads a log and indexes its records, as far ahead as there are slots. */
import { readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { newCounters } from "../counters.ts";
import { systemCode } from "../errors.ts";
import { LineBuffer, type Piece } from "./line-buffer.ts";
import { RecordIndex } from "./record-index.ts";
import type { Scanned, ScanTask } from "./scan-ahead.ts";

const { fd, slots, states, from } = workerData as ScanTask;
const buffers = slots.map(({ bytes }) => Buffer.from(bytes));
const indexes = slots.map(({ index }) => new RecordIndex(index));
const counters = newCounters();
const tell = (scanned: Scanned): void => parentPort?.postMessage(scanned);

function oversized(): number {
  const { records_oversized } = counters;
  counters.records_oversized = 0;
  return records_oversized;
}

function next(lines: LineBuffer, into: Buffer): Piece | undefined {
  for (;;) {
    const space = lines.space(into);
    const read = readSync(fd, space, 0, space.length, lines.end);
    const piece = lines.lines(read);
    if (piece !== undefined || read === 0) return piece;
  }
}

tell({ kind: "started" });
try {
  Atomics.wait(states, slots.length, 0);
  const lines = new LineBuffer(from[0] as number, counters, buffers[0]);
  for (let slot = 0; ; slot = (slot + 1) % slots.length) {
    Atomics.wait(states, slot, 1);
    const piece = next(lines, buffers[slot] as Buffer);
    if (piece === undefined) break;
    const { bytes, offset } = piece;
    const index = indexes[slot] as RecordIndex;
    index.scan(bytes, 0);
    Atomics.store(states, slot, 1);
    const { count, lines: walked, end } = index;
    const { byteOffset: start, length } = bytes;
    tell({ kind: "piece", start, length, offset, count, lines: walked, end, oversized: oversized() });
  }
  tell({ kind: "end", rest: lines.rest(), oversized: oversized() });
} catch (error) {
  tell({
    kind: "failed",
    message: error instanceof Error ? error.message : String(error),
    code: systemCode(error),
  });
}
