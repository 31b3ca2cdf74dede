/**
 * The command that people type. Exit codes: 0 done, 1 a finding (see each command's help), 2 wrong use, input or
 * configuration, 3 the host cannot be watched, 70 a defect of kinwatch.
 */
import { Command, CommanderError } from "commander";
import packageFile from "../../package.json" with { type: "json" };
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { kinwatch } from "./checkout.ts";
import { commands } from "./commands.ts";

const program = new Command(kinwatch)
  .description("alerts when a package is installed by a parent process that this host has not seen doing so")
  .version(packageFile.version)
  .addHelpText(
    "after",
    `
Examples:
  Can this host be watched, and what is missing?
    ${kinwatch} check
  Watch it, with alerts to the terminal and the journal:
    ${kinwatch} run
  What would have alerted in the logs that are still there?
    ${kinwatch} replay /var/log/audit/audit.log*

Each command teaches by its own examples: ${kinwatch} COMMAND --help`,
  );
/** commander asks each command by itself what to do at a mistake. */
function throwMistakes(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwMistakes(child);
}

try {
  const name = process.argv[2] ?? "";
  const asked = Object.hasOwn(commands, name) ? commands[name] : undefined;
  for (const load of asked ? [asked] : Object.values(commands)) program.addCommand(await load());
  throwMistakes(program);
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has said why
  if (error instanceof KinwatchError) {
    // Mistakes in a file, and bad files, come a line each, and what they quote is escaped already: toml-schema.ts, stored-file.ts.
    const inLines = error.code === "KW_CONFIG_INVALID" || error.code.startsWith("KW_INPUT_");
    const lines = inLines ? error.message.split("\n") : [error.message];
    const text = lines.map((line) => printable(line, 2_000)).join("\n");
    process.stderr.write(`kinwatch: ${text} (${error.code})\n`);
    return error.code === "KW_PROCFS_UNREADABLE" ? 3 : 2;
  }
  process.stderr.write(
    `kinwatch: a defect of ours: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 70;
}
