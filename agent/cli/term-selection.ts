/** Which terms a command is about: the same options for looking at them, forgetting them and taking them to other hosts. */
import { type Command, Option } from "commander";
import { type StoredTerm, termId } from "../baseline/stored-term.ts";
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import type { StoredTerms, TermFilter } from "../store/stored-terms.ts";
import { kinwatch } from "./checkout.ts";
import { findRule, type KnownRules } from "./known-rules.ts";
import { momentOf } from "./moment.ts";

export interface SelectionOptions {
  readonly rule?: string;
  readonly learned?: boolean;
  readonly since?: number;
  readonly before?: number;
}

export function addSelection(command: Command): Command {
  return command
    .option("--rule <rule>", "of this rule: its id, the beginning of it, or its name")
    .option("--learned", "only what was taken for granted and never alerted")
    .addOption(new Option("--since <when>", "first seen since 7d ago, or a day (UTC)").argParser(momentOf))
    .addOption(new Option("--before <when>", "first seen before that").argParser(momentOf));
}

/** Whether any of the options was given. */
export function isSelective({ rule, learned, since, before }: SelectionOptions): boolean {
  return [rule, learned, since, before].some((option) => option !== undefined);
}

export function filterOf(options: SelectionOptions, known: KnownRules, terms: StoredTerms): TermFilter {
  const { rule, learned, since, before } = options;
  return {
    rule: rule === undefined ? undefined : findRule(rule, known, terms.rules()),
    learned,
    sinceMs: since,
    beforeMs: before,
  };
}

const idForm = /^[0-9a-f]{4,16}$/; // shorter ones are rather mistakes, and an empty one is an unset variable of a script

/**
 * The one term that each id names.
 * @param ids or the beginnings of them
 * @throws KW_BASELINE_TERM_UNKNOWN
 */
export function findTerms(ids: readonly string[], terms: StoredTerms): StoredTerm[] {
  const found = new Map(ids.map((id) => [id, [] as StoredTerm[]]));
  const good = [...found].filter(([id]) => idForm.test(id));
  for (const term of terms.list()) {
    const id = termId(term);
    for (const [asked, those] of good) if (id.startsWith(asked) && those.length < 3) those.push(term);
  }
  return [...found].map(([id, those]) => {
    const [term, another] = those;
    if (term !== undefined && another === undefined) return term;
    throw new KinwatchError(
      "KW_BASELINE_TERM_UNKNOWN",
      term === undefined
        ? `No term has an id that begins with ${printable(id, 100)}`
        : `More than one term has an id that begins with ${id}: ${those.map(termId).join(", ")}`,
      `See ${kinwatch} baseline list`,
    );
  });
}
