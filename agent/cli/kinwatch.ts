#!/usr/bin/env node
/**
 * The command that people type. Exit codes: 0 done, 1 a finding (see each command's help), 2 wrong use, input or
 * configuration, 3 the host cannot be watched, 70 a defect of kinwatch.
 */
import { Command, CommanderError } from "commander";
import packageFile from "../../package.json" with { type: "json" };
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { explainCommand } from "./explain-command.ts";

const program = new Command("kinwatch")
  .description("alerts when a package is installed by a parent process that this host has not seen doing so")
  .version(packageFile.version)
  .addCommand(explainCommand());

/** commander asks each command by itself what to do at a mistake. */
function throwMistakes(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwMistakes(child);
}

throwMistakes(program);
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has said why
  if (error instanceof KinwatchError) {
    process.stderr.write(`kinwatch: ${printable(error.message, 2_000)} (${error.code})\n`);
    return 2;
  }
  process.stderr.write(
    `kinwatch: a defect of ours: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 70;
}
