/** `kinwatch exceptions`: what a person declared to be no alert. Each of its commands has a file of its own. */
import { Command } from "commander";
import { kinwatch } from "./checkout.ts";
import { exceptionsAddCommand } from "./exceptions-add.ts";
import { exceptionsListCommand } from "./exceptions-list.ts";
import { exceptionsRemoveCommand } from "./exceptions-remove.ts";
import { exceptionsTestCommand } from "./exceptions-test.ts";

export function exceptionsCommand(): Command {
  return new Command("exceptions")
    .description("what is no alert here: list, add, remove, test on a stored alert")
    .addCommand(exceptionsListCommand(), { isDefault: true })
    .addCommand(exceptionsAddCommand())
    .addCommand(exceptionsRemoveCommand())
    .addCommand(exceptionsTestCommand())
    .addHelpText(
      "after",
      `
Examples:
  An alert was a false alarm: except its parent and account, for that rule
    ${kinwatch} exceptions add --from 019a2f \\
      --reason "nightly maintenance"
  Which are used, and which are over?
    ${kinwatch} exceptions list

What an exception takes out is neither alert nor history: when it is over, the
same parent alerts. docs/exceptions.md has the format of the files.`,
    );
}
