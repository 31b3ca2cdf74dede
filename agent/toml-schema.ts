/**
 * Reads a TOML document against a schema and tells all its mistakes at once, each with its line: who corrects a
 * configuration should not have to start the daemon once per mistake. What a key expects is told by the key itself
 * (its facts, beside its schema), not by the schema library.
 */
import { distance } from "fastest-levenshtein";
import { parse, TomlDate, TomlError } from "smol-toml";
import { z } from "zod";
import { KinwatchError } from "./errors.ts";
import { printable } from "./printable.ts";
import { type TomlPath, type TomlPosition, tomlPositions } from "./toml-position.ts";

/** What people are told about a key; in error messages and in docs/configuration.md. */
export interface KeyFacts {
  readonly expects: string; // the values it takes
  readonly unit: string | undefined;
  readonly purpose: string; // one line
  readonly reason: string; // of the default
}
export interface Key extends KeyFacts {
  readonly path: TomlPath;
  readonly default: unknown;
}
export const keyFacts = z.registry<KeyFacts>();

interface Mistake {
  readonly position: TomlPosition;
  readonly text: string;
}

const depthMax = 16; // of arrays and tables within each other; no key of ours needs more than 3
const mistakesMax = 100; // more are counted, not told: nobody reads them, and the message goes to a log
const charsMax = 80; // of a key or value shown

/** All keys that have facts, in the order of the schema. */
export function keysOf(schema: z.ZodObject, above: TomlPath = []): Key[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    const path = [...above, name];
    const facts = keyFacts.get(field);
    if (facts)
      return [
        { path, default: field instanceof z.ZodDefault ? field.def.defaultValue : undefined, ...facts },
      ];
    const inner = field instanceof z.ZodPrefault ? field.unwrap() : field;
    return inner instanceof z.ZodObject ? keysOf(inner, path) : [];
  });
}

/**
 * @param file its name, for messages
 * @throws KW_CONFIG_INVALID
 */
export function readToml<S extends z.ZodObject>(bytes: Buffer, file: string, schema: S): z.output<S> {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const document = parseText(bytes, text, file);
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const positions = tomlPositions(text);
  const keys = keysOf(schema);
  throw invalid(
    file,
    result.error.issues.flatMap((issue) => mistakesOf(issue, document, keys, positions)),
  );
}

function parseText(bytes: Buffer, text: string, file: string): unknown {
  if (text.includes("\ufffd")) refuseBadUtf8(bytes, file);
  try {
    // A key named __proto__ is nothing that we could want, and much that could go wrong.
    return parse(text, { maxDepth: depthMax, unsafeKeyBehaviour: "throw" });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [, reason = cause.message] = /^Invalid TOML document: (.*)/.exec(cause.message) ?? [];
    throw invalid(file, [{ position: cause, text: `not TOML: ${printable(reason, charsMax)}` }]);
  }
}

/** TOML is UTF-8. A text may hold U+FFFD itself, so that only the bytes can tell. */
function refuseBadUtf8(bytes: Buffer, file: string): void {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let line = 1, start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline + 1;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      throw invalid(file, [
        { position: { line, column: 1 }, text: "not UTF-8: save the file in that encoding" },
      ]);
    }
    start = end;
  }
}

function mistakesOf(
  issue: z.core.$ZodIssue,
  document: unknown,
  keys: readonly Key[],
  positions: (path: TomlPath) => TomlPosition,
): Mistake[] {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => {
      const unknown = [...path, name];
      return {
        position: positions(unknown),
        text: `${shownKey(unknown)}: no such key${suggestion(unknown, keys)}`,
      };
    });
  }
  const key = keys.find((known) => known.path.every((part, index) => part === path[index]));
  const isTable = issue.code === "invalid_type" && issue.expected === "object";
  const expects = key?.expects ?? (isTable ? `the table [${shownKey(path)}]` : issue.message);
  const came = path.reduce<unknown>((value, part) => (value as Record<string, unknown>)?.[part], document);
  const cure = key ? `; its default is ${shown(key.default)}` : "";
  return [
    { position: positions(path), text: `${shownKey(path)}: expected ${expects}, came ${shown(came)}${cure}` },
  ];
}

/** The nearest key or table: by the whole path, or by the last name alone where it stands in the wrong table. */
function suggestion(unknown: TomlPath, keys: readonly Key[]): string {
  const known = new Set(
    keys.flatMap(({ path }) => path.map((_, index) => path.slice(0, index + 1).join("."))),
  );
  const whole = unknown.join(".").slice(0, charsMax);
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
  return best ? `; did you mean ${best}?` : `; the keys are listed in docs/configuration.md`;
}

function shownKey(path: TomlPath): string {
  const whole = path.map((part) => (/^[\w-]+$/.test(String(part)) ? part : JSON.stringify(part))).join(".");
  return printable(whole, charsMax);
}

function shown(value: unknown): string {
  if (typeof value === "string") return `"${printable(value, charsMax)}"`;
  if (value instanceof TomlDate) return `the date ${value.toISOString()}`;
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "a table" : String(value);
}

function invalid(file: string, mistakes: readonly Mistake[]): KinwatchError {
  const name = printable(file, 200);
  const sorted = mistakes.toSorted(
    (a, b) => a.position.line - b.position.line || a.position.column - b.position.column,
  );
  const lines = sorted
    .slice(0, mistakesMax)
    .map(({ position, text }) => `\n${name}:${position.line}:${position.column}: ${text}`);
  const rest = mistakes.length > mistakesMax ? `\nand ${mistakes.length - mistakesMax} more` : "";
  const what = `Cannot use ${name}: ${mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`}`;
  return new KinwatchError("KW_CONFIG_INVALID", what, `Correct and start again:${lines.join("")}${rest}`);
}
