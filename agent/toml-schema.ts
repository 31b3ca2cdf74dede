/**
 * Reads a TOML document against a schema and tells all its mistakes at once, each with its line: who corrects a
 * configuration or a rule should not have to start the daemon once per mistake. What a key expects is told by the key
 * itself (its facts, beside its schema), not by the schema library.
 */
import { distance } from "fastest-levenshtein";
import { parse, TomlDate, TomlError } from "smol-toml";
import { z } from "zod";
import { KinwatchError } from "./errors.ts";
import { printable } from "./printable.ts";
import { type TomlPath, type TomlPosition, type TomlPositions, tomlPositions } from "./toml-position.ts";

/** What people are told about a key; in error messages and in docs/. */
export interface KeyFacts {
  readonly expects: string; // the values it takes
  readonly unit?: string | undefined;
  readonly purpose: string; // one line
  readonly reason?: string; // of the default
}
export interface Key extends KeyFacts {
  readonly path: TomlPath;
  readonly default: unknown;
}
export const keyFacts = z.registry<KeyFacts>();

export interface TomlMistake {
  readonly kind: "syntax" | "unknown" | "missing" | "value"; // unknown, missing: that key
  readonly path: TomlPath; // empty: the whole document
  readonly position: TomlPosition;
  readonly text: string; // one line that can be printed
}

export interface TomlReading<Data> {
  readonly text: string;
  readonly document: unknown; // undefined: it is no TOML
  readonly data: Data | undefined; // undefined: there are mistakes
  readonly mistakes: readonly TomlMistake[]; // in the order of the document
}

const depthMax = 16; // of arrays and tables within each other; no key of ours needs more than 3
const mistakesMax = 100; // more are counted, not told: nobody reads them, and the message goes to a log
const charsMax = 80; // of a key or value shown
const passwordInUrl = /\/\/[^/\s]*@/g;

/** All keys that have facts, in the order of the schema; what is below an array is listed without its indices. */
export function keysOf(schema: z.ZodObject, above: TomlPath = []): Key[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    const path = [...above, name];
    const facts = keyFacts.get(field);
    const inner = unwrapped(field);
    const hasDefault = field instanceof z.ZodDefault || field instanceof z.ZodPrefault; // of what is read, of what is written
    const value = hasDefault ? field.def.defaultValue : undefined;
    return [
      ...(facts === undefined ? [] : [{ path, default: value, ...facts }]),
      ...(inner instanceof z.ZodObject ? keysOf(inner, path) : []),
    ];
  });
}

function unwrapped(field: unknown): unknown {
  if (field instanceof z.ZodPrefault || field instanceof z.ZodOptional || field instanceof z.ZodDefault)
    return unwrapped(field.unwrap());
  return field instanceof z.ZodArray ? unwrapped(field.element) : field;
}

/**
 * @param file its name, for messages
 * @throws KW_CONFIG_INVALID
 */
export function readToml<S extends z.ZodObject>(bytes: Buffer, file: string, schema: S): z.output<S> {
  const { data, mistakes } = checkToml(bytes, schema, keysOf(schema), "docs/configuration.md");
  if (data === undefined) throw invalid(file, mistakes);
  return data;
}

/**
 * Never throws: what is wrong with the document is a value.
 * @param keys of the schema
 * @param page lists the keys
 */
export function checkToml<S extends z.ZodObject>(
  bytes: Buffer,
  schema: S,
  keys: readonly Key[],
  page: string,
): TomlReading<z.output<S>> {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const document = parseText(bytes, text);
  if ("kind" in document) return { text, document: undefined, data: undefined, mistakes: [document] };
  const result = schema.safeParse(document.table);
  if (result.success) return { text, document: document.table, data: result.data, mistakes: [] };
  const positions = tomlPositions(text);
  const found = result.error.issues.flatMap((issue) =>
    mistakesOf(issue, { document: document.table, keys, positions, page }),
  );
  const mistakes = [...new Map(found.map((mistake) => [mistake.text, mistake])).values()] // a value can break two checks
    .toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  return { text, document: document.table, data: undefined, mistakes };
}

function parseText(bytes: Buffer, text: string): TomlMistake | { readonly table: unknown } {
  const badLine = text.includes("\ufffd") ? lineOfBadUtf8(bytes) : undefined;
  if (badLine !== undefined)
    return syntaxMistake({ line: badLine, column: 1 }, "not UTF-8: save the file in that encoding");
  try {
    // A key named __proto__ is nothing that we could want, and much that could go wrong.
    return { table: parse(text, { maxDepth: depthMax, unsafeKeyBehaviour: "throw" }) };
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [, reason = cause.message] = /^Invalid TOML document: (.*)/.exec(cause.message) ?? [];
    return syntaxMistake(cause, `not TOML: ${printable(reason, charsMax)}`);
  }
}

