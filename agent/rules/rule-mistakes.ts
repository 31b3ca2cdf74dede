/**
 * What is wrong with a rule file, each with its place. A rule that is taken can match: what Kibana would do and kinwatch does not
 * is refused with its reason, or is a warning where it could only hold alerts back or change how they look.
 */
import { closest, distance } from "fastest-levenshtein";
import type { ErrorCode } from "../errors.ts";
import { printable } from "../printable.ts";
import { type TomlPath, type TomlPosition, type TomlPositions, tomlPositions } from "../toml-position.ts";
import { type TomlMistake, type TomlReading, valueAt } from "../toml-schema.ts";
import { documentFields } from "./document-fields.ts";
import { eventFieldNames, eventFields } from "./event-fields.ts";
import { refusalOf } from "./field-sources.ts";
import { compileKql } from "./kql-match.ts";
import { nameFilter } from "./kql-prefilter.ts";
import { KqlError, type KqlLeaf, type KqlNode, leavesOf, shown } from "./kql-tree.ts";
import type { Subject } from "./rule.ts";
import { type RuleData, readHistory, readLookBack } from "./rule-schema.ts";
import { subjectsOf } from "./rule-subjects.ts";
import { notDone, unservedKeys } from "./unserved.ts";

export interface RuleRemark {
  readonly file: string;
  readonly position: TomlPosition | undefined; // undefined: the file could not be read
  readonly code: ErrorCode;
  readonly text: string; // what is wrong and what to do; one line that can be printed
}

/** A remark before its place is looked up. */
export interface Remark {
  readonly place: TomlPosition | { readonly path: TomlPath; readonly offset?: number };
  readonly code: ErrorCode;
  readonly text: string;
}

/** Whose fields a rule may read: events of kinwatch's own, or documents of any sensor. */
type Asked = Subject | "document";

const remarksMax = 100; // of one file; nobody reads more
const idPath = ["rule", "rule_id"];
const queryPath = ["rule", "query"];
const termsPath = ["rule", "new_terms", "value"];
const historyPath = ["rule", "new_terms", "history_window_start", 0, "value"];

export function mistakesOf(
  { document, mistakes }: TomlReading<RuleData>,
  tree: KqlNode | KqlError | undefined,
  of: "events" | "documents",
): Remark[] {
  const type = valueAt(document, ["rule", "type"]);
  // Its other keys are right for that type, and wrong for ours: saying so would help nobody.
  if (typeof type === "string" && type !== "new_terms") return [unservedType(type)];
  const named = valueAt(document, ["kinwatch", "on"]) ?? "process";
  const on = of === "documents" ? "document" : isSubject(named) ? named : undefined;
  const isKuery = (valueAt(document, ["rule", "language"]) ?? "kuery") === "kuery";
  return [
    ...mistakes.map(tomlRemark),
    ...(tree === undefined || !isKuery ? [] : queryRemarks(tree, on)),
    ...(on === undefined ? [] : termRemarks(document, on)),
    ...historyRemarks(document),
  ];
}

function unservedType(type: string): Remark {
  return {
    place: { path: ["rule", "type"] },
    code: "KW_RULE_UNSERVED",
    text: `rule.type: ${shown(type)} is not served, only "new_terms" is. Leave such a rule to Kibana.`,
  };
}

function tomlRemark({ kind, path, position, text }: TomlMistake): Remark {
  const [table, name, ...below] = path;
  const isOfRule = kind === "unknown" && table === "rule" && below.length === 0;
  const unserved = isOfRule ? unservedKeys.get(String(name)) : undefined;
  if (unserved !== undefined)
    return { place: position, code: "KW_RULE_UNSERVED", text: `rule.${name}: not served. ${unserved}.` };
  if (path.join(".") === "rule.language" && kind === "value")
    return { place: position, code: "KW_RULE_UNSERVED", text };
  return { place: position, code: tomlCodes[kind], text };
}

const tomlCodes: Readonly<Record<TomlMistake["kind"], ErrorCode>> = {
  syntax: "KW_RULE_NOT_TOML",
  unknown: "KW_RULE_KEY_UNKNOWN",
  missing: "KW_RULE_KEY_MISSING",
  value: "KW_RULE_VALUE_INVALID",
};

const kqlCodes: Readonly<Record<KqlError["kind"], ErrorCode>> = {
  syntax: "KW_RULE_QUERY_INVALID",
  limit: "KW_RULE_QUERY_INVALID",
  unserved: "KW_RULE_UNSERVED",
  field: "KW_RULE_FIELD_UNUSABLE",
};

/** @param on undefined: nobody knows what it is about */
function queryRemarks(tree: KqlNode | KqlError, on: Asked | undefined): Remark[] {
  if (tree instanceof KqlError) return [kqlRemark(tree)];
  if (on === undefined) return [];
  const place = { path: queryPath, offset: tree.start };
  if (on !== "document" && nameFilter(tree).names?.size === 0)
    return [{ place, code: "KW_RULE_QUERY_INVALID", text: `rule.query: ${noProgram}` }];
  if (on !== "document" && subjectsOf(tree, on).length === 0)
    return [{ place, code: "KW_RULE_UNSERVED", text: `rule.query: ${noEvent(on)}` }];
  const remarks = leavesOf(tree).flatMap((leaf) => leafRemarks(leaf, on));
  return [...new Map(remarks.map((remark) => [JSON.stringify(remark), remark])).values()]; // a list names its field once
}

