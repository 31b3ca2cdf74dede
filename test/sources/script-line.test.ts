import assert from "node:assert/strict";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isAsWritten, readScriptLine, type ScriptLine } from "../../agent/sources/script-line.ts";

function lineOf(t: TestContext, content: string | Buffer): ScriptLine | undefined {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-line-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "script");
  writeFileSync(path, content);
  return readScriptLine(path);
}

const shell = realpathSync("/bin/sh");
const lines: readonly { why: string; text: string | Buffer; want: ScriptLine | undefined }[] = [
  {
    why: "an interpreter by its path, without links",
    text: "#!/bin/sh\n",
    want: { interpreter: shell, options: [] },
  },
  { why: "blanks, and no newline", text: "#! /bin/sh ", want: { interpreter: shell, options: [] } },
  {
    why: "what follows as one option",
    text: "#!/none/python3 -s -E \nimport",
    want: { interpreter: "/none/python3", options: ["-s -E"] },
  },
  {
    why: "a name behind env",
    text: "#!/usr/bin/env python3\n",
    want: { interpreter: "python3", options: [] },
  },
  {
    why: "a command line behind env -S",
    text: "#!/usr/bin/env -S python3 -s  -E\n",
    want: { interpreter: "python3", options: ["-s", "-E"] },
  },
  { why: "env with a variable: nothing", text: "#!/usr/bin/env -S A=b python3\n", want: undefined },
  { why: "env with an option: nothing", text: "#!/usr/bin/env -i python3\n", want: undefined },
  { why: "env alone: nothing", text: "#!/usr/bin/env\n", want: undefined },
  { why: "no such line: nothing", text: "echo\n#!/bin/sh\n", want: undefined },
  { why: "an empty file: nothing", text: "", want: undefined },
  { why: "a program: nothing", text: Buffer.from([0x7f, 0x45, 0x4c, 0x46]), want: undefined },
];
for (const { why, text, want } of lines)
  test(`readScriptLine(): reads ${why}`, (t) => assert.deepEqual(lineOf(t, text), want));

test("readScriptLine(): of a file that is not there nothing", () => {
  assert.equal(readScriptLine("/nonexistent"), undefined);
});

const python: ScriptLine = { interpreter: "/usr/bin/python3.11", options: ["-s"] };
const rows = [
  { why: "as the kernel runs it", line: python, words: ["-s"], want: true },
  { why: "without its options", line: python, words: [], want: true },
  { why: "with other options", line: python, words: ["-c"], want: false },
  { why: "with more options", line: python, words: ["-s", "-i"], want: false },
  {
    why: "by another interpreter",
    line: { ...python, interpreter: "/usr/bin/php" },
    words: ["-s"],
    want: false,
  },
  {
    why: "by the one that env finds",
    line: { ...python, interpreter: "python3" },
    words: ["-s"],
    want: true,
  },
  { why: "by another than env finds", line: { ...python, interpreter: "perl" }, words: ["-s"], want: false },
  { why: "by who knows which words", line: python, words: undefined, want: false },
  { why: "a text without a line, plainly", line: undefined, words: [], want: true },
  { why: "a text without a line, with options", line: undefined, words: ["-r/tmp/a"], want: false },
] as const;
for (const { why, line, words, want } of rows)
  test(`isAsWritten(): ${why}`, () => assert.equal(isAsWritten(line, "/usr/bin/python3.11", words), want));
