/** `kinwatch rules new`: a rule file to begin with. */
import { randomUUID } from "node:crypto";
import { Command } from "commander";
import { KinwatchError } from "../errors.ts";
import { ruleTemplate } from "../rules/rule-template.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves } from "./format.ts";

export function rulesNewCommand(): Command {
  return new Command("new")
    .description("print a rule file to begin with: it loads, and says what each part is for")
    .argument("<name>", "what its alerts are called")
    .addHelpText(
      "after",
      `
Examples:
  Write it, change it, check it:
    ${kinwatch} rules new "Downloader started" > my.toml
    ${kinwatch} rules check my.toml

Its rule_id is random, and names its history: leave it when you change the rule,
and take another one for another rule.`,
    )
    .action(print);
}

function print(name: string): void {
  if (name.trim() === "")
    throw new KinwatchError("KW_ARGUMENT_INVALID", "The rule has no name", "Name it after what happened");
  endWhenReaderLeaves(process.stdout);
  process.stdout.write(ruleTemplate(name, randomUUID()));
}
