/**
 * The text of an exception file becomes Exceptions, or all of its mistakes at once, each with its place. A file with a mistake is
 * refused as a whole: what it was to hold back alerts, and nothing is held back that nobody meant.
 */
import type { ErrorCode } from "../errors.ts";
import { printable } from "../printable.ts";
import type { TomlPath } from "../toml-position.ts";
import { checkToml, type TomlMistake, valueAt } from "../toml-schema.ts";
import { eventFields } from "./event-fields.ts";
import { conditionKeys, type Exception } from "./exception.ts";
import { type ExceptionData, exceptionFileSchema, exceptionKeys } from "./exception-schema.ts";
import { compileKql } from "./kql-match.ts";
import { nameFilter } from "./kql-prefilter.ts";
import { parseKql } from "./kql-syntax.ts";
import { KqlError, type KqlLeaf, type KqlNode, leavesOf, shown } from "./kql-tree.ts";
import { noProgram, placed, type Remark, type RuleRemark, unusable } from "./rule-mistakes.ts";
import { subjectsOf } from "./rule-subjects.ts";

export interface ExceptionFile {
  readonly path: string; // as a person named it
  readonly bytes: Buffer;
}

export interface ExceptionSet {
  readonly exceptions: readonly Exception[];
  readonly mistakes: readonly RuleRemark[]; // a file that has one is refused
  readonly warnings: readonly RuleRemark[]; // of files that are taken all the same
}

/**
 * Never throws: a bad file does not stop the others. Of two exceptions with the same id the first is taken.
 * @param rules the ids of all that there are: one that names another holds nothing back
 */
export function readExceptions(files: readonly ExceptionFile[], rules: ReadonlySet<string>): ExceptionSet {
  const owners = new Map<string, string>();
  const exceptions: Exception[] = [];
  const mistakes: RuleRemark[] = [];
  const warnings: RuleRemark[] = [];
  for (const { path, bytes } of files) {
    const reading = checkToml(bytes, exceptionFileSchema, exceptionKeys, "docs/exceptions.md");
    const remarks = [
      ...reading.mistakes.map(tomlRemark),
      ...written(reading.document).flatMap((exception, index) => contentRemarks(exception, index)),
      ...duplicates(reading.data?.exception ?? [], owners, path),
    ];
    if (reading.data === undefined || remarks.length > 0)
      mistakes.push(...placed(remarks, path, reading.text));
    else {
      const { exception: all } = reading.data;
      for (const { id } of all) owners.set(id, path);
      exceptions.push(...all.map((data) => exceptionOf(data, path)));
      warnings.push(
        ...placed(
          all.flatMap((data, index) => strangers(data, index, rules)),
          path,
          reading.text,
        ),
      );
    }
  }
  return { exceptions, mistakes, warnings };
}

function exceptionOf(data: ExceptionData, file: string): Exception {
  const { id, rules, query, reason, author, expires = Number.POSITIVE_INFINITY } = data;
  const tree = query === undefined ? undefined : parseKql(query);
  const conditions = conditionKeys.flatMap((key) => (data[key] === undefined ? [] : [[key, data[key]]]));
  return {
    id,
    rules,
    conditions: Object.fromEntries(conditions),
    tree: tree instanceof KqlError ? undefined : tree, // it was looked at
    reason,
    author,
    expiresMs: expires,
    file,
  };
}

/** The tables as they are written, whatever is in them. */
function written(document: unknown): readonly unknown[] {
  const tables = valueAt(document, ["exception"]);
  return Array.isArray(tables) ? tables : [];
}

const tomlCodes: Readonly<Record<TomlMistake["kind"], ErrorCode>> = {
  syntax: "KW_EXCEPTION_NOT_TOML",
  unknown: "KW_EXCEPTION_KEY_UNKNOWN",
  missing: "KW_EXCEPTION_KEY_MISSING",
  value: "KW_EXCEPTION_VALUE_INVALID",
};

