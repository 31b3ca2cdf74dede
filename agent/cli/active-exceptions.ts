/** The exceptions that a configuration puts in force, and what keeps any of them from seeing what it asks for. */
import type { Config } from "../config.ts";
import { printable } from "../printable.ts";
import type { Exception } from "../rules/exception.ts";
import { queriesOf } from "../rules/exception-match.ts";
import { gapsOf, type SourceName } from "../rules/field-sources.ts";
import { newParentRule } from "../rules/new-parent.ts";
import type { Rule } from "../rules/rule.ts";
import { lineOf } from "./active-rules.ts";
import { loadExceptions } from "./exception-folder.ts";

/**
 * @param active the rules that are asked
 * @param tell is told a line for each mistake, and each exception that will see less than it asks for
 */
export function activeExceptions(
  { exceptions: { directory }, rules: { disabled } }: Config,
  active: readonly Rule[],
  source: SourceName,
  tell: (remark: string) => void,
): readonly Exception[] {
  const rules = new Set([newParentRule.id, ...active.map(({ id }) => id), ...disabled]);
  const { exceptions, mistakes, warnings } = loadExceptions(directory, rules);
  for (const remark of [...mistakes, ...warnings]) tell(lineOf(remark));
  for (const exception of exceptions) {
    for (const { tree } of queriesOf(exception)) {
      const gaps = gapsOf({ tree, newTerms: { fields: [], historyMs: 0 }, on: "outcome" }, source);
      for (const { field, given, reason } of gaps)
        tell(
          `the exception ${printable(exception.id, 100)}: ${field} is ${given} given by ${source}: ${reason}`,
        );
    }
  }
  return exceptions;
}
