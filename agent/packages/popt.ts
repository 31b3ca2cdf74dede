/**
 * popt's scan of a command line, as rpm uses it. No I/O: alias files are read elsewhere and handed in as text.
 * The order of the steps is that of popt 1.19, src/popt.c, poptGetNextOpt(): alias, exec, long option, bundle.
 */
export interface PoptOption {
  readonly long?: string;
  readonly short?: string;
  readonly argument: boolean;
}

/** One line of a popt file: `rpm alias --trace --eval '%trace'` or `rpm exec --import rpmkeys --import`. */
export interface PoptAlias {
  readonly kind: "alias" | "exec";
  readonly name: string; // without dashes; one character is a short option only if `short`
  readonly short: boolean;
  readonly expansion: readonly string[];
}

export interface ScannedOption {
  readonly name: string; // the long name where the option has one, else the letter
  readonly value: string | undefined;
}

export interface PoptScan {
  readonly options: readonly ScannedOption[];
  readonly operands: readonly string[];
  readonly exec: PoptAlias | undefined; // popt replaces the program by this one when the scan ends well
  readonly aliases: readonly PoptAlias[]; // those that were expanded
  readonly error:
    | "unknown option"
    | "missing argument"
    | "unwanted argument"
    | "aliases too deep"
    | undefined;
  readonly badOption: string | undefined; // the token popt stopped at
}

interface Level {
  readonly argv: readonly string[];
  readonly used: Set<number>; // taken by "!#:+" before the scan reached them
  readonly alias: PoptAlias | undefined;
  next: number;
  bundle: string; // the letters of a bundle that are still to be read
}

const LEVELS_MAX = 10; // POPT_OPTION_DEPTH: popt refuses deeper aliases, so a self-feeding pair ends

/**
 * Scans the arguments after argv[0].
 * @param onOption called at each option as popt calls rpm's callbacks; true stops the scan there (--version, --help)
 */
