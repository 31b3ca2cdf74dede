/** The rules that a configuration puts in force, and what keeps any of them from seeing what it asks for. */
import type { Config } from "../config.ts";
import { printable } from "../printable.ts";
import { gapsOf, type SourceName } from "../rules/field-sources.ts";
import type { Rule } from "../rules/rule.ts";
import type { RuleSet } from "../rules/rule-file.ts";
import type { RuleRemark } from "../rules/rule-mistakes.ts";
import { loadRules } from "./rule-folders.ts";

export interface ActiveRules {
  readonly rules: readonly Rule[];
  readonly mistakes: readonly RuleRemark[]; // files that are refused
  readonly warnings: readonly string[]; // what refuses nothing, such as a rule that will see less than it asks for
}

/** @param tell is told a line for each of the mistakes and warnings */
export function activeRules(
  config: Config["rules"],
  source: SourceName,
  tell: (line: string) => void,
): readonly Rule[] {
  const { rules, mistakes, warnings } = activate(loadRules(config.directories), config, source);
  for (const line of [...mistakes.map(lineOf), ...warnings]) tell(line);
  return rules;
}

export function activate(
  { rules, mistakes, warnings }: RuleSet,
  { disabled }: Config["rules"],
  source: SourceName,
): ActiveRules {
  const ids = new Set(rules.map(({ id }) => id));
  const unknown = disabled.filter((id) => !ids.has(id));
  const active = rules.filter(({ id }) => !disabled.includes(id));
  const gaps = active.flatMap((rule) => {
    if (rule.source.builtIn) return []; // what they need is in their setup
    const name = printable(rule.name, 100);
    return gapsOf(rule, source).map(
      ({ field, given, reason }) => `the rule ${name}: ${field} is ${given} given by ${source}: ${reason}`,
    );
  });
  return {
    rules: active,
    mistakes,
    warnings: [
      ...warnings.map(lineOf),
      ...unknown.map((id) => `rules.disabled: no rule has the id ${printable(id, 100)}`),
      ...gaps,
    ],
  };
}

export function lineOf({ file, position, code, text }: RuleRemark): string {
  const where = position === undefined ? "" : `:${position.line}:${position.column}`;
  return `${printable(file, 200)}${where}: ${text} (${code})`;
}
