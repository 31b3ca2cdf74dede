/** `kinwatch exceptions remove`: takes an exception out of its file, and the file away when it was the last one in it. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { conditionWords, type Exception } from "../rules/exception.ts";
import { readExceptions } from "../rules/exception-file.ts";
import { tomlPositions } from "../toml-position.ts";
import { kinwatch } from "./checkout.ts";
import {
  exceptionOfId,
  loadExceptions,
  removeExceptionFile,
  tellMistakes,
  writeExceptionFile,
} from "./exception-folder.ts";
import { knownRules } from "./known-rules.ts";
import { configOption, readSettings, type SettingsOptions } from "./settings.ts";

export function exceptionsRemoveCommand(): Command {
  return new Command("remove")
    .description("take one away: what it held back alerts again")
    .argument("<id>", "its id, or the beginning of it")
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  One that ${kinwatch} exceptions list shows:
    ${kinwatch} exceptions remove 3f9a

A running daemon forgets it within a second.`,
    )
    .action(remove);
}

function remove(id: string, options: SettingsOptions): void {
  const config = readSettings(options);
  const rules = new Set(knownRules(config.rules.directories).keys());
  const { exceptions } = tellMistakes(loadExceptions(config.exceptions.directory, rules));
  const exception = exceptionOfId(exceptions, id);
  const { file } = exception;
  const all = exceptions.filter((other) => other.file === file);
  if (all.length === 1) removeExceptionFile(file);
  else writeExceptionFile(file, without(exception, all));
  process.stderr.write(
    `kinwatch: removed ${exception.id} of ${printable(file, 400)}: it took out ${printable(conditionWords(exception.conditions), 400)}\n`,
  );
}

/** The text of a file without one of its exceptions: from its header up to the next one. */
function without(exception: Exception, all: readonly Exception[]): string {
  const text = readFileSync(exception.file, "utf8");
  const lineAt = tomlPositions(text);
  const index = all.indexOf(exception);
  const lines = text.split("\n");
  const from = lineAt(["exception", index]).line - 1;
  const to = index + 1 < all.length ? lineAt(["exception", index + 1]).line - 1 : lines.length;
  const left = lines.toSpliced(from, to - from).join("\n");
  const { exceptions } = readExceptions([{ path: exception.file, bytes: Buffer.from(left) }], new Set());
  const kept = all.filter((other) => other !== exception).map(({ id }) => id);
  if (exceptions.map(({ id }) => id).join() === kept.join()) return left;
  throw new KinwatchError(
    "KW_EXCEPTION_UNWRITABLE",
    `Cannot take ${exception.id} out of ${printable(exception.file, 200)}, where it stands among others`,
    "Take it out with an editor",
  );
}
