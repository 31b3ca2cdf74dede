import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import { newCounters } from "../../agent/counters.ts";
import { packed, unpacked, unpackedLength } from "../../agent/store/shipment-document.ts";
import { type Stream, streams } from "../../agent/store/shipments.ts";
import { openStateToRead } from "../../agent/store/state-file.ts";
import { Store } from "../../agent/store/store.ts";

function world(shipmentBytesMax = Number.MAX_SAFE_INTEGER) {
  const counters = newCounters();
  const store = new Store(undefined, { counters, shipmentBytesMax });
  const { shipments } = store;
  const add = (stream: Stream, id: string, isOpen = false) =>
    shipments.add(stream, `logs-kinwatch.${stream}-default`, id, JSON.stringify({ event: { id } }), isOpen);
  const waiting = () => shipments.next(1_000, 1e9).map(({ id }) => id);
  return { counters, store, shipments, add, waiting };
}

test("packed(), unpacked(): give back any text, and nothing of what is damaged", () => {
  const memory = Buffer.alloc(10_000);
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 2_000 }), (text) => {
      const bytes = packed(text);
      assert.equal(unpackedLength(bytes), Buffer.byteLength(text));
      assert.deepEqual(unpacked(bytes, memory)?.toString(), text.toWellFormed());
      assert.equal(
        unpacked(Buffer.concat([Buffer.of(9), bytes.subarray(1)]), memory),
        undefined,
        "another version",
      );
      if (text !== "") assert.equal(unpacked(bytes, Buffer.alloc(0)), undefined, "no room");
    }),
  );
});

test("Shipments.next(): a damaged document is empty, and costs no other one", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-damaged-"));
  t.after(() => rmSync(folder, { recursive: true }));
  using store = new Store(folder, { counters: newCounters() });
  for (const id of ["a", "b", "c", "d"]) store.shipments.add("events", "s", id, `{"id":"${id}"}`);
  const database = new DatabaseSync(join(folder, "kinwatch.db"));
  database.exec(`UPDATE shipments SET document = x'01ffffffff00' WHERE id = 'a'; -- longer than any
    UPDATE shipments SET document = x'010000000a0102' WHERE id = 'b'; -- not deflate
    UPDATE shipments SET document = x'' WHERE id = 'c'`);
  database.close();
  assert.deepEqual(
    store.shipments.next(9, 1e6).map(({ document }) => String(document)),
    ["", "", "", '{"id":"d"}'],
  );
});

test("packed(): the dictionary of what waits on hosts never changes", () => {
  const file = new URL("../../agent/store/shipment-dictionary.ndjson", import.meta.url);
  assert.equal(
    createHash("sha256").update(readFileSync(file)).digest("hex"),
    "dc9e19c3206e0ee2ca28be2085682b7a31970de48d542c849691e7369753a4c1",
  );
});

test("Shipments.next(): alerts before health before events, each in the order in which it came", () => {
  const { add, waiting, shipments } = world();
  add("events", "e1");
  add("health", "h1");
  add("alerts", "a1");
  add("events", "e2");
  add("alerts", "a2");
  add("events", "open", true);
  assert.deepEqual(waiting(), ["a1", "a2", "h1", "e1", "e2"]);
  assert.deepEqual(
    shipments.next(2, 1e9).map(({ id, stream, document }) => [id, stream, String(document)]),
    [
      ["a1", "logs-kinwatch.alerts-default", '{"event":{"id":"a1"}}'],
      ["a2", "logs-kinwatch.alerts-default", '{"event":{"id":"a2"}}'],
    ],
  );
});

test("Shipments.next(): no more bytes than asked for, but one document at least", () => {
  const { shipments } = world();
  for (const id of ["a", "b", "c"]) shipments.add("events", "s", id, "x".repeat(100));
  assert.equal(shipments.next(10, 250).length, 2);
  assert.equal(shipments.next(10, 1).length, 1);
});

test("Shipments.add(): the same document waits once", () => {
  const { add, waiting, shipments } = world();
  add("alerts", "a");
  add("alerts", "a");
  add("events", "a"); // another stream's
  assert.deepEqual(waiting(), ["a", "a"]);
  assert.equal(shipments.totals().waiting.documents, 2);
});

test("Shipments.complete(): sends what waits for its outcome, as it is then", () => {
  const { add, shipments } = world();
  add("events", "e", true);
  assert.deepEqual(shipments.openIds(), ["e"]);
  assert.equal(shipments.open("e"), '{"event":{"id":"e"}}');
  shipments.complete("e", '{"outcome":"known"}');
  assert.equal(shipments.open("e"), undefined);
  shipments.complete("e", "late");
  assert.deepEqual(
    shipments.next(9, 1e9).map(({ document }) => String(document)),
    ['{"outcome":"known"}'],
  );
});

