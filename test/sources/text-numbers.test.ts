import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TextNumbers } from "../../agent/sources/text-numbers.ts";

/** Texts one after another, as the values of records stand in bytes. */
function layOut(texts: readonly string[]) {
  const bytes = Buffer.from(`    ${texts.map((text) => `${text} `).join("")}`, "latin1");
  let at = 4;
  const places = texts.map((text) => {
    const start = at;
    at += text.length + 1;
    return { start, end: start + text.length };
  });
  return { bytes, places };
}

const text = fc.oneof(
  fc.constantFrom("", "/", "(none)", '"/usr/bin/sh"', '"/usr/bin/sed"', "pts0", "pts1"),
  fc.string({ unit: "grapheme-ascii", maxLength: 40 }),
);

test("TextNumbers.of(): the number of a text leads to that text, and most texts have one", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 300, size: "max" }), (texts) => {
      const { bytes, places } = layOut(texts);
      const numbers = new TextNumbers(new Uint32Array(301), new Uint32Array(301));
      for (let round = 0; round < 2; round += 1) {
        numbers.begin();
        for (const [index, { start, end }] of places.entries()) {
          const number = numbers.of(bytes, start, end);
          assert.notEqual(number, 0);
          assert.equal(
            bytes.toString("latin1", numbers.starts[number], numbers.ends[number]),
            texts[index] as string,
          );
        }
      }
    }),
  );
  const { bytes, places } = layOut(Array.from({ length: 1_000 }, (_, index) => `"/bin/${index % 10}-tool"`));
  const numbers = new TextNumbers(new Uint32Array(2_000), new Uint32Array(2_000));
  numbers.begin();
  for (const { start, end } of places) numbers.of(bytes, start, end);
  assert.ok(numbers.count <= 1 + 10, `${numbers.count}`);
});
