import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "smol-toml";
import { type TomlPath, tomlPositions } from "../agent/toml-position.ts";

interface Row {
  readonly why: string;
  readonly text: string;
  readonly want: readonly (readonly [path: TomlPath, line: number, column: number])[];
}
const rows: Row[] = [
  {
    why: "a bare key",
    text: "a = 1\n  b=2",
    want: [
      [["a"], 1, 1],
      [["b"], 2, 3],
    ],
  },
  {
    why: "a key in a table",
    text: "[a]\nb = 1",
    want: [
      [["a"], 1, 2],
      [["a", "b"], 2, 1],
    ],
  },
  {
    why: "dotted keys, with blanks",
    text: "a . b = 1\na.c = 2",
    want: [
      [["a", "b"], 1, 5],
      [["a", "c"], 2, 3],
    ],
  },
  {
    why: "dotted headers name the tables above too",
    text: "[ a . b ]\nc = 1",
    want: [
      [["a"], 1, 3],
      [["a", "b", "c"], 2, 1],
    ],
  },
  {
    why: "quoted keys mean what they quote",
    text: `"a.b" = 1\n'c"' = 2\n"\\u0064\\t" = 3`,
    want: [
      [["a.b"], 1, 1],
      [['c"'], 2, 1],
      [["d\t"], 3, 1],
    ],
  },
  {
    why: "a key of an inline table",
    text: "a = { b = 1, c.d = 2 }",
    want: [
      [["a", "b"], 1, 7],
      [["a", "c", "d"], 1, 16],
    ],
  },
  {
    why: "an inline table over several lines (TOML 1.1)",
    text: "a = {\n  b = 1, # x = 1\n  c = 2,\n}",
    want: [[["a", "c"], 3, 3]],
  },
  {
    why: "tables in an array",
    text: "a = [\n  { b = 1 },\n  { b = 2 },\n]",
    want: [
      [["a", 1, "b"], 3, 5],
      [["a", 0], 2, 3],
    ],
  },
  {
    why: "arrays of tables and tables in their last",
    text: "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3\n[[a.e]]\n[[a.e]]\nf = 1",
    want: [
      [["a", 0, "b"], 2, 1],
      [["a", 1, "b"], 4, 1],
      [["a", 1, "c", "d"], 6, 1],
      [["a", 1, "e", 1, "f"], 9, 1],
    ],
  },
  {
    why: "what looks like a key in a string is none",
    text: `a = """\nb = 1\n[c]\n""\\""""""\nb = 2`,
    want: [[["b"], 5, 1]],
  },
  {
    why: "what looks like a key in a literal is none",
    text: "a = '''\nb = 1\\'''\nb = 2",
    want: [[["b"], 3, 1]],
  },
  {
    why: "what looks like a key in a comment is none",
    text: "# b = 1\na = 1 # b = 2\nb = 3",
    want: [[["b"], 3, 1]],
  },
  {
    why: "a date with a blank is one value",
    text: "a = [1979-05-27 07:32:00, 1]\nb = 1",
    want: [
      [["b"], 2, 1],
      [["a", 1], 1, 27],
    ],
  },
  { why: "Windows line ends", text: "a = 1\r\nb = 2\r\n", want: [[["b"], 2, 1]] },
  { why: "a byte order mark", text: "\ufeffa = 1", want: [[["a"], 1, 2]] },
  {
    why: "a path that is not written stands where its table stands",
    text: "x = 1\n[a]\nc = 1\n",
    want: [
      [["a", "b", "c"], 2, 2],
      [["z"], 1, 1],
    ],
  },
  {
    why: "names of Object's own are names",
    text: "x = 1\nconstructor = 1\n",
    want: [
      [["constructor"], 2, 1],
      [["toString"], 1, 1],
    ],
  },
];
for (const { why, text, want } of rows) {
  test(`tomlPositions(): ${why}`, () => {
    parse(text); // the rows are TOML
    const positions = tomlPositions(text);
    for (const [path, line, column] of want)
      assert.deepEqual(positions(path), { line, column }, path.join("."));
  });
}

/** Writes a document and notes where it wrote each key. */
class Writer {
  text = "";
  readonly wrote: { readonly path: TomlPath; readonly offset: number }[] = [];
  private readonly pick: <T>(choices: readonly T[]) => T;
  private count = 0;

