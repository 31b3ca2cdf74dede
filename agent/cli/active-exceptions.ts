/** The exceptions that a configuration puts in force, and what keeps any of them from seeing what it asks for. */
import type { Config } from "../config.ts";
import type { Exception } from "../rules/exception.ts";
import { queriesOf } from "../rules/exception-match.ts";
import { gapsOf, type SourceName } from "../rules/field-sources.ts";
import { newParentRule } from "../rules/new-parent.ts";
import type { Rule } from "../rules/rule.ts";
import { lineOf } from "./active-rules.ts";
import { findExceptions, loadExceptions } from "./exception-folder.ts";
import { digestOf, type LiveExceptions } from "./live-rules.ts";

/**
 * @param active the rules that are asked
 * @param tell is told a line for each mistake, and for what exceptions ask and this source does not give
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
  for (const gap of gapsIn(exceptions, source)) tell(gap);
  return exceptions;
}

/** The same for a daemon, which reads them again when they change. */
export function liveExceptions(
  config: Config,
  source: SourceName,
  tell: (remark: string) => void,
): LiveExceptions {
  return {
    digest: () => digestOf(findExceptions(config.exceptions.directory)),
    load: (rules) => activeExceptions(config, rules, source, tell),
  };
}

/** A line for each field that the source does not always give, however many exceptions ask for it. */
function gapsIn(exceptions: readonly Exception[], source: SourceName): string[] {
  const gaps = exceptions.flatMap((exception) =>
    queriesOf(exception).flatMap(({ tree }) =>
      gapsOf({ tree, newTerms: { fields: [], historyMs: 0 }, on: "outcome" }, source).map(
        ({ field, given, reason }) => ({
          id: exception.id,
          text: `${field} is ${given} given by ${source}: ${reason}`,
        }),
      ),
    ),
  );
  return [...Map.groupBy(gaps, ({ text }) => text)].map(([text, of]) => {
    const [first = "", ...more] = new Set(of.map(({ id }) => id));
    return `the exception ${first}${more.length > 0 ? ` and ${more.length} more` : ""}: ${text}`;
  });
}
