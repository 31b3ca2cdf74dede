/** `kinwatch rules`: what is asked of events. Each of its commands has a file of its own. */
import { Command } from "commander";
import { kinwatch } from "./checkout.ts";
import { rulesCheckCommand } from "./rules-check.ts";
import { rulesMatchCommand } from "./rules-match.ts";
import { rulesNewCommand } from "./rules-new.ts";
import { rulesListCommand, rulesShowCommand } from "./rules-show.ts";

export function rulesCommand(): Command {
  return new Command("rules")
    .description("the rules: list, show one, check files, ask one of events, begin one")
    .addCommand(rulesListCommand(), { isDefault: true })
    .addCommand(rulesShowCommand())
    .addCommand(rulesCheckCommand())
    .addCommand(rulesMatchCommand())
    .addCommand(rulesNewCommand())
    .addHelpText(
      "after",
      `
Examples:
  A rule of one's own, in the format of Elastic's public rules:
    ${kinwatch} rules new "Downloader started" > my.toml
    ${kinwatch} rules check my.toml
  What is asked on this host, and what to do with an alert of one of them:
    ${kinwatch} rules list
    ${kinwatch} rules show 0594c2cd

docs/rules.md has the format, and what is refused and why.`,
    );
}
