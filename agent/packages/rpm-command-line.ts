/**
 * What an rpm command line means: which mode rpm takes it for, and whether it would change what is installed.
 * Mode selection: rpm, tools/rpm.c, main(). Two things that a command line does not show can change it: the environment
 * (POSIXLY_CORRECT, flag posixUnknown) and a user's ~/.popt, so `certain` says that only rpm's own options and aliases
 * were met, `possible` that the rest decides.
 */
import { aliasesOf, type PoptAliases, type PoptRules, type PoptScan, scanPopt } from "./popt.ts";
import { olderThan, type RpmAliases } from "./rpm-aliases.ts";
import { flagsOf } from "./rpm-flags.ts";
import { isMisuse, refusesValue } from "./rpm-misuse.ts";
import { optionSince, rpmOptions } from "./rpm-options.ts";
import { rpmProgram, siblingMode } from "./rpm-programs.ts";

export interface RpmExecution {
  readonly argv: readonly string[];
  readonly executable: string | undefined; // the program's file; undefined or "": not known, then argv[0] decides
  readonly complete?: boolean; // false: argv was cut, and what is missing could change everything
}

export interface RpmCommandLine {
  readonly argv: readonly string[];
  readonly program: string; // the program that runs in the end: "rpm", or "rpmkeys" behind --import
  readonly mode: string; // "rejected": rpm refuses the line, or finds nothing to do in it
  readonly installs: boolean; // would it change what is installed, given good packages
  readonly test: boolean;
  readonly packages: readonly string[]; // operands as typed
  readonly root: string | null;
  readonly dbpath: string | null;
  readonly flags: readonly string[];
  readonly certainty: "certain" | "possible";
}

// The strongest first: rpm keeps one bit each. What --freshen lets pass is reinstalled if that was asked too, and the
// older package stays. rpm, lib/rpminstall.c, rpmInstall().
const installModes = ["reinstall", "freshen", "upgrade", "install"];
const printers = new Set(["version", "showrc", "querytags", "help", "usage"]); // print and exit inside the callback
const restoreAliases = ["setperms", "setugids", "setcaps"];

/**
 * Reads the command line of one execution. Never throws: a line that rpm refuses is mode "rejected".
 * @returns undefined when the executable is none of rpm's programs
 */
export function readRpmCommandLine(execution: RpmExecution, aliases: RpmAliases): RpmCommandLine | undefined {
  const { argv, executable } = execution;
  const program = rpmProgram(executable || (argv[0] ?? ""));
  if (program === undefined) return undefined;
  if (program !== "rpm") {
    const args = argv.slice(1);
    return { ...nothing, argv, program, mode: siblingMode(program, args), packages: operandsOf(args) };
  }
  const strict = aliases.rpmVersion !== undefined && !olderThan(aliases.rpmVersion, "4.18");
  const rules: PoptRules = { posix: false, unwantedArgument: strict ? "refuse" : "drop" };
  const { permuted, line: whole } = read(argv, aliases, rules);
  const line: RpmCommandLine = execution.complete === false ? { ...whole, certainty: "possible" } : whole;
  if (!permuted) return line;
  const posix = read(argv, aliases, { ...rules, posix: true }).line;
  if (posix.mode === line.mode && posix.installs === line.installs) return line;
  return { ...line, flags: [...line.flags, "posixUnknown"] };
}

const nothing = {
  installs: false,
  test: false,
  root: null,
  dbpath: null,
  flags: [],
  certainty: "certain",
} as const;

