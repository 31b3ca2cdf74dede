/**
 * What rpm refuses of a command line that popt has read well. Each rule was seen to refuse with rpm 4.18; rpm,
 * tools/rpm.c, main(), between the choice of the mode and its run; lib/poptI.c and lib/poptALL.c for refused values.
 */
import { isClosedMacro, isMacroDefinition } from "./macro-text.ts";

const changing = ["install", "erase"] as const;

// Options, and the modes that rpm takes them in. Without a mode rpm refuses most of them as well.
const modesFor: readonly (readonly [options: string, modes: readonly string[], alone?: "allowed"])[] = [
  ["force replacepkgs oldpackage badreloc relocate excludepath prefix", ["install"]],
  ["excludedocs nodocs includedocs ignorearch ignoreos allfiles", ["install"]],
  ["hash percent ignoresize justdb", changing],
  ["allmatches", ["erase"]],
  ["noscripts nopre nopost nopreun nopostun nopretrans noposttrans", [...changing, "verify"]],
  ["nopreuntrans nopostuntrans notriggers", [...changing, "verify"]],
  ["notriggerprein notriggerin notriggerun notriggerpostun", [...changing, "verify"]],
  ["nodeps", [...changing, "verify", "restore"], "allowed"],
  ["test", changing, "allowed"],
];

// What each selector adds to the number of its source. rpm ORs the numbers and counts how often that changes them, so
// that of two selectors one can hide in the other. rpm, lib/rpmcli.h, rpmQVSources.
const selectors: ReadonlyMap<string, number> = new Map(
  (
    "file all package group whatprovides whatrequires triggeredby querybynumber - pkgid hdrid tid - " +
    "whatrecommends whatsuggests whatsupplements whatenhances - whatobsoletes whatconflicts path"
  )
    .split(" ")
    .map((name, index) => [name, index + 1]),
);

/** A value that rpm refuses where it stands, before it reads on. */
export function refusesValue(option: string, value: string, seenBefore: boolean): boolean {
  if (option === "dbpath" || option === "excludepath") return !value.startsWith("/");
  if (option === "relocate") return !/^\/[^=]*=\//.test(value);
  if (option === "define" || option === "predefine") return !isMacroDefinition(value);
  if (option === "eval") return !isClosedMacro(value);
  return option === "pipe" && seenBefore;
}

/**
 * @param mode what the options ask for: install, erase, restore, query, verify, or undefined
 * @param values the last argument of each option that has one
 */
export function isMisuse(
  mode: string | undefined,
  options: readonly string[],
  values: ReadonlyMap<string, string>,
): boolean {
  const seen = new Set(options);
  const any = (names: string) => names.split(" ").some((name) => seen.has(name));
  if (sourcesAsked(options) > 1) return true;
  if (any("prefix") && any("relocate excludepath")) return true;
  if (any("includedocs") && any("excludedocs nodocs")) return true;
  if (!(values.get("prefix") ?? "/").startsWith("/") || !(values.get("root") ?? "/").startsWith("/"))
    return true;
  return modesFor.some(
    ([names, modes, alone]) =>
      any(names) && (mode === undefined ? alone !== "allowed" : !modes.includes(mode)),
  );
}

function sourcesAsked(options: readonly string[]): number {
  let sources = 0;
  let changes = 0;
  for (const option of options) {
    const added = sources | (selectors.get(option) ?? 0);
    if (added !== sources) changes++;
    sources = added;
  }
  return changes;
}
