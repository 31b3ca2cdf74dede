import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { termsOf } from "../../agent/rules/new-terms.ts";
import { flatField, type KqlEvent, kqlTypes } from "../helpers/kql.ts";

function fieldsOf(...names: readonly string[]) {
  return names.map((name) => {
    const field = flatField(name, kqlTypes[name]);
    assert.ok(field, name);
    return field;
  });
}

const event: KqlEvent = {
  "process.name": "rpm",
  "process.args": ["a", "b", "a", "x".repeat(1_025)],
  "process.command_line": "y".repeat(2_000),
  "process.args_count": "05",
  "process.interactive": "true",
  "process.start": "2026-01-01T00:00:00Z",
  "process.parent.name": [],
};
const rows = [
  { why: "a value", fields: ["process.name"], want: [["rpm"]] },
  {
    why: "each element once, none that is too long to be indexed",
    fields: ["process.args"],
    want: [["a"], ["b"]],
  },
  {
    why: "combinations, the first field slowest",
    fields: ["process.args", "process.name", "process.args_count"],
    want: [
      ["a", "rpm", 5],
      ["b", "rpm", 5],
    ],
  },
  { why: "a wildcard field of any length", fields: ["process.command_line"], want: [["y".repeat(2_000)]] },
  {
    why: "values as they are indexed",
    fields: ["process.interactive", "process.start"],
    want: [[true, 1_767_225_600_000]],
  },
  { why: "no term where one is missing", fields: ["process.name", "process.executable"], want: [] },
  { why: "no term of an empty list", fields: ["process.args", "process.parent.name"], want: [] },
];
for (const { why, fields, want } of rows) {
  test(`termsOf(): ${why}`, () =>
    assert.deepEqual(termsOf(fieldsOf(...fields), event), { terms: want, complete: true }));
}

test("termsOf(): an element that is too long is no value", () => {
  const long = { "process.args": ["x".repeat(1_025)] };
  assert.deepEqual(termsOf(fieldsOf("process.args"), long), { terms: [], complete: true });
});

test("termsOf(): the combinations, or as many as anybody could look at, and then it says so", () => {
  const sizes = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 1, max: 40 })));
  fc.assert(
    fc.property(sizes, (counts) => {
      const names = ["process.args", "process.command_line", "process.parent.name"];
      const many = Object.fromEntries(
        names.map((name, index) => [
          name,
          Array.from({ length: counts[index] ?? 0 }, (_, at) => `${index} ${at}`),
        ]),
      );
      const { terms, complete } = termsOf(fieldsOf(...names), many);
      const all = counts.reduce((product, count) => product * count, 1);
      assert.ok(terms.length <= 1_024);
      assert.equal(complete, all <= 1_024);
      if (complete) assert.equal(terms.length, all);
      assert.equal(new Set(terms.map((term) => JSON.stringify(term))).size, terms.length);
    }),
  );
});
