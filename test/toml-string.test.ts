import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "smol-toml";
import { tomlPositions } from "../agent/toml-position.ts";
import { tomlStringAt } from "../agent/toml-string.ts";

/** Each document has one "!", in the string of key a: it is looked for by its offset in the value. */
const rows = [
  { why: "a basic string", text: 'a = "x!y"' },
  { why: "a literal", text: "a = 'x\\n!y'" },
  { why: "short escapes", text: 'a = "\\t\\"\\\\\\e!"' },
  { why: "escapes by number", text: 'a = "\\x41\\u00e9\\U0001F4E6\\U00000041!"' },
  { why: "characters beyond 16 bits", text: 'a = "\u{1f4e6}!"' },
  { why: "several lines", text: '\na = """x\ny!"""' },
  { why: "several lines of a literal", text: "a = '''\nx\\\n!'''" },
  { why: "a first newline, which is not of the value", text: 'a = """\n!"""' },
  { why: "a second newline, which is", text: 'a = """\n\n!"""' },
  { why: "Windows line ends", text: 'a = """\r\nx\r\n!"""' },
  { why: "a line that a backslash ends", text: 'a = """x \\\n   !"""' },
  { why: "blanks behind that backslash, and empty lines", text: 'a = """x\\  \t\r\n\n \t !"""' },
  { why: "one such line behind the other", text: 'a = """\\\n \\\n  !"""' },
  { why: "an escaped backslash at the end of a line, which ends none", text: 'a = """x\\\\\n !"""' },
  { why: "quotes inside", text: 'a = """x""y"!"""' },
  { why: "a key of a table", text: '[[b]]\n[b.c]\na = "!"', path: ["b", 0, "c", "a"] },
  { why: "an element of an array", text: 'a = ["x", # "\n "y!"]', path: ["a", 1] },
] as const;
for (const { why, text, ...more } of rows) {
  test(`tomlPositions(): finds a character of a string by ${why}`, () => {
    const path = "path" in more ? more.path : ["a"];
    const value = path.reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], parse(text));
    assert.ok(typeof value === "string");
    const before = text.slice(0, text.indexOf("!")).split("\n");
    const want = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    assert.deepEqual(tomlPositions(text)(path, value.indexOf("!")), want);
  });
}

test("tomlPositions(): the end of a string is where its closing quote stands", () => {
  assert.deepEqual(tomlPositions('a = "xy"')(["a"], 2), { line: 1, column: 8 });
  assert.deepEqual(tomlPositions('a = """\nx\n  """')(["a"], 4), { line: 3, column: 3 });
  assert.deepEqual(tomlPositions('a = """x\\\n  """')(["a"], 1), { line: 2, column: 3 });
});

test("tomlPositions(): what is no string stands where its key does", () => {
  assert.deepEqual(tomlPositions("\na = 12")(["a"], 1), { line: 2, column: 1 });
  assert.deepEqual(tomlPositions("[a]")(["a"], 1), { line: 1, column: 2 });
});

/** What is written, and what of it is the value. */
const pieces = fc.constantFrom(
  ...([
    ["a", "a"],
    [" ", " "],
    ["\n", "\n"],
    ["\r\n", "\r\n"],
    ["\u{1f4e6}", "\u{1f4e6}"],
    ["'", "'"],
    ["\\n", "\n"],
    ['\\"', '"'],
    ["\\\\", "\\"],
    ["\\x7f", "\x7f"],
    ["\\u0020", " "],
    ["\\U0001f4e6", "\u{1f4e6}"],
    ["\\\n  ", ""],
    ["\\ \r\n\n\t", ""],
  ] as const),
);
test("tomlStringAt(): finds each character of any string, and the end", () => {
  const property = fc.property(fc.array(pieces), (list) => {
    let text = 'a = """\n';
    let value = "";
    const places: number[] = [];
    for (const [written, meant] of list) {
      const isEnded = /\\[ \t]*\r?\n[ \t\r\n]*$/.test(text.replace(/\\\\/g, "__"));
      if (isEnded && /^[ \r\n]/.test(written)) continue; // it would be no part of the value
      for (let unit = 0; unit < meant.length; unit++)
        places.push(text.length + (written === meant ? unit : 0));
      text += written;
      value += meant;
    }
    const document = `${text}"""`;
    assert.equal(parse(document)["a"], value);
    for (const [offset, place] of places.entries()) {
      const isSecondHalf = /[\udc00-\udfff]/.test(value[offset] ?? "");
      if (!isSecondHalf) assert.equal(tomlStringAt(document, 4, offset), place, JSON.stringify(document));
    }
    assert.equal(tomlStringAt(document, 4, value.length), text.length, JSON.stringify(document));
  });
  fc.assert(property, { numRuns: 2_000 });
});

test("tomlStringAt(): comes to an end on any text", () => {
  const property = fc.property(fc.string(), fc.nat(), fc.nat(), (text, start, offset) => {
    tomlStringAt(text, start % (text.length + 1), offset);
  });
  fc.assert(property);
});
