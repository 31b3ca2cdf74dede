/**
 * What is remarkable about an rpm command line beside its mode: names that alerts and exceptions use. rpm(8).
 * A flag says what was asked for, also of a line that rpm refuses or answers by printing.
 */
import { runsCommands } from "./macro-text.ts";
import type { ScannedOption } from "./popt.ts";

const scriptOptions =
  "noscripts nopre nopost nopreun nopostun nopretrans noposttrans nopreuntrans nopostuntrans notriggers notriggerprein " +
  "notriggerin notriggerun notriggerpostun";
const macroOptions = ["define", "predefine", "undefine", "load", "macros", "rcfile", "eval"];
const plugin = /^[\s%]*(?:__transaction_\w+|__plugindir)\b/; // rpm loads its plug-ins by these macros, audit's too

export function flagsOf(options: readonly ScannedOption[], operands: readonly string[]): string[] {
  const seen = new Set(options.map((option) => option.name));
  const any = (names: string) => names.split(" ").some((name) => seen.has(name));
  const valuesOf = (...names: string[]) =>
    options.flatMap(({ name, value }) => (value !== undefined && names.includes(name) ? [value] : []));
  const macros = valuesOf("define", "predefine", "undefine");
  const flags: readonly (readonly [flag: string, when: boolean])[] = [
    ["test", any("test")],
    ["justdb", any("justdb")],
    ["nodb", any("nodb")],
    ["altRoot", !/^\/+$/.test(valuesOf("root").at(-1) ?? "/")],
    ["altDb", any("dbpath") || macros.some((text) => /^[\s%]*_dbpath\b/.test(text))],
    ["noScripts", any(scriptOptions)],
    ["noSignature", any("nosignature noverify")],
    ["noDigest", any("nodigest noverify")],
    ["noPlugins", any("noplugins") || macros.some((text) => plugin.test(text))],
    ["macroOverride", macroOptions.some((name) => seen.has(name))],
    ["macroCommand", valuesOf("define", "predefine", "eval").some(runsCommands)],
    ["pipe", any("pipe")],
    ["remoteOperand", operands.some((operand) => /^(?:https?|ftp|hkp):\/\//i.test(operand))],
    // rpm goes by what is in the file, not by its name: such an operand can install all the same.
    ["sourcePackage", operands.some((operand) => /\.(?:no)?src\.rpm$/i.test(operand))],
  ];
  return flags.flatMap(([flag, when]) => (when ? [flag] : []));
}
