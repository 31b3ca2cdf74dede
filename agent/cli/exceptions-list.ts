/** `kinwatch exceptions list`: each exception, what it takes out, and how often it has. */
import { Command } from "commander";
import type { TextOptions } from "../outputs/alert-text.ts";
import { textOptions } from "../outputs/terminal.ts";
import { wrap } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";
import { conditionWords, type Exception } from "../rules/exception.ts";
import { hasState } from "../store/state-file.ts";
import { type ExceptionHits, openStoreToRead } from "../store/store.ts";
import { kinwatch } from "./checkout.ts";
import { loadExceptions, tellMistakes } from "./exception-folder.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption } from "./format.ts";
import { type KnownRules, knownRules } from "./known-rules.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly format?: Format;
}

const TEXT_MAX = 1_000; // of one part; the file has more
const LABEL = 8;

export function exceptionsListCommand(): Command {
  return new Command("list")
    .description("each with what it takes out, until when, and how often it did")
    .addOption(formatOption())
    .addOption(stateOption())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  What can be cleared away: those that never held anything back, or are over
    ${kinwatch} exceptions list --format ndjson |
      jq -r 'select(.unused or .expired) | .id'

A hit is an event that a rule matched and the exception took out. Times are
those of the events.`,
    )
    .action(list);
}

function list(options: Options): void {
  endWhenReaderLeaves(process.stdout);
  const config = readSettings(options);
  const rules = knownRules(config.rules.directories);
  const { directory } = config.exceptions;
  const { exceptions } = tellMistakes(loadExceptions(directory, new Set(rules.keys())));
  const hits = hitsIn(config.state.directory);
  const nowMs = Date.now();
  const isPretty = formatOf(options.format) === "pretty";
  const pieces = exceptions.map((exception) => {
    const told = { exception, rules, hits: hits.get(exception.id), isOver: exception.expiresMs < nowMs };
    return isPretty ? textOf(told, textOptions(process.stdout)) : `${JSON.stringify(documentOf(told))}\n`;
  });
  process.stdout.write(pieces.join(isPretty ? "\n" : ""));
  if (exceptions.length === 0)
    process.stderr.write(`kinwatch: no exceptions in ${printable(directory, TEXT_MAX)}\n`);
}

/** Before the first run there are none. */
function hitsIn(state: string): Map<string, ExceptionHits> {
  if (!hasState(state)) return new Map();
  using store = openStoreToRead(state);
  return store.hits();
}

interface Told {
  readonly exception: Exception;
  readonly rules: KnownRules;
  readonly hits: ExceptionHits | undefined; // undefined: none so far
  readonly isOver: boolean;
}

function documentOf({ exception, rules, hits, isOver }: Told): object {
  const { id, conditions, reason, author, file } = exception;
  return {
    id,
    ...(exception.rules === undefined
      ? {}
      : { rules: exception.rules.map((rule) => ({ id: rule, name: rules.get(rule)?.name })) }),
    ...conditions,
    reason,
    author,
    ...(hasEnd(exception) ? { expires: new Date(exception.expiresMs).toISOString() } : {}),
    expired: isOver,
    hits: hits?.hits ?? 0,
    ...(hits === undefined ? {} : { last_hit: new Date(hits.lastMs).toISOString() }),
    unused: hits === undefined,
    file,
  };
}

function textOf({ exception, rules, hits, isOver }: Told, { width }: TextOptions): string {
  const { id, conditions, reason, author } = exception;
  const names = exception.rules?.map((rule) => rules.get(rule)?.name ?? `${rule} (there is no such rule)`);
  const used = hits === undefined ? "UNUSED" : `${hits.hits} hits, the last ${minute(hits.lastMs)}`;
  const end = hasEnd(exception)
    ? `${isOver ? "EXPIRED" : "expires"} ${minute(exception.expiresMs)}`
    : "for ever";
  const fields = [
    ["takes out", conditionWords(conditions)],
    ["of", names?.join("; ") ?? "all rules"],
    ["because", `${reason} (${author})`],
  ] as const;
  const lines = fields.flatMap(([label, text]) =>
    wrap(printable(text.trim(), TEXT_MAX), width - LABEL - 4).map(
      (line, index) => `  ${(index === 0 ? label : "").padEnd(LABEL + 1)} ${line}`,
    ),
  );
  return `${[`${id}  ${used}, ${end}`, ...lines].join("\n")}\n`;
}

function hasEnd({ expiresMs }: Exception): boolean {
  return expiresMs !== Number.POSITIVE_INFINITY;
}

function minute(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 16).replace("T", " ")}Z`;
}
