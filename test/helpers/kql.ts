/**
 * Random queries of the Kibana Query Language and random events for them, for whoever compares two readers of them. Values
 * come from few words, so that queries match often and almost-matches are frequent.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KqlField, KqlFields } from "../../agent/rules/kql-match.ts";
import { parseKql } from "../../agent/rules/kql-syntax.ts";
import { KqlError, type KqlNode } from "../../agent/rules/kql-tree.ts";
import type { KqlType, KqlValue } from "../../agent/rules/kql-value.ts";

/** What a field of an event holds; a field that is missing is not there. */
export type KqlEvent = Readonly<Record<string, KqlValue | readonly KqlValue[]>>;

/** A query as it is meant: lists of values spread over their field, no positions. */
export type KqlMeaning =
  | { readonly kind: "and" | "or"; readonly operands: readonly KqlMeaning[] }
  | { readonly kind: "not"; readonly operand: KqlMeaning }
  | { readonly kind: "exists"; readonly field: string }
  | { readonly kind: "equals"; readonly field: string; readonly value: string }
  | { readonly kind: "wildcard"; readonly field: string; readonly pieces: readonly string[] }
  | {
      readonly kind: "range";
      readonly field: string;
      readonly operator: "<" | "<=" | ">" | ">=";
      readonly value: string;
    };

export interface KqlQuery {
  readonly text: string;
  readonly meaning: KqlMeaning;
}

/** Of a query that is right. */
export function treeOf(text: string): KqlNode {
  const tree = parseKql(text);
  assert.ok(!(tree instanceof KqlError), text);
  return tree;
}

/** Elasticsearch: keyword with ignore_above 1024, wildcard (or keyword without a limit), long, boolean, date. */
export const kqlTypes: Readonly<Record<string, KqlType>> = {
  "process.name": "keyword", // always the base name of the next
  "process.executable": "keyword",
  "process.args": "keyword",
  "process.command_line": "wildcard",
  "process.args_count": "long",
  "process.interactive": "boolean",
  "process.start": "date",
  "process.parent.name": "keyword",
};

/** A field of events that are flat. */
export const kqlFields: KqlFields<KqlEvent> = (name) => flatField(name, kqlTypes[name]);

export function flatField(name: string, type: KqlType | undefined): KqlField<KqlEvent> | undefined {
  return type && { type, read: (event) => event[name] };
}

const names = ["rpm", "rpmdb", "RPM", "dnf", "sh", "a.b", "r*m", "x y", "é", "\ufffd", "\u{1f4e6}"];
const paths = names.flatMap((name) => [`/usr/bin/${name}`, `/opt/rpm/${name}`]);
const words = [
  "-i",
  "--install",
  "",
  "a",
  "ab",
  "aba",
  "a\nb",
  "/",
  "*",
  "?",
  "\\",
  '"',
  "and",
  "not x",
  " a ",
  "(a:b)",
];
const longWords = ["x".repeat(1024), "x".repeat(1025)];
const texts: Readonly<Record<string, readonly string[]>> = {
  "process.name": names,
  "process.parent.name": names,
  "process.executable": paths,
  "process.args": [...words, ...longWords, "rpm", "true", "5", "null"],
  "process.command_line": [...words, ...longWords, "rpm -i a.rpm", "rpm  -i"],
};
const numbers = [-1, 0, 1, 2, 10, 11];
const dates = [
  "2026-01-01T00:00:00.000Z",
  "2026-01-31T23:59:59.999Z",
  "2026-02-01T00:00:00.000Z",
  "2026-02-01T12:30:00.000Z",
];

export function kqlEvents(): fc.Arbitrary<KqlEvent> {
  const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
  const some = (field: string) => fc.array(fc.constantFrom(...(texts[field] ?? [])), { maxLength: 3 });
  return fc
    .record({
      "process.executable": optional(fc.constantFrom(...paths)),
      "process.args": optional(some("process.args")),
      "process.command_line": optional(fc.constantFrom(...(texts["process.command_line"] ?? []))),
      "process.args_count": optional(fc.constantFrom(...numbers)),
      "process.interactive": optional(fc.boolean()),
      "process.start": optional(fc.constantFrom(...dates)),
      "process.parent.name": optional(fc.oneof(fc.constantFrom(...names), some("process.parent.name"))),
    })
    .map((event) => {
      const executable = event["process.executable"];
      const name = executable?.slice(executable.lastIndexOf("/") + 1);
      const all = Object.entries({ ...event, "process.name": name });
      return Object.fromEntries(
        all.flatMap(([field, value]) => (value === undefined ? [] : [[field, value]])),
      );
    });
}

/** How closely its parts hold together: what binds less than its surroundings needs parentheses. */
type Level = "or" | "and" | "not" | "one";
interface Part extends KqlQuery {
  readonly level: Level;
}

const blanks = fc.constantFrom(" ", " ", " ", "  ", "\n", "\t", "\r\n", "\u00a0");
const maybeBlanks = fc.constantFrom("", "", "", " ", "\n ");

/** Every one is accepted by Kibana and Elasticsearch: values fit the types of their fields. */
export function kqlQueries(): fc.Arbitrary<KqlQuery> {
  const conditions = fc.oneof(...Object.keys(kqlTypes).map(conditionOn));
  return fc
    .tuple(maybeBlanks, compound(conditions, 3), maybeBlanks)
    .map(([before, { text, meaning }, after]) => ({ text: before + text + after, meaning }));
}