test("Shipments.refuse(): sets aside with the reason; retry() sends again, discard() lets go", () => {
  const { add, waiting, shipments } = world();
  for (const id of ["a", "b", "c"]) add("alerts", id);
  const [a, b] = shipments.next(2, 1e9);
  assert.ok(a && b);
  shipments.refuse([a, b].map(({ sequence }) => ({ sequence, reason: "400 mapper_parsing_exception" })));
  assert.deepEqual(waiting(), ["c"]);
  assert.deepEqual(
    [...shipments.refused()].map(({ id, reason }) => [id, reason]),
    [
      ["a", "400 mapper_parsing_exception"],
      ["b", "400 mapper_parsing_exception"],
    ],
  );
  assert.deepEqual([...shipments.refused("b")].length, 1);
  assert.equal(shipments.retry([a.sequence]), 1);
  assert.equal(shipments.retry([a.sequence]), 0, "it waits already");
  assert.equal(shipments.discard([a.sequence, b.sequence]), 1, "only what was refused");
  assert.deepEqual(waiting(), ["a", "c"]);
});

test("Shipments: what is over goes, events first, then health, alerts last, the oldest first, and is counted", () => {
  const one = packed('{"event":{"id":"x0000"}}').length + 5 + 100 + 2; // some ids are a little longer, compressed
  const { add, waiting, shipments, counters } = world(4 * one);
  for (const id of ["a0001", "a0002"]) add("alerts", id);
  for (const id of ["e0001", "e0002", "e0003"]) add("events", id);
  assert.deepEqual(waiting(), ["a0001", "a0002", "e0002", "e0003"]);
  add("health", "h0001");
  assert.deepEqual(waiting(), ["a0001", "a0002", "h0001", "e0003"]);
  for (const id of ["a0003", "a0004", "a0005"]) add("alerts", id);
  assert.deepEqual(waiting(), ["a0002", "a0003", "a0004", "a0005"]);
  assert.deepEqual(
    streams.map((stream) => counters[`shipments_${stream}_let_go`]),
    [1, 1, 3],
  );
  assert.ok(shipments.totals().waiting.bytes <= 4 * one);
});

test("Shipments: a number is never given again, so that a late answer means no other document", () => {
  const { add, shipments, waiting } = world();
  add("events", "a");
  const [first] = shipments.next(1, 1e9);
  shipments.taken([first?.sequence ?? 0]);
  add("events", "b");
  shipments.taken([first?.sequence ?? 0]);
  assert.deepEqual(waiting(), ["b"]);
});

test("Shipments.totals(): what a count of all rows would say, whatever was done", () => {
  const step = fc.record({
    act: fc.constantFrom("add", "open", "complete", "taken", "refuse", "retry", "discard"),
    id: fc.integer({ min: 0, max: 8 }),
    stream: fc.constantFrom(...streams),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { store, shipments, add } = world(900);
      for (const { act, id, stream } of steps) {
        const rows = [...shipments.next(99, 1e9), ...shipments.refused()];
        const sequences = rows.filter((row) => row.id === `${id}`).map(({ sequence }) => sequence);
        if (act === "add" || act === "open") add(stream, `${id}`, act === "open");
        else if (act === "complete") shipments.complete(`${id}`, `"${stream.repeat(id)}"`);
        else if (act === "refuse")
          shipments.refuse(sequences.map((sequence) => ({ sequence, reason: "no" })));
        else shipments[act](sequences);
        const { waiting, refused } = shipments.totals();
        assert.equal(refused.documents, [...shipments.refused()].length);
        assert.equal(waiting.documents, shipments.next(99, 1e9).length + shipments.openIds().length);
        assert.ok(waiting.bytes + refused.bytes <= 900 && waiting.bytes >= 100 * waiting.documents);
      }
      assert.ok(store);
    }),
  );
});

test("Store.shrink(): gives the room of what was sent back to the disk, some at a time", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-shrink-"));
  t.after(() => rmSync(folder, { recursive: true }));
  using store = new Store(folder, { counters: newCounters() });
  const size = (): number => {
    const { database } = openStateToRead(folder);
    using _ = database;
    return Number(database.get("PRAGMA page_count")?.["page_count"]);
  };
  store.transaction(() => {
    for (let index = 0; index < 6_000; index += 1)
      store.shipments.add("events", "s", `${index}`, randomBytes(6_000).toString("base64"));
  });
  const full = size();
  for (let batch = store.shipments.next(500, 1e9); batch.length > 0; batch = store.shipments.next(500, 1e9))
    store.transaction(() => store.shipments.taken(batch.map(({ sequence }) => sequence)));
  store.shrink();
  const less = size();
  assert.ok(less < full && less > full - 3_000, `${less} of ${full} pages`);
  for (let times = 0; times < 20; times += 1) store.shrink();
  assert.ok(size() < 6_000, "all but some 20 MB");
});