  constructor(pick: <T>(choices: readonly T[]) => T) {
    this.pick = pick;
  }

  document(): void {
    this.pairs([], "\n");
    for (const _ of this.some()) {
      const isArray = this.pick([true, false]);
      this.text += isArray ? "[[ " : "[";
      const path = this.dotted([]);
      this.text += isArray ? " ]] # [x]\n" : "]\r\n";
      if (!isArray) this.pairs(path, "\n");
      for (const [index] of isArray ? this.some().entries() : []) {
        if (index > 0) this.text += `[[${path.map((part) => JSON.stringify(part)).join(".")}]]\n`;
        this.pairs([...path, index], "\n");
      }
    }
  }

  private pairs(table: TomlPath, end: string): void {
    for (const _ of this.some()) {
      const path = this.dotted(table);
      this.text += this.pick(["=", " = ", "\t=  "]);
      this.value(path, 0);
      this.text += this.pick([end, `  # x = "\n`, `${end}\n \t`]);
    }
  }

  private value(path: TomlPath, depth: number): void {
    const kind = this.pick(depth < 3 ? ["scalar", "array", "table"] : ["scalar"]);
    if (kind === "scalar") this.text += this.pick(scalars);
    else {
      this.text += kind === "array" ? "[" : "{";
      for (const [index] of this.some().entries()) {
        this.text += this.pick([" ", "", "\n", "# ]}\n  "]);
        if (kind === "array") {
          this.wrote.push({ path: [...path, index], offset: this.text.length });
          this.value([...path, index], depth + 1);
        } else {
          const inner = this.dotted(path);
          this.text += "=";
          this.value(inner, depth + 1);
        }
        this.text += this.pick([",", " ,", " # ]}\n,\n"]);
      }
      this.text += kind === "array" ? "]" : "}";
    }
  }

  private dotted(table: TomlPath): TomlPath {
    let path = table;
    for (const [index] of this.some().entries()) {
      if (index > 0) this.text += this.pick([".", " . "]);
      const name = `${this.pick(["a", "b c", "é", '"', "x=[{#", "1-_"])}${this.count++}`;
      path = [...path, name];
      this.wrote.push({ path, offset: this.text.length });
      const isBare = /^[\w-]+$/.test(name);
      this.text += isBare && this.pick([true, false]) ? name : this.pick([JSON.stringify(name), `'${name}'`]);
    }
    return path;
  }

  private some(): readonly undefined[] {
    return new Array(this.pick([1, 1, 2, 3])).fill(undefined);
  }
}
const scalars = [
  "1",
  "-0.5e3",
  "true",
  "07:32:00",
  "1979-05-27 07:32:00Z",
  '""',
  "''",
  '"a\\"] }, # b = 1"',
  "'\\'",
  '"""\nq = 1\n\\""""""',
  "'''\n[x]\ny=1'''''",
  "inf",
  "0xff",
];

test("tomlPositions(): finds every key of any document where it was written", () => {
  const property = fc.property(fc.gen(), (generate) => {
    const writer = new Writer((choices) => generate(fc.constantFrom, ...choices));
    writer.document();
    parse(writer.text);
    const positions = tomlPositions(writer.text);
    for (const { path, offset } of writer.wrote) {
      const before = writer.text.slice(0, offset).split("\n");
      const want = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
      assert.deepEqual(positions(path), want, `${JSON.stringify(path)} in\n${writer.text}`);
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test("tomlPositions(): comes to an end on any text, TOML or not", () => {
  const pieces = fc.constantFrom(
    "[",
    "]",
    "{",
    "}",
    ",",
    "=",
    ".",
    '"',
    "'",
    "\\",
    "#",
    "a",
    " ",
    "\n",
    '"""',
  );
  const property = fc.property(
    fc.array(pieces, { maxLength: 40 }),
    (text) => void tomlPositions(text.join("")),
  );
  fc.assert(property, { numRuns: 2_000 });
});

test("tomlPositions(): a megabyte of one key takes no quadratic time or space", () => {
  const text = `${"a.".repeat(524_288)}b = 1`;
  assert.deepEqual(tomlPositions(text)(["a", "a"]), { line: 1, column: 3 });
});
