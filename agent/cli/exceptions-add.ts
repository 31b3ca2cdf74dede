/** `kinwatch exceptions add`: writes an exception, of options or of what a stored alert shows. */
import { randomBytes } from "node:crypto";
import { userInfo } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import type { AlertDocument } from "../alert/alert-document.ts";
import { KinwatchError } from "../errors.ts";
import { readRpmAliases } from "../packages/popt-files.ts";
import { printable } from "../printable.ts";
import { type Conditions, conditionWords } from "../rules/exception.ts";
import { openStoreToRead } from "../store/store.ts";
import { isMissing } from "../trusted-file.ts";
import { proposalOf, refusalsOf } from "./alert-exceptions.ts";
import { kinwatch } from "./checkout.ts";
import { loadExceptions, tellMistakes, writeExceptionFile } from "./exception-folder.ts";
import {
  addConditionOptions,
  type ConditionOptions,
  conditionsGiven,
  exceptionText,
  expiryGiven,
  readGiven,
  rulesGiven,
} from "./exception-options.ts";
import { endWhenReaderLeaves } from "./format.ts";
import { knownRules } from "./known-rules.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";
import { storedAlert } from "./stored-alert.ts";

interface Options extends SettingsOptions, ConditionOptions {
  readonly from?: string;
  readonly reason: string;
  readonly author?: string;
  readonly expires?: string;
  readonly id?: string;
  readonly dryRun?: boolean;
}

export function exceptionsAddCommand(): Command {
  const add = new Command("add")
    .description("write an exception; all conditions that are given must hold")
    .option("--from <alert>", "what an alert shows: its rule, parent and account");
  return addConditionOptions(add)
    .requiredOption("--reason <text>", "why it is no alert")
    .option("--author <name>", "who says so; left out, the one who runs this")
    .option("--expires <when>", "a time from now on such as 30d, or a date; left out, never")
    .option("--id <id>", "what to call it; left out, a random number")
    .option("--dry-run", "show the file, and write nothing")
    .addOption(stateOption())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  What an alert shows was all right, and will be for a month:
    ${kinwatch} exceptions add --from 019a2f \\
      --reason "we move to the new tool" --expires 30d
  An administrator's own packages, whoever started rpm:
    ${kinwatch} exceptions add --user root \\
      --package 'acme-*' --reason "built here"
  What would be written?
    ${kinwatch} exceptions add --parent '/opt/deploy/*' \\
      --reason deployment --dry-run

Prints the file and says where it is. A running daemon takes it within a
second. Options add to what --from proposes, or replace it; without --rule and
--from it is an exception of all rules.`,
    )
    .action(addException);
}

function addException(options: Options): void {
  endWhenReaderLeaves(process.stdout);
  const nowMs = Date.now();
  const config = readSettings(options);
  const { directory } = config.exceptions;
  const rules = knownRules(config.rules.directories);
  const { exceptions } = tellMistakes(loadExceptions(directory, new Set(rules.keys())));
  const alert = options.from === undefined ? undefined : alertIn(config.state.directory, options.from);
  const id = options.id ?? randomBytes(4).toString("hex");
  const path = join(directory, `${id}.toml`);
  const text = exceptionText({
    id,
    rules: rulesGiven(options.rule ?? (alert && [alert.rule.id]), rules),
    conditions: { ...(alert && proposed(alert, options)), ...conditionsGiven(options) },
    reason: options.reason,
    author: options.author ?? process.env["SUDO_USER"] ?? userInfo().username,
    expires: options.expires === undefined ? undefined : expiryGiven(options.expires, nowMs),
  });
  const exception = readGiven(text, path, rules);
  if (exception === undefined) {
    process.exitCode = 2;
    return;
  }
  if (exceptions.some((other) => other.id === id) || !isMissing(path))
    throw new KinwatchError(
      "KW_EXCEPTION_DUPLICATE",
      `There is an exception ${printable(id, 100)} already`,
      "Give it another --id",
    );
  if (options.dryRun !== true) writeExceptionFile(path, text);
  process.stdout.write(text);
  const whose = exception.rules === undefined ? ", of all rules" : "";
  const done = options.dryRun === true ? "would be written to" : "written to";
  say(
    `${done} ${printable(path, 400)}: takes out ${printable(conditionWords(exception.conditions), 400)}${whose}`,
  );
  if (alert === undefined) return;
  const isOver = rules.get(alert.rule.id)?.on === "outcome";
  const refusals = refusalsOf(exception, alert, isOver, readRpmAliases("/", "/root"));
  if (refusals.length > 0) say(`it would not have held back that alert: ${refusals.join(", ")}`);
}

/** @throws KW_ARGUMENT_INVALID where it would be an exception of everybody who has that account */
function proposed(alert: AlertDocument, options: Options): Conditions {
  const conditions = proposalOf(alert);
  if (conditions !== undefined) return conditions;
  if (Object.keys(conditionsGiven(options)).length > 0) return {};
  throw new KinwatchError(
    "KW_ARGUMENT_INVALID",
    "The parent in that alert is not known, so that nothing tells it from others",
    "Say what is meant, as with --ancestor or --package",
  );
}

function alertIn(state: string, id: string): AlertDocument {
  using store = openStoreToRead(state);
  return JSON.parse(storedAlert(store, id)) as AlertDocument;
}

function say(text: string): void {
  process.stderr.write(`kinwatch: ${text}\n`);
}
