/**
 * Which file an interpreter runs: the first argument that is no option. bash(1), dash(1), python(1), perlrun(1), ruby(1),
 * node(1), php(1), lua(1). Code on the command line (-c, -e, -m) is no file.
 */
interface Family {
  readonly name: RegExp; // of the executable's base name
  readonly code: RegExp; // an option after which no script follows
  readonly takesNext: RegExp; // an option whose value is the next argument
}

const never = /^\b$/;
const families: readonly Family[] = [
  {
    name: /^(?:ba|da|k|mk|lk|z|a|c|tc|pdk|r|fi)?sh(?:-?[\d.]+)?$/,
    code: /^-[a-zA-Z]*[cs][a-zA-Z]*$|^--command$/,
    takesNext: /^[-+][a-zA-Z]*[oO]$|^--(?:rcfile|init-file)$/,
  },
  {
    name: /^(?:platform-)?python[\d.]*$|^pypy[\d.]*$/,
    code: /^-[a-zA-Z]*[cm]/,
    takesNext: /^-[a-zA-Z]*[WXQ]$|^--check-hash-based-pycs$/,
  },
  { name: /^perl[\d.]*$/, code: /^-[a-zA-Z]*[eE]/, takesNext: /^-[IMm]$/ },
  {
    name: /^j?ruby[\d.]*$/,
    code: /^-[a-zA-Z]*e/,
    takesNext: /^-[CEFIKrTx]$|^--(?:encoding|enable|disable)$/,
  },
  {
    name: /^node(?:js)?[\d.]*$/,
    code: /^-(?:e|p|pe|-eval|-print)$/,
    takesNext: /^(?:-r|-C|--require|--import|--loader|--conditions)$/,
  },
  { name: /^php[\d.]*$/, code: /^-[rBRE]/, takesNext: /^-[cdgzt]$/ },
  {
    name: /^(?:lua(?:jit)?|tclsh|wish|expect|gawk|Rscript|guile|osh|ysh|xonsh|pwsh)[\d.]*$/,
    code: /^-(?:e|c)$/,
    takesNext: never,
  },
];

export function isInterpreter(name: string): boolean {
  return name === "busybox" || families.some((family) => family.name.test(name));
}

/** The script an interpreter was started with, as typed; undefined for an interactive one, code, or standard input. */
export function scriptArgument(name: string, args: readonly string[]): string | undefined {
  if (name === "busybox") return args[1] === undefined ? undefined : scriptArgument(args[1], args.slice(1));
  const family = families.find((candidate) => candidate.name.test(name));
  if (family === undefined) return undefined;
  for (let index = 1; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    if (argument === "--") return args[index + 1] || undefined;
    if (argument === "-" || argument === "") return undefined;
    if (!argument.startsWith("-") && !(argument.startsWith("+") && argument.length > 1)) return argument;
    if (family.code.test(argument)) return undefined;
    if (family.takesNext.test(argument)) index += 1;
  }
  return undefined;
}
