/** The lists in docs/ say what the code says, in both directions: neither can be changed alone. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configKeys } from "../agent/config.ts";
import { counterNames } from "../agent/counters.ts";
import { errorCodes } from "../agent/errors.ts";
import type { Key } from "../agent/toml-schema.ts";

/** Text below each heading of level 2. */
function sectionsOf(page: string): Map<string, string> {
  const text = readFileSync(new URL(`../docs/${page}`, import.meta.url), "utf8");
  const parts = text.split(/^## /m).slice(1);
  return new Map(
    parts.map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n")).trim()]),
  );
}

const pages = [
  { page: "errors.md", names: errorCodes, needs: [/^[A-Z/]/, /^- Likely causes: \S/m, /^- What to do: \S/m] },
  { page: "counters.md", names: counterNames, needs: [/^[A-Z]/, /^- What to do: \S/m] },
] as const;
for (const { page, names, needs } of pages) {
  const sections = sectionsOf(page);
  test(`docs/${page}: has a heading for each name in the code, in its order, and none besides`, () => {
    assert.deepEqual([...sections.keys()], [...names]);
  });
  test(`docs/${page}: each says what it means and what to do`, () => {
    for (const [name, text] of sections) for (const need of needs) assert.match(text, need, name);
  });
}

/** How docs/configuration.md describes a key. */
function described({ expects, unit, purpose, reason, default: value }: Key): string {
  return [
    purpose,
    "",
    `- Values: ${expects}`,
    ...(unit ? [`- Unit: ${unit}`] : []),
    `- Default: \`${JSON.stringify(value)}\`: ${reason}`,
  ].join("\n");
}

test("docs/configuration.md: describes each key as the code does, and none besides", () => {
  const want = configKeys.map((key) => [key.path.join("."), described(key)]);
  const have = [...sectionsOf("configuration.md")];
  const page = want.map(([name, text]) => `## ${name}\n\n${text}`).join("\n\n");
  assert.deepEqual(have, want, `the keys' part of docs/configuration.md should be:\n\n${page}\n`);
});
