/** For tests of the rule that is about parents, which each installation has: what the other rules find beside it is not asked. */
import { builtInRules } from "../../agent/cli/rule-folders.ts";
import { readRules } from "../../agent/rules/rule-file.ts";

const ids = readRules(builtInRules()).rules.map(({ id }) => id);

/** A line of a configuration, at its beginning. */
export const rulesOff = `rules.disabled = ${JSON.stringify(ids)}`;