function syntaxMistake({ line, column }: TomlPosition, text: string): TomlMistake {
  return { kind: "syntax", path: [], position: { line, column }, text };
}

/** TOML is UTF-8. A text may hold U+FFFD itself, so that only the bytes can tell. */
function lineOfBadUtf8(bytes: Buffer): number | undefined {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let line = 1, start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline + 1;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end;
  }
  return undefined;
}

interface Checked {
  readonly document: unknown;
  readonly keys: readonly Key[];
  readonly positions: TomlPositions;
  readonly page: string;
}

function mistakesOf(
  issue: z.core.$ZodIssue,
  { document, keys, positions, page }: Checked,
): readonly TomlMistake[] {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => {
      const unknown = [...path, name];
      const text = `${shownKey(unknown)}: no such key${suggestion(unknown, keys, page)}`;
      return { kind: "unknown", path: unknown, position: positions(unknown), text };
    });
  }
  const names = namesOf(path);
  const isTable = issue.code === "invalid_type" && issue.expected === "object";
  const key = keys.findLast((known) => known.path.every((part, index) => part === names[index]));
  const own = isTable && key?.path.length !== names.length ? undefined : key?.expects;
  const expects = own ?? (isTable ? `the table [${shownKey(names)}]` : issue.message);
  const came = valueAt(document, path);
  const cure = key?.default === undefined ? "" : `; its default is ${JSON.stringify(key.default)}`;
  const isMissing = came === undefined;
  const what = isMissing ? "missing; expected" : "expected";
  const text = `${shownKey(path)}: ${what} ${expects}${isMissing ? "" : `, came ${shown(came)}`}${cure}`;
  return [{ kind: isMissing ? "missing" : "value", path, position: positions(path), text }];
}

export function valueAt(document: unknown, path: TomlPath): unknown {
  return path.reduce<unknown>(
    (value, part) => (value as Record<string, unknown> | undefined)?.[part],
    document,
  );
}

/** Without the indices of arrays. */
function namesOf(path: TomlPath): TomlPath {
  return path.filter((part) => typeof part === "string");
}

/** The nearest key or table: by the whole path, or by the last name alone where it stands in the wrong table. */
function suggestion(unknown: TomlPath, keys: readonly Key[], page: string): string {
  const known = new Set(
    keys.flatMap(({ path }) => path.map((_, index) => path.slice(0, index + 1).join("."))),
  );
  const whole = namesOf(unknown).join(".").slice(0, charsMax);
  const last = String(unknown.at(-1)).slice(0, charsMax);
  let best = "";
  let least = 1 / 3; // a name of which more than a third is different is another name
  for (const candidate of known) {
    const name = candidate.slice(candidate.lastIndexOf(".") + 1);
    const byPath = distance(whole, candidate) / Math.max(whole.length, candidate.length);
    const byName = (distance(last, name) + 0.5) / Math.max(last.length, name.length);
    if (Math.min(byPath, byName) >= least) continue;
    least = Math.min(byPath, byName);
    best = candidate;
  }
  return best ? `; did you mean ${best}?` : `; the keys are listed in ${page}`;
}

function shownKey(path: TomlPath): string {
  const whole = path.map((part) => (/^[\w-]+$/.test(String(part)) ? part : JSON.stringify(part))).join(".");
  return printable(whole, charsMax);
}

function shown(value: unknown): string {
  if (typeof value === "string") return `"${printable(value.replace(passwordInUrl, "//…@"), charsMax)}"`;
  if (value instanceof TomlDate) return `the date ${value.toISOString()}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "object" ? "a table" : String(value);
}

function invalid(file: string, mistakes: readonly TomlMistake[]): KinwatchError {
  const name = printable(file, 200);
  const lines = mistakes
    .slice(0, mistakesMax)
    .map(({ position, text }) => `\n${name}:${position.line}:${position.column}: ${text}`);
  const rest = mistakes.length > mistakesMax ? `\nand ${mistakes.length - mistakesMax} more` : "";
  const what = `Cannot use ${name}: ${mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`}`;
  return new KinwatchError("KW_CONFIG_INVALID", what, `Correct and start again:${lines.join("")}${rest}`);
}