export function scanPopt(
  args: readonly string[],
  table: readonly PoptOption[],
  aliases: readonly PoptAlias[],
  onOption: (option: ScannedOption) => boolean,
): PoptScan {
  const base: Level = { argv: args, used: new Set(), alias: undefined, next: 0, bundle: "" };
  const stack: Level[] = [base];
  const options: ScannedOption[] = [];
  const operands: string[] = [];
  const expanded: PoptAlias[] = [];
  let exec: PoptAlias | undefined;
  let operandsOnly = false;
  const result = (error?: PoptScan["error"], badOption?: string): PoptScan => ({
    options,
    operands,
    exec,
    aliases: expanded,
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
    let inlineValue: string | undefined;
    let token: string;
    if (level.bundle === "") {
      const index = level.next++;
      token = level.argv[index] ?? "";
      if (level.used.has(index)) continue;
      if (operandsOnly || !token.startsWith("-") || token === "-") {
        operands.push(token);
        continue;
      }
      if (token === "--") {
        operandsOnly = true;
        continue;
      }
      const oneDash = token[1] !== "-";
      const body = token.slice(oneDash ? 1 : 2);
      const equals = body.indexOf("=");
      const name = equals < 0 ? body : body.slice(0, equals);
      inlineValue = equals < 0 ? undefined : body.slice(equals + 1);
      const alias = findAlias(aliases, "alias", name, false);
      if (alias && !(level.alias?.name === name && !level.alias.short)) {
        if (stack.length >= LEVELS_MAX) return result("aliases too deep", token);
        expanded.push(alias);
        stack.push(aliasLevel(alias, inlineValue || undefined));
        continue;
      }
      const program = findAlias(aliases, "exec", body, false); // the whole word: popt compares "--exec=x" as it stands
      if (program) {
        exec ??= program;
        continue;
      }
      // Long options need two dashes; rpm's tables have none with POPT_ARGFLAG_ONEDASH.
      option = oneDash ? undefined : table.find((entry) => entry.long === name);
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
      const alias = findAlias(aliases, "alias", letter, true);
      if (alias && !(level.alias?.short && level.alias.name === letter)) {
        if (stack.length >= LEVELS_MAX) return result("aliases too deep", token);
        level.bundle = rest;
        expanded.push(alias);
        stack.push(aliasLevel(alias, undefined));
        continue;
      }
      const program = findAlias(aliases, "exec", letter, true);
      if (program) {
        exec ??= program;
        level.bundle = rest;
        continue;
      }
      option = table.find((entry) => entry.short === letter);
      if (!option) return result("unknown option", token);
      level.bundle = rest;
    }

    let value: string | undefined;
    if (!option.argument) {
      if (inlineValue !== undefined || level.bundle.startsWith("="))
        return result("unwanted argument", token);
    } else if (inlineValue !== undefined) {
      value = expandNextArgument(inlineValue, stack);
    } else if (level.bundle !== "") {
      value = expandNextArgument(level.bundle.startsWith("=") ? level.bundle.slice(1) : level.bundle, stack);
      level.bundle = "";
    } else {
      while (level.next >= level.argv.length && stack.length > 1) {
        stack.pop();
        level = stack.at(-1) ?? base;
      }
      const argument = level.argv[level.next];
      if (argument === undefined) return result("missing argument", token);
      level.next++;
      value = expandNextArgument(argument, stack);
    }
    const scanned: ScannedOption = { name: option.long ?? option.short ?? "", value };
    options.push(scanned);
    if (onOption(scanned)) return result();
  }
}

function findAlias(aliases: readonly PoptAlias[], kind: PoptAlias["kind"], name: string, short: boolean) {
  return aliases.findLast((alias) => alias.kind === kind && alias.short === short && alias.name === name);
}

function aliasLevel(alias: PoptAlias, value: string | undefined): Level {
  const argv = value === undefined ? alias.expansion : [...alias.expansion, value];
  return { argv, used: new Set(), alias, next: 0, bundle: "" };
}

/** popt's "!#:+" in an alias stands for the next operand of the line, which is then no operand any more. */
function expandNextArgument(text: string, stack: readonly Level[]): string {
  if (!text.includes("!#:+")) return text;
  const argument = takeNextOperand(stack);
  return argument === undefined ? text : text.replaceAll("!#:+", () => argument);
}

function takeNextOperand(stack: readonly Level[]): string | undefined {
  for (const level of stack.toReversed()) {
    for (let index = level.next; index < level.argv.length; index++) {
      const word = level.argv[index] ?? "";
      if (level.used.has(index) || word.startsWith("-")) continue;
      level.used.add(index);
      return word;
    }
  }
  return undefined;
}

/**
 * Reads a popt file (`rpmpopt-VERSION`, /etc/popt, /etc/popt.d/*, ~/.popt): lines of one program.
 * A line that popt itself would pass over is passed over.
 * Source: popt 1.19, src/poptconfig.c, poptConfigLine() and src/poptparse.c, poptParseArgvString().
 */
export function parsePoptFile(text: string, program: string): PoptAlias[] {
  const aliases: PoptAlias[] = [];
  for (const line of text.replaceAll(/\\\n/g, "").split("\n")) {
    const match = /^\s*(\S+)\s+(alias|exec)\s+(-\S+)\s+(.*\S)\s*$/s.exec(line);
    if (!match || match[1] !== program) continue;
    const option = match[3] ?? "";
    const short = /^-[^-]$/.test(option);
    if (!short && !/^--./.test(option)) continue;
    const expansion = splitWords(match[4] ?? "").filter((word) => !/^--POPT(?:desc|args)=/.test(word));
    const kind = match[2] === "exec" ? "exec" : "alias";
    aliases.push({ kind, name: option.slice(short ? 1 : 2), short, expansion });
  }
  return aliases;
}

function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let open = false;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (quote !== "") {
      if (char === quote) quote = "";
      else if (char === "\\" && text[i + 1] === quote) word += text[++i];
      else word += char;
    } else if (/\s/.test(char)) {
      if (open) words.push(word);
      word = "";
      open = false;
    } else {
      open = true;
      if (char === '"' || char === "'") quote = char;
      else if (char === "\\") word += text[++i] ?? "";
      else word += char;
    }
  }
  if (open) words.push(word);
  return words;
}
