/** A query selects the same events here as in a real Elasticsearch, and is refused here if it is there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileKql, type KqlFields } from "../../agent/rules/kql-match.ts";
import { parseKql } from "../../agent/rules/kql-syntax.ts";
import { KqlError, type KqlNode } from "../../agent/rules/kql-tree.ts";
import type { KqlType, KqlValue } from "../../agent/rules/kql-value.ts";
import { needsElasticsearch, startElasticsearch } from "../helpers/elasticsearch.ts";
import { flatField, type KqlEvent, kqlEvents, kqlFields, kqlQueries, kqlTypes } from "../helpers/kql.ts";
import { elasticsearchQuery, KqlIndex, type Selection, textBytesMax } from "../helpers/kql-elasticsearch.ts";
import { vectorFields, vectorPairs, vectorTypes } from "../helpers/kql-vectors.ts";

const seed = 20_260_101;
const toldMax = 5; // differences; each may be a page

/** Elasticsearch refuses these for want of means: it has no other opinion of what they select. */
const limits =
  /^failed to create query: (Determinizing automaton .* effort|Value .* is out of range for a long)/;

interface Compared {
  readonly query: string;
  readonly tree: KqlNode;
  readonly ours: Selection;
  readonly theirs: Selection;
}

/** @returns all that Elasticsearch has the means for */
async function assertSame(
  index: KqlIndex,
  events: readonly KqlEvent[],
  fields: KqlFields<KqlEvent>,
  queries: readonly string[],
): Promise<Compared[]> {
  const trees = queries.map(treeOf);
  const selections = await index.select(trees.map(elasticsearchQuery));
  assert.equal(selections.length, queries.length);
  const compared = selections.flatMap((theirs, at): Compared[] => {
    const [query, tree] = [queries[at], trees[at]];
    if (query === undefined || tree === undefined || limits.test(theirs.refused ?? "")) return [];
    return [{ query, tree, ours: select(tree, events, fields), theirs }];
  });
  const different = compared.filter(({ ours, theirs }) => !isSame(ours, theirs));
  const told = different.slice(0, toldMax).map((one) => `\n${tell(one, events)}`);
  assert.ok(different.length === 0, `${different.length} of ${queries.length} queries:${told.join("")}`);
  return compared;
}

function tell({ query, tree, ours, theirs }: Compared, events: readonly KqlEvent[]): string {
  const alone = (one: Selection, other: Selection): unknown =>
    one.refused ?? one.places.filter((place) => !other.places.includes(place)).map((place) => events[place]);
  const facts = {
    query,
    asked: elasticsearchQuery(tree),
    "kinwatch alone": alone(ours, theirs),
    "Elasticsearch alone": alone(theirs, ours),
  };
  const lines = Object.entries(facts).map(
    ([name, fact]) => `${name}: ${JSON.stringify(fact).slice(0, 1_000)}`,
  );
  return lines.join("\n");
}

function treeOf(text: string): KqlNode {
  const tree = parseKql(text);
  assert.ok(!(tree instanceof KqlError), `${text}: ${tree instanceof Error ? tree.message : ""}`);
  return tree;
}

function select(tree: KqlNode, events: readonly KqlEvent[], fields: KqlFields<KqlEvent>): Selection {
  const matches = compileKql(tree, fields);
  if (matches instanceof KqlError) return { places: [], refused: matches.message };
  return { places: events.flatMap((event, place) => (matches(event) ? [place] : [])) };
}

/** Whatever the reason for a refusal is. */
function isSame(one: Selection, other: Selection): boolean {
  if ((one.refused === undefined) !== (other.refused === undefined)) return false;
  return (
    one.places.length === other.places.length && one.places.every((place, at) => place === other.places[at])
  );
}

