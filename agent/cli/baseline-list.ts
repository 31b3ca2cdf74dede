/** `kinwatch baseline list` and `show`: what was seen here, for people and for programs. */
import { Command } from "commander";
import type { AlertDocument } from "../alert/alert-document.ts";
import { timedId } from "../alert/alert-id.ts";
import { keyword } from "../alert/ecs-process.ts";
import { termDocument } from "../baseline/baseline-file.ts";
import { scopeOf, splitScope } from "../baseline/scope.ts";
import { type StoredTerm, termId } from "../baseline/stored-term.ts";
import { alertLine } from "../outputs/alert-text.ts";
import { textOptions } from "../outputs/terminal.ts";
import { wrap } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";
import type { Term } from "../rules/term.ts";
import { openStoreToRead, type Store } from "../store/store.ts";
import { openTermsToRead } from "../store/stored-terms.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, print } from "./format.ts";
import { type KnownRules, knownRules } from "./known-rules.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";
import { addSelection, filterOf, findTerms, isSelective, type SelectionOptions } from "./term-selection.ts";

interface Options extends SettingsOptions, SelectionOptions {
  readonly format?: Format;
}

const ID_SHOWN = 8; // characters: among a thousand terms the chance that two begin alike is one in ten thousand
const TERM_MAX = 400; // characters of a term in a list; show and ndjson have all
const ALERTS_MAX = 20_000; // looked through for those of a term: one or two seconds
const ALERTS_SHOWN = 100;

