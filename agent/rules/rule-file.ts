/**
 * The text of a rule file becomes a Rule, or all of its mistakes at once, each with its place (rule-mistakes.ts). docs/rules.md has
 * the format.
 */
import { checkToml, valueAt } from "../toml-schema.ts";
import { parseKql } from "./kql-syntax.ts";
import { KqlError, type KqlNode } from "./kql-tree.ts";
import { newParentRule } from "./new-parent.ts";
import type { Rule, Technique } from "./rule.ts";
import { duplicate, mistakesOf, placed, type RuleRemark, warningsOf } from "./rule-mistakes.ts";
import { type RuleData, ruleFileSchema, ruleKeys } from "./rule-schema.ts";

export interface RuleFile {
  readonly path: string; // as a person named it
  readonly bytes: Buffer;
  readonly builtIn: boolean;
}

export interface RuleSet {
  readonly rules: readonly Rule[];
  readonly mistakes: readonly RuleRemark[]; // a file that has one is refused
  readonly warnings: readonly RuleRemark[]; // of files that are taken all the same
}

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
    const query = valueAt(reading.document, ["rule", "query"]);
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
