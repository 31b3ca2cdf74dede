/** `kinwatch baseline`: the parents that this host has seen installing packages, and which of them nobody was asked about. */
import { Command } from "commander";
import { printable } from "../printable.ts";
import { openStoreToRead, type StoredTerm } from "../store/store.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption } from "./format.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly format?: Format;
}

export function baselineCommand(): Command {
  const baseline = new Command("baseline").description(
    "what this host has seen: the parents that installed packages",
  );
  baseline
    .command("list", { isDefault: true })
    .description("a line each, the first seen first")
    .addOption(formatOption())
    .addOption(stateOption())
    .addOption(configOption())
    .action(list);
  return baseline.addHelpText(
    "after",
    `
Examples:
  Which parents were taken for granted while kinwatch was learning?
    ${kinwatch} baseline list --format ndjson |
      jq -c 'select(.learned)'

"learned" was taken for granted without an alert; "alerted" raised one when it
was first seen.`,
  );
}

function list(options: Options): void {
  endWhenReaderLeaves(process.stdout);
  using store = openStoreToRead(readSettings(options).state.directory);
  const terms = store.terms();
  const write = formatOf(options.format) === "ndjson" ? documentOf : lineOf;
  for (const term of terms) process.stdout.write(`${write(term)}\n`);
  if (terms.length === 0) process.stderr.write("kinwatch: nothing was seen so far\n");
}

const hows: Readonly<Record<string, string>> = {
  "process.previous": " (became the package tool itself)",
  "process.service": " (a service)",
};

function documentOf({ scope, field, value, firstSeenMs, learned }: StoredTerm): string {
  const first_seen = new Date(firstSeenMs).toISOString();
  return JSON.stringify({ ...(scope === "" ? {} : { host: scope }), field, value, first_seen, learned });
}

function lineOf({ scope, field, value, firstSeenMs, learned }: StoredTerm): string {
  const [executable = "", script = ""] = value;
  const what = script === "" ? executable : `${script} (${executable})`;
  const how = hows[field] ?? "";
  const where = scope === "" ? "" : `${scope}: `;
  const when = new Date(firstSeenMs).toISOString().slice(0, 16).replace("T", " ");
  return `${when}Z  ${learned ? "learned" : "alerted"}  ${printable(where + what, 4_096)}${how}`;
}
