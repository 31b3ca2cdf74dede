/** `kinwatch rules match`: asks a rule of events that somebody has, for who writes one and for tests. */
import assert from "node:assert/strict";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { Command } from "commander";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";
import { documentFields } from "../rules/document-fields.ts";
import { compileKql, type KqlMatcher } from "../rules/kql-match.ts";
import { KqlError } from "../rules/kql-tree.ts";
import { type Terms, termsOf } from "../rules/new-terms.ts";
import type { Rule } from "../rules/rule.ts";
import { readRules } from "../rules/rule-file.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, print } from "./format.ts";
import { type InputLine, inputLines } from "./input-lines.ts";
import { remarkLine } from "./rules-check.ts";

interface Options {
  readonly rule: string;
  readonly format?: Format;
}

interface Question {
  readonly matches: KqlMatcher<unknown>;
  readonly termsOf: (document: unknown) => Terms;
}

const COMPLAINTS_MAX = 20; // then they are only counted: a file of another kind has a bad line for each line
const SHOWN_MAX = 200; // characters of a term, and of a path
const RULE_BYTES_MAX = 1_048_576; // thousands of lines of prose
const TERMS_SHOWN = 8;

export function rulesMatchCommand(): Command {
  return new Command("match")
    .description("ask a rule of events: does it match, and with which terms")
    .argument("[events...]", "files of ECS documents, one a line (NDJSON); none or -: standard input")
    .requiredOption("--rule <file>", "the rule")
    .addOption(formatOption())
    .addHelpText(
      "after",
      `
Examples:
  What would this rule have been told of in the logs that are still there?
    ${kinwatch} events --all --format ndjson audit.log |
      ${kinwatch} rules match --rule my.toml
  Of events that Elastic's sensor wrote:
    ${kinwatch} rules match --rule my.toml events.ndjson

Answers are one a line in the order of the events (ndjson):
  match   does the query match
  terms   what it has in the rule's new_terms fields, a list of their values
          each; of lists every combination, 1,024 at most; [] where one of the
          fields is missing, or the query does not match

Exit code 2: the rule is refused, or a line of the input could not be read; the
others are answered all the same.`,
    )
    .action(match);
}

async function match(paths: readonly string[], options: Options): Promise<void> {
  const rule = readRule(options.rule);
  if (rule === undefined) {
    process.exitCode = 2;
    return;
  }
  const question = questionOf(rule);
  const pretty = formatOf(options.format) === "pretty";
  endWhenReaderLeaves(process.stdout);
  let bad = 0;
  let cut = 0;
  for (const path of paths.length === 0 ? ["-"] : paths) {
    for await (const line of linesOf(path)) {
      if (line.text.trim() === "" && !line.tooLong) continue;
      const document = readDocument(path, line);
      if (document instanceof KinwatchError) {
        if (++bad <= COMPLAINTS_MAX) complain(document);
        continue;
      }
      const matches = question.matches(document);
      const { terms, complete } = matches ? question.termsOf(document) : { terms: [], complete: true };
      if (!complete) cut += 1;
      await print(
        `${pretty ? `${line.number}: ${inWords(matches, terms)}` : JSON.stringify({ match: matches, terms })}\n`,
      );
    }
  }
  if (bad > COMPLAINTS_MAX) process.stderr.write(`kinwatch: KW_INPUT_INVALID: ${bad} bad lines in all\n`);
  if (cut > 0) process.stderr.write(`kinwatch: ${cut} events have more terms than are shown\n`);
  if (bad > 0) process.exitCode = 2;
}

/** Documents may be of any sensor: no field and no event is refused because kinwatch has none. undefined: it has told why */
function readRule(path: string): Rule | undefined {
  const file = { path, bytes: readBytes(path), builtIn: false };
  const { rules, mistakes, warnings } = readRules([file], "documents");
  for (const remark of [...mistakes, ...warnings]) process.stderr.write(`kinwatch: ${remarkLine(remark)}\n`);
  return rules[0];
}

function questionOf({ tree, newTerms }: Rule): Question {
  const matches = compileKql(tree, documentFields);
  assert(!(matches instanceof KqlError), "its fields were looked at");
  const fields = newTerms.fields.map(documentFields).filter((field) => field !== undefined);
  return { matches, termsOf: (document) => termsOf(fields, document) };
}

function readBytes(path: string): Buffer {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new Error("not a regular file");
    if (stats.size > RULE_BYTES_MAX) throw new Error(`longer than ${RULE_BYTES_MAX} bytes`);
    return readFileSync(path);
  } catch (cause) {
    throw new KinwatchError(
      "KW_RULE_UNREADABLE",
      `Cannot read ${printable(path, SHOWN_MAX)}: ${systemCode(cause)}`,
      "Name a file that this user may read",
      { cause },
    );
  }
}

async function* linesOf(path: string): AsyncGenerator<InputLine> {
  try {
    yield* inputLines(path === "-" ? process.stdin : createReadStream(path));
  } catch (error) {
    throw new KinwatchError(
      "KW_INPUT_UNREADABLE",
      `Cannot read ${printable(path, SHOWN_MAX)}: ${systemCode(error)}`,
      "Name a file that this user may read",
      { cause: error },
    );
  }
}

function readDocument(path: string, { number, text, tooLong }: InputLine): object | KinwatchError {
  if (tooLong) return badLine(path, number, "is longer than any event");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    return badLine(path, number, "is no object");
  } catch (error) {
    return badLine(
      path,
      number,
      `is no JSON (${printable(error instanceof Error ? error.message : "", 100)})`,
    );
  }
}

function badLine(path: string, number: number, what: string): KinwatchError {
  const where = path === "-" ? "the input" : printable(path, SHOWN_MAX);
  return new KinwatchError(
    "KW_INPUT_INVALID",
    `Line ${number} of ${where} ${what}`,
    "Write one ECS document a line, as kinwatch events --format ndjson does",
  );
}

function complain(error: KinwatchError): void {
  process.stderr.write(`kinwatch: ${error.code}: ${error.message}\n`);
}

/** 7: match: web-01, /usr/bin/rpm | web-01, /usr/bin/dnf */
function inWords(matches: boolean, terms: Terms["terms"]): string {
  if (!matches) return "no match";
  if (terms.length === 0) return "match, without terms: it lacks one of their fields";
  const shown = terms
    .slice(0, TERMS_SHOWN)
    .map((term) => term.map((value) => printable(String(value), SHOWN_MAX)).join(", "));
  const more = terms.length > TERMS_SHOWN ? ` | and ${terms.length - TERMS_SHOWN} more` : "";
  return `match: ${shown.join(" | ")}${more}`;
}