const texts = [
  ...["", "a", "A", "ab", "aba", " a ", "a\nb", "a*b", "a?b", "a\\b", '"', "5", "5.0", "true"],
  ...["é", "e\u0301", "\ud7ff", "\ue000", "\uffff", "\u{1f4e6}", "\u{10ffff}"], // UTF-16 has another order than UTF-8
  ...["x".repeat(1_024), "x".repeat(1_025), "\u{1f4e6}".repeat(512), "\u{1f4e6}".repeat(513)],
];

/** All that a field of a type may hold and be compared with, each with each. */
interface Values {
  readonly type: KqlType;
  readonly held: readonly (KqlValue | readonly KqlValue[])[];
  readonly asked: readonly string[];
  readonly refused: readonly string[]; // here alone: no rule means it
}
const values: readonly Values[] = [
  {
    type: "keyword",
    held: [...texts, 5, 1.5, true, [], ["a", "b"], ["a", "x".repeat(1_025)]],
    asked: texts,
    refused: [],
  },
  { type: "wildcard", held: [...texts, "x".repeat(textBytesMax), [], ["a", "b"]], asked: texts, refused: [] },
  {
    type: "long",
    held: [0, 1, -1, 5, 5.9, -5.9, "5", "5.9", "05", "1e1", 2 ** 53 - 1, -(2 ** 53) + 1, [], [1, 5]],
    asked: [
      ...["5", "05", "+5", "-1", "-5", "-0", "5.0", "5.5"],
      ...["-0.5", "5.", ".5e1", "5e0", "50e-1", "1e1", "1E1"],
      ...["1e400", "1e-400", "9007199254740991", "9223372036854775807", "9223372036854775808"],
      ...["99999999999999999999", "-99999999999999999999"],
      ...["", " 5", "5 ", "abc", "true", ".", "-", "e", "0x5", "5L", "5d", "5,0", "1_0", "\uff15"],
    ],
    refused: ["NaN", "Infinity"],
  },
  {
    type: "boolean",
    held: [true, false, "true", "false", [], [true, false]],
    asked: ["true", "false", "True", "TRUE", "1", "0", "", "yes", " true"],
    refused: [],
  },
  {
    type: "date",
    held: [
      ...["2026-01-01T00:00:00.000Z", "2026-01-01T12:34:56.789Z", "2026-01-31T23:59:59.999Z", "2026-02-01"],
      ...["2026-01-01T12:34:56.123456Z", "2026-01-01T01:00:00+01:00", "2024-02-29T12:00:00Z", "1969-12-31"],
      ...[1_767_225_600_000, "1767225600000", 0, -1, [], ["2026-01-01", "2027-01-01"]],
    ],
    asked: [
      ...["2026", "2026-01", "2026-01-01", "2026-01-01T", "2026-01-01T12", "2026-01-01T12:34"],
      ...["2026-01-01T12:34:56", "2026-01-01T12:34:56.7"],
      ...["2026-01-01T12:34:56.78", "2026-01-01T12:34:56.789"],
      ...["2026-01-01T12:34:56,789", "2026-01-01T12:34:56.7891", "2026-01-01T12:34:56.123456789Z"],
      ...["2026-01-01T12:34:56.1234567891Z", "2026-01-01T12:34:56.Z", "2026-01-01T12Z", "2026-01-01T12:34Z"],
      ...["2026-01-01T01:00:00+01:00", "2026-01-01T01:00:00+0100", "2026-01-01T01:00:00+01"],
      ...["2026-01-01T01:00+01:00", "2026-01-01T01+01:00", "2025-12-31T23:00:00-01:00"],
      ...["2026-01-01T01:00:00+1:00", "2026-01-01T01:00:00+18:00", "2026-01-01T01:00:00+18:01"],
      ...["2026-01-01T01:00:00-18:01", "2026-01-01T01:00:00+99:00", "2026-01-01T01:00:00+01:60"],
      ...["2026-01-01T00:00:00z", "2026-01-01t00:00:00Z", "2026-01-01Z", "2026-01-01+01:00"],
      ...["2026-01-01 00:00:00", " 2026-01-01", "2026-1-1", "2026-13-01", "2026-00-01", "2026-01-32"],
      ...["2026-02-29", "2024-02-29", "2026-04-31", "2026-01-01T24:00:00Z", "2026-01-01T25:00:00Z"],
      ...["2026-01-01T12:60:00Z", "2026-01-01T12:34:60Z", "2026-W01", "2026-001", "2026-W01-1"],
      ...["20260101", "0", "-1", "1", "12", "123", "1234", "12345", "1767225600000", "-1767225600000"],
      ...["+1767225600000", "9999-12-31", "12026-01-01", "+12026-01-01", "+2026-01-01", "abc", ""],
      ...["2026-01-01T12:34:56.789 Z", "2026-01-01T12:34:56[UTC]"],
    ],
    refused: [
      ...["now", "now-5m", "2026-01-01||/d", "2026-01-01||+1d", "1767225600000.5", "176722560000000000"],
      ...["0099-01-01", "-2026-01-01", "2026-01-01T12:34:56.789UTC"],
    ],
  },
];
const signs = [":", "<", "<=", ">", ">="];
const patterns = [
  ...["*", "**", "a*", "*a", "*a*", "a*a", "a**b", "a*b*a"],
  ...["*b*", "A*", "x*", "*x*x*", "5*", "t*e", "a?*", "?*"],
  ...["a\\**", "*\\**", "a\\\\*", "*\\\\*", "*\\n*", '*\\"*', "*é*", "*\u0301", "\u{1f4e6}*", "*\u{1f4e6}"],
];

