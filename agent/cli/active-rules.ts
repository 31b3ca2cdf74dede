/** The rules that a configuration puts in force, and what keeps any of them from seeing what it asks for. */
import type { Config } from "../config.ts";
import { printable } from "../printable.ts";
import { gapsOf, type SourceName } from "../rules/field-sources.ts";
import type { Rule } from "../rules/rule.ts";
import type { RuleRemark } from "../rules/rule-mistakes.ts";
import { loadRules } from "./rule-folders.ts";

/** @param tell is told a line for each file that is refused, and each rule that will see less than it asks for */
export function activeRules(
  { directories, disabled }: Config["rules"],
  source: SourceName,
  tell: (remark: string) => void,
): Rule[] {
  const { rules, mistakes, warnings } = loadRules(directories);
  for (const remark of [...mistakes, ...warnings]) tell(lineOf(remark));
  const ids = new Set(rules.map(({ id }) => id));
  for (const id of disabled)
    if (!ids.has(id)) tell(`rules.disabled: no rule has the id ${printable(id, 100)}`);
  const active = rules.filter(({ id }) => !disabled.includes(id));
  for (const rule of active) {
    if (rule.source.builtIn) continue; // what they need is in their setup
    for (const { field, given, reason } of gapsOf(rule, source))
      tell(`the rule ${printable(rule.name, 100)}: ${field} is ${given} given by ${source}: ${reason}`);
  }
  return active;
}

export function lineOf({ file, position, code, text }: RuleRemark): string {
  const where = position === undefined ? "" : `:${position.line}:${position.column}`;
  return `${printable(file, 200)}${where}: ${text} (${code})`;
}
