/**
 * What an rpm command line means: which mode rpm takes it for, and whether it would change what is installed.
 * Mode selection follows rpm's tools/rpm.c (4.18), lines 75-127; misuse checks lines 129-217.
 */
import { type PoptAlias, scanPopt } from "./popt.ts";
import { rpmOptions } from "./rpm-options.ts";

export interface RpmCommandLine {
  readonly argv: readonly string[];
  readonly program: string; // the program that runs in the end: "rpm", or "rpmkeys" behind --import
  readonly mode: string;
  readonly installs: boolean; // would it change what is installed, given good packages
  readonly test: boolean;
  readonly packages: readonly string[]; // operands as typed
  readonly root: string | null;
  readonly dbpath: string | null;
  readonly flags: readonly string[];
  readonly certainty: "certain" | "possible";
}

// The strongest first: rpm keeps one bit each, and rpmInstall() in lib/rpminstall.c asks them in this order.
const installModes = ["freshen", "reinstall", "upgrade", "install"];
const printers = new Set(["version", "showrc", "querytags", "help", "usage"]); // print and exit inside the callback
const installOnly: readonly string[] = [
  "prefix",
  "relocate",
  "excludepath",
  "percent",
  "badreloc",
  "replacefiles",
];

/** Reads an rpm command line. Never throws: a line that rpm refuses is mode "rejected". */
export function explainRpm(
  argv: readonly string[],
  aliases: readonly PoptAlias[],
  shippedAliases: readonly PoptAlias[] = aliases,
): RpmCommandLine {
  const name = (argv[0] ?? "").split("/").at(-1) ?? "";
  const known = name === "rpm" ? aliases : [];
  let printed: string | undefined;
  let refused = false;
  const seen = new Set<string>();
  const values = new Map<string, string>();
  const scan = scanPopt(argv.slice(1), rpmOptions, known, ({ name: option, value }) => {
    seen.add(option);
    if (value !== undefined) values.set(option, value);
    if (printers.has(option)) printed = option === "usage" ? "help" : option;
    if (value !== undefined) refused = refusesValue(option, value);
    return printed !== undefined || refused;
  });
  const possible =
    scan.error === "unknown option" || scan.aliases.some((alias) => !shippedAliases.includes(alias));
  const read = (mode: string, program = "rpm"): RpmCommandLine => ({
    argv,
    program,
    mode,
    installs: installModes.includes(mode) && !seen.has("test") && scan.operands.length > 0,
    test: seen.has("test") && (installModes.includes(mode) || mode === "erase"),
    packages: scan.operands,
    root: values.get("root") ?? null,
    dbpath: values.get("dbpath") ?? null,
    flags: flagsOf(seen, values, scan.operands),
    certainty: possible ? "possible" : "certain",
  });

  if (printed !== undefined) return read(printed);
  if (refused || scan.error !== undefined) return read("rejected");
  if (scan.exec) {
    const [program = "", option = ""] = scan.exec.expansion;
    return read(option.replace(/^-+/, "") || program, program);
  }
  const asQuery = name === "rpmquery";
  const asVerify = name === "rpmverify";
  if (asVerify || seen.has("verify")) return read("verify");
  if (asQuery || seen.has("query")) return read("query");
  const restoring = scan.aliases.find((alias) => alias.name === "setperms" || alias.name === "setugids");
  const mode =
    installModes.find((option) => seen.has(option)) ??
    (seen.has("erase") ? "erase" : seen.has("restore") ? (restoring?.name ?? "restore") : undefined);
  if (mode === undefined) return read(seen.has("eval") && scan.operands.length === 0 ? "eval" : "rejected");
  if (!installModes.includes(mode) && installOnly.some((option) => seen.has(option))) return read("rejected");
  return read(mode);
}

/** Values that rpm refuses while it scans. rpm(8); lib/poptALL.c and lib/poptI.c callbacks. */
function refusesValue(option: string, value: string): boolean {
  if (option === "root" || option === "dbpath" || option === "excludepath") return !value.startsWith("/");
  if (option !== "define" && option !== "predefine") return false;
  // rpm turns "-" in the name into "_" and the first "=" into a blank, then wants a name and a body.
  return !/^%?[A-Za-z_-][\w-]*(?:\([^)]*\))?[\s=]\s*\S/.test(value);
}

function flagsOf(
  seen: ReadonlySet<string>,
  values: ReadonlyMap<string, string>,
  operands: readonly string[],
) {
  const flags: string[] = [];
  const add = (flag: string, when: boolean) => {
    if (when) flags.push(flag);
  };
  const any = (...names: string[]) => names.some((name) => seen.has(name));
  add("test", any("test"));
  add("justdb", any("justdb"));
  add("nodb", any("nodb"));
  add("altRoot", (values.get("root") ?? "/") !== "/");
  add("altDb", any("dbpath"));
  add("noScripts", any("noscripts", "nopre", "nopost", "nopretrans", "noposttrans", "notriggers"));
  add("noSignature", any("nosignature", "noverify"));
  add("noDigest", any("nodigest", "noverify"));
  add("noPlugins", any("noplugins"));
  add("macroOverride", any("define", "predefine", "undefine", "load", "macros", "rcfile", "eval"));
  add(
    "remoteOperand",
    operands.some((operand) => /^(?:https?|ftp|hkp):\/\//i.test(operand)),
  );
  add(
    "sourcePackage",
    operands.some((operand) => /\.(?:no)?src\.rpm$/i.test(operand)),
  );
  return flags;
}
