/** `kinwatch exceptions test`: which exception would have held a stored alert back. */
import { Command } from "commander";
import type { AlertDocument } from "../alert/alert-document.ts";
import { KinwatchError } from "../errors.ts";
import { readRpmAliases } from "../packages/popt-files.ts";
import { printable } from "../printable.ts";
import { conditionWords, type Exception } from "../rules/exception.ts";
import { openStoreToRead } from "../store/store.ts";
import { refusalsOf } from "./alert-exceptions.ts";
import { kinwatch } from "./checkout.ts";
import { loadExceptionFile, loadExceptions, tellMistakes } from "./exception-folder.ts";
import {
  addConditionOptions,
  type ConditionOptions,
  conditionsGiven,
  exceptionText,
  readGiven,
  rulesGiven,
} from "./exception-options.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption } from "./format.ts";
import { type KnownRules, knownRules } from "./known-rules.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";
import { storedAlert } from "./stored-alert.ts";

interface Options extends SettingsOptions, ConditionOptions {
  readonly file?: string;
  readonly format?: Format;
}

export function exceptionsTestCommand(): Command {
  const command = new Command("test")
    .description("which exception would have held an alert back, and why the others not")
    .argument("<alert>", "its id, or the beginning of it")
    .option("--file <file>", "those of a file that is not in force yet");
  return addConditionOptions(command)
    .addOption(formatOption())
    .addOption(stateOption())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  Why did this alert in spite of our exceptions?
    ${kinwatch} exceptions test 019a2f
  Would this one have held it back, before it is added?
    ${kinwatch} exceptions test 019a2f --parent '/opt/deploy/*'

Asked are the exceptions in force, or those of --file, or the one that options
describe. Of each that does not hold the keys are named that are not so. An
alert that began before its outcome was known is told with it here.

Exit code 0: one would have held it back. 1: none. 2: what was given is refused.`,
    )
    .action(testAlert);
}

function testAlert(id: string, options: Options): void {
  endWhenReaderLeaves(process.stdout);
  const config = readSettings(options);
  const rules = knownRules(config.rules.directories);
  using store = openStoreToRead(config.state.directory);
  const alert = JSON.parse(storedAlert(store, id)) as AlertDocument;
  const isOver = rules.get(alert.rule.id)?.on === "outcome";
  const aliases = readRpmAliases("/", "/root");
  const write = formatOf(options.format) === "pretty" ? lineOf : documentOf;
  const asked = candidates(options, rules, config.exceptions.directory);
  if (asked === undefined) {
    process.exitCode = 2;
    return;
  }
  let holds = false;
  for (const exception of asked) {
    const refusals = refusalsOf(exception, alert, isOver, aliases);
    holds ||= refusals.length === 0;
    process.stdout.write(`${write(exception, refusals)}\n`);
  }
  if (asked.length === 0) process.stderr.write("kinwatch: there are no exceptions to ask\n");
  if (!holds) process.exitCode = 1;
}

/** @returns undefined: what was given is refused, and it was told why */
function candidates(
  options: Options,
  rules: KnownRules,
  directory: string,
): readonly Exception[] | undefined {
  const conditions = conditionsGiven(options);
  const isGiven = Object.keys(conditions).length > 0;
  const ids = new Set(rules.keys());
  if (isGiven && options.file !== undefined)
    throw new KinwatchError(
      "KW_ARGUMENT_INVALID",
      "--file and conditions are two questions",
      "Ask one of them",
    );
  if (options.file !== undefined) {
    const { exceptions, mistakes } = tellMistakes(loadExceptionFile(options.file, ids));
    return mistakes.length === 0 ? exceptions : undefined;
  }
  if (!isGiven) return tellMistakes(loadExceptions(directory, ids)).exceptions;
  const text = exceptionText({
    id: "given",
    rules: rulesGiven(options.rule, rules),
    conditions,
    reason: "a question",
    author: "who asks",
    expires: undefined,
  });
  const given = readGiven(text, "given", rules);
  return given && [given];
}

function lineOf({ id, conditions }: Exception, refusals: readonly string[]): string {
  const words = printable(conditionWords(conditions), 1_000);
  return refusals.length === 0
    ? `${id}: holds it back: ${words}`
    : `${id}: does not, by ${refusals.join(", ")}: ${words}`;
}

function documentOf({ id, file }: Exception, refusals: readonly string[]): string {
  return JSON.stringify({ id, file, holds: refusals.length === 0, refused_by: refusals });
}
