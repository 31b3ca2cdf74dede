/** `kinwatch rules list` and `show`: what is asked on this host, and the guide of each rule for who got its alert. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Command } from "commander";
import { textOptions } from "../outputs/terminal.ts";
import { fit, textWidth } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";
import { newParentRule } from "../rules/new-parent.ts";
import type { Rule } from "../rules/rule.ts";
import { historyText, rulePage } from "../rules/rule-page.ts";
import { unheeded } from "./active-rules.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, textFirst } from "./format.ts";
import { markdownText } from "./markdown-text.ts";
import { oneOfId } from "./one-of-id.ts";
import { findFile, loadRules } from "./rule-folders.ts";
import { checkRules, remarkLine } from "./rules-check.ts";
import { configOption, readSettings, type SettingsOptions } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly format?: Format;
}

const WIDTH_MAX = 80;
const SOURCE_MAX = 20;
const ID_MIN = 8; // characters of an id; more where that many do not tell two rules apart

export function rulesListCommand(): Command {
  return new Command("list")
    .description("a line each: the beginning of its id, severity or off, history, source, name")
    .addOption(formatOption())
    .addOption(configOption())
    .action(list);
}

export function rulesShowCommand(): Command {
  return new Command("show")
    .description("all of one, with the guide: what to ask, what to do")
    .argument("<rule>", "its id, the beginning of it, or a file")
    .addOption(textFirst())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  What to do with an alert, by its rule.id:
    ${kinwatch} rules show package-installed-by-new-parent
  A file that is not loaded yet:
    ${kinwatch} rules show ./my.toml

Exit code 2: there is no such rule, or the file is refused.`,
    )
    .action(show);
}

/** A rule as it is listed and shown, whether a file or our code says what it asks. */
interface Listed {
  readonly id: string;
  readonly severity: string;
  readonly history: string;
  readonly name: string;
  readonly source: string; // a file, or "built-in"
  readonly document: object;
  readonly page: () => string; // Markdown
}

function list(options: Options): void {
  endWhenReaderLeaves(process.stdout);
  const { rules, refused, disabled, unknown } = allRules(options);
  const idLength = lengthToTellApart(rules.map(({ id }) => id));
  const isPretty = formatOf(options.format) === "pretty";
  const sources = rules.map(({ source }) => fit(printable(basename(source), 400), SOURCE_MAX));
  const sourceLength = Math.max(...sources.map(textWidth));
  for (const [index, { id, severity, history, name, document }] of rules.entries()) {
    const source = sources[index] ?? "";
    const columns = [
      id.slice(0, idLength).padEnd(idLength),
      (disabled.has(id) ? "off" : severity).padEnd(8),
      history.padEnd(5),
      source + " ".repeat(sourceLength - textWidth(source)),
      printable(name, 200),
    ];
    const line = isPretty
      ? fit(columns.join("  "), textOptions(process.stdout).width)
      : JSON.stringify({ ...document, disabled: disabled.has(id) });
    process.stdout.write(`${line}\n`);
  }
  for (const id of unknown) process.stderr.write(`kinwatch: ${unheeded(id)}\n`);
  if (refused > 0)
    process.stderr.write(`kinwatch: rule files refused: ${refused}; ${kinwatch} rules check says why\n`);
}

function show(what: string, options: Options): void {
  endWhenReaderLeaves(process.stdout);
  const rule = /\/|\.toml$/.test(what)
    ? ruleInFile(what)
    : oneOfId(allRules(options).rules, what, { kind: "rule", code: "KW_RULE_UNKNOWN" });
  if (rule === undefined) return;
  const { width, colour } = textOptions(process.stdout);
  process.stdout.write(
    options.format === "pretty"
      ? markdownText(rule.page(), { width: Math.min(width, WIDTH_MAX), colour })
      : `${JSON.stringify(rule.document)}\n`,
  );
}

/** undefined: it has told why. */
function ruleInFile(path: string): Listed | undefined {
  const { rules, mistakes } = checkRules(findFile(path));
  for (const mistake of mistakes) process.stderr.write(`${remarkLine(mistake)}\n`);
  if (mistakes.length > 0) process.exitCode = 2;
  return rules[0] && listed(rules[0]);
}

function allRules(options: Options) {
  const { directories, disabled } = readSettings(options).rules;
  const { rules, mistakes } = loadRules(directories);
  const refused = new Set(mistakes.map(({ file }) => file)).size;
  const ids = new Set(rules.map(({ id }) => id));
  return {
    rules: [ruleInCode, ...rules.map(listed)],
    refused,
    disabled: ids.intersection(new Set(disabled)),
    unknown: disabled.filter((id) => !ids.has(id)),
  };
}

function listed(rule: Rule): Listed {
  const { id, severity, name } = rule;
  const history = historyText(rule);
  const source = rule.source.builtIn ? "built-in" : rule.source.file;
  return {
    id,
    severity,
    history,
    name,
    source,
    document: ruleDocument(rule, history, source),
    page: () => rulePage(rule),
  };
}

/** The keys of the file, without its tables. */
function ruleDocument(rule: Rule, history: string, source: string): object {
  return {
    rule_id: rule.id,
    name: rule.name,
    severity: rule.severity,
    risk_score: rule.riskScore,
    history,
    source,
    version: rule.version,
    description: rule.description,
    on: rule.on,
    query: rule.query,
    new_terms_fields: rule.newTerms.fields,
    interval_ms: rule.intervalMs,
    max_signals: rule.maxSignals,
    tags: rule.tags,
    threat: rule.threat,
    note: rule.note,
    setup: rule.setup,
    false_positives: rule.falsePositives,
    references: rule.references,
    author: rule.author,
    license: rule.license,
    related_rule: rule.relatedRule,
  };
}

/** What it asks is not to be said in a query. Its page is written by hand. */
const ruleInCode: Listed = {
  id: newParentRule.id,
  severity: "medium",
  history: "never",
  name: newParentRule.name,
  source: "built-in",
  document: {
    rule_id: newParentRule.id,
    name: newParentRule.name,
    severity: "medium",
    risk_score: newParentRule.riskScore,
    history: "never",
    source: "built-in",
    version: newParentRule.version,
    description: newParentRule.description,
    on: "installation",
  },
  page: () =>
    readFileSync(new URL("../../docs/rules/package-installed-by-new-parent.md", import.meta.url), "utf8"),
};

function lengthToTellApart(ids: readonly string[]): number {
  let length = ID_MIN;
  while (new Set(ids.map((id) => id.slice(0, length))).size < ids.length) length += 1;
  return length;
}
