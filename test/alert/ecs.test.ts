import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ecsMistakes } from "../helpers/ecs.ts";

const alert = readFileSync(new URL("../samples/alert.json", import.meta.url), "utf8");

test("ecsMistakes(): the sample alert keeps to ECS", () =>
  assert.deepEqual(ecsMistakes(JSON.parse(alert)), []));

const rows: { why: string; set: Readonly<Record<string, unknown>>; want: readonly RegExp[] }[] = [
  {
    why: "a field that ECS does not know",
    set: { "process.ancestry": [] },
    want: [/^process\.ancestry: not in ECS/],
  },
  { why: "a set that ECS does not know", set: { rpm: { mode: "install" } }, want: [/^rpm: not in ECS/] },
  {
    why: "a set nested deeper than ECS nests it",
    set: { "process.parent.parent": { pid: 1 } },
    want: [/^process\.parent\.parent: not in ECS/],
  },
  {
    why: "a set nested as deep as ECS nests it",
    set: { "process.parent.user": { id: "0", name: "root" } },
    want: [],
  },
  {
    why: "a name with dots is the path that it says",
    set: { "container.id": "c0ffee", "kinwatch.x.y": [] },
    want: [],
  },
  { why: "anything below kinwatch", set: { "kinwatch.any": [[1], { a: { b: true } }] }, want: [] },
  { why: "null is no value", set: { "kinwatch.any": [null] }, want: [/^kinwatch\.any\.0: /] },
  { why: "undefined is no value", set: { "kinwatch.any": { a: undefined } }, want: [/^kinwatch\.any\.a: /] },
  {
    why: "the stream's own fields",
    set: { "data_stream.namespace": 1 },
    want: [/^data_stream\.namespace: no constant_keyword/],
  },
  { why: "a set that is an array", set: { threat: [] }, want: [/^threat: not an object/] },
  { why: "a set that is a value", set: { user: "root" }, want: [/^user: not an object/] },
  {
    why: "one value where ECS has an array",
    set: { "process.args": "rpm" },
    want: [/^process\.args: not an array/],
  },
  { why: "an array where ECS has one value", set: { "user.id": ["0"] }, want: [/^user\.id: an array/] },
  { why: "a number as a keyword", set: { "user.id": 0 }, want: [/^user\.id: no keyword: 0/] },
  { why: "text as a number", set: { "process.pid": "1" }, want: [/^process\.pid: no long/] },
  { why: "a fraction as a whole number", set: { "process.pid": 1.5 }, want: [/^process\.pid: no long/] },
  { why: "a fraction where ECS has one", set: { "event.risk_score": 1.5 }, want: [] },
  {
    why: "a number that JSON cannot hold",
    set: { "event.risk_score": Number.NaN },
    want: [/^event\.risk_score: no float/],
  },
  {
    why: "text as a truth",
    set: { "process.interactive": "true" },
    want: [/^process\.interactive: no boolean/],
  },
  {
    why: "a date that is milliseconds",
    set: { "event.created": 1_700_000_000_000 },
    want: [/^event\.created: no date/],
  },
  {
    why: "a date without a zone",
    set: { "event.created": "2026-11-24T12:00:00" },
    want: [/^event\.created: no date/],
  },
  {
    why: "a day that is none",
    set: { "event.created": "2026-13-24T12:00:00Z" },
    want: [/^event\.created: no date/],
  },
  {
    why: "a date object is not JSON",
    set: { "event.created": new Date(0) },
    want: [/^event\.created: no date/],
  },
  {
    why: "an address that is none",
    set: { "host.ip": ["192.0.2.17", "web-01"] },
    want: [/^host\.ip: no ip: "web-01"/],
  },
  { why: "an address of either kind", set: { "host.ip": ["192.0.2.17", "2001:db8::1"] }, want: [] },
  {
    why: "a place without its longitude",
    set: { "host.geo.location": { lat: 1 } },
    want: [/^host\.geo\.location: no geo_point/],
  },
  {
    why: "a flattened field takes any object",
    set: { "log.syslog.structured_data": { a: { b: 1 } } },
    want: [],
  },
  {
    why: "a flattened field takes no value",
    set: { "log.syslog.structured_data": "a" },
    want: [/^log\.syslog\.structured_data: no flattened/],
  },
  {
    why: "a nested field is an array of its fields",
    set: { "threat.enrichments": [{ indicator: { ip: "x" } }] },
    want: [/^threat\.enrichments\.indicator\.ip: no ip/],
  },
  {
    why: "a nested field holds objects",
    set: { "threat.enrichments": ["a"] },
    want: [/^threat\.enrichments: not an object/],
  },
  {
    why: "a keyword that would not be indexed",
    set: { "rule.name": "x".repeat(1025) },
    want: [/^rule\.name: longer than 1024/],
  },
  {
    why: "one element that would not be indexed",
    set: { "process.args": ["rpm", "x".repeat(1025)] },
    want: [/^process\.args: longer/],
  },
  { why: "a command line has no such bound", set: { "process.command_line": "x".repeat(5000) }, want: [] },
  {
    why: "a value that ECS does not allow",
    set: { "event.outcome": "pending" },
    want: [/^event\.outcome: pending is not allowed/],
  },
  {
    why: "a type that none of the categories has",
    set: { "event.type": ["start", "installation", "user"] },
    want: [/^event\.type: user belongs to none/],
  },
  {
    why: "a category without one of its types",
    set: { "event.type": ["end"] },
    want: [/^event\.category: package has none/],
  },
  {
    why: "a category that ECS does not know",
    set: { "event.category": ["package", "process", "rpm"] },
    want: [/^event\.category: rpm is not allowed/, /^event\.category: rpm has none/],
  },
  { why: "no time", set: { "@timestamp": undefined }, want: [/^@timestamp: no date/] },
  { why: "another version of ECS", set: { "ecs.version": "1.0.0" }, want: [/^ecs\.version: not 9/] },
];
for (const { why, set, want } of rows) {
  test(`ecsMistakes(): ${why}`, () => {
    const document = JSON.parse(alert);
    for (const [path, value] of Object.entries(set)) put(document, path, value);
    const mistakes = ecsMistakes(document);
    assert.equal(mistakes.length, want.length, mistakes.join("\n"));
    for (const [index, pattern] of want.entries()) assert.match(mistakes[index] ?? "", pattern);
  });
}

test("ecsMistakes(): says what every document needs", () => {
  assert.deepEqual(ecsMistakes({}), [
    "@timestamp: missing, every document needs it",
    "ecs.version: missing, every document needs it",
  ]);
  assert.deepEqual(ecsMistakes([]), ["(document): not an object"]);
});

/** Where a table on the way is missing, the rest is put as one name with dots, which means the same. */
function put(table: Record<string, unknown>, path: string, value: unknown): void {
  const dot = path.indexOf(".");
  const inner = table[path.slice(0, dot)];
  if (dot === -1 || typeof inner !== "object") table[path] = value;
  else put(inner as Record<string, unknown>, path.slice(dot + 1), value);
}
