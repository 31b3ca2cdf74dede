/** `kinwatch baseline import`: what another host knows does not alert here either. */
import { Command } from "commander";
import { type BaselineFile, readBaseline } from "../baseline/baseline-file.ts";
import { joinScope, splitScope } from "../baseline/scope.ts";
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { hasState, makeState } from "../store/state-file.ts";
import { openTermsToChange } from "../store/stored-terms.ts";
import { readTrustedFile, type TrustedUse } from "../trusted-file.ts";
import { kinwatch } from "./checkout.ts";
import { type KnownRules, knownRules } from "./known-rules.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly host?: string;
}

const BYTES_MAX = 256 * 1_048_576; // ten times what a full state of usual terms takes
const RULES_NAMED = 10;
const use: TrustedUse = {
  insecure: "KW_BASELINE_INSECURE",
  unreadable: "KW_BASELINE_UNREADABLE",
  instead: "",
};

export function baselineImportCommand(): Command {
  return new Command("import")
    .description("take over what another host has seen; nothing that is known is lost")
    .argument("<file>", "written by export; - for standard input")
    .option("--host <name>", "put it under this name, where the log names hosts (docs/baseline.md)")
    .addOption(stateOption())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  Let this host know what a golden one knows, before its first start or later:
    ${kinwatch} baseline import golden.jsonl
  Where auditd writes the name of its host before each record:
    ${kinwatch} baseline import --host "$(hostname)" golden.jsonl

What is imported counts as learned: it is known and does not alert. A file that
others could change is refused. Exit code 2: nothing was imported.`,
    )
    .action(importTerms);
}

async function importTerms(path: string, options: Options): Promise<void> {
  const { state, rules } = readSettings(options);
  const name = path === "-" ? "standard input" : path;
  const bytes = path === "-" ? await readInput() : readTrustedFile(path, BYTES_MAX, use);
  const file = readBaseline(bytes, name);
  const { host } = options;
  const terms = file.terms.map((term) =>
    host === undefined ? term : { ...term, scope: joinScope({ ...splitScope(term.scope), host }) },
  );
  if (!hasState(state.directory)) makeState(state.directory);
  using stored = openTermsToChange(state.directory);
  const { added, widened } = stored.merge(terms);
  const known = terms.length - added;
  const lines = [
    `imported ${printable(name, 200)} of ${printable(file.host, 200)}, checksum ${file.checksum}`,
    `${added} terms are new here, ${known} were known${widened === 0 ? "" : `, ${widened} of them seen earlier or later there`}`,
    ...remarksOn(file, knownRules(rules.directories)),
  ];
  process.stderr.write(lines.map((line) => `kinwatch: ${line}\n`).join(""));
}

/** What of it will not do here what it did there. */
function remarksOn({ rules }: BaselineFile, known: KnownRules): string[] {
  const named = (ids: readonly string[]) =>
    [
      ...ids.slice(0, RULES_NAMED).map((id) => printable(id, 128)),
      ...(ids.length > RULES_NAMED ? ["…"] : []),
    ].join(", ");
  const missing = rules.filter(({ id }) => !known.has(id)).map(({ id }) => id);
  const other = rules
    .filter(({ id, version }) => known.has(id) && version !== known.get(id)?.version)
    .map(({ id }) => id);
  return [
    ...(missing.length === 0
      ? []
      : [`not loaded here, so that their terms wait for them: ${named(missing)}`]),
    ...(other.length === 0
      ? []
      : [`of another version here, and their terms may be others: ${named(other)}`]),
  ];
}

async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BYTES_MAX)
      throw new KinwatchError(
        "KW_BASELINE_UNREADABLE",
        `Standard input has more than ${BYTES_MAX} bytes`,
        "Give a file that kinwatch baseline export wrote",
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
