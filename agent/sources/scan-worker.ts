/** The thread of scan-ahead.ts: reads a log and indexes its records, as far ahead as there are slots. */
import { readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { newCounters } from "../counters.ts";
import { systemCode } from "../errors.ts";
import { LineBuffer, type Piece } from "./line-buffer.ts";
import { RecordIndex } from "./record-index.ts";
import type { Scanned, ScanTask } from "./scan-ahead.ts";

parentPort?.once("message", (task: ScanTask) => {
  const tell = (scanned: Scanned): void => {
    task.port.postMessage(scanned);
    Atomics.add(task.told, 0, 1);
    Atomics.notify(task.told, 0);
  };
  try {
    scan(task, tell);
  } catch (error) {
    tell({
      kind: "failed",
      message: error instanceof Error ? error.message : String(error),
      code: systemCode(error),
    });
  }
});
parentPort?.postMessage("started");

function scan({ fd, from, slots, states }: ScanTask, tell: (scanned: Scanned) => void): void {
  const buffers = slots.map(({ bytes }) => Buffer.from(bytes));
  const indexes = slots.map(({ index }) => new RecordIndex(index));
  const counters = newCounters();
  const oversized = (): number => {
    const { records_oversized } = counters;
    counters.records_oversized = 0;
    return records_oversized;
  };
  const lines = new LineBuffer(from, counters, buffers[0]);
  for (let slot = 0; ; slot = (slot + 1) % slots.length) {
    Atomics.wait(states, slot, 1);
    const piece = next(fd, lines, buffers[slot] as Buffer);
    if (piece === undefined) break;
    const { bytes, offset } = piece;
    const index = indexes[slot] as RecordIndex;
    index.scan(bytes, 0);
    Atomics.store(states, slot, 1);
    const { count, texts, lines: walked, end } = index;
    const { byteOffset: start, length } = bytes;
    tell({
      kind: "piece",
      start,
      length,
      offset,
      count,
      texts: texts.count,
      lines: walked,
      end,
      oversized: oversized(),
    });
  }
  tell({ kind: "end", rest: lines.rest(), oversized: oversized() });
}

function next(fd: number, lines: LineBuffer, into: Buffer): Piece | undefined {
  for (;;) {
    const space = lines.space(into);
    const read = readSync(fd, space, 0, space.length, lines.end);
    const piece = lines.lines(read);
    if (piece !== undefined || read === 0) return piece;
  }
}
