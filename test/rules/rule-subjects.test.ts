import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { eventFields } from "../../agent/rules/event-fields.ts";
import { compileKql } from "../../agent/rules/kql-match.ts";
import { KqlError } from "../../agent/rules/kql-tree.ts";
import { subjectsOf } from "../../agent/rules/rule-subjects.ts";
import { treeOf } from "../helpers/kql.ts";
import { subjects } from "../helpers/subjects.ts";

const rows = [
  { query: "process.name:rpm", want: ["exec", "uid_change", "installation", "outcome"] },
  {
    query: "host.os.type:linux and event.category:process and event.type:start and event.action:exec",
    want: ["exec"],
  },
  { query: "event.action:(exec or exec_event or start)", want: ["exec"] },
  { query: "event.type:change and event.action:uid_change and process.name:a", want: ["uid_change"] },
  { query: 'event.category:package and not kinwatch.rpm.mode:"query"', want: ["installation", "outcome"] },
  { query: "event.type:start", want: ["exec", "installation", "outcome"] },
  { query: "not event.action:exec", want: ["uid_change", "installation", "outcome"] },
  { query: "event.action:uid* or event.action:fork", want: ["uid_change"] },
  { query: "event.action:fork or process.name:a", want: ["exec", "uid_change", "installation", "outcome"] },
  { query: "event.action:mprotect and process.name:a", want: [] },
  { query: "host.os.type:windows", want: [] },
  { query: "not event.module:* or not (process.name:a or event.kind:event)", want: [] },
];
for (const { query, want } of rows) {
  test(`subjectsOf(): ${query}`, () =>
    assert.deepEqual(
      [
        ...subjectsOf(treeOf(query), "process"),
        ...subjectsOf(treeOf(query), "installation"),
        ...subjectsOf(treeOf(query), "outcome"),
      ],
      want,
    ));
}

test("subjectsOf(): what a query can match, it is asked of", () => {
  const conditions = fc.constantFrom(
    "event.action:exec",
    "event.action:package-installed",
    "event.type:(start and installation)",
    "event.kind:alert",
    "event.category >= q",
    "process.parent.name:*",
    "user.id:0",
  );
  const negated = fc.tuple(fc.boolean(), conditions).map(([not, text]) => (not ? `not (${text})` : text));
  const queries = fc
    .array(fc.tuple(negated, fc.constantFrom(" and ", " or ")), { minLength: 1, maxLength: 4 })
    .map((parts) => `${parts.map(([text, word]) => text + word).join("")}process.name:rpm`);
  fc.assert(
    fc.property(queries, subjects(), (query, subject) => {
      const matches = compileKql(treeOf(query), eventFields);
      assert.ok(!(matches instanceof KqlError));
      const on = subject.kind === "exec" || subject.kind === "uid_change" ? "process" : subject.kind;
      if (matches(subject)) assert.ok(subjectsOf(treeOf(query), on).includes(subject.kind), query);
    }),
    { numRuns: 500 },
  );
});