function conditionOn(field: string): fc.Arbitrary<Part> {
  const range = fc
    .tuple(
      fc.constantFrom("<" as const, "<=" as const, ">" as const, ">=" as const),
      writtenValue(field),
      maybeBlanks,
      maybeBlanks,
    )
    .map(
      ([operator, { text, value }, before, after]): Part => ({
        text: field + before + operator + after + text,
        meaning: { kind: "range", field, operator, value },
        level: "one",
      }),
    );
  const values = fc
    .tuple(compound(leafOf(field), 2), fc.boolean(), maybeBlanks, maybeBlanks)
    .map(([{ text, meaning, level }, inParentheses, before, after]): Part => {
      const list = level === "one" && !inParentheses ? text : `(${before}${text}${after})`;
      return { text: `${field}${before}:${after}${list}`, meaning, level: "one" };
    });
  return fc.oneof({ weight: 1, arbitrary: range }, { weight: 4, arbitrary: values });
}

/** and, or and not of such parts, with no more parentheses than needed, or with more. */
function compound(part: fc.Arbitrary<Part>, depth: number): fc.Arbitrary<Part> {
  if (depth === 0) return part;
  const inner = fc.oneof({ weight: 2, arbitrary: part }, { weight: 1, arbitrary: compound(part, depth - 1) });
  const junction = fc
    .tuple(
      fc.constantFrom("and" as const, "or" as const),
      fc.array(inner, { minLength: 2, maxLength: 3 }),
      fc.boolean(),
      blanks,
      blanks,
    )
    .map(
      ([kind, parts, upper, before, after]): Part => ({
        text: parts
          .map((operand) => inside(operand, operand.level === "or" || operand.level === kind))
          .join(before + (upper ? kind.toUpperCase() : kind) + after),
        meaning: { kind, operands: parts.map((operand) => operand.meaning) },
        level: kind,
      }),
    );
  const not = fc.tuple(fc.constantFrom("not", "NOT", "Not"), blanks, inner).map(
    ([word, gap, operand]): Part => ({
      text: word + gap + inside(operand, operand.level !== "one"),
      meaning: { kind: "not", operand: operand.meaning },
      level: "not",
    }),
  );
  const extra = inner.map((operand): Part => ({ ...operand, text: `( ${operand.text} )`, level: "one" }));
  return fc.oneof(
    { weight: 3, arbitrary: part },
    { weight: 4, arbitrary: junction },
    { weight: 2, arbitrary: not },
    { weight: 1, arbitrary: extra },
  );
}

function inside({ text }: Part, needsParentheses: boolean): string {
  return needsParentheses ? `(${text})` : text;
}

function leafOf(field: string): fc.Arbitrary<Part> {
  const equals = writtenValue(field).map(
    ({ text, value }): Part => ({
      text,
      meaning: { kind: "equals", field, value },
      level: "one",
    }),
  );
  const exists = fc.constant<Part>({ text: "*", meaning: { kind: "exists", field }, level: "one" });
  if (texts[field] === undefined)
    return fc.oneof({ weight: 5, arbitrary: equals }, { weight: 1, arbitrary: exists });
  return fc.oneof(
    { weight: 5, arbitrary: equals },
    { weight: 1, arbitrary: exists },
    { weight: 3, arbitrary: patternOf(field) },
  );
}

/** Parts of a word that the field may have, with stars for the rest, or with stars where nothing is missing. */
function patternOf(field: string): fc.Arbitrary<Part> {
  return fc
    .tuple(
      fc.constantFrom(...(texts[field] ?? [])),
      fc.array(fc.nat({ max: 12 }), { minLength: 2, maxLength: 6 }),
    )
    .map(([word, cuts]): Part => {
      const at = cuts.map((cut) => Math.min(cut, word.length)).sort((a, b) => a - b);
      const pieces = [word.slice(0, at[0])];
      for (let index = 1; index < at.length; index += 2) pieces.push(word.slice(at[index], at[index + 1]));
      const kept = pieces.map((piece) => piece.toWellFormed());
      const ends = kept.with(0, (kept[0] ?? "").trimStart());
      const trimmed = ends.with(-1, (ends.at(-1) ?? "").trimEnd());
      const isLone = trimmed.length === 2 && trimmed.every((piece) => piece === "");
      const meaning: KqlMeaning = isLone
        ? { kind: "exists", field }
        : { kind: "wildcard", field, pieces: trimmed };
      return { text: trimmed.map(escaped).join("*"), meaning, level: "one" };
    });
}

function writtenValue(field: string): fc.Arbitrary<{ readonly text: string; readonly value: string }> {
  return fc.tuple(plainValueOf(field), fc.boolean()).map(([value, quoted]) => {
    const bare = escaped(value);
    const needsQuotes = value !== value.trim() || value === "" || value === "null";
    return { text: quoted || needsQuotes ? inQuotes(value) : bare, value };
  });
}

function plainValueOf(field: string): fc.Arbitrary<string> {
  const words = texts[field];
  if (words) return fc.constantFrom(...words);
  if (kqlTypes[field] === "boolean") return fc.constantFrom("true", "false");
  if (kqlTypes[field] === "date")
    return fc.constantFrom(...dates, "2026-01-31", "2026-02", "2026", "1769904000000");
  return fc.constantFrom(...numbers.map(String), "01", "1.0", "1.5", "1e1");
}

function inQuotes(value: string): string {
  return `"${value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

/** Bare: signs and keywords with backslashes; of a keyword the first letter by its number, for `\not` would be a new line. */
function escaped(value: string): string {
  return value
    .replace(/[\\():<>"*{}]/g, "\\$&")
    .replaceAll("\n", "\\n")
    .replace(/and|or|not/gi, (word) => `\\u00${word.charCodeAt(0).toString(16)}${word.slice(1)}`);
}