function tomlRemark({ kind, position, text }: TomlMistake): Remark {
  return { place: position, code: tomlCodes[kind], text };
}

function contentRemarks(exception: unknown, index: number): Remark[] {
  const path = ["exception", index];
  const query = valueAt(exception, ["query"]);
  if (typeof query === "string") return queryRemarks(parseKql(query), [...path, "query"]);
  if (typeof exception !== "object" || exception === null) return [];
  if (conditionKeys.some((key) => key in exception)) return [];
  const text = `${path.join(".")}: it would except everything. Add a condition: ${conditionKeys.join(", ")}.`;
  return [{ place: { path }, code: "KW_EXCEPTION_EMPTY", text }];
}

const kqlCodes: Readonly<Record<KqlError["kind"], ErrorCode>> = {
  syntax: "KW_EXCEPTION_QUERY_INVALID",
  limit: "KW_EXCEPTION_QUERY_INVALID",
  unserved: "KW_EXCEPTION_UNSERVED",
  field: "KW_EXCEPTION_FIELD_UNUSABLE",
};

const subjects = ["process", "installation", "outcome"] as const;

function queryRemarks(tree: KqlNode | KqlError, path: TomlPath): Remark[] {
  const remark = (code: ErrorCode, offset: number, text: string): Remark => ({
    place: { path, offset },
    code,
    text: `${path.join(".")}: ${text}`,
  });
  if (tree instanceof KqlError) return [remark(kqlCodes[tree.kind], tree.start, tree.message)];
  const never =
    nameFilter(tree).names?.size === 0
      ? noProgram
      : subjects.every((on) => subjectsOf(tree, on).length === 0)
        ? noEvent
        : undefined;
  if (never !== undefined) return [remark("KW_EXCEPTION_QUERY_INVALID", tree.start, never)];
  const remarks = leavesOf(tree).flatMap((leaf) => {
    const wrong = unusableIn(leaf);
    return wrong === undefined ? [] : [remark("KW_EXCEPTION_FIELD_UNUSABLE", wrong.start, wrong.message)];
  });
  return [...new Map(remarks.map((one) => [JSON.stringify(one), one])).values()]; // a list names its field once
}

const noEvent =
  "No event can satisfy it by its event.category, event.type, event.action and host.os.type. Correct them.";

/** Of an outcome most is known: what not even its rules can ask, no rule can. */
function unusableIn(leaf: KqlLeaf): { readonly start: number; readonly message: string } | undefined {
  const message = unusable(leaf.field.text, "outcome");
  if (message !== undefined) return { start: leaf.field.start, message };
  const error = compileKql<never>(leaf, eventFields);
  return error instanceof KqlError ? error : undefined;
}

/** Of ids that another exception has, in this file or one before it. */
function duplicates(
  all: readonly ExceptionData[],
  owners: ReadonlyMap<string, string>,
  file: string,
): Remark[] {
  return all.flatMap(({ id }, index): Remark[] => {
    const isTaken = all.findIndex((other) => other.id === id) < index;
    const owner = isTaken ? file : owners.get(id);
    if (owner === undefined) return [];
    const path = ["exception", index, "id"];
    const text = `${path.join(".")}: ${shown(id)} is the id of one in ${printable(owner, 200)} already. Give each an id of its own.`;
    return [{ place: { path }, code: "KW_EXCEPTION_DUPLICATE", text }];
  });
}

function strangers({ rules = [] }: ExceptionData, index: number, known: ReadonlySet<string>): Remark[] {
  return rules.flatMap((id, at): Remark[] => {
    if (known.has(id)) return [];
    const path = ["exception", index, "rules", at];
    const text = `${path.join(".")}: no rule has the id ${shown(id)}. Correct it, or take it out.`;
    return [{ place: { path }, code: "KW_EXCEPTION_RULE_UNKNOWN", text }];
  });
}
