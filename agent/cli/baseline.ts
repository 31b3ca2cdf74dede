/** `kinwatch baseline`: what this host has seen, and with it what does not alert. Each of its commands has a file of its own. */
import { Command } from "commander";
import { baselineExportCommand } from "./baseline-export.ts";
import { baselineForgetCommand } from "./baseline-forget.ts";
import { baselineImportCommand } from "./baseline-import.ts";
import { baselineListCommand, baselineShowCommand } from "./baseline-list.ts";
import { kinwatch } from "./checkout.ts";

export function baselineCommand(): Command {
  return new Command("baseline")
    .description("what this host has seen: list, show, forget, take it to other hosts")
    .addCommand(baselineListCommand(), { isDefault: true })
    .addCommand(baselineShowCommand())
    .addCommand(baselineForgetCommand())
    .addCommand(baselineExportCommand())
    .addCommand(baselineImportCommand())
    .addHelpText(
      "after",
      `
Examples:
  What was taken for granted while kinwatch was learning?
    ${kinwatch} baseline list --learned
  One of it should not have been: let it alert the next time.
    ${kinwatch} baseline forget 1f0c22ab
  Let other hosts know what this one knows:
    ${kinwatch} baseline export golden.jsonl
    ${kinwatch} baseline import golden.jsonl

All of it works while the daemon runs. docs/baseline.md says what a term is.`,
    );
}
