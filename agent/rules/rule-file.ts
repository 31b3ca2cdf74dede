/**
 * The text of a rule file becomes a Rule, or all of its mistakes at once, each with its place. A rule that is taken can match:
 * what Kibana would do and kinwatch does not is refused with its reason, or is a warning where it could only hold alerts back
 * or change how they look. docs/rules.md has the format.
 */
import { closest, distance } from "fastest-levenshtein";
import type { ErrorCode } from "../errors.ts";
import { printable } from "../printable.ts";
import { type TomlPath, type TomlPosition, tomlPositions } from "../toml-position.ts";
import { checkToml, type TomlMistake, type TomlReading, valueAt } from "../toml-schema.ts";
import { documentFields } from "./document-fields.ts";
import { eventFieldNames, eventFields } from "./event-fields.ts";
import { refusalOf } from "./field-sources.ts";
import { compileKql } from "./kql-match.ts";
import { nameFilter } from "./kql-prefilter.ts";
import { parseKql } from "./kql-syntax.ts";
import { KqlError, type KqlLeaf, type KqlNode, leavesOf, shown } from "./kql-tree.ts";
import { newParentRule } from "./new-parent.ts";
import type { Rule, Subject, Technique } from "./rule.ts";
import { type RuleData, readHistory, readLookBack, ruleFileSchema, ruleKeys } from "./rule-schema.ts";
import { subjectsOf } from "./rule-subjects.ts";
import { notDone, unservedKeys } from "./unserved.ts";

export interface RuleFile {
  readonly path: string; // as a person named it
  readonly bytes: Buffer;
  readonly builtIn: boolean;
}

export interface RuleRemark {
  readonly file: string;
  readonly position: TomlPosition | undefined; // undefined: the file could not be read
  readonly code: ErrorCode;
  readonly text: string; // what is wrong and what to do; one line that can be printed
}

export interface RuleSet {
  readonly rules: readonly Rule[];
  readonly mistakes: readonly RuleRemark[]; // a file that has one is refused
  readonly warnings: readonly RuleRemark[]; // of files that are taken all the same
}

/** A remark before its place is looked up. */
interface Remark {
  readonly place: TomlPosition | { readonly path: TomlPath; readonly offset?: number };
  readonly code: ErrorCode;
  readonly text: string;
}

const remarksMax = 100; // of one file; nobody reads more
const idPath = ["rule", "rule_id"];
const queryPath = ["rule", "query"];
const termsPath = ["rule", "new_terms", "value"];
const historyPath = ["rule", "new_terms", "history_window_start", 0, "value"];

/** Whose fields a rule may read: events of kinwatch's own, or documents of any sensor. */
type Asked = Subject | "document";

/**
 * Never throws: a bad file does not stop the others. Of two rules with the same id the first is taken.
 * @param of documents: fields and events that kinwatch has none of are no mistakes
 */
export function readRules(files: readonly RuleFile[], of: "events" | "documents" = "events"): RuleSet {
  const owners = new Map<string, string>([
    [newParentRule.id, "kinwatch itself"],
    [newParentRule.uuid, "kinwatch itself"],
  ]);
  const rules: Rule[] = [];
  const mistakes: RuleRemark[] = [];
  const warnings: RuleRemark[] = [];
  for (const file of files) {
    const reading = checkToml(file.bytes, ruleFileSchema, ruleKeys, "docs/rules.md");
    const query = valueAt(reading.document, queryPath);
    const tree = typeof query === "string" ? parseKql(query) : undefined;
    const remarks = mistakesOf(reading, tree, of);
    const { data } = reading;
    const owner = data && owners.get(data.rule.rule_id);
    if (data && owner !== undefined) remarks.push(duplicate(data.rule.rule_id, owner));
    if (data && tree && !(tree instanceof KqlError) && remarks.length === 0) {
      owners.set(data.rule.rule_id, file.path);
      rules.push(ruleOf(data, tree, file));
      warnings.push(...placed(warningsOf(reading.document), file.path, reading.text));
    } else mistakes.push(...placed(remarks, file.path, reading.text));
  }
  return { rules, mistakes, warnings };
}

function mistakesOf(
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

const noProgram =
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
function unusable(name: string, on: Asked): string | undefined {
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

function duplicate(id: string, owner: string): Remark {
  return {
    place: { path: idPath },
    code: "KW_RULE_DUPLICATE",
    text: `rule.rule_id: ${shown(id)} is the id of ${printable(owner, 200)} already. Give each rule an id of its own.`,
  };
}

function warningsOf(document: unknown): Remark[] {
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
function placed(remarks: readonly Remark[], file: string, text: string): RuleRemark[] {
  if (remarks.length === 0) return [];
  const positions = tomlPositions(text);
  const found = remarks
    .map(({ place, code, text }) => {
      const position = "path" in place ? positions(place.path, place.offset) : place;
      return { file, position, code, text };
    })
    .toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  const [next, ...more] = found.slice(remarksMax);
  if (next === undefined) return found;
  return [...found.slice(0, remarksMax), { ...next, text: `${next.text} (and ${more.length} more)` }];
}

function isSubject(on: unknown): on is Subject {
  return on === "process" || on === "installation" || on === "outcome";
}

function ruleOf({ rule, kinwatch }: RuleData, tree: KqlNode, { path, builtIn }: RuleFile): Rule {
  return {
    id: rule.rule_id,
    version: String(rule.version),
    name: rule.name,
    description: rule.description,
    severity: rule.severity,
    riskScore: rule.risk_score,
    tags: rule.tags,
    references: rule.references,
    falsePositives: rule.false_positives,
    author: rule.author,
    license: rule.license,
    note: rule.note,
    setup: rule.setup,
    threat: rule.threat.map(({ framework, tactic, technique }) => ({
      framework,
      tactic: techniqueOf(tactic),
      techniques: technique.map((one) => ({
        ...techniqueOf(one),
        subtechniques: one.subtechnique.map(techniqueOf),
      })),
    })),
    maxSignals: rule.max_signals,
    intervalMs: rule.interval,
    query: rule.query,
    tree,
    newTerms: {
      fields: rule.new_terms.value,
      historyMs: Math.max(...rule.new_terms.history_window_start.map(({ value }) => value)), // there is one
    },
    on: kinwatch.on,
    relatedRule: kinwatch.related_rule,
    source: { file: path, builtIn },
  };
}

function techniqueOf({ id, name, reference }: RuleData["rule"]["threat"][number]["tactic"]): Technique {
  return { id, name, reference };
}
