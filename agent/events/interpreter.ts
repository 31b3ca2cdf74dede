/**
 * Which file an interpreter runs: the first argument that is no option. bash(1), dash(1), python(1), perlrun(1), ruby(1),
 * node(1), php(1), lua(1), gawk(1), ld.so(8). Code on the command line (-c, -e, -m) is no file.
 */
interface Family {
  readonly name: RegExp; // of the executable's base name
  readonly code: RegExp; // an option after which no script follows
  readonly takesNext: RegExp; // an option whose value is the next argument
  readonly file?: RegExp; // the option whose value is the script: what is no option is none then
  readonly dash?: "end"; // "-" ends the options; elsewhere it is the standard input
}

const never = /^\b$/;
const families: readonly Family[] = [
  {
    name: /^(?:ba|rba|da|k|mk|lk|pdk|z|a|ya|po|c|tc|fi)?sh(?:-?[\d.]+)?$/,
    code: /^-[a-zA-Z]*[cs][a-zA-Z]*$|^--command$/,
    takesNext: /^[-+][a-zA-Z]*[oO]$|^--(?:rcfile|init-file)$/,
    dash: "end",
  },
  {
    name: /^(?:platform-)?python[\d.]*$|^pypy[\d.]*$/,
    code: /^-[bBdEhiIOPqRsSuvVx]*[cm]/,
    takesNext: /^-[bBdEhiIOPqRsSuvVx]*[WXQ]$|^--check-hash-based-pycs$/,
  },
  { name: /^perl[\d.]*$/, code: /^-[acflnpsStTuUwWX\d]*[eE]/, takesNext: /^-I$/ },
  {
    name: /^j?ruby[\d.]*$/,
    code: /^-[aclnpsSUvw\d]*e/,
    takesNext: /^-[CEIr]$|^--(?:encoding|enable|disable)$/,
  },
  {
    name: /^node(?:js)?[\d.]*$/,
    code: /^(?:-e|-p|-pe|--eval|--print)$/,
    takesNext: /^(?:-r|-C|--require|--import|--(?:experimental-)?loader|--conditions|--env-file)$/,
  },
  { name: /^php[\d.]*$/, code: /^-[rBRE]/, takesNext: /^-[cdgztS]$/ },
  { name: /^lua(?:jit)?[\d.]*$/, code: never, takesNext: /^-[el]$/ },
  { name: /^(?:[gmn]|original-)?awk[\d.]*$/, code: never, takesNext: /^-[vF]$/, file: /^-[fE]$/ },
  {
    name: /^(?:tclsh|wish|expect|Rscript|guile|osh|ysh|xonsh|pwsh)[\d.]*$/,
    code: /^-[ec]$|^-Command$/,
    takesNext: never,
  },
  {
    // The loader started by name runs a program as an interpreter runs a script.
    name: /^ld(?:-linux|-musl|64|-[\d.]+)?[\w.-]*\.so(?:\.\d+)?$/,
    code: /^--(?:help|version|list-diagnostics|list-tunables)$/,
    takesNext: /^--(?:library-path|preload|audit|argv0|inhibit-rpath|glibc-hwcaps-\w+)$/,
  },
];
const multiCall = /^(?:busybox|toybox)$/; // many programs in one: the name it is called by tells which

export function isInterpreter(name: string): boolean {
  return multiCall.test(name) || families.some((family) => family.name.test(name));
}

/** The script an interpreter was started with, as typed; undefined for an interactive one, code, or standard input. */
export function scriptArgument(name: string, args: readonly string[]): string | undefined {
  if (multiCall.test(name)) {
    const called = (args[0] ?? "").replace(/^.*\/|^-/, "");
    if (called !== name) return multiCall.test(called) ? undefined : scriptArgument(called, args);
    return args[1] === undefined || multiCall.test(args[1])
      ? undefined
      : scriptArgument(args[1], args.slice(1));
  }
  const family = families.find((candidate) => candidate.name.test(name));
  if (family === undefined) return undefined;
  for (let index = 1; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    const next = args[index + 1] || undefined;
    if (family.file?.test(argument)) return next;
    if (argument === "--" || (argument === "-" && family.dash === "end"))
      return family.file ? undefined : next;
    if (argument === "-" || argument === "") return undefined;
    if (!argument.startsWith("-") && !(argument.startsWith("+") && argument.length > 1))
      return family.file ? undefined : argument;
    if (family.code.test(argument)) return undefined;
    if (family.takesNext.test(argument)) index += 1;
  }
  return undefined;
}
