import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fields } from "../../agent/fleet/fields.ts";

const page = readFileSync(new URL("../../docs/alert-fields.md", import.meta.url), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| `"));
const documented = new Set(
  rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? "")),
);

/** What the page says once for many: leaders have the fields of a parent, owners those of one, and counters a page of their own. */
function writtenAs(field: string): string {
  const [, leader = "", name = ""] = /^(process\.\w+_leader\.)(.+)/.exec(field) ?? [];
  if (documented.has(`${leader}*`) && documented.has(`process.parent.${name}`)) return `${leader}*`;
  const [, owner = "", about = ""] = /^(.*package_owner\.)(.+)/.exec(field) ?? [];
  if (documented.has(`${owner}*`) && documented.has(`kinwatch.package_owner.${about}`)) return `${owner}*`;
  return field.replace(/^(kinwatch\.coverage|kinwatch\.health\.counters)\..*/, "$1.*");
}

const headings = ["kinwatch.ancestry.*", "kinwatch.previous_images.*", "kinwatch.software_update.*"];

test("docs/alert-fields.md: has each field of the list, and none besides", () => {
  const written = new Set(fields.map(({ name }) => writtenAs(name)));
  assert.deepEqual([...written].filter((field) => !documented.has(field)).sort(), [], "in the list only");
  assert.deepEqual(
    [...documented].filter((field) => !written.has(field) && !headings.includes(field)),
    [],
    "in the page only",
  );
});
