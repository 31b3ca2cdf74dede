import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { markdownText } from "../../agent/cli/markdown-text.ts";
import { textWidth } from "../../agent/outputs/text-width.ts";

const rows: { why: string; markdown: string; want: string }[] = [
  {
    why: "a heading stands out, a paragraph is one",
    markdown: "# A b\none\ntwo\n\nthree",
    want: "A b\n\n  one two\n\n  three\n",
  },
  {
    why: "lines are broken between words",
    markdown: "one two three four five six seven eight",
    want: "  one two three four five six\n  seven eight\n",
  },
  {
    why: "items hang, and stand close",
    markdown: "- one two three four five six seven\n- b\n1. c\n   d",
    want: "  - one two three four five\n    six seven\n  - b\n  1. c d\n",
  },
  { why: "items of items are deeper", markdown: "- a\n  - b\n", want: "  - a\n    - b\n" },
  {
    why: "code keeps its lines and blanks",
    markdown: "```text\na\n  b # c\n\n- d\n```\ne",
    want: "    a\n      b # c\n\n    - d\n\n  e\n",
  },
  { why: "code that is not closed ends with the text", markdown: "~~~\n# a", want: "    # a\n" },
  {
    why: "links have their address",
    markdown: "[a](https://example.org) [https://b](https://b)",
    want: "  a (https://example.org)\n  https://b\n",
  },
  { why: "bold is plain, code can be typed", markdown: "**a** `rpm -q *`", want: "  a `rpm -q *`\n" },
  {
    why: "rows of a table are lines",
    markdown: "| a | b |\n| - | - |\n| 1 | 2 |",
    want: "  | a | b |\n\n  | - | - |\n\n  | 1 | 2 |\n",
  },
  { why: "Windows line ends and tabs", markdown: "a\r\n\r\n\tb", want: "  a\n\n  b\n" },
  { why: "a quotation is marked", markdown: "> a\nb", want: "  > a b\n" },
  {
    why: "control characters are shown",
    markdown: "# \u001b[2J\na\u009b\u202e",
    want: "\\x1b[2J\n\n  a\\x9b\\u{202e}\n",
  },
];
for (const { why, markdown, want } of rows) {
  test(`markdownText(): ${why}`, () => {
    assert.equal(markdownText(markdown, { width: 30, colour: false }), want);
  });
}

test("markdownText(): a heading is bold where there are colours", () => {
  assert.equal(markdownText("# a", { width: 30, colour: true }), "\u001b[1ma\u001b[22m\n");
});

test("markdownText(): no text is wider than the terminal, controls it, or takes long", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "# ",
      "- ",
      "  ",
      "```",
      "~~~",
      "\n",
      "\n\n",
      "|",
      "> ",
      "1. ",
      "**",
      "[a](b)",
      "`",
      "\t",
      "あ",
    ),
    fc.string({ unit: "binary", maxLength: 30 }),
  );
  const property = fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
    const text = markdownText(pieces.join(""), { width: 60, colour: false });
    for (const line of text.split("\n")) {
      assert.ok(textWidth(line) <= 60, line);
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Cs}]/u);
    }
  });
  fc.assert(property, { numRuns: 500 });
  markdownText("- a".repeat(100_000), { width: 60, colour: false });
  markdownText("[".repeat(100_000), { width: 60, colour: false });
  markdownText("**a".repeat(100_000), { width: 60, colour: false });
});
