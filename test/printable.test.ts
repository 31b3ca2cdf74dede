import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { printable } from "../agent/printable.ts";

const rows = [
  { why: "plain text stays as it is", text: 'rpm -i "ä b" \\ 日本', want: 'rpm -i "ä b" \\ 日本' },
  { why: "a line break begins no line", text: "a\r\nb", want: "a\\r\\nb" },
  { why: "a terminal is not steered", text: "\x1b[2J\x07\x9b", want: "\\x1b[2J\\x07\\x9b" },
  { why: "Unicode's line ends are line ends too", text: "a\u2028b\u0085", want: "a\\u{2028}b\\x85" },
  { why: "the order of characters is not turned round", text: "\u202egpj.sh", want: "\\u{202e}gpj.sh" },
  { why: "half a surrogate pair is no text", text: "\ud800", want: "\\u{d800}" },
  { why: "a character beyond 16 bits is text", text: "🦉", want: "🦉" },
  {
    why: "long text is cut, and says so",
    text: "x".repeat(21),
    want: "xxxxxxxxxxxxxxxxxxxx… (1 more characters)",
  },
] as const;
for (const { why, text, want } of rows) {
  test(`printable(): ${why}`, () => assert.equal(printable(text, 20), want));
}

test("printable(): gives one line without control characters for any text", () => {
  const anyText = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(anyText, (text) =>
      assert.doesNotMatch(printable(text, 50), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u),
    ),
  );
});
