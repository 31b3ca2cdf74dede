/**
 * Does one value of a field satisfy one condition? As Elasticsearch has it for the type in its mapping: text byte by byte
 * (its keyword family), all others as numbers.
 */
import { readDate } from "./kql-date.ts";
import { KqlError, type KqlLeaf, type KqlRange, type KqlText, shown } from "./kql-tree.ts";
import { compileWildcard } from "./kql-wildcard.ts";

export type KqlType = "keyword" | "wildcard" | "long" | "boolean" | "date"; // wildcard: text of any length
export type KqlValue = string | number | boolean;
export type ValueTest = (value: KqlValue) => boolean;

/** ignore_above of ECS's keywords, in UTF-16 units (Java's String.length); a longer element is as good as not there. */
const KEYWORD_MAX = 1_024;

/** What Elasticsearch keeps of a value in its index. undefined: nothing, so that the field may as well be missing */
export function indexed(value: KqlValue, type: KqlType): KqlValue | undefined {
  if (type !== "keyword" && type !== "wildcard") {
    const number = valueNumber(value, type);
    return type === "boolean" && number !== undefined ? number === 1 : number;
  }
  const text = String(value);
  return type === "keyword" && text.length > KEYWORD_MAX ? undefined : text;
}

/** @throws KqlError when a field of this type cannot have such a value: Elasticsearch would refuse the query */
export function compileValue(leaf: KqlLeaf, type: KqlType): ValueTest {
  if (type !== "keyword" && type !== "wildcard") return compileNumber(leaf, type);
  return ofText(type, compileText(leaf));
}

/** One test for several values of which any will do. */
export function compileValues(leaves: readonly KqlLeaf[], type: KqlType): ValueTest {
  const texts = leaves.flatMap((leaf) => (leaf.kind === "equals" ? [leaf.value.text] : []));
  if ((type !== "keyword" && type !== "wildcard") || texts.length < 2) {
    const tests = leaves.map((leaf) => compileValue(leaf, type));
    return (value) => tests.some((test) => test(value));
  }
  const known = new Set(texts);
  const others = leaves.filter((leaf) => leaf.kind !== "equals").map(compileText);
  return ofText(type, (text) => known.has(text) || others.some((test) => test(text)));
}

function ofText(type: "keyword" | "wildcard", matches: (text: string) => boolean): ValueTest {
  const lengthMax = type === "keyword" ? KEYWORD_MAX : Number.POSITIVE_INFINITY;
  return (value) => {
    const text = typeof value === "string" ? value : String(value);
    return text.length <= lengthMax && matches(text);
  };
}

function compileText(leaf: KqlLeaf): (text: string) => boolean {
  if (leaf.kind === "exists") return () => true;
  if (leaf.kind === "wildcard") return compileWildcard(leaf.pieces);
  const bound = leaf.value.text;
  if (leaf.kind === "equals") return (text) => text === bound;
  switch (leaf.operator) {
    case "<":
      return (text) => compareBytes(text, bound) < 0;
    case "<=":
      return (text) => compareBytes(text, bound) <= 0;
    case ">":
      return (text) => compareBytes(text, bound) > 0;
    case ">=":
      return (text) => compareBytes(text, bound) >= 0;
  }
}

/** In the order of UTF-8's bytes, which is that of code points: UTF-16 puts surrogates before U+E000. */
function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const one = a.charCodeAt(at);
    const other = b.charCodeAt(at);
    if (one !== other) return rankOf(one) - rankOf(other);
  }
  return a.length - b.length;
}

function rankOf(unit: number): number {
  return 0xd800 <= unit && unit <= 0xdfff ? unit + 0x10000 : unit;
}

type NumberType = Exclude<KqlType, "keyword" | "wildcard">;
type Interval = readonly [from: number, to: number]; // both belong to it; empty when they are the wrong way round
const everything: Interval = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

const typeNames: Readonly<Record<NumberType, string>> = {
  long: "a number",
  boolean: "true or false",
  date: "a date (2026-01-31, 2026-01-31T12:00:00Z or milliseconds)",
};

function compileNumber(leaf: KqlLeaf, type: NumberType): ValueTest {
  if (leaf.kind === "wildcard")
    throw new KqlError(
      "field",
      leaf,
      `${shown(leaf.field.text)} is ${typeNames[type]}, which no wildcard can match`,
      "Write a whole value, a range, or a star alone",
    );
  const [from, to] = leaf.kind === "exists" ? everything : intervalOf(leaf, type);
  return (value) => {
    const number = valueNumber(value, type);
    return number !== undefined && from <= number && number <= to;
  };
}

function intervalOf(
  leaf: { field: KqlText; value: KqlText; operator?: KqlRange["operator"] },
  type: NumberType,
): Interval {
  const span = spanOf(leaf.value.text, type);
  if (span === undefined)
    throw new KqlError(
      "field",
      leaf.value,
      `${shown(leaf.field.text)} is ${typeNames[type]}, and ${shown(leaf.value.text)} is none`,
      "Correct the value or the field",
    );
  const [from, to] = span;
  switch (leaf.operator) {
    case "<":
      return [everything[0], from - 1];
    case "<=":
      return [everything[0], to];
    case ">":
      return [to + 1, everything[1]];
    case ">=":
      return [from, everything[1]];
    default:
      return span;
  }
}

/** The values of the type that a text of the query names. None for 5.5 (from 6 to 5): a long cannot be it, only above or below. */
function spanOf(text: string, type: NumberType): Interval | undefined {
  if (type === "date") {
    const span = readDate(text);
    return span && [span.from, span.to];
  }
  const number = type === "long" ? readNumber(text) : readBoolean(text);
  return number === undefined ? undefined : [Math.ceil(number), Math.floor(number)];
}

/** As an event's value is indexed: numbers in quotes count, and what is behind the point of a long is cut off. */
function valueNumber(value: KqlValue, type: NumberType): number | undefined {
  if (type === "boolean") return readBoolean(String(value));
  if (typeof value === "boolean") return undefined;
  if (type === "date") return typeof value === "number" ? value : readDate(value)?.from;
  const number = typeof value === "number" ? value : readNumber(value);
  return number === undefined ? undefined : Math.trunc(number);
}

/** What Java's BigDecimal reads: "05" and "5.0" are 5, "1e3" is 1000; hexadecimal and blanks are refused. */
function readNumber(text: string): number | undefined {
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

function readBoolean(text: string): number | undefined {
  if (text === "true") return 1;
  return text === "false" ? 0 : undefined;
}
