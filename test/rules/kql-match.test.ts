import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileKql, type KqlFields, type KqlMatcher } from "../../agent/rules/kql-match.ts";
import { parseKql } from "../../agent/rules/kql-syntax.ts";
import { KqlError, type KqlNode } from "../../agent/rules/kql-tree.ts";
import type { KqlValue } from "../../agent/rules/kql-value.ts";
import {
  type KqlEvent,
  type KqlMeaning,
  kqlEvents,
  kqlFields,
  kqlQueries,
  kqlTypes,
} from "../helpers/kql.ts";
import { vectorFields, vectorPairs } from "../helpers/kql-vectors.ts";

function treeOf(text: string): KqlNode {
  const tree = parseKql(text);
  assert.ok(!(tree instanceof KqlError), `${text}: ${tree instanceof Error ? tree.message : ""}`);
  return tree;
}

function matcherOf(text: string, fields: KqlFields<KqlEvent>): KqlMatcher<KqlEvent> {
  const matches = compileKql(treeOf(text), fields);
  assert.ok(!(matches instanceof KqlError), `${text}: ${matches instanceof Error ? matches.message : ""}`);
  return matches;
}

const pairs = vectorPairs();
const short = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}… (${text.length})` : text);
for (const { why, query, event, want } of pairs) {
  const title = short(`${JSON.stringify(query)} ${want ? "matches" : "leaves"} ${JSON.stringify(event)}`);
  test(`compileKql(): ${why}: ${title}`, () => {
    assert.equal(matcherOf(query, vectorFields)(event), want);
    assert.equal(matcherOf(`not (${query})`, vectorFields)(event), !want, "not is the opposite, always");
  });
}

test("kqlVectors: there are at least 300 of them, as many that match as not, roughly", () => {
  const matching = pairs.filter(({ want }) => want).length;
  assert.ok(pairs.length >= 300, `${pairs.length}`);
  assert.ok(
    matching > pairs.length / 3 && matching < (pairs.length * 2) / 3,
    `${matching} of ${pairs.length}`,
  );
});

/** «…» is what the error points at. */
const refused = [
  {
    why: "a field that nobody knows",
    query: "process.name:a and «process.nme»:b",
    want: /no.* field "process.nme"/i,
  },
  { why: "such a field in a list", query: "«x»:(a or b)", want: /field "x"/ },
  {
    why: "text for a number",
    query: "process.args_count:(1 or «many»)",
    want: /is a number, and "many" is none/,
  },
  { why: "nothing for a number", query: 'process.args_count:«""»', want: /is none/ },
  { why: "a hexadecimal number", query: "process.args_count:«0x10»", want: /is none/ },
  { why: "a number of two words", query: "process.args_count:«1 2»", want: /is none/ },
  { why: "a text as a bound of a number", query: "process.args_count > «a»", want: /is none/ },
  { why: "a pattern for a number", query: "«process.args_count:1*»", want: /no wildcard/ },
  { why: "a pattern for a boolean", query: "«process.interactive:t*»", want: /no wildcard/ },
  { why: "a capital boolean", query: "process.interactive:«True»", want: /true or false/ },
  { why: "a number for a boolean", query: "process.interactive:«1»", want: /true or false/ },
  {
    why: "a date that depends on the clock",
    query: "process.start > «now-5m»",
    want: /is a date .* "now-5m" is none/,
  },
  { why: "a day that is none", query: "process.start:«2026-02-30»", want: /is none/ },
  { why: "an hour that is none", query: 'process.start:«"2026-02-01T25:00:00Z"»', want: /is none/ },
  { why: "a month that is none", query: "process.start:«2026-13»", want: /is none/ },
  { why: "a zone that is none", query: 'process.start:«"2026-02-01T12:00:00+18:01"»', want: /is none/ },
] as const;
for (const { why, query, want } of refused) {
  test(`compileKql(): refuses ${why}, and says where`, () => {
    const error = compileKql(treeOf(query.replace(/[«»]/g, "")), kqlFields);
    assert.ok(error instanceof KqlError);
    assert.match(error.message, want);
    const place = { start: query.indexOf("«"), end: query.indexOf("»") - 1, kind: "field" };
    assert.deepEqual({ start: error.start, end: error.end, kind: error.kind }, place);
  });
}

/** A second evaluator: over what the query means, value by value, in the plainest way there is. */
function naively(meaning: KqlMeaning, event: KqlEvent): boolean {
  switch (meaning.kind) {
    case "and":
      return meaning.operands.every((operand) => naively(operand, event));
    case "or":
      return meaning.operands.some((operand) => naively(operand, event));
    case "not":
      return !naively(meaning.operand, event);
    default: {
      const type = kqlTypes[meaning.field] ?? "keyword";
      const held = [event[meaning.field] ?? []].flat() as KqlValue[];
      const indexed = held.filter((value) => type !== "keyword" || String(value).length <= 1024);
      if (meaning.kind === "exists") return indexed.length > 0;
      if (meaning.kind === "wildcard")
        return indexed.some((value) =>
          naiveWildcard([...meaning.pieces.join("\u{10ffff}")], [...String(value)]),
        );
      const compare = type === "long" || type === "date" ? compareNumbers : compareTexts;
      return indexed.some((value) => {
        const [low, high] = type === "date" ? daySpan(meaning.value) : [meaning.value, meaning.value];
        const given = type === "date" ? String(Date.parse(String(value))) : String(value);
        if (meaning.kind === "equals") return compare(given, low) >= 0 && compare(given, high) <= 0;
        if (meaning.operator === "<") return compare(given, low) < 0;
        if (meaning.operator === "<=") return compare(given, high) <= 0;
        return meaning.operator === ">" ? compare(given, high) > 0 : compare(given, low) >= 0;
      });
    }
  }
}

const compareNumbers = (a: string, b: string): number => Number(a) - Number(b);
const compareTexts = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Of what the generator writes: milliseconds, a moment to the millisecond, or a day; a month or a year is its first day. */
function daySpan(text: string): [string, string] {
  if (/^\d{13}$/.test(text)) return [text, text];
  const from = Date.parse(text);
  return [String(from), String(from + (text.length <= 10 ? 86_400_000 - 1 : 0))];
}

/** By table: row by row, how much of the pattern can have matched so much of the text. */
function naiveWildcard(pattern: readonly string[], text: readonly string[]): boolean {
  let row = text.map(() => false);
  row = [true, ...row];
  for (const sign of pattern) {
    const next = row.map(() => false);
    for (let at = 0; at <= text.length; at++) {
      if (sign === "\u{10ffff}") next[at] = row[at] === true || next[at - 1] === true;
      else next[at] = at > 0 && row[at - 1] === true && text[at - 1] === sign;
    }
    row = next;
  }
  return row.at(-1) === true;
}

/** Without positions, as the generator means it. */
function meaningOf(node: KqlNode): KqlMeaning {
  if (node.kind === "not") return { kind: "not", operand: meaningOf(node.operand) };
  if (node.kind === "and" || node.kind === "or")
    return { kind: node.kind, operands: node.operands.map(meaningOf) };
  const field = node.field.text;
  if (node.kind === "exists") return { kind: "exists", field };
  if (node.kind === "wildcard") return { kind: "wildcard", field, pieces: node.pieces };
  if (node.kind === "equals") return { kind: "equals", field, value: node.value.text };
  return { kind: "range", field, operator: node.operator, value: node.value.text };
}

test("parseKql(): gives back what was written, whatever it is", () => {
  const property = fc.property(kqlQueries(), ({ text, meaning }) => {
    assert.deepEqual(meaningOf(treeOf(text)), meaning);
  });
  fc.assert(property, { numRuns: 3_000 });
});

test("compileKql(): agrees with the plain reading of any query, on any event", () => {
  let matched = 0;
  let asked = 0;
  const events = fc.array(kqlEvents(), { minLength: 5, maxLength: 5 });
  const property = fc.property(kqlQueries(), events, ({ text, meaning }, given) => {
    const matches = matcherOf(text, kqlFields);
    for (const event of given) {
      const want = naively(meaning, event);
      matched += Number(want);
      asked++;
      assert.equal(matches(event), want, `${text} on ${JSON.stringify(event).slice(0, 500)}`);
    }
  });
  fc.assert(property, { numRuns: 3_000 });
  assert.ok(
    matched > asked / 10 && matched < (asked * 9) / 10,
    `${matched} of ${asked} match: the test sees both`,
  );
});

test("compileKql(): any pattern of few letters agrees with the table, on any text of them", () => {
  const word = (maxLength: number) => fc.string({ unit: fc.constantFrom("a", "b"), maxLength });
  const short = fc.tuple(fc.array(word(3), { minLength: 2, maxLength: 4 }), word(10));
  const long = fc
    .array(fc.tuple(word(6), fc.integer({ min: 6, max: 12 })), { minLength: 2, maxLength: 4 })
    .map((repeated): [string[], string] => {
      const pieces = repeated.map(([text, times]) => text.repeat(times));
      return [pieces, `b${pieces.join("ab")}a`.repeat(2)];
    });
  const property = fc.property(fc.oneof(short, long), fc.nat({ max: 3 }), ([pieces, text], from) => {
    const given = text.slice(from);
    const want = naiveWildcard([...pieces.join("\u{10ffff}")], [...given]);
    assert.equal(
      matcherOf(`w:${pieces.join("*")}`, vectorFields)({ w: given }),
      want,
      `${pieces} on ${given}`,
    );
  });
  fc.assert(property, { numRuns: 5_000 });
});

/** Made so that a matcher that tries again takes a time that grows with the square of the size, or worse. */
const catastrophes = [
  { why: "stars", pattern: () => "*a*a*a*a*a*a*a*a*a*a*b", text: "a" },
  { why: "as many stars as can be", pattern: (size: number) => `${"*a".repeat(size / 64)}*b*`, text: "a" },
  {
    why: "a long piece, wrong at its beginning",
    pattern: (size: number) => `*b${"a".repeat(size / 32)}*`,
    text: "a",
  },
  {
    why: "a long piece, wrong at its end",
    pattern: (size: number) => `*${"a".repeat(size / 32)}b*`,
    text: "a",
  },
  {
    why: "a long piece, wrong in its middle",
    pattern: (size: number) => `*${"a".repeat(size / 64)}b${"a".repeat(size / 64)}*`,
    text: "a",
  },
  {
    why: "a long piece of two letters",
    pattern: (size: number) => `*bb${"ab".repeat(size / 64)}*`,
    text: "ab",
  },
  { why: "a short piece", pattern: () => `*b${"a".repeat(30)}*`, text: "a" },
];
for (const { why, pattern, text } of catastrophes) {
  test(`compileKql(): ${why}: of a megabyte takes longer as it is longer, not more`, () => {
    const timeOf = (size: number, rounds: number): number => {
      const matches = matcherOf(`w:${pattern(size)}`, vectorFields);
      const event = { w: text.repeat(size / text.length) };
      const measured = Array.from({ length: rounds }, () => {
        const start = performance.now();
        assert.equal(matches(event), false);
        return performance.now() - start;
      });
      return Math.min(...measured);
    };
    const small = timeOf(65_536, 50);
    const ratio = timeOf(1_048_576, 5) / Math.max(small, 0.02);
    assert.ok(
      ratio < 64,
      `16 times as much took ${ratio.toFixed(1)} times the time; squared it would be 256`,
    );
  });
}
