/** `kinwatch baseline forget`: what was seen is new again, from now on, also for a daemon that runs. */
import { Command } from "commander";
import { Baseline } from "../baseline/baseline.ts";
import { type StoredTerm, termId } from "../baseline/stored-term.ts";
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { openStoreToRead } from "../store/store.ts";
import { openTermsToChange, type StoredTerms } from "../store/stored-terms.ts";
import { termWords } from "./baseline-list.ts";
import { kinwatch } from "./checkout.ts";
import { knownRules } from "./known-rules.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";
import { addSelection, filterOf, findTerms, isSelective, type SelectionOptions } from "./term-selection.ts";

interface Options extends SettingsOptions, SelectionOptions {
  readonly yes?: boolean;
}

interface Forgotten {
  readonly count: number;
  readonly first: readonly StoredTerm[];
}

const FREELY = 10; // terms that options may select without --yes, and that are named one by one: half a screen

export function baselineForgetCommand(): Command {
  return addSelection(new Command("forget"))
    .description("strike out terms: each alerts again the next time it is seen")
    .argument("[term...]", "their ids, or the beginnings of them; or options, not both")
    .option("--yes", `forget more than ${FREELY} by options`)
    .addOption(stateOption())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  One that should not have been taken for granted:
    ${kinwatch} baseline forget 1f0c22ab
  What a rule had seen before this year. Look at it first, with list instead:
    ${kinwatch} baseline forget --rule my-rule --before 2026-01-01
  All that was learned, from a script:
    ${kinwatch} baseline forget --learned --yes

A daemon that runs heeds it at once. Exit code 2: nothing was forgotten.`,
    )
    .action(forget);
}

function forget(ids: readonly string[], options: Options): void {
  if (ids.length > 0 === isSelective(options)) {
    const what = ids.length > 0 ? "Both ids and options say what to forget" : "Nothing says what to forget";
    throw new KinwatchError("KW_ARGUMENT_INVALID", what, "Give ids, or --rule, --learned, --since, --before");
  }
  const { state, rules } = readSettings(options);
  using terms = openTermsToChange(state.directory);
  const { count, first } =
    ids.length > 0
      ? forgetThese(findTerms(ids, terms), terms)
      : terms.transaction(() => forgetSelected(options, rules.directories, terms));
  const lines = first.map((term) => `forgot ${termId(term)}: ${printable(termWords(term), 200)}`);
  if (count > first.length) lines.push(`and ${count - first.length} more`);
  const effect = count === 0 ? "" : "; each alerts again the next time it is seen";
  lines.push(`${count === 1 ? "1 term" : `${count} terms`} forgotten${effect}`);
  using store = openStoreToRead(state.directory);
  if (count > 0 && new Baseline(store).isLearning(Date.now()))
    lines.push("but kinwatch is still learning: what it sees until that ends is taken for granted again");
  process.stderr.write(lines.map((line) => `kinwatch: ${line}\n`).join(""));
}

function forgetThese(found: readonly StoredTerm[], terms: StoredTerms): Forgotten {
  const gone = terms.transaction(() => found.filter((term) => terms.forget(term)));
  return { count: gone.length, first: gone.slice(0, FREELY) };
}

function forgetSelected(options: Options, directories: readonly string[], terms: StoredTerms): Forgotten {
  const filter = filterOf(options, knownRules(directories), terms);
  const count = terms.count(filter);
  if (count > FREELY && options.yes !== true) {
    throw new KinwatchError(
      "KW_ARGUMENT_INVALID",
      `This would forget ${count} terms, and nothing was forgotten`,
      `Look at them with ${kinwatch} baseline list and the same options, then add --yes`,
    );
  }
  const first = terms.list(filter).take(FREELY).toArray();
  terms.forgetAll(filter);
  return { count, first };
}
