import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { conditionKeys } from "../../agent/rules/exception.ts";
import { exceptionKeys } from "../../agent/rules/exception-schema.ts";

const page = readFileSync(new URL("../../docs/exceptions.md", import.meta.url), "utf8");

test("docs/exceptions.md: lists each key as the code has it, and none besides", () => {
  const section = page.split("\n## Keys\n")[1]?.split("\n## ")[0] ?? "";
  const have = section.split("\n").filter((line) => line.startsWith("| `"));
  const want = exceptionKeys
    .slice(1)
    .map(({ path, expects, purpose }) => `| \`${path.slice(1).join(".")}\` | ${expects} | ${purpose} |`);
  assert.deepEqual(have, want, `the rows should be:\n${want.join("\n")}\n`);
});

test("exceptionKeys: have every condition", () => {
  const names = exceptionKeys.map(({ path }) => path[1]);
  for (const name of conditionKeys) assert.ok(names.includes(name), name);
});
