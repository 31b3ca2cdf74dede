/**
 * popt's scan of a command line, as rpm uses it. No I/O: alias files are read elsewhere and handed in.
 * The order of the steps is that of popt's src/popt.c, poptGetNextOpt(): alias, exec, long option, bundle.
 */
import { matchesWildcard } from "./wildcard.ts";

export interface PoptOption {
  readonly long?: string;
  readonly short?: string;
  readonly argument: boolean;
}

export interface PoptTable {
  readonly long: ReadonlyMap<string, PoptOption>;
  readonly short: ReadonlyMap<string, PoptOption>;
}

/** One line of a popt file: `rpm alias --trace --eval '%trace'` or `rpm exec --import rpmkeys --import`. */
export interface PoptAlias {
  readonly program: string; // the name it is for; popt takes it for a shell pattern
  readonly kind: "alias" | "exec";
  readonly name: string; // without dashes; one character is a short option only if `short`
  readonly short: boolean;
  readonly expansion: readonly string[];
}

export interface ScannedOption {
  readonly name: string; // the long name where the option has one, else the letter
  readonly value: string | undefined;
  readonly byLetter: boolean;
}

export interface PoptRules {
  readonly posix: boolean; // POSIXLY_CORRECT or POSIX_ME_HARDER is set: the first operand ends the options
  readonly unwantedArgument: "refuse" | "drop"; // `--install=1`: popt 1.19 refuses it, 1.18 drops the "=1"
}

export interface PoptScan {
  readonly options: readonly ScannedOption[];
  readonly operands: readonly string[];
  readonly exec: PoptAlias | undefined; // popt replaces the program by this one when the scan ends well
  readonly aliases: readonly PoptAlias[]; // those that were expanded
  readonly permuted: boolean; // an option came after an operand
  readonly argumentDropped: boolean; // a flag had an argument, and the rules drop it
  readonly error: "unknown option" | "missing argument" | "unwanted argument" | "endless" | undefined;
  readonly badOption: string | undefined; // the token popt stopped at
}

/** The aliases of one program, by the words that ask for them. */
export type PoptAliases = ReadonlyMap<string, PoptAlias>;

interface Level {
  readonly argv: readonly string[];
  readonly used: Set<number>; // taken by "!#:+" before the scan reached them
  readonly alias: PoptAlias | undefined;
  next: number;
  searched: number; // "!#:+" has looked at the words before this one
  bundle: string; // the letters of a bundle that are still to be read
}

const LEVELS_MAX = 10; // POPT_OPTION_DEPTH: popt passes over an alias that lies deeper, so a self-feeding pair ends
// A user's aliases can multiply at each level. rpm's own make 4 words of a letter at most, so that no line of theirs is
// too long, however many letters it has.
const expandedWordsMax = (args: readonly string[]) =>
  args.reduce((words, arg) => words + 8 * (arg.length + 1), 10_000);

/**
 * Scans the arguments after argv[0].
 * @param onOption called at each option as popt calls rpm's callbacks: "stop" ends the scan there (--version, --help),
 * words are read next, as by poptStuffArgs()
 */