test("compileKql(): selects what Elasticsearch selects", { skip: await needsElasticsearch() }, async (t) => {
  await using server = await startElasticsearch();

  await t.test("of generated events, with generated queries", async () => {
    const events = fc.sample(kqlEvents(), { seed, numRuns: 3_000 });
    const queries = fc.sample(kqlQueries(), { seed, numRuns: 1_000 }).map(({ text }) => text);
    const index = await KqlIndex.create(`${server.url}/generated`, kqlTypes, events);
    const compared = await assertSame(index, events, kqlFields, queries);
    assert.ok(compared.length > queries.length * 0.9, `Elasticsearch answers only ${compared.length}`);
    const selected = compared.reduce((sum, { ours }) => sum + ours.places.length, 0);
    const share = selected / events.length / compared.length;
    assert.ok(share > 0.1 && share < 0.9, `${share} of the events are selected: the test sees both`);
  });

  await t.test("of the events of all vectors, with the query of each", async () => {
    const fits = (event: KqlEvent) => Buffer.byteLength(String(event["w"])) <= textBytesMax;
    const pairs = vectorPairs().filter(({ event }) => fits(event));
    const events = pairs.map(({ event }) => event);
    const queries = [...new Set(pairs.map(({ query }) => query))];
    const index = await KqlIndex.create(`${server.url}/vectors`, vectorTypes, events);
    await assertSame(index, events, vectorFields, queries);
  });

  for (const { type, held, asked, refused } of values)
    await t.test(`of each value of a ${type}, with each condition`, async () => {
      const events = held.map((value) => ({ f: value }));
      const fields: KqlFields<KqlEvent> = (name) => flatField(name, type);
      const index = await KqlIndex.create(`${server.url}/${type}`, { f: type }, events);
      const conditions = asked.flatMap((value) =>
        signs.map((sign) => `f ${sign} "${value.replace(/[\\"]/g, "\\$&")}"`),
      );
      await assertSame(index, events, fields, [...conditions, ...patterns.map((pattern) => `f:${pattern}`)]);
      const trees = refused.map((value) => treeOf(`f:"${value}"`));
      for (const theirs of await index.select(trees.map(elasticsearchQuery)))
        assert.equal(theirs.refused, undefined);
      for (const tree of trees) assert.ok(compileKql(tree, fields) instanceof KqlError);
    });
});
