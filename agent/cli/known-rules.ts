/** What the rules are called whose terms a state has. A rule can be gone from its folder, and its terms still be there. */
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { newParentRule } from "../rules/new-parent.ts";
import { kinwatch } from "./checkout.ts";
import { loadRules } from "./rule-folders.ts";

export interface KnownRule {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly historyMs: number; // Infinity: for ever
}

export type KnownRules = ReadonlyMap<string, KnownRule>;

/** By id: the built-in rules, and those of the folders that load. */
export function knownRules(directories: readonly string[]): KnownRules {
  const { rules } = loadRules(directories);
  const all = [{ ...newParentRule, newTerms: { historyMs: Number.POSITIVE_INFINITY } }, ...rules];
  return new Map(
    all.map(({ id, name, version, newTerms: { historyMs } }) => [id, { id, name, version, historyMs }]),
  );
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