export function baselineListCommand(): Command {
  return addSelection(new Command("list"))
    .description("a line each, by rule; days are those of UTC")
    .addOption(formatOption())
    .addOption(stateOption())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  What was taken for granted while kinwatch was learning?
    ${kinwatch} baseline list --learned
  What came up in the last week?
    ${kinwatch} baseline list --since 7d
  The ids of all of a rule, for a program:
    ${kinwatch} baseline list --format ndjson \\
      --rule package-installed-by-new-parent | jq -r .id

"learned" was taken for granted without an alert; "alerted" raised one when it
was first seen. When it was last seen is kept of rules that forget.`,
    )
    .action(list);
}

export function baselineShowCommand(): Command {
  return new Command("show")
    .description("all of one term, and the alerts that it raised")
    .argument("<term>", "its id, or the beginning of it")
    .addOption(formatOption())
    .addOption(stateOption())
    .addOption(configOption())
    .action(show);
}

async function list(options: Options): Promise<void> {
  endWhenReaderLeaves(process.stdout);
  const settings = readSettings(options);
  const rules = knownRules(settings.rules.directories);
  using terms = openTermsToRead(settings.state.directory);
  const isPretty = formatOf(options.format) === "pretty";
  const { width } = textOptions(process.stdout);
  let heading: string | undefined;
  let listed = 0;
  for (const term of terms.list(filterOf(options, rules, terms))) {
    listed += 1;
    if (!isPretty) await print(`${JSON.stringify({ id: termId(term), ...termDocument(term) })}\n`);
    else {
      const own = headingOf(term, rules);
      const lines =
        own === heading ? [] : [...(heading === undefined ? [] : [""]), ...wrap(own, width), columns];
      await print(`${[...lines, ...termLines(term, rules, width)].join("\n")}\n`);
      heading = own;
    }
  }
  const nothing = isSelective(options) ? "no such term was seen" : "nothing was seen";
  if (listed === 0) process.stderr.write(`kinwatch: ${nothing} so far\n`);
}

async function show(id: string, options: Options): Promise<void> {
  endWhenReaderLeaves(process.stdout);
  const settings = readSettings(options);
  const rules = knownRules(settings.rules.directories);
  using terms = openTermsToRead(settings.state.directory);
  const [term] = findTerms([id], terms);
  if (term === undefined) return;
  using store = openStoreToRead(settings.state.directory);
  const { alerts, complete } = alertsOf(term, store);
  if (formatOf(options.format) === "ndjson") {
    const ids = alerts.map(({ event }) => event.id);
    await print(
      `${JSON.stringify({ id: termId(term), ...termDocument(term), alerts: ids, alerts_complete: complete })}\n`,
    );
    return;
  }
  const screen = textOptions(process.stdout);
  const facts: [label: string, text: string][] = [
    ["term", termId(term)],
    ["rule", ruleWords(term.rule, rules)],
    ...whereOf(term),
    ...partsOf(term),
    ["first seen", new Date(term.firstSeenMs).toISOString()],
    ...(isKeptUp(term, rules)
      ? [["last seen", new Date(term.lastSeenMs).toISOString()] as [string, string]]
      : []),
    ["how", term.learned ? "learned: taken for granted, or imported" : "alerted when it was first seen"],
  ];
  const indent = 2 + Math.max(...facts.map(([label]) => label.length));
  for (const [label, text] of facts) {
    const lines = wrap(printable(text, Number.POSITIVE_INFINITY), screen.width - indent);
    await print(lines.map((line, index) => `${(index === 0 ? label : "").padEnd(indent)}${line}\n`).join(""));
  }
  await print(alerts.length === 0 ? "\nno alert of it was found\n" : "\nits alerts\n");
  for (const alert of alerts) await print(`${alertLine(alert, screen)}\n`);
  if (!complete) await print("there may be more: not all alerts since then were looked through\n");
}

/** The alerts that a term raised, the oldest first, of those that are kept. No alert of it is older than its first sighting. */
function alertsOf(term: StoredTerm, store: Store): { alerts: AlertDocument[]; complete: boolean } {
  const wanted = JSON.stringify([term.field, ...term.value.map((word) => keyword(word))]); // as ecs-alert.ts cuts them
  const alerts: AlertDocument[] = [];
  let looked = 0;
  for (const document of store.alerts("", timedId(term.firstSeenMs).slice(0, 12))) {
    if (looked++ === ALERTS_MAX || alerts.length === ALERTS_SHOWN) return { alerts, complete: false };
    if (!document.includes(term.rule)) continue;
    const alert = JSON.parse(document) as AlertDocument;
    const { new_terms, summary, audit } = alert.kinwatch;
    if (alert.rule.id !== term.rule || summary !== undefined) continue;
    if (scopeOf(audit?.node, containerOfAlert(alert)) !== term.scope) continue;
    if (new_terms.some(({ field, value }) => JSON.stringify([field, ...value]) === wanted))
      alerts.push(alert);
  }
  return { alerts, complete: true };
}

/** Keywords are cut where an image's name is longer than any is. */
function containerOfAlert({ container, kinwatch }: AlertDocument): Parameters<typeof scopeOf>[1] {
  if (container === undefined && kinwatch.container_from === undefined) return undefined;
  return { id: container?.id, image: container?.image?.name };
}

function whereOf({ scope }: StoredTerm): [label: string, text: string][] {
  const { host, container } = splitScope(scope);
  return [
    ...(host === "" ? [] : [["host", host] as [string, string]]),
    ...(container === undefined ? [] : [["container", container] as [string, string]]),
  ];
}

const columns = "  ID        HOW      FIRST SEEN  LAST SEEN   TERM";

function termLines(term: StoredTerm, rules: KnownRules, width: number): string[] {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const last = isKeptUp(term, rules) ? day(term.lastSeenMs) : "-".padEnd(10);
  const how = term.learned ? "learned" : "alerted";
  const left = `  ${termId(term).slice(0, ID_SHOWN)}  ${how}  ${day(term.firstSeenMs)}  ${last}  `;
  return wrap(printable(termWords(term), TERM_MAX), width - left.length).map(
    (line, index) => (index === 0 ? left : " ".repeat(left.length)) + line,
  );
}

const hows: Readonly<Record<string, string>> = {
  "process.parent": "parents",
  "process.previous": "programs that became the package tool itself",
  "process.service": "services",
};

function headingOf({ rule, scope, field }: StoredTerm, rules: KnownRules): string {
  const what = hows[field] ?? field.replaceAll(",", " with ");
  const { host, container } = splitScope(scope);
  const where = [
    ...(container === undefined ? [] : [`in ${printable(container, 200)}`]),
    ...(host === "" ? [] : [`on ${printable(host, 200)}`]),
  ];
  return [`${ruleWords(rule, rules)}: ${printable(what, 200)}`, ...where].join(" ");
}

function ruleWords(id: string, rules: KnownRules): string {
  const known = rules.get(id);
  return known === undefined ? `${printable(id, 200)} (not loaded)` : `${printable(known.name, 200)} (${id})`;
}

/** Parents as alerts name them; values of several fields one after the other. */
export function termWords({ field, value }: Term): string {
  if (hows[field] === undefined) return value.join(" with ");
  const [executable = "", script = ""] = value;
  return script === "" ? executable || "no parent" : `${script} (${executable})`;
}

function partsOf({ field, value }: StoredTerm): [label: string, text: string][] {
  if (hows[field] !== undefined) return [[field, termWords({ field, value })]];
  return field.split(",").map((name, index) => [name, value[index] ?? ""]);
}

/** Whether it is kept when a term was seen last: of rules that never forget it does not matter. */
function isKeptUp({ rule }: StoredTerm, rules: KnownRules): boolean {
  return rules.get(rule)?.historyMs !== Number.POSITIVE_INFINITY;
}
