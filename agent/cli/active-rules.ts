/** The rules that a configuration puts in force, and what keeps any of them from seeing what it asks for. */
import type { Config } from "../config.ts";
import { printable } from "../printable.ts";
import { gapsOf, type SourceName } from "../rules/field-sources.ts";
import { newParentRule } from "../rules/new-parent.ts";
import type { Rule } from "../rules/rule.ts";
import type { RuleSet } from "../rules/rule-file.ts";
import type { RuleRemark } from "../rules/rule-mistakes.ts";
import { loadRules } from "./rule-folders.ts";

/** Rules, or something like them. */
export interface Active<Kept> {
  readonly items: readonly Kept[];
  readonly mistakes: readonly RuleRemark[]; // a file that has one is refused
  readonly warnings: readonly string[]; // what refuses nothing, such as one that will see less than it asks for
}

/** @param tell is told a line for each of the mistakes and warnings */
export function activeRules(
  config: Config["rules"],
  source: SourceName,
  tell: (line: string) => void,
): readonly Rule[] {
  return told(activate(loadRules(config.directories), config, source), tell);
}

export function told<Kept>(
  { items, mistakes, warnings }: Active<Kept>,
  tell: (line: string) => void,
): readonly Kept[] {
  for (const line of [...mistakes.map(lineOf), ...warnings]) tell(line);
  return items;
}

export function activate(
  { rules, mistakes, warnings }: RuleSet,
  { disabled }: Config["rules"],
  source: SourceName,
): Active<Rule> {
  const ids = new Set(rules.map(({ id }) => id));
  const active = rules.filter(({ id }) => !disabled.includes(id));
  const gaps = active.flatMap((rule) => {
    if (rule.source.builtIn) return []; // what they need is in their setup
    const name = printable(rule.name, 100);
    return gapsOf(rule, source).map(
      ({ field, given, reason }) => `the rule ${name}: ${field} is ${given} given by ${source}: ${reason}`,
    );
  });
  return {
    items: active,
    mistakes,
    warnings: [...warnings.map(lineOf), ...disabled.filter((id) => !ids.has(id)).map(unheeded), ...gaps],
  };
}

/** Why an id that is disabled turns nothing off. */
export function unheeded(id: string): string {
  const why = id === newParentRule.id ? "cannot be turned off" : "is no rule's: that takes the whole id";
  return `rules.disabled: ${printable(id, 100)} ${why}`;
}

export function lineOf({ file, position, code, text }: RuleRemark): string {
  const where = position === undefined ? "" : `:${position.line}:${position.column}`;
  return `${printable(file, 200)}${where}: ${text} (${code})`;
}
