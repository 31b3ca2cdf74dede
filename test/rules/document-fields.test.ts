import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { documentFields } from "../../agent/rules/document-fields.ts";
import { compileKql } from "../../agent/rules/kql-match.ts";
import { KqlError } from "../../agent/rules/kql-tree.ts";
import { treeOf } from "../helpers/kql.ts";

function read(name: string, document: unknown): unknown {
  return documentFields(name)?.read(document);
}

const rows: readonly { why: string; document: unknown; field?: string; want: unknown[] }[] = [
  { why: "nested objects", document: { process: { parent: { name: "sh" } } }, want: ["sh"] },
  { why: "a name with dots", document: { "process.parent.name": "sh" }, want: ["sh"] },
  { why: "dots below an object", document: { process: { "parent.name": "sh" } }, want: ["sh"] },
  { why: "an object below dots", document: { "process.parent": { name: "sh" } }, want: ["sh"] },
  {
    why: "both ways at once, in any order",
    document: { process: { parent: { name: "a" } }, "process.parent.name": ["b", "c"] },
    want: ["a", "b", "c"],
  },
  { why: "a list", document: { process: { parent: { name: ["a", "b"] } } }, want: ["a", "b"] },
  {
    why: "lists of objects, in lists",
    document: { process: [{ parent: [{ name: "a" }, [{ name: "b" }]] }, { parent: { name: ["c", ["d"]] } }] },
    want: ["a", "b", "c", "d"],
  },
  {
    why: "no value where there is null",
    document: { process: { parent: { name: [null, "a"] } } },
    want: ["a"],
  },
  {
    why: "no value where there is an object",
    document: { process: { parent: { name: { x: 1 } } } },
    want: [],
  },
  { why: "no value above a value", document: { process: { parent: "sh" } }, want: [] },
  { why: "nothing that every object has", document: {}, field: "constructor.name", want: [] },
  {
    why: "numbers and truths as they are",
    document: { a: { b: [1, true, ""] } },
    field: "a.b",
    want: [1, true, ""],
  },
];
for (const { why, document, field = "process.parent.name", want } of rows) {
  test(`documentFields(): ${why}`, () => {
    assert.deepEqual(new Set(read(field, document) as unknown[]), new Set(want));
  });
}

test("documentFields(): elements come in their order, however deep the lists are", () => {
  let deep: unknown = "z";
  for (let depth = 0; depth < 50_000; depth += 1) deep = [deep];
  assert.deepEqual(read("a", { a: ["x", ["y", deep], "w"] }), ["x", "y", "z", "w"]);
});

test("documentFields(): a document is the same however its names are written", () => {
  const parts = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      parts,
      fc.array(fc.boolean(), { maxLength: 4 }),
      fc.array(fc.string()),
      (names, cuts, values) => {
        let document: unknown = values;
        let name = "";
        for (const [index, part] of names.toReversed().entries()) {
          name = name === "" ? part : `${part}.${name}`;
          if (cuts[index] !== true) continue;
          document = { [name]: document };
          name = "";
        }
        if (name !== "") document = { [name]: document };
        assert.deepEqual(read(names.join("."), document), values);
      },
    ),
  );
});

test("documentFields(): events of kinwatch's own have an id of their host, as its rules are told; others' do not", () => {
  const own = { event: { module: "kinwatch" } };
  const idOf = (document: unknown) => documentFields("host.id")?.read(document);
  assert.deepEqual(idOf({ ...own, host: { id: "7", name: "web-01" } }), ["7"]);
  assert.deepEqual(idOf({ ...own, host: { name: "web-01" } }), ["web-01"]);
  assert.deepEqual(idOf({ ...own, host: { os: { type: "linux" } } }), ["unnamed"]);
  assert.deepEqual(idOf({ host: { name: "web-01" } }), []);
});

test("documentFields(): types are those that ECS gives them", () => {
  const { fields } = JSON.parse(readFileSync(new URL("../samples/ecs-fields.json", import.meta.url), "utf8"));
  const served: Readonly<Record<string, string>> = {
    keyword: "keyword",
    constant_keyword: "keyword",
    wildcard: "wildcard",
    long: "long",
    integer: "long",
    boolean: "boolean",
    date: "date",
  };
  const wrong = Object.entries(fields as Record<string, { type: string }>).flatMap(([name, { type }]) => {
    const have = documentFields(name)?.type;
    return have === served[type] ? [] : [`${name}: ${have}, in ECS ${type}`];
  });
  assert.deepEqual(wrong, []);
});

test("documentFields(): a query sees what Elasticsearch would", () => {
  const document = {
    process: {
      args_count: "3",
      interactive: "true",
      command_line: "x".repeat(5_000),
      args: ["x".repeat(1_025), "-i"],
    },
    "process.start": "2026-01-01T12:00:00Z",
  };
  const query =
    "process.args_count >= 3 and process.interactive:true and process.command_line:x* and process.args:-i " +
    "and not process.args:x* and process.start > 2025-12-31 and not process.tty.char_device.major:*";
  const matches = compileKql(treeOf(query), documentFields);
  assert.ok(!(matches instanceof KqlError));
  assert.equal(matches(document), true);
});

test("documentFields(): what kinwatch cannot compare is no field", () => {
  for (const name of ["host.ip", "source.geo.location", "message", "event.risk_score", "labels"])
    assert.equal(documentFields(name), undefined, name);
});
