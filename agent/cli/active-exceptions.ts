/** The exceptions that a configuration puts in force, and what keeps any of them from seeing what it asks for. */
import type { Config } from "../config.ts";
import type { Exception } from "../rules/exception.ts";
import { queriesOf } from "../rules/exception-match.ts";
import { gapsOf, type SourceName } from "../rules/field-sources.ts";
import { newParentRule } from "../rules/new-parent.ts";
import type { Rule } from "../rules/rule.ts";
import { type Active, lineOf, told } from "./active-rules.ts";
import { findExceptions, readFoundExceptions } from "./exception-folder.ts";
import type { FoundRules } from "./rule-folders.ts";

/**
 * @param active the rules that are asked
 * @param tell is told a line for each mistake, and for what exceptions ask and this source does not give
 */
export function activeExceptions(
  config: Config,
  active: readonly Rule[],
  source: SourceName,
  tell: (remark: string) => void,
): readonly Exception[] {
  return told(activateExceptions(findExceptions(config.exceptions.directory), config, active, source), tell);
}

export function activateExceptions(
  found: FoundRules,
  { rules: { disabled } }: Config,
  active: readonly Rule[],
  source: SourceName,
): Active<Exception> {
  const rules = new Set([newParentRule.id, ...active.map(({ id }) => id), ...disabled]);
  const { exceptions, mistakes, warnings } = readFoundExceptions(found, rules);
  return { items: exceptions, mistakes, warnings: [...warnings.map(lineOf), ...gapsIn(exceptions, source)] };
}

const noOwners =
  "a stored log does not tell whose package a program was, so that the exception does not hold";

/** A line for each field that the source does not always give, however many exceptions ask for it. */
function gapsIn(exceptions: readonly Exception[], source: SourceName): string[] {
  const gaps = exceptions.flatMap((exception) => [
    ...queriesOf(exception).flatMap(({ tree }) =>
      gapsOf({ tree, newTerms: { fields: [], historyMs: 0 }, on: "outcome" }, source).map(
        ({ field, given, reason }) => ({
          id: exception.id,
          text: `${field} is ${given} given by ${source}: ${reason}`,
        }),
      ),
    ),
    ...(exception.conditions.package_owner === undefined || source !== "files"
      ? []
      : [{ id: exception.id, text: `package_owner is never given by ${source}: ${noOwners}` }]),
  ]);
  return [...Map.groupBy(gaps, ({ text }) => text)].map(([text, of]) => {
    const [first = "", ...more] = new Set(of.map(({ id }) => id));
    return `the exception ${first}${more.length > 0 ? ` and ${more.length} more` : ""}: ${text}`;
  });
}
