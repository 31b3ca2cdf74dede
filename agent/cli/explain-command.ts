/**
 * `kinwatch explain-command`: what a package tool's command line means, for people who ask why something did or did not
 * alert, and for tests. The aliases are those of this host and of ~/.popt, as rpm run by this user would read them.
 */
import { Command } from "commander";
import { KinwatchError } from "../errors.ts";
import { readRpmAliases } from "../packages/popt-files.ts";
import type { RpmAliases } from "../packages/rpm-aliases.ts";
import { type RpmCommandLine, type RpmExecution, readRpmCommandLine } from "../packages/rpm-command-line.ts";
import { printable } from "../printable.ts";
import { kinwatch } from "./checkout.ts";
import { readCommandLine } from "./command-line-input.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, print } from "./format.ts";
import { type InputLine, inputLines } from "./input-lines.ts";

interface Options {
  readonly format?: Format;
  readonly stdin?: boolean;
}

const complaintsMax = 20; // then they are only counted: a file of another kind has a bad line for each line

export function explainCommand(): Command {
  return new Command("explain-command")
    .description("say what a package tool's command line means: its mode, and whether it installs")
    .argument("[argv...]", "the command line, argv[0] first, behind --")
    .option("--stdin", 'read a command line a line: {"argv":["rpm","-i","x"],"executable":"/usr/bin/rpm"}')
    .addOption(formatOption())
    .addHelpText(
      "after",
      `
Examples:
  What would this do?
    ${kinwatch} explain-command -- rpm -Uvh --root /mnt x.rpm
  Options and operands change places, and bundles are read as rpm reads them:
    ${kinwatch} explain-command -- rpm x.rpm -vhi
  The file decides which program it is, argv[0] what rpm makes of its own name:
    echo '{"argv":["rpmquery","-i","x"],"executable":"/usr/bin/rpm"}' |
      ${kinwatch} explain-command --stdin

Answers are one a line in the order of the questions (ndjson), with the fields:
  argv       as asked
  program    the program that runs in the end: rpm, or rpmkeys behind --import
  mode       install, upgrade, freshen, reinstall, erase, restore, query,
             verify, import, checksig, initdb, rebuilddb, eval, showrc,
             querytags, version, help, exec (an alias of this host leads to
             another program), rejected (rpm refuses it, or finds nothing to
             do), unknown (none of rpm's programs), and a few more
  installs   would it change what is installed, given good packages
  test       is it a dry run
  packages   operands as typed; root, dbpath: of --root and --dbpath, or null
  flags      what is remarkable, such as altRoot, noSignature, posixUnknown
             (POSIXLY_CORRECT would change the reading)
  certainty  certain: only rpm's own options and aliases; possible: an alias or
             another version can change it

What runs no program of rpm's in the end (dnf, an alias to another program) is
not judged by its command line: installs, test and certainty are null. What it
installs is known by rpm's audit records.

Exit code 2: a line of the input could not be read; the others are answered all
the same.`,
    )
    .action(explain);
}

async function explain(argv: readonly string[], options: Options): Promise<void> {
  if (argv.length > 0 === (options.stdin ?? false)) {
    throw new KinwatchError(
      "KW_ARGUMENT_INVALID",
      argv.length > 0 ? "Both --stdin and a command line were given" : "No command line was given",
      `Give it behind --, as in: ${kinwatch} explain-command -- rpm -i package.rpm; or give --stdin and no command line`,
    );
  }
  const aliases = readRpmAliases("/", process.env["HOME"]);
  const format = formatOf(options.format);
  const answer = (execution: RpmExecution) => `${write(read(execution, aliases), format)}\n`;
  endWhenReaderLeaves(process.stdout);
  if (options.stdin) await explainLines(inputLines(process.stdin), answer);
  else await print(answer({ argv, executable: undefined }));
}

async function explainLines(lines: AsyncIterable<InputLine>, answer: (execution: RpmExecution) => string) {
  let bad = 0;
  for await (const line of lines) {
    if (line.text.trim() === "" && !line.tooLong) continue;
    const execution = readCommandLine(line);
    if (!(execution instanceof KinwatchError)) await print(answer(execution));
    else if (++bad <= complaintsMax)
      process.stderr.write(`kinwatch: ${execution.code}: ${execution.message}\n`);
  }
  if (bad > complaintsMax) process.stderr.write(`kinwatch: KW_INPUT_INVALID: ${bad} bad lines in all\n`);
  if (bad > 0) process.exitCode = 2;
}

/** null: not judged, as what runs is none of rpm's programs. kinwatch knows what those install by rpm's records. */
type Explanation = Omit<RpmCommandLine, "installs" | "test" | "certainty"> & {
  readonly [Name in "installs" | "test" | "certainty"]: RpmCommandLine[Name] | null;
};

const notJudged = { installs: null, test: null, certainty: null } as const;

function read(execution: RpmExecution, aliases: RpmAliases): Explanation {
  const line = readRpmCommandLine(execution, aliases);
  if (line !== undefined) return line.mode === "exec" ? { ...line, ...notJudged } : line;
  const program = (execution.executable || (execution.argv[0] ?? "")).split("/").at(-1) ?? "";
  return {
    argv: execution.argv,
    program,
    mode: "unknown",
    installs: null,
    test: null,
    packages: [],
    root: null,
    dbpath: null,
    flags: [],
    certainty: null,
  };
}

function write(line: Explanation, format: Format): string {
  return format === "ndjson" ? JSON.stringify(line) : pretty(line);
}

function pretty(line: Explanation): string {
  const rows: readonly (readonly [name: string, text: string])[] = [
    ["program", printable(line.program, 200)],
    ["mode", `${printable(line.mode, 200)}: ${effectOf(line)}`],
    ["packages", words(line.packages)],
    ["root", line.root === null ? "" : words([line.root])],
    ["dbpath", line.dbpath === null ? "" : words([line.dbpath])],
    ["flags", line.flags.join(" ")],
    ["certainty", line.certainty ?? ""],
  ];
  const shown = rows.filter(([, text]) => text !== "").map(([name, text]) => `  ${name.padEnd(9)}  ${text}`);
  return [words(line.argv), ...shown].join("\n");
}

function effectOf({ installs, test }: Explanation): string {
  if (installs === null) return "not judged by its command line, but by the records of what it installs";
  return installs ? "changes what is installed" : test ? "a dry run" : "installs nothing";
}

/** Words as a person would type them, but with control characters escaped and what is too long cut. */
function words(list: readonly string[]): string {
  const shown = list.slice(0, 50).map((word) => {
    const text = printable(word, 300);
    return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text}'`;
  });
  return list.length > 50 ? `${shown.join(" ")} … (${list.length - 50} more)` : shown.join(" ");
}
