/**
 * rpm's own option tables, in words. Read off rpm 4.18 by asking it for each name with "=1": a flag answers
 * "does not take an argument", an unknown name "unknown option". Sources: lib/poptALL.c, lib/poptI.c, lib/poptQV.c.
 */
import type { PoptOption } from "./popt.ts";

const shortNames: Readonly<Record<string, string>> = {
  all: "a",
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
  "all file path group package pkgid hdrid query triggeredby whatconflicts whatrequires whatobsoletes whatprovides " +
  "whatrecommends whatsuggests whatsupplements whatenhances nomanifest querybynumber noglob configfiles docfiles " +
  "licensefiles artifactfiles noghost noconfig noartifact dump list state verify nofiledigest nomd5 nofiles nodeps " +
  "noscript nolinkto nouser nogroup nomtime nomode nordev nosize nocaps allfiles allmatches badreloc deploops erase " +
  "excludeartifacts excludeconfigs noconfigs excludedocs nodocs force force-debian freshen hash ignorearch ignoreos ignoresize " +
  "noverify install justdb nodb nocontexts noorder noscripts nopre nopost nopreun nopostun nopretrans noposttrans " +
  "notriggers notriggerprein notriggerin notriggerun notriggerpostun oldpackage percent replacefiles replacepkgs " +
  "test upgrade reinstall restore includedocs nohdrchk prtpkts noplugins nodigest nosignature nouserns querytags " +
  "showrc quiet verbose version stats rpmfcdebug rpmiodebug fsmdebug help usage";

const withArgument =
  "queryformat qf excludepath prefix relocate define undefine predefine eval target macros load pipe rcfile root dbpath";

export const rpmOptions: readonly PoptOption[] = [
  ...flags.split(" ").map((long) => entry(long, false)),
  ...withArgument.split(" ").map((long) => entry(long, true)),
];

function entry(long: string, argument: boolean): PoptOption {
  const short = shortNames[long];
  return short === undefined ? { long, argument } : { long, short, argument };
}