function read(argv: readonly string[], aliases: RpmAliases, rules: PoptRules) {
  const name = (argv[0] ?? "").split("/").at(-1) ?? "";
  // rpm drops libtool's "lt-" before it asks popt for the aliases of its name (lib/poptALL.c, rpmcliInit()).
  const known = lastAliases.of(name.replace(/^lt-/, ""), aliases);
  let stopped: string | undefined;
  let queryMode: string | undefined;
  const values = new Map<string, string>();
  const scan = scanPopt(argv.slice(1), rpmOptions, known, rules, ({ name: option, value, byLetter }) => {
    if (printers.has(option)) stopped = option === "usage" ? "help" : option;
    if (value !== undefined && refusesValue(option, value, values.has(option))) stopped = "rejected";
    if (value !== undefined) values.set(option, value);
    if (option === "target") values.delete("dbpath"); // rpm reads its configuration anew, and the path is lost
    if (option === "verify" || (option === "query" && queryMode === undefined)) queryMode = option;
    if (stopped !== undefined) return "stop";
    // Behind -q the letter asks for --info too, an alias that rpm by another argv[0] lacks (lib/poptQV.c).
    return option === "install" && byLetter && queryMode === "query" ? ["--info"] : undefined;
  });
  const seen = new Set(scan.options.map((option) => option.name));
  const { mode, program } = stopped === undefined ? outcomeOf(name, scan, seen, values) : { mode: stopped };
  const installing = installModes.includes(mode);
  const line: RpmCommandLine = {
    argv,
    program: program ?? "rpm",
    mode,
    installs: installing && !seen.has("test") && scan.operands.length > 0,
    test: seen.has("test") && (installing || mode === "erase"),
    packages: scan.operands,
    root: absoluteOnly(values.get("root")),
    dbpath: absoluteOnly(values.get("dbpath")),
    flags: flagsOf(scan.options, scan.operands),
    certainty: isCertain(scan, seen, aliases) ? "certain" : "possible",
  };
  return { permuted: scan.permuted, line };
}

/** The aliases of the name asked for last: nearly all lines are of the same one, and there are a hundred aliases. */
class LastAliases {
  #name = "";
  #aliases: RpmAliases | undefined;
  #known: PoptAliases = new Map();

  of(name: string, aliases: RpmAliases): PoptAliases {
    if (name !== this.#name || aliases !== this.#aliases) {
      this.#known = aliasesOf(name, [...aliases.shipped, ...aliases.host]);
      this.#name = name;
      this.#aliases = aliases;
    }
    return this.#known;
  }
}

const lastAliases = new LastAliases();

function outcomeOf(
  name: string,
  scan: PoptScan,
  seen: ReadonlySet<string>,
  values: ReadonlyMap<string, string>,
): { readonly mode: string; readonly program?: string } {
  if (scan.error !== undefined) return { mode: "rejected" };
  if (scan.exec) {
    const [path = "", ...args] = scan.exec.expansion;
    const sibling = rpmProgram(path);
    if (sibling === undefined || sibling === "rpm") return { mode: "exec", program: path };
    return { mode: siblingMode(sibling, args), program: sibling };
  }
  const asked = askedMode(name, seen);
  const options = scan.options.map((option) => option.name);
  if (isMisuse(installModes.includes(asked ?? "") ? "install" : asked, options, values))
    return { mode: "rejected" };
  if (asked === undefined)
    return { mode: seen.has("eval") && scan.operands.length === 0 ? "eval" : "rejected" };
  if (asked !== "restore") return { mode: asked };
  return { mode: scan.aliases.find((alias) => restoreAliases.includes(alias.name))?.name ?? "restore" };
}

function askedMode(name: string, seen: ReadonlySet<string>): string | undefined {
  if (name === "rpmquery" || name === "rpmverify") return name.slice("rpm".length); // over any option
  if (seen.has("verify")) return "verify";
  if (seen.has("query")) return "query";
  return [...installModes, "erase", "restore"].find((option) => seen.has(option));
}

function isCertain(scan: PoptScan, seen: ReadonlySet<string>, aliases: RpmAliases): boolean {
  if (scan.error === "unknown option" || scan.argumentDropped) return false; // a user's alias; an older popt
  if (scan.exec && !aliases.shipped.includes(scan.exec)) return false;
  if (scan.aliases.some((alias) => !aliases.shipped.includes(alias))) return false;
  const version = aliases.rpmVersion ?? "0";
  return ![...optionSince].some(([option, since]) => seen.has(option) && olderThan(version, since));
}

function operandsOf(args: readonly string[]): string[] {
  return args.filter((arg) => !arg.startsWith("-"));
}

/** rpm takes no relative path for a root or a database, and refuses the line. rpm, lib/poptALL.c. */
function absoluteOnly(path: string | undefined): string | null {
  return path?.startsWith("/") ? path : null;
}
