import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readTracePage } from "../../agent/sources/trace-page.ts";

const PAGE = 4_096;
const format = { commit: { offset: 8, size: 8 }, data: { offset: 16, size: PAGE - 16 } };

/** A page as kernel/trace/ring_buffer.c writes it. */
class Page {
  readonly bytes = Buffer.alloc(PAGE, 0xff); // what is behind the used part is another page's
  #at = 16;

  constructor(timeNs: number) {
    this.bytes.writeBigUInt64LE(BigInt(timeNs), 0);
  }

  #word(value: number): this {
    this.bytes.writeUInt32LE(value >>> 0, this.#at);
    this.#at += 4;
    return this;
  }

  head(type: number, delta: number): this {
    return this.#word(type + delta * 32);
  }

  /** An event; a long one has its length behind its head. */
  event(delta: number, data: Buffer, long = data.length > 28 * 4): this {
    if (long) this.head(0, delta).#word(data.length + 4);
    else this.head(data.length / 4, delta);
    data.copy(this.bytes, this.#at);
    this.#at += data.length;
    return this;
  }

  extend(deltaNs: number): this {
    return this.head(30, deltaNs % 2 ** 27).#word(Math.floor(deltaNs / 2 ** 27));
  }

  stamp(timeNs: number): this {
    return this.head(31, timeNs % 2 ** 27).#word(Math.floor(timeNs / 2 ** 27));
  }

  /** One that was taken back: its place is left. */
  discarded(bytes: number): this {
    this.head(29, 1).#word(bytes);
    this.#at += bytes - 4;
    return this;
  }

  read(flags = 0) {
    this.bytes.writeUInt32LE((this.#at - 16 + flags) >>> 0, 8);
    const events: [number, string][] = [];
    let lost: number | undefined;
    readTracePage(
      this.bytes,
      format,
      (start, end, timeNs) => events.push([timeNs, this.bytes.toString("latin1", start, end)]),
      (timeNs) => {
        lost = timeNs;
      },
    );
    return { events, lost };
  }
}

const words = (text: string) => Buffer.from(text.padEnd(Math.ceil(text.length / 4) * 4, "."), "latin1");

test("readTracePage(): events, short and long, at their times", () => {
  const long = "x".repeat(200);
  const { events, lost } = new Page(1_000)
    .event(5, words("one"))
    .event(7, words(long))
    .event(0, words("three"))
    .read();
  assert.deepEqual(events, [
    [1_005, "one."],
    [1_012, long],
    [1_012, "three..."],
  ]);
  assert.equal(lost, undefined);
});

test("readTracePage(): a time that does not fit an event stands before it", () => {
  const { events } = new Page(1_000)
    .extend(3e9)
    .event(1, words("late"))
    .stamp(9e9)
    .event(2, words("later"))
    .read();
  assert.deepEqual(events, [
    [3_000_001_001, "late"],
    [9_000_000_002, "later..."],
  ]);
});

test("readTracePage(): what was taken back is passed over, and padding ends the page", () => {
  const page = new Page(0).event(1, words("a")).discarded(24).event(1, words("b")).head(29, 0);
  assert.deepEqual(
    page.read().events.map(([, text]) => text),
    ["a...", "b..."],
  );
});

test("readTracePage(): says that events before it were overwritten", () => {
  assert.equal(new Page(77).event(1, words("a")).read(0x80000000).lost, 77);
});

test("readTracePage(): never reads beyond the used part, whatever bytes there are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: PAGE, maxLength: PAGE }), (bytes) => {
      const page = Buffer.from(bytes);
      readTracePage(
        page,
        format,
        (start, end) => assert.ok(start >= 16 && end > start && end <= PAGE),
        () => {},
      );
    }),
  );
});
