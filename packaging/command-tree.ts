/** The commands as commander has them, for what is written about them: man page and completions cannot say anything else. */
import type { Argument, Command, Option } from "commander";
import { kinwatch } from "../agent/cli/checkout.ts";
import { commands } from "../agent/cli/commands.ts";

/** What a word may be: of a list, a path, or anything. */
export type Values = readonly string[] | "file" | "folder" | "any";

export interface OptionNode {
  readonly flags: readonly string[]; // "-h", "--help"
  readonly term: string; // as in the help: "--format <format>"
  readonly description: string;
  readonly values: Values | undefined; // undefined: it takes none
  readonly default: string | undefined; // what holds without it, if that is one value
  readonly repeatable: boolean;
}

export interface OperandNode {
  readonly name: string;
  readonly description: string;
}

export interface CommandNode {
  readonly name: string;
  readonly words: string; // "kinwatch baseline list"
  readonly usage: string; // what follows them
  readonly description: string;
  readonly options: readonly OptionNode[];
  readonly operands: readonly OperandNode[];
  readonly operandValues: Values | undefined; // undefined: it takes none
  readonly after: string; // examples, and what else its help says at the end
  readonly children: readonly CommandNode[];
}

export async function commandTree(): Promise<CommandNode[]> {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()));
  return loaded.map((command) => nodeOf(command, "kinwatch"));
}

function nodeOf(command: Command, above: string): CommandNode {
  const words = `${above} ${command.name()}`;
  const help = command.createHelp();
  return {
    name: command.name(),
    words,
    usage: command.usage(),
    description: command.description(),
    options: help.visibleOptions(command).map(optionOf),
    operands: command.registeredArguments.map((operand) => ({
      name: operand.name(),
      description: operand.description,
    })),
    operandValues: operandsOf(command.registeredArguments),
    after: afterOf(command),
    children: command.commands.map((child) => nodeOf(child, words)),
  };
}

function optionOf(option: Option): OptionNode {
  const { short, long, flags, description, argChoices } = option;
  const takes = option.required || option.optional;
  return {
    flags: [short, long].filter((flag) => flag !== undefined),
    term: flags,
    description: argChoices === undefined ? description : `${description} (${argChoices.join(", ")})`,
    values: takes ? (argChoices ?? kindOf(flags)) : undefined,
    default: typeof option.defaultValue === "string" ? option.defaultValue : undefined,
    repeatable: /repeat/.test(description), // commander cannot tell: each collects by a function of its own
  };
}

function operandsOf(list: readonly Argument[]): Values | undefined {
  const [first] = list;
  return first && (first.argChoices ?? kindOf(first.name()));
}

/** By the name of what is taken, as the help shows it. */
function kindOf(name: string): Values {
  if (/folder/.test(name)) return "folder";
  return /<file>|^(file|paths|events)$/.test(name) ? "file" : "any";
}

/** What addHelpText() added. A checkout shows itself as it is typed there, which is not so where this is read. */
function afterOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text.slice(command.helpInformation().length).replaceAll(kinwatch, "kinwatch").trim();
}
