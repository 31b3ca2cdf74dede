import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ruleKeys } from "../../agent/rules/rule-schema.ts";
import { notDone, unservedKeys } from "../../agent/rules/unserved.ts";

const page = readFileSync(new URL("../../docs/rules.md", import.meta.url), "utf8");

test("docs/rules.md: lists each key as the code has it, and none besides", () => {
  const section = page.split("\n## Keys\n")[1]?.split("\n## ")[0] ?? "";
  const have = section.split("\n").filter((line) => line.startsWith("| `"));
  const want = ruleKeys.map(
    ({ path, expects, purpose }) => `| \`${path.join(".")}\` | ${expects} | ${purpose} |`,
  );
  assert.deepEqual(have, want, `the rows should be:\n${want.join("\n")}\n`);
});

test("ruleKeys: what is not served is no key, and what is not done is one", () => {
  const names = ruleKeys.map(({ path }) => path.join("."));
  for (const name of unservedKeys.keys()) assert.ok(!names.includes(`rule.${name}`), name);
  for (const name of notDone.keys())
    assert.ok(
      names.some((key) => key.startsWith(`rule.${name}`)),
      name,
    );
});
