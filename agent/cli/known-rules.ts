/** What commands need to know of rules. One can be gone from its folder, and its terms and exceptions still be there. */
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { newParentRule } from "../rules/new-parent.ts";
import type { Rule } from "../rules/rule.ts";
import { kinwatch } from "./checkout.ts";
import { loadRules } from "./rule-folders.ts";

export interface KnownRule extends Pick<Rule, "id" | "name" | "version" | "on"> {
  readonly historyMs: number; // Infinity: for ever
}

export type KnownRules = ReadonlyMap<string, KnownRule>;

/** By id: the built-in rules, and those of the folders that load, disabled ones too. */
export function knownRules(directories: readonly string[]): KnownRules {
  const { rules } = loadRules(directories);
  const { id, name, version } = newParentRule;
  const inCode: KnownRule = { id, name, version, on: "installation", historyMs: Number.POSITIVE_INFINITY };
  const all = [inCode, ...rules.map((rule) => ({ ...rule, historyMs: rule.newTerms.historyMs }))];
  return new Map(all.map((rule) => [rule.id, rule]));
}

/**
 * @param what an id, the beginning of one, or a name in small or capital letters
 * @param stored ids that the state has terms of
 * @throws KW_RULE_UNKNOWN
 */
export function findRule(what: string, known: KnownRules, stored: readonly string[]): string {
  const ids = [...new Set([...known.keys(), ...stored])];
  const named = [...known.values()].filter(({ name }) => name.toLowerCase() === what.toLowerCase());
  const found = ids.includes(what)
    ? [what]
    : named.length > 0
      ? named.map(({ id }) => id)
      : ids.filter((id) => what !== "" && id.startsWith(what));
  const [id] = found;
  if (id !== undefined && found.length === 1) return id;
  throw new KinwatchError(
    "KW_RULE_UNKNOWN",
    `${id === undefined ? "No rule has" : "More than one rule has"} the name ${printable(what, 100)}, or an id that begins so`,
    `See ${kinwatch} rules list`,
  );
}
