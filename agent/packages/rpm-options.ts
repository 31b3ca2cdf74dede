/**
 * rpm's own option tables, in words: those of 4.18 with what came after, so that no later rpm installs by an option that
 * is not here. Read off rpm 4.18 by asking it for each name with "=1": a flag answers "does not take an argument", an
 * unknown name "unknown option". Sources: lib/poptALL.c, lib/poptI.c, lib/poptQV.c of 4.14 to 6.x.
 */
import type { PoptOption, PoptTable } from "./popt.ts";

const shortNames: Readonly<Record<string, string>> = {
  all: "a",
  checksig: "K", // behind the exec alias of that name, which rpm by another argv[0] lacks; does nothing by itself
  file: "f",
  group: "g",
  package: "p",
  query: "q",
  configfiles: "c",
  docfiles: "d",
  licensefiles: "L",
  artifactfiles: "A",
  list: "l",
  state: "s",
  erase: "e",
  freshen: "F",
  hash: "h",
  install: "i",
  upgrade: "U",
  verify: "V",
  define: "D",
  eval: "E",
  root: "r",
  verbose: "v",
  help: "?",
};

const flags =
  "all checksig file path group package pkgid hdrid tid query triggeredby whatconflicts whatrequires whatobsoletes " +
  "whatprovides whatrecommends whatsuggests whatsupplements whatenhances nomanifest querybynumber noglob configfiles " +
  "docfiles licensefiles artifactfiles noghost noconfig noartifact dump list state verify nofiledigest nomd5 nofiles " +
  "nodeps noscript nolinkto nouser nogroup nomtime nomode nordev nosize nocaps allfiles allmatches badreloc deploops " +
  "erase excludeartifacts excludeconfigs noconfigs excludedocs nodocs force force-debian freshen hash ignorearch " +
  "ignoreos ignoresize noverify install justdb nodb nocontexts noorder noscripts nopre nopost nopreun nopostun " +
  "nopretrans noposttrans nopreuntrans nopostuntrans notriggers notriggerprein notriggerin notriggerun notriggerpostun " +
  "nosysusers oldpackage percent replacefiles replacepkgs test upgrade reinstall restore includedocs nohdrchk prtpkts " +
  "noplugins nodigest nosignature nouserns querytags showrc quiet verbose version stats debug rpmfcdebug rpmiodebug " +
  "fsmdebug nouserns help usage";

const withArgument =
  "queryformat qf excludepath prefix relocate define undefine predefine eval target macros load pipe rcfile root dbpath";

/** Options that not every rpm since 4.14 has, with the first that does: before it they are refused. */
export const optionSince: ReadonlyMap<string, string> = new Map([
  ["nodb", "4.18"],
  ["restore", "4.18"], // before: an alias of rpm's own for a query
  ["nopreuntrans", "4.19"],
  ["nopostuntrans", "4.19"],
  ["nosysusers", "4.19"],
]);

export const rpmOptions: PoptTable = tableOf([
  ...flags.split(" ").map((long) => entry(long, false)),
  ...withArgument.split(" ").map((long) => entry(long, true)),
]);

function entry(long: string, argument: boolean): PoptOption {
  const short = shortNames[long];
  return short === undefined ? { long, argument } : { long, short, argument };
}

function tableOf(options: readonly PoptOption[]): PoptTable {
  return {
    long: new Map(options.map((option) => [option.long ?? "", option])),
    short: new Map(options.flatMap((option) => (option.short ? [[option.short, option]] : []))),
  };
}