export const noProgram =
  "No program can satisfy it: its conditions on process.name and process.executable exclude each other. Correct them.";

function noEvent(on: Subject): string {
  const actions = on === "process" ? '"exec" and "uid_change"' : '"package-installed"';
  return `No event can satisfy it by its event.category, event.type, event.action and host.os.type: actions are ${actions} here. Correct them, or kinwatch.on.`;
}

function leafRemarks(leaf: KqlLeaf, on: Asked): Remark[] {
  const text = unusable(leaf.field.text, on);
  if (text !== undefined) {
    const place = { path: queryPath, offset: leaf.field.start };
    return [{ place, code: "KW_RULE_FIELD_UNUSABLE", text: `rule.query: ${text}` }];
  }
  const error = compileKql<never>(leaf, on === "document" ? documentFields : eventFields);
  return error instanceof KqlError ? [kqlRemark(error)] : [];
}

function kqlRemark({ kind, start, message }: KqlError): Remark {
  return { place: { path: queryPath, offset: start }, code: kqlCodes[kind], text: `rule.query: ${message}` };
}

function termRemarks(document: unknown, on: Asked): Remark[] {
  const names = valueAt(document, termsPath);
  if (!Array.isArray(names)) return [];
  return names.flatMap((name: unknown, index): Remark[] => {
    const text = typeof name === "string" && /\S/.test(name) ? unusable(name, on) : undefined;
    if (text === undefined) return [];
    const place = { path: [...termsPath, index] };
    return [{ place, code: "KW_RULE_FIELD_UNUSABLE", text: `rule.new_terms.value: ${text}` }];
  });
}

/** Why events that the rule is asked about never have the field. */
export function unusable(name: string, on: Asked): string | undefined {
  if (on === "document") {
    return documentFields(name) === undefined
      ? `${shown(name)} is of a kind that kinwatch does not compare. Do without it.`
      : undefined;
  }
  const reason = refusalOf(name, on);
  if (reason !== undefined) return `No event has ${shown(name)}: ${reason}. Do without it.`;
  if (eventFields(name) !== undefined) return undefined;
  const near = closest(name.slice(0, 100), eventFieldNames);
  const isNear = distance(name.slice(0, 100), near) < near.length / 3;
  return `No event has a field ${shown(name)}. ${isNear ? `Did you mean ${near}?` : "docs/alert-fields.md lists them."}`;
}

/** Kibana refuses this too: what it looks at would be all of its history. */
function historyRemarks(document: unknown): Remark[] {
  const [from, history] = [valueAt(document, ["rule", "from"]), valueAt(document, historyPath)];
  if (typeof from !== "string" || typeof history !== "string") return [];
  const [lookBackMs, historyMs] = [readLookBack(from), readHistory(history)];
  if (lookBackMs === undefined || historyMs === undefined || historyMs > lookBackMs) return [];
  const text = `rule.new_terms.history_window_start.value: ${shown(history)} reaches no further than rule.from, ${shown(from)}. Let it begin earlier.`;
  return [{ place: { path: historyPath }, code: "KW_RULE_VALUE_INVALID", text }];
}

export function duplicate(id: string, owner: string): Remark {
  return {
    place: { path: idPath },
    code: "KW_RULE_DUPLICATE",
    text: `rule.rule_id: ${shown(id)} is the id of ${printable(owner, 200)} already. Give each rule an id of its own.`,
  };
}

export function warningsOf(document: unknown): Remark[] {
  const warnings = [...notDone].flatMap(([name, what]): Remark[] => {
    const path = ["rule", name];
    const value = valueAt(document, path);
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return [];
    return [{ place: { path }, code: "KW_RULE_IGNORED", text: `rule.${name}: not done, ${what}` }];
  });
  const path = ["metadata", "maturity"];
  const maturity = valueAt(document, path);
  if (typeof maturity !== "string" || maturity === "production") return warnings;
  const text = `metadata.maturity: ${shown(maturity)} makes no difference, the rule is on`;
  return [...warnings, { place: { path }, code: "KW_RULE_IGNORED", text }];
}

/** In the order of the file. */
export function placed(remarks: readonly Remark[], file: string, text: string): RuleRemark[] {
  let positions: TomlPositions | undefined;
  const positionsOf = () => {
    positions ??= tomlPositions(text); // not before it is asked for: a text that is no TOML cannot be walked
    return positions;
  };
  const found = remarks
    .map(({ place, ...told }) => {
      const position = "path" in place ? positionsOf()(place.path, place.offset) : place;
      return { file, position, ...told };
    })
    .toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  const [next, ...more] = found.slice(remarksMax);
  if (next === undefined) return found;
  return [...found.slice(0, remarksMax), { ...next, text: `${next.text} (and ${more.length} more)` }];
}

function isSubject(on: unknown): on is Subject {
  return on === "process" || on === "installation" || on === "outcome";
}
