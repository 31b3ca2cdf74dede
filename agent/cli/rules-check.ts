/** `kinwatch rules check`: would the daemon take these rules, and if not, where and why not. */
import { Command } from "commander";
import { printable } from "../printable.ts";
import type { Rule } from "../rules/rule.ts";
import type { RuleSet } from "../rules/rule-file.ts";
import type { RuleRemark } from "../rules/rule-mistakes.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, textFirst } from "./format.ts";
import {
  builtInRules,
  type FoundRules,
  findConfigured,
  findRules,
  isSameFile,
  readFound,
} from "./rule-folders.ts";
import { configOption, readSettings, type SettingsOptions } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly format: Format;
}

const PATH_MAX = 4_096;
const NAME_MAX = 200;
const TEXT_MAX = 2_000;

export function rulesCheckCommand(): Command {
  return new Command("check")
    .description("would these rule files load: a line each, ok or what is wrong")
    .argument("[paths...]", "files, and folders of *.toml; none: rules.directories")
    .addOption(textFirst())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  Before a file goes where the daemon finds it:
    ${kinwatch} rules check my.toml &&
      cp my.toml /etc/kinwatch/rules.d/
  Which of Elastic's rules can be served here, and why are the others not?
    ${kinwatch} rules check detection-rules/rules/linux

A line is FILE: ok: NAME, or FILE:LINE:COLUMN: CODE: what is wrong and what to
do. docs/errors.md explains each code. It is checked as the daemon will, so a
file that others than root and you could change is refused too. A warning holds
no rule back.

Exit code 0: all load. 1: a file is refused.`,
    )
    .action(check);
}

/** What becomes of files that stand beside the built-in rules. */
export function checkRules(found: FoundRules): RuleSet {
  const others = builtInRules().filter((rule) => !found.files.some((file) => isSameFile(file, rule)));
  const set = readFound(found, others);
  return { ...set, rules: set.rules.filter(({ source }) => !source.builtIn) };
}

function check(paths: readonly string[], options: Options): void {
  endWhenReaderLeaves(process.stdout);
  const found = paths.length > 0 ? findRules(paths) : findConfigured(readSettings(options).rules.directories);
  const { rules, mistakes, warnings } = checkRules(found);
  const answers = new Map<string, Answer[]>();
  const add = (file: string, answer: Answer) => answers.set(file, [...(answers.get(file) ?? []), answer]);
  for (const remark of warnings) add(remark.file, { status: "warning", remark });
  for (const remark of mistakes) add(remark.file, { status: "refused", remark });
  for (const rule of rules) add(rule.source.file, { status: "ok", rule });
  const write = options.format === "ndjson" ? documentOf : lineOf;
  for (const [file, list] of [...answers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const answer of list) process.stdout.write(`${write(file, answer)}\n`);
  }
  const refused = new Set(mistakes.map(({ file }) => file)).size;
  const summary = answers.size === 0 ? "no rule files there" : `${rules.length} ok, ${refused} refused`;
  process.stderr.write(`kinwatch: ${summary}\n`);
  if (refused > 0) process.exitCode = 1;
}

type Answer =
  | { readonly status: "warning" | "refused"; readonly remark: RuleRemark }
  | { readonly status: "ok"; readonly rule: Rule };

function documentOf(file: string, answer: Answer): string {
  const { status } = answer;
  if (status === "ok")
    return JSON.stringify({ file, status, rule_id: answer.rule.id, name: answer.rule.name });
  const { position, code, text } = answer.remark;
  return JSON.stringify({ file, status, ...position, code, text });
}

function lineOf(file: string, answer: Answer): string {
  if (answer.status === "ok")
    return `${printable(file, PATH_MAX)}: ok: ${printable(answer.rule.name, NAME_MAX)}`;
  return remarkLine(answer.remark, answer.status === "warning" ? "warning: " : "");
}

/** As compilers write it, so that editors find the place. */
export function remarkLine({ file, position, code, text }: RuleRemark, kind = ""): string {
  const place = position === undefined ? "" : `:${position.line}:${position.column}`;
  return `${printable(file, PATH_MAX)}${place}: ${kind}${code}: ${printable(text, TEXT_MAX)}`;
}
