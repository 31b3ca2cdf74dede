import assert from "node:assert/strict";
import { test } from "node:test";
import { differencesOf } from "../../agent/fleet/difference.ts";

const rows: readonly { why: string; have: unknown; want: unknown; is: unknown[] }[] = [
  { why: "none where nothing differs", have: { a: { b: [1, "x"] } }, want: { a: { b: [1, "x"] } }, is: [] },
  {
    why: "none where the server writes numbers and truths as text, and dots as objects",
    have: { template: { settings: { index: { lifecycle: { prefer_ilm: "false" } } } }, priority: "250" },
    want: { template: { settings: { "index.lifecycle.prefer_ilm": false } }, priority: 250 },
    is: [],
  },
  {
    why: "none in what the server adds of its own",
    have: { created_date_millis: 1, data_stream: { hidden: false, allow_custom_routing: false } },
    want: { data_stream: { hidden: false } },
    is: [],
  },
  {
    why: "a value that is another",
    have: { template: { lifecycle: { data_retention: "7d" } } },
    want: { template: { lifecycle: { data_retention: "365d" } } },
    is: [{ path: "template.lifecycle.data_retention", have: "7d", want: "365d" }],
  },
  {
    why: "a value that is missing",
    have: {},
    want: { priority: 250 },
    is: [{ path: "priority", have: undefined, want: "250" }],
  },
  {
    why: "a field that somebody added",
    have: { template: { mappings: { properties: { x: { type: "keyword" } } } } },
    want: {},
    is: [{ path: "template.mappings.properties.x.type", have: "keyword", want: undefined }],
  },
  {
    why: "a list in another order",
    have: { composed_of: ["b", "a"] },
    want: { composed_of: ["a", "b"] },
    is: [{ path: "composed_of", have: '["b","a"]', want: '["a","b"]' }],
  },
  {
    why: "a template of plain indices, without data streams",
    have: { index_patterns: ["a"] },
    want: { index_patterns: ["a"], data_stream: { hidden: false } },
    is: [{ path: "data_stream.hidden", have: undefined, want: "false" }],
  },
  {
    why: "data streams that are hidden",
    have: { data_stream: { hidden: true } },
    want: { data_stream: { hidden: false } },
    is: [{ path: "data_stream.hidden", have: "true", want: "false" }],
  },
];
for (const { why, have, want, is } of rows) {
  test(`differencesOf(): ${why}`, () => assert.deepEqual(differencesOf(have, want), is));
}
