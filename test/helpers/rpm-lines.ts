/**
 * Makes rpm command lines that no person would think of: bundles, permuted operands, arguments that swallow options,
 * aliases, mistakes. The same seed gives the same lines.
 */
export interface LineParts {
  readonly operands: readonly string[]; // package files and names
  readonly root: string; // a folder for --root
  readonly database: string; // one for --dbpath
  readonly path: string; // what stands where a path is wanted; rpm may make it a folder
  readonly aliases: readonly string[]; // of a user's ~/.popt
}

const modes =
  "-i -i -U -U -F -e -q -V --install --upgrade --freshen --reinstall --erase --restore --query --verify".split(
    " ",
  );
const flags =
  "-v -vv --quiet -h --hash --percent --test --nodeps --force --justdb --nodb --noscripts --notriggers --nopre " +
  "--nodigest --nosignature --noverify --noplugins --oldpackage --replacepkgs --replacefiles --excludedocs --includedocs " +
  "--ignorearch --ignoreos --ignoresize --allfiles --allmatches --badreloc --noorder --excludeartifacts --nocaps " +
  "--nocontexts --nomd5 --noscript --stats -a -p -f -l -c -d -s -g --whatprovides --whatrequires --tid --dump --state " +
  "--debug --nouserns --checksig --force-debian --nohdrchk";
const shippedAliases =
  "--info --scripts --last --dupes --provides -P -R --requires --changelog --trace --setperms --setugids --setcaps " +
  "-info -last -P -R --triggers --xml --filesbypkg";
const execs =
  "--import -import --checksig -K --initdb --rebuilddb --verifydb --addsign --resign --specfile -checksig";
const mistakes =
  "--instal --inst --upg -install -upgrade --install=1 -i=1 -i= --force=yes -I -u -H ---i --=x -= --i -iZ -i- -q=1 --nosuch " +
  "-test --nodeps=0 --import=x -K=1";
const letters = "iiUFeqVvvhaplcdsfgKPRLA?";
const printers = "--version --showrc --querytags --help --usage -?";

/** One command line without argv[0]. */
export function randomLine(random: () => number, parts: LineParts): string[] {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const word = (words: string): string => pick(words.split(" "));
  const value = (): string =>
    pick([
      "a b",
      "x",
      parts.path,
      `${parts.path}=${parts.path}`,
      "",
      "-i",
      "-e",
      "1",
      "%{nil}",
      "%{",
      "_a (b",
      "a {b}",
    ]);
  const optionWithArgument = (): string[] => {
    const [option, usual] = pick([
      ["--define", "a b"],
      ["-D", "a-b c"],
      ["--predefine", "x y"],
      ["--undefine", "a"],
      ["--eval", "1"],
      ["-E", "%{?x}"],
      ["--root", parts.root],
      ["-r", parts.root],
      ["--dbpath", parts.database],
      ["--qf", "%{name}"],
      ["--queryformat", "f"],
      ["--excludepath", parts.path],
      ["--prefix", parts.path],
      ["--relocate", `${parts.path}=${parts.path}`],
      ["--pipe", "cat"],
      ["--target", "noarch"],
      ["--httpproxy", "host"],
      ["--color", "never"],
      ["--i18ndomains", "d"],
    ] as const);
    const argument = random() < 0.75 ? usual : value();
    const short = option.length === 2;
    const form = random();
    if (form < 0.55) return [option, argument];
    if (form < 0.85) return short ? [`${option}${argument}`] : [`${option}=${argument}`];
    if (form < 0.95) return short ? [`-${pick([...letters])}${option[1]}`, argument] : [option];
    return [option];
  };
  const bundle = (): string[] => {
    const length = 2 + Math.floor(random() * 3);
    return [`-${Array.from({ length }, () => pick([...letters])).join("")}`];
  };
  const kinds: readonly (readonly [weight: number, make: () => string[]])[] = [
    [16, () => [pick(modes)]],
    [18, () => [word(flags)]],
    [16, () => optionWithArgument()],
    [8, () => bundle()],
    [18, () => [pick(parts.operands)]],
    [5, () => [word(shippedAliases)]],
    [3, () => [word(execs)]],
    [3, () => [word(mistakes)]],
    [1, () => [word(printers)]],
    [3, () => ["--"]],
    [1, () => ["-"]],
    [parts.aliases.length > 0 ? 4 : 0, () => [pick(parts.aliases)]],
  ];
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
  const piece = (): string[] => {
    let left = random() * total;
    for (const [weight, make] of kinds) {
      left -= weight;
      if (left < 0) return make();
    }
    return [];
  };
  const pieces = Array.from({ length: 1 + Math.floor(random() * 4) }, piece);
  // Most lines shall get as far as a mode with an operand; a line of noise alone is refused at once.
  if (random() < 0.6) pieces.splice(Math.floor(random() * (pieces.length + 1)), 0, [pick(modes)]);
  if (random() < 0.6) pieces.splice(Math.floor(random() * (pieces.length + 1)), 0, [pick(parts.operands)]);
  return pieces.flat();
}
