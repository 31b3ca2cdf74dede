import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { streams } from "../../agent/fleet/field.ts";
import { fields } from "../../agent/fleet/fields.ts";
import { documentFields } from "../../agent/rules/document-fields.ts";
import { isOfEcsType } from "../helpers/ecs.ts";
import { fieldValues, fullAlerts, fullEvents } from "../helpers/full-documents.ts";

const ecs: { readonly fields: Readonly<Record<string, { readonly type: string }>> } = JSON.parse(
  readFileSync(new URL("../samples/ecs-fields.json", import.meta.url), "utf8"),
);

test("fields: each is there once, has a stream, and says in a sentence what it means", () => {
  assert.equal(new Set(fields.map(({ name }) => name)).size, fields.length);
  for (const { name, meaning, streams: where } of fields) {
    assert.match(name, /^(@timestamp|[a-z_]+(\.[a-z_]+)*)$/);
    assert.match(meaning, /^[A-Za-z][^%]+\.$/, name);
    assert.ok(where.length > 0 && where.every((stream) => streams.includes(stream)), name);
  }
});

test("fields: none is an object in whole and a value by itself", () => {
  const names = new Set(fields.map(({ name }) => name));
  const above = fields.flatMap(({ name }) => {
    const parts = name.split(".");
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("."));
  });
  assert.deepEqual(
    above.filter((name) => names.has(name)),
    [],
  );
});

test("fields: what is not below kinwatch has the type that ECS gives it, and ECS knows it", () => {
  const wrong = fields
    .filter(({ name, isEcs, type }) => isEcs && ecs.fields[name]?.type !== type)
    .map(({ name, type }) => `${name}: ${type}, in ECS ${ecs.fields[name]?.type}`);
  assert.deepEqual(wrong, []);
});

test("fields: a query of kinwatch's own takes each as the server does", () => {
  const asked: Readonly<Record<string, string | undefined>> = {
    constant_keyword: "keyword",
    match_only_text: undefined,
    float: undefined,
    ip: undefined,
  };
  const wrong = fields.flatMap(({ name, type }) => {
    const have = documentFields(name)?.type;
    const want = type in asked ? asked[type] : type;
    return have === want ? [] : [`${name}: ${have}, to the server ${type}`];
  });
  assert.deepEqual(wrong, []);
});

for (const [stream, documents] of [
  ["alerts", fullAlerts],
  ["events", fullEvents],
] as const) {
  test(`fields: those of ${stream} are what such documents have, and none besides`, () => {
    const values = documents.flatMap((document) => fieldValues(JSON.parse(JSON.stringify(document))));
    const made = new Set(values.map(([name]) => name));
    const known = fields.filter((field) => field.streams.includes(stream)).map(({ name }) => name);
    assert.deepEqual([...made].filter((name) => !known.includes(name)).sort(), [], "in documents only");
    assert.deepEqual(
      known.filter((name) => !made.has(name)),
      [],
      "in the list only",
    );
    const typeOf = new Map(fields.map(({ name, type }) => [name, type]));
    const wrong = values.filter(([name, value]) => !isOfEcsType(typeOf.get(name) ?? "", value));
    assert.deepEqual(wrong, [], "of another type");
  });
}