export function scanPopt(
  args: readonly string[],
  table: PoptTable,
  aliases: PoptAliases,
  rules: PoptRules,
  onOption: (option: ScannedOption) => "stop" | readonly string[] | undefined,
): PoptScan {
  const base = levelOf(args, undefined);
  const stack: Level[] = [base];
  const options: ScannedOption[] = [];
  const operands: string[] = [];
  const expanded: PoptAlias[] = [];
  let exec: PoptAlias | undefined;
  let operandsOnly = false;
  let permuted = false;
  let argumentDropped = false;
  let expandedWordsLeft = expandedWordsMax(args);
  const result = (error?: PoptScan["error"], badOption?: string): PoptScan => ({
    options,
    operands,
    exec,
    aliases: expanded,
    permuted,
    argumentDropped,
    error,
    badOption,
  });

  for (;;) {
    let level = stack.at(-1) ?? base;
    while (level.bundle === "" && level.next >= level.argv.length && stack.length > 1) {
      stack.pop();
      level = stack.at(-1) ?? base;
    }
    if (level.bundle === "" && level.next >= level.argv.length) return result();

    let option: PoptOption | undefined;
    let byLetter = false;
    let inlineValue: string | undefined;
    let token: string;
    if (level.bundle === "") {
      const index = level.next++;
      token = level.argv[index] ?? "";
      if (level.used.has(index)) continue;
      if (operandsOnly || !token.startsWith("-") || token === "-") {
        operandsOnly ||= rules.posix;
        operands.push(token);
        continue;
      }
      permuted ||= operands.length > 0;
      if (token === "--") {
        operandsOnly = true;
        continue;
      }
      const oneDash = token[1] !== "-";
      const body = token.slice(oneDash ? 1 : 2);
      const equals = body.indexOf("=");
      const name = equals < 0 ? body : body.slice(0, equals);
      inlineValue = equals < 0 ? undefined : body.slice(equals + 1);
      const alias = aliases.get(aliasKey("alias", name, false));
      if (alias && !(level.alias?.name === name && !level.alias.short)) {
        if (stack.length >= LEVELS_MAX) continue;
        expandedWordsLeft -= alias.expansion.length;
        if (expandedWordsLeft < 0) return result("endless", token);
        expanded.push(alias);
        stack.push(aliasLevel(alias, inlineValue || undefined));
        continue;
      }
      const program = aliases.get(aliasKey("exec", body, false)); // the whole word: popt compares "--exec=x" as it stands
      if (program) {
        exec ??= program;
        continue;
      }
      // Long options need two dashes; rpm's tables have none with POPT_ARGFLAG_ONEDASH.
      option = oneDash ? undefined : table.long.get(name);
      if (!option && !oneDash) return result("unknown option", token);
      if (!option) {
        level.bundle = token.slice(1);
        inlineValue = undefined;
      }
    } else {
      token = level.argv[level.next - 1] ?? "";
    }

    if (!option) {
      const letter = level.bundle[0] ?? "";
      const rest = level.bundle.slice(1);
      level.bundle = "";
      const alias = aliases.get(aliasKey("alias", letter, true));
      if (alias && !(level.alias?.short && level.alias.name === letter)) {
        if (stack.length >= LEVELS_MAX) continue; // the rest of the bundle is lost with it
        expandedWordsLeft -= alias.expansion.length;
        if (expandedWordsLeft < 0) return result("endless", token);
        level.bundle = rest;
        expanded.push(alias);
        stack.push(aliasLevel(alias, undefined));
        continue;
      }
      const program = aliases.get(aliasKey("exec", letter, true));
      if (program) {
        exec ??= program;
        level.bundle = rest;
        continue;
      }
      byLetter = true;
      option = table.short.get(letter);
      if (!option) return result("unknown option", token);
      level.bundle = rest;
    }

    let value: string | undefined;
    if (!option.argument) {
      if (inlineValue !== undefined || level.bundle.startsWith("=")) {
        if (rules.unwantedArgument === "refuse") return result("unwanted argument", token);
        argumentDropped = true;
        if (inlineValue === undefined) level.bundle = level.bundle.slice(1); // popt reads on behind the "="
      }
    } else {
      let argument = inlineValue;
      if (argument === undefined && level.bundle !== "") {
        argument = level.bundle.startsWith("=") ? level.bundle.slice(1) : level.bundle;
        level.bundle = "";
      }
      if (argument === undefined) {
        while (level.next >= level.argv.length && stack.length > 1) {
          stack.pop();
          level = stack.at(-1) ?? base;
        }
        argument = level.argv[level.next];
        if (argument === undefined) return result("missing argument", token);
        level.next++;
      }
      const expansion = expandNextArgument(argument, stack);
      if (expansion === undefined) return result("endless", token);
      value = expansion;
    }
    const scanned: ScannedOption = { name: option.long ?? option.short ?? "", value, byLetter };
    options.push(scanned);
    const next = onOption(scanned);
    if (next === "stop") return result();
    if (next !== undefined && stack.length <= LEVELS_MAX) stack.push(levelOf(next, undefined));
  }
}

/**
 * The aliases that popt loads for a program of this name. poptconfig.c, configAppMatch().
 * @param aliases in the order read: of two with one name popt takes the later
 */
export function aliasesOf(program: string, aliases: readonly PoptAlias[]): PoptAliases {
  const own = aliases.filter((alias) => matchesWildcard(alias.program, program));
  return new Map(own.map((alias) => [aliasKey(alias.kind, alias.name, alias.short), alias]));
}

function aliasKey(kind: PoptAlias["kind"], name: string, short: boolean): string {
  return `${kind} ${short ? "-" : "--"}${name}`;
}

function aliasLevel(alias: PoptAlias, value: string | undefined): Level {
  return levelOf(value === undefined ? alias.expansion : [...alias.expansion, value], alias);
}

function levelOf(argv: readonly string[], alias: PoptAlias | undefined): Level {
  return { argv, used: new Set(), alias, next: 0, searched: 0, bundle: "" };
}

/** popt's "!#:+" in an alias stands for the next operand of the line, which is then no operand any more. */
function expandNextArgument(text: string, stack: readonly Level[]): string | undefined {
  if (!text.includes("!#:+")) return text;
  const argument = takeNextOperand(stack);
  if (argument === "endless") return undefined;
  return argument.word === undefined ? text : text.replaceAll("!#:+", () => argument.word ?? "");
}

/** Endless where only options are left of the line: popt's findNextArg() then never returns, and rpm hangs. */
function takeNextOperand(stack: readonly Level[]): { readonly word: string | undefined } | "endless" {
  for (const [depth, level] of [...stack.entries()].toReversed()) {
    let index = Math.max(level.next, level.searched);
    while (index < level.argv.length && level.argv[index]?.startsWith("-")) index++;
    level.searched = index + 1;
    const word = level.argv[index];
    if (word !== undefined) {
      level.used.add(index);
      return { word };
    }
    if (depth === 0 && level.next < level.argv.length) return "endless";
  }
  return { word: undefined };
}
