/**
 * Reads a query of the Kibana Query Language. What Kibana takes is taken and means the same, or it is refused with its
 * reason; recursion goes as deep as parentheses do, and those are limited.
 */
import { endOfKeyword, isBlank, isWord, type KqlLiteral, readLiteral, skipBlanks } from "./kql-literal.ts";
import {
  KqlError,
  type KqlLeaf,
  type KqlNode,
  type KqlRange,
  type KqlSpan,
  type KqlText,
  shown,
} from "./kql-tree.ts";

const LENGTH_MAX = 65_536; // far more than a person writes; reading it takes milliseconds
const DEPTH_MAX = 100; // Elasticsearch's own limit is 30 (indices.query.bool.max_nested_depth)

const keywords = ["and", "or", "not"];

/** Never throws: what is wrong with the query is a value. */
export function parseKql(text: string): KqlNode | KqlError {
  try {
    return new Parser(text).query();
  } catch (error) {
    if (error instanceof KqlError) return error;
    throw error;
  }
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  query(): KqlNode {
    const { length } = this.#text;
    if (length > LENGTH_MAX)
      throw new KqlError(
        "limit",
        { start: LENGTH_MAX, end: length },
        `The query has ${length} characters, and ${LENGTH_MAX} are allowed`,
        "Make several rules of it",
      );
    this.#skipBlanks();
    if (this.#at === length)
      throw new KqlError(
        "unserved",
        this.#here(),
        "The query is empty",
        "Name a field and a value: field:value",
      );
    const tree = this.#either(() => this.#condition());
    this.#skipBlanks();
    if (this.#at < length) throw this.#unexpected('"and", "or" or the end');
    return tree;
  }

  /** not binds closer than and, and closer than or. */
  #either(term: () => KqlNode): KqlNode {
    return this.#joined("or", () => this.#joined("and", () => this.#negated(term)));
  }

  #joined(kind: "and" | "or", next: () => KqlNode): KqlNode {
    const first = next();
    const operands = [first];
    let last = first;
    while (this.#takeKeyword(kind)) {
      last = next();
      operands.push(last);
    }
    return last === first ? first : { kind, operands, start: first.start, end: last.end };
  }

  #negated(term: () => KqlNode): KqlNode {
    const start = this.#at;
    const end = endOfKeyword("not", this.#text, start);
    if (end === undefined) return term();
    this.#at = skipBlanks(this.#text, end);
    if (endOfKeyword("not", this.#text, this.#at) !== undefined)
      throw this.#error('"not" cannot follow "not"', 'Leave both out, or write "not (not …)"', 3);
    const operand = term();
    return { kind: "not", operand, start, end: operand.end };
  }

  #condition(): KqlNode {
    if (this.#text[this.#at] === "(") return this.#group(() => this.#condition());
    const literal = readLiteral(this.#text, this.#at);
    if (literal === undefined) throw this.#expected("a field and its value");
    this.#at = skipBlanks(this.#text, literal.next);
    const sign = this.#text[this.#at];
    if (sign === "(") throw this.#unexpected('":"');
    if (sign !== ":" && sign !== "<" && sign !== ">")
      throw new KqlError(
        "unserved",
        literal,
        `${shown(this.#text.slice(literal.start, literal.end))} has no field, and text in any field is not searched`,
        "Write field:value",
      );
    const field = fieldOf(literal);
    return sign === ":" ? this.#values(field) : this.#range(field);
  }

  #values(field: KqlText): KqlNode {
    this.#at = skipBlanks(this.#text, this.#at + 1);
    if (this.#text[this.#at] === "{")
      throw new KqlError(
        "unserved",
        { start: field.start, end: this.#at + 1 },
        "Nested objects are not served: no event has a list of objects",
        "Write each condition with the whole name of its field",
      );
    const node = this.#value(field);
    return { ...node, start: field.start };
  }

  /** One value, or a list of them in parentheses. */
  #value(field: KqlText): KqlNode {
    if (this.#text[this.#at] === "(") return this.#group(() => this.#value(field));
    const literal = readLiteral(this.#text, this.#at);
    if (literal === undefined) throw this.#expected(`a value of ${shown(field.text)}`);
    this.#at = literal.next;
    return leafOf(field, literal);
  }

  #range(field: KqlText): KqlNode {
    const sign = this.#text[this.#at] === "<" ? "<" : ">";
    const operator: KqlRange["operator"] = this.#text[this.#at + 1] === "=" ? `${sign}=` : sign;
    this.#at = skipBlanks(this.#text, this.#at + operator.length);
    const literal = readLiteral(this.#text, this.#at);
    if (literal === undefined) throw this.#expected(`a value behind ${operator}`);
    if (literal.pieces.length > 1)
      throw new KqlError(
        "unserved",
        literal,
        `A wildcard is no bound, and ${operator} compares with one value`,
        "Put it in quotes if the star belongs to it",
      );
    this.#at = literal.next;
    return { kind: "range", field, operator, value: textOf(literal), start: field.start, end: literal.end };
  }

  #group(term: () => KqlNode): KqlNode {
    const start = this.#at;
    if (++this.#depth > DEPTH_MAX)
      throw new KqlError(
        "limit",
        { start, end: start + 1 },
        `Parentheses stand more than ${DEPTH_MAX} deep`,
        "Leave out those that are not needed",
      );
    this.#at = skipBlanks(this.#text, start + 1);
    const inner = this.#either(term);
    this.#skipBlanks();
    if (this.#at === this.#text.length)
      throw new KqlError(
        "syntax",
        { start, end: start + 1 },
        'This "(" is never closed',
        'Put a ")" where it ends',
      );
    if (this.#text[this.#at] !== ")") throw this.#unexpected('"and", "or" or ")"');
    this.#depth--;
    return { ...inner, start, end: ++this.#at };
  }

  /** and, or: with blanks on both sides. */
  #takeKeyword(word: "and" | "or"): boolean {
    const at = skipBlanks(this.#text, this.#at);
    const end = at === this.#at ? undefined : endOfKeyword(word, this.#text, at);
    if (end === undefined) return false;
    this.#at = skipBlanks(this.#text, end);
    return true;
  }

  /** Where a condition or a value should begin. */
  #expected(what: string): KqlError {
    const sign = this.#text[this.#at];
    if (sign === undefined) return this.#error(`Expected ${what}, and the query ends`, "Add it");
    if (endOfKeyword("not", this.#text, this.#at) !== undefined)
      return this.#error(`Expected ${what}, found "not"`, "Write not field:value, or field:(not value)", 3);
    if (sign === "<" || sign === ">")
      return this.#error(`Expected ${what}, found ${sign}`, "Write field >= value, without a colon");
    return this.#error(`Expected ${what}, found ${sign === '"' ? "a quote" : shown(sign)}`, "Add it");
  }

  /** Where a condition or a value is complete, and something else follows than can. */
  #unexpected(end: string): KqlError {
    const rest = this.#text.slice(this.#at, this.#at + 20);
    const what = `Expected ${end}, found ${shown(rest)}`;
    const word = keywords.find((keyword) => isWord(keyword, rest, 0));
    if (word === "not")
      return this.#error(what, 'Join it with "and", or put the value in quotes if "not" belongs to it', 3);
    if (word !== undefined)
      return this.#error(what, `White space belongs on both sides of "${word}"`, word.length);
    const before = keywords.find((keyword) => isWord(keyword, this.#text, this.#at - keyword.length));
    if (rest.startsWith("(") && before !== undefined)
      return this.#error(what, `White space belongs on both sides of "${before}"`);
    if (rest.startsWith(")")) return this.#error(what, 'No "(" belongs to it: leave it out');
    if (rest.startsWith(":"))
      return this.#error(
        what,
        'Write "and" or "or" between two conditions, and \\: for a colon inside a value',
      );
    if (rest.startsWith("*") || isAfterQuote(this.#text, this.#at))
      return this.#error(what, "A quoted value ends at its quote, and a star in quotes is no wildcard");
    return this.#error(
      what,
      "Put the value in quotes, or a backslash before the sign, if it belongs to the value",
    );
  }

  #error(what: string, remedy: string, length = 1): KqlError {
    return new KqlError(
      "syntax",
      { ...this.#here(), end: Math.min(this.#at + length, this.#text.length) },
      what,
      remedy,
    );
  }

  #here(): KqlSpan {
    return { start: this.#at, end: this.#at };
  }

  #skipBlanks(): void {
    this.#at = skipBlanks(this.#text, this.#at);
  }
}

function isAfterQuote(text: string, at: number): boolean {
  let before = at - 1;
  while (isBlank(text[before])) before--;
  return text[before] === '"';
}

function fieldOf(literal: KqlLiteral): KqlText {
  if (literal.pieces.length === 1) return textOf(literal);
  throw new KqlError(
    "unserved",
    literal,
    "A wildcard in the name of a field is not served",
    "Name each field",
  );
}

function leafOf(field: KqlText, literal: KqlLiteral): KqlLeaf {
  const { pieces, start, end } = literal;
  if (pieces.length > 1) {
    const isLone = pieces.every((piece) => piece === "") && pieces.length === 2;
    return isLone ? { kind: "exists", field, start, end } : { kind: "wildcard", field, pieces, start, end };
  }
  return { kind: "equals", field, value: textOf(literal), start, end };
}

/** One value without a wildcard. Elasticsearch has no null to compare with and refuses such a query. */
function textOf({ pieces, quoted, start, end }: KqlLiteral): KqlText {
  const text = pieces[0] ?? "";
  if (text === "null" && !quoted)
    throw new KqlError(
      "unserved",
      { start, end },
      "No event has null for a value",
      'Write not field:* for a field that is missing, or "null" in quotes for the text',
    );
  return { text, quoted, start, end };
}
