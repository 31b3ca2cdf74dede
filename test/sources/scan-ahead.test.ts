import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { newCounters } from "../../agent/counters.ts";
import { RecordIndex } from "../../agent/sources/record-index.ts";
import { ScanAhead } from "../../agent/sources/scan-ahead.ts";
import { AHEAD_BYTES, prepareScan, takeScanThread } from "../../agent/sources/scan-thread.ts";
import { record } from "../helpers/log-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-ahead-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function records(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => record(from + index)).join("");
}

async function read(content: string, from = 0) {
  const path = join(folder, "audit.log");
  writeFileSync(path, content);
  const fd = openSync(path, "r");
  const counters = newCounters();
  const pieces: { offset: number; text: string; index: unknown; own: unknown }[] = [];
  try {
    await using ahead = await started(fd, counters);
    for await (const { bytes, offset, index } of ahead.pieces(from)) {
      const own = new RecordIndex();
      own.scan(bytes, 0);
      pieces.push({ offset, text: bytes.toString("latin1"), index: index && said(index), own: said(own) });
    }
  } finally {
    closeSync(fd);
  }
  return { pieces, counters };
}

async function started(fd: number, counters = newCounters()): Promise<ScanAhead> {
  const ahead = new ScanAhead(fd, counters);
  while (!ahead.isStarted) await sleep(1);
  return ahead;
}

function said({ count, lines, end, kinds, times, serials, starts, ends, pids, texts }: RecordIndex): unknown {
  return [
    count,
    lines,
    end,
    texts.count,
    ...[kinds, times, serials, starts, ends, pids].map((all) => [...all.subarray(0, count)]),
  ];
}

test("ScanAhead.pieces(): all lines, in order, each piece with the index of its records", async () => {
  const text = records(0, 200_000); // some more than there are slots for
  const { pieces } = await read(text);
  assert.equal(pieces.map((piece) => piece.text).join(""), text);
  let offset = 0;
  for (const piece of pieces) {
    assert.equal(piece.offset, offset);
    assert.deepEqual(piece.index, piece.own);
    offset += piece.text.length;
  }
  assert.ok(pieces.length > 8);
});

test("ScanAhead.pieces(): from a line on", async () => {
  const first = records(0, 100);
  const { pieces } = await read(first + records(100, 20_000), first.length);
  assert.equal(pieces[0]?.offset, first.length);
  assert.equal(pieces.map((piece) => piece.text).join(""), records(100, 20_000));
});

test("ScanAhead.pieces(): the last line, though it lacks its newline, and none that is too long", async () => {
  const text = `${records(0, 9_000)}${"x".repeat(3_000_000)}\n${records(9_000, 9_010)}`;
  const { pieces, counters } = await read(text.slice(0, -1));
  assert.equal(pieces.map((piece) => piece.text).join(""), records(0, 9_010));
  assert.equal(counters.records_oversized, 1);
});

test("ScanAhead.pieces(): ends when its reader has enough", async () => {
  const path = join(folder, "left.log");
  writeFileSync(path, records(0, 200_000));
  const fd = openSync(path, "r");
  {
    await using ahead = await started(fd);
    for await (const _ of ahead.pieces(0)) break;
  }
  closeSync(fd);
});

test("ScanAhead.pieces(): what cannot be read is told with its code", async () => {
  const fd = openSync(folder, "r");
  await using ahead = await started(fd);
  await assert.rejects(
    async () => {
      for await (const _ of ahead.pieces(0)) assert.fail();
    },
    { code: "EISDIR", syscall: "read" },
  );
  closeSync(fd);
});

test("prepareScan(): has a thread started for a large log, once, and takes any word for what it is", async () => {
  const path = join(folder, "large.log");
  writeFileSync(path, records(0, 10));
  prepareScan(["--format", "ndjson", path, folder, join(path, "none"), "no\0file"]);
  await sleep(500);
  await using none = takeScanThread();
  assert.equal(none.isStarted, false, "it begins only now");
  truncateSync(path, AHEAD_BYTES);
  prepareScan(["--format", "ndjson", path]);
  await sleep(3_000);
  await using thread = takeScanThread();
  await using other = takeScanThread();
  assert.deepEqual([thread.isStarted, other.isStarted], [true, false]);
});
