/**
 * The aliases that rpm ships since 4.14, by what they stand for, for logs of a host whose rpm is not here: a query format
 * has no say in what rpm does, so each is told as one placeholder. What differs between versions: --restore, --setperms,
 * --setugids and --setcaps are told as of 4.18; before it they were queries with a shell behind them.
 * Observed with rpm 4.18.0; rpm, rpmpopt.in of 4.14 to 6.x.
 */
import type { PoptAlias } from "./popt.ts";
import type { RpmAliases } from "./rpm-aliases.ts";

const formatted =
  "scripts conflicts obsoletes provides requires recommends suggests supplements enhances info changelog changes xml " +
  "json triggerscripts filetriggerscripts filesbypkg fileclass filecolor filemime fileprovide filerequire filecaps";
const piped = "last dupes fscontext"; // a format, and a shell that sorts what came out
const macros = "i18ndomains color httpport httpproxy";

export const shippedAliases: RpmAliases = {
  rpmVersion: undefined,
  shipped: [
    ...named(formatted, () => ["--qf", "FORMAT"]),
    ...named(piped, () => ["--qf", "FORMAT", "--pipe", "SHELL"]),
    ...named(macros, (name) => ["--define", `_${name} !#:+`]),
    ...named("setperms setugids setcaps", () => ["--restore"]),
    alias("alias", "-P", "--provides"),
    alias("alias", "-R", "--requires"),
    alias("alias", "--triggers", "--triggerscripts"),
    alias("alias", "--filetriggers", "--filetriggerscripts"),
    alias("alias", "--trace", "--eval", "%trace"),
    ...["addsign", "delsign", "resign"].map((name) => alias("exec", `--${name}`, "rpmsign", `--${name}`)),
    ...["initdb", "rebuilddb", "verifydb"].map((name) => alias("exec", `--${name}`, "rpmdb", `--${name}`)),
    alias("exec", "--checksig", "rpmkeys", "--checksig"),
    alias("exec", "-K", "rpmkeys", "--checksig"),
    alias("exec", "--import", "rpmkeys", "--import"),
    alias("exec", "--specfile", "rpmspec", "-q"),
  ],
  host: [],
};

function named(names: string, expand: (name: string) => readonly string[]): PoptAlias[] {
  return names.split(" ").map((name) => alias("alias", `--${name}`, ...expand(name)));
}

function alias(kind: PoptAlias["kind"], option: string, ...expansion: readonly string[]): PoptAlias {
  const short = !option.startsWith("--");
  return { program: "rpm", kind, name: option.slice(short ? 1 : 2), short, expansion };
}
