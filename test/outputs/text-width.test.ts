import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fit, textWidth, wrap } from "../../agent/outputs/text-width.ts";

const rows: [why: string, text: string, width: number][] = [
  ["letters", "rpm -i x", 8],
  ["letters with marks", "e\u0301a\u0308", 2],
  ["Chinese", "漢字", 4],
  ["Korean", "한국", 4],
  ["full width letters", "ＡＢ", 4],
  ["half width letters", "ｱｲ", 2],
  ["pictures", "🙂", 2],
  ["characters of the second plane", "𠮷", 2],
  ["the frame itself", "└ ● …", 5],
  ["nothing", "", 0],
];
for (const [why, text, width] of rows) {
  test(`textWidth(): ${why}`, () => assert.equal(textWidth(text), width));
}

const text = fc.string({ unit: fc.constantFrom("漢", "🙂", "e\u0301", " ", "a", "bc", "-") });
const columns = fc.integer({ min: 4, max: 30 });

test("wrap(): no line is too wide, and nothing but blanks is lost", () => {
  fc.assert(
    fc.property(text, columns, (whole, width) => {
      const lines = wrap(whole, width);
      for (const line of lines) assert.ok(textWidth(line) <= width, line);
      assert.equal(lines.join("").replaceAll(" ", ""), whole.replaceAll(" ", ""));
    }),
  );
});

test("wrap(): breaks between words where it can", () => {
  assert.deepEqual(wrap("one two three four", 9), ["one two", "three", "four"]);
  assert.deepEqual(wrap("one two 3", 9), ["one two 3"]);
  assert.deepEqual(wrap("a very-long-word-here", 8), ["a very-l", "ong-word", "-here"]);
});

test("fit(): cuts what is too wide, and shows that it did", () => {
  fc.assert(
    fc.property(text, columns, (whole, width) => {
      const line = fit(whole, width);
      assert.ok(textWidth(line) <= width);
      assert.equal(line === whole, textWidth(whole) <= width);
      if (line !== whole) assert.ok(line.endsWith("…") && whole.startsWith(line.slice(0, -1)));
    }),
  );
});
