/** `kinwatch baseline export`: what this host knows, in a file for others. */
import { lstatSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { Command } from "commander";
import { type BaselineOrigin, writeBaseline } from "../baseline/baseline-file.ts";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";
import { openTermsToRead } from "../store/stored-terms.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, print } from "./format.ts";
import { knownRules } from "./known-rules.ts";
import { replaceFile } from "./replace-file.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";
import { addSelection, filterOf, type SelectionOptions } from "./term-selection.ts";

interface Options extends SettingsOptions, SelectionOptions {}

export function baselineExportCommand(): Command {
  return addSelection(new Command("export"))
    .description("write what was seen, or some of it, to a file for other hosts")
    .argument("<file>", "made or replaced when it is whole; - for standard output")
    .addOption(stateOption())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  Look through it, then let other hosts know what this one knows:
    ${kinwatch} baseline list
    ${kinwatch} baseline export golden.jsonl
  Only what came up in the last week, packed:
    ${kinwatch} baseline export --since 7d - | gzip >week.gz

Exit code 2: it could not be written; a file of that name is as it was.`,
    )
    .action(exportTerms);
}

async function exportTerms(path: string, options: Options): Promise<void> {
  const { state, rules } = readSettings(options);
  const known = knownRules(rules.directories);
  using terms = openTermsToRead(state.directory);
  terms.holdStill(); // so that the count in the first line is right
  const filter = filterOf(options, known, terms);
  const count = terms.count(filter);
  const ids = filter.rule === undefined ? terms.rules() : [filter.rule];
  const origin: BaselineOrigin = {
    host: hostname(),
    exported: new Date().toISOString(),
    rules: ids.map((id) => ({ id, version: known.get(id)?.version })),
  };
  const lines = writeBaseline(origin, count, terms.list(filter));
  const checksum = path === "-" ? await toOutput(lines) : toFile(path, lines);
  process.stderr.write(`kinwatch: exported ${count} terms, checksum ${checksum}\n`);
}

async function toOutput(lines: Generator<string, string>): Promise<string> {
  endWhenReaderLeaves(process.stdout);
  for (;;) {
    const { done, value } = lines.next();
    if (done) return value;
    await print(value);
  }
}

function toFile(path: string, lines: Generator<string, string>): string {
  try {
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false)
      throw new Error("it is no regular file");
    return replaceFile(path, { unfinished: `${path}.new`, mode: 0o600 }, (fd) => {
      for (;;) {
        const { done, value } = lines.next();
        if (done) return value;
        writeAll(fd, value);
      }
    });
  } catch (cause) {
    if (cause instanceof KinwatchError) throw cause;
    throw new KinwatchError(
      "KW_BASELINE_UNWRITABLE",
      `Cannot write ${printable(path, 200)}: ${systemCode(cause)}`,
      "Name a file in a folder that you may write and that has room, or - for standard output",
      { cause },
    );
  }
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
