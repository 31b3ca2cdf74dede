import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as fc from "fast-check";
import { parsePoptConfig } from "../../agent/packages/popt-config.ts";
import type { RpmAliases } from "../../agent/packages/rpm-aliases.ts";
import { type RpmCommandLine, readRpmCommandLine } from "../../agent/packages/rpm-command-line.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";

const debian: RpmAliases = { ...shippedAliases, rpmVersion: "4.18.0" };
const rhel9: RpmAliases = { ...shippedAliases, rpmVersion: "4.16.1.3" };
const userFile = `rpm alias --sneaky -i
rpm alias --a --b
rpm alias --b --a
rpm alias -y --define
rpm alias --again --sneaky --test
r?m alias -z -vh
rpm exec --boom /bin/echo hi
rpm alias --unended -i`;
const withUser: RpmAliases = { ...debian, host: parsePoptConfig(userFile) };
const rhel8: RpmAliases = {
  rpmVersion: "4.14.3",
  shipped: parsePoptConfig(
    "rpm alias --info --qf F\nrpm alias --restore -q --qf F --pipe sh\nrpm alias --setperms -q --qf F --pipe sh\n",
  ),
  host: [],
};

function read(words: readonly string[], aliases = debian, executable = "/usr/bin/rpm"): RpmCommandLine {
  const line = readRpmCommandLine({ argv: words, executable }, aliases);
  assert.ok(line);
  return line;
}

for (const text of readFileSync(new URL("../samples/rpm-command-lines.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")) {
  const want = JSON.parse(text) as Record<string, unknown> & { argv: string[]; executable: string };
  test(`readRpmCommandLine(): reads as rpm did ${want.argv.join(" ")}`, () => {
    const { mode, installs, test: dryRun, root, dbpath } = read(want.argv, debian, want.executable);
    const expected = { mode: want["mode"], installs: want["installs"], test: want["test"] };
    assert.deepEqual({ mode, installs, test: dryRun }, expected);
    if (mode !== "rejected")
      assert.deepEqual({ root, dbpath }, { root: want["root"], dbpath: want["dbpath"] });
  });
}

// Each line was run with rpm 4.18.0; a capital letter after the mode: "+" installs, "t" is a dry run.
const lines: readonly (readonly [why: string, mode: string, ...words: string[]])[] = [
  ["each way to say install", "install+", "rpm", "-i", "x"],
  ["a bundle", "install+", "rpm", "-ivh", "x"],
  ["upgrade as a bundle", "upgrade+", "rpm", "-Uvh", "x"],
  ["upgrade", "upgrade+", "rpm", "-U", "x"],
  ["freshen", "freshen+", "rpm", "-F", "x"],
  ["the long name", "install+", "rpm", "--install", "x"],
  ["the long name", "upgrade+", "rpm", "--upgrade", "x"],
  ["the long name", "freshen+", "rpm", "--freshen", "x"],
  ["has no letter", "reinstall+", "rpm", "--reinstall", "x"],
  ["operands and options permute", "install+", "rpm", "x", "-i"],
  ["the mode need not be the first option", "install+", "rpm", "--nodeps", "-i", "x"],
  ["nor the first letter", "install+", "rpm", "-vi", "x"],
  ["nor the first letter", "install+", "rpm", "-hi", "x"],
  ["an argument behind =", "install+", "rpm", "--root=/tmp", "-i", "x"],
  ["a letter takes the next word", "install+", "rpm", "-ir", "/tmp", "x"],
  ["a letter takes the rest of its bundle", "install+", "rpm", "-ir/tmp", "x"],
  ["a letter takes the next word", "install+", "rpm", "-iD", "a b", "x"],
  ["--eval prints, and the installation goes on", "install+", "rpm", "--eval", "1", "-i", "x"],
  ["install wins over erase", "install+", "rpm", "-e", "-i", "x"],
  ["install wins over erase", "install+", "rpm", "-ei", "x"],
  ["install wins over erase", "upgrade+", "rpm", "-eU", "x"],
  ["install wins over restore", "install+", "rpm", "--restore", "-i", "x"],
  ["query selectors are not looked at without -q", "install+", "rpm", "-ip", "x"],
  ["query selectors are not looked at without -q", "install+", "rpm", "-ia", "x"],
  ["query flags are not looked at without -q", "install+", "rpm", "-i", "-l", "x"],
  ["nor is a format", "install+", "rpm", "-i", "--qf", "F", "x"],
  ["a dry run", "install t", "rpm", "-i", "--test", "x"],
  ["an entry without files is an installation", "install+", "rpm", "-i", "--justdb", "x"],
  ["files without an entry are one", "install+", "rpm", "-i", "--nodb", "x"],
  ["-q wins", "query", "rpm", "-qi", "x"],
  ["-q wins", "query", "rpm", "-q", "-i", "x"],
  ["-q wins from behind", "query", "rpm", "-iq", "x"],
  ["-q wins from behind", "query", "rpm", "-i", "-q", "x"],
  ["-V wins", "verify", "rpm", "-iV", "x"],
  ["-V wins", "verify", "rpm", "-V", "-i", "x"],
  ["-q wins", "query", "rpm", "--query", "-U", "x"],
  ["-q wins", "query", "rpm", "-q", "--install", "x"],
  ["--define swallows the option", "rejected", "rpm", "--define", "-i", "x"],
  ["no mode", "rejected", "rpm", "--test", "x"],
  ["--info is an alias for a format", "rejected", "rpm", "--info", "x"],
  ["no mode", "rejected", "rpm", "x"],
  ["behind -- there are operands only", "rejected", "rpm", "--", "-i", "x"],
  ["an option within an argument is none", "rejected", "rpm", "--define", "-i x", "p"],
  ["long options are not abbreviated", "rejected", "rpm", "--instal", "x"],
  ["one dash is a bundle", "rejected", "rpm", "-install", "x"],
  ["a flag takes no argument", "rejected", "rpm", "-i=1", "x"],
  ["a flag takes no argument", "rejected", "rpm", "--install=1", "x"],
  ["an operand that looks like an option", "install+", "rpm", "-i", "--", "-U"],
  ["an exec alias", "import", "rpm", "--import", "k"],
  ["aliases match with one dash as well", "import", "rpm", "-import", "k"],
  ["what follows goes to rpmkeys", "checksig", "rpm", "-K", "-i", "x"],
  ["an exec alias in a bundle", "checksig", "rpm", "-iK", "x"],
  ["what follows goes to rpmkeys", "checksig", "rpm", "--checksig", "-i", "x"],
  ["what follows goes to rpmdb", "rebuilddb", "rpm", "--rebuilddb", "-i"],
  ["rpmspec is asked", "query", "rpm", "--specfile", "a.spec"],
  ["prints and ends", "version", "rpm", "--version", "-i", "x"],
  ["prints and ends", "querytags", "rpm", "--querytags", "-i"],
  ["prints and ends", "showrc", "rpm", "--showrc", "-i"],
  ["argv[0] makes it a query", "query", "rpmquery", "-i", "x"],
  ["argv[0] makes it a verification", "verify", "/x/rpmverify", "-i", "x"],
  ["any other name changes nothing but the aliases", "install+", "./foo", "-i", "x"],
  ["the aliases are those of the name rpm", "rejected", "zzz", "--import", "x"],

  // Found by comparing some 50,000 random lines with rpm 4.18.0.
  ["argv[0] wins over --verify", "query", "rpmquery", "--verify", "x"],
  ["libtool's prefix is dropped for the aliases", "import", "lt-rpm", "--import", "k"],
  ["-i behind -q asks for an alias that foo has not", "rejected", "foo", "-q", "-i", "x"],
  ["the long name does not", "query", "foo", "-q", "--install", "x"],
  ["an alias that wants an operand hangs rpm without one", "rejected", "rpm", "-i", "x", "--httpproxy", "-v"],
  ["an alias takes the operand", "install", "rpm", "--httpproxy", "-i", "x"],
  ["two shells behind one rpm", "rejected", "rpm", "-i", "--last", "--dupes", "x"],
  ["two selectors", "rejected", "rpm", "-i", "-f", "-p", "x"],
  ["what --freshen lets pass is reinstalled", "reinstall+", "rpm", "-F", "--reinstall", "x"],
  ["nothing is upgraded by a reinstallation", "reinstall+", "rpm", "--reinstall", "-U", "x"],
  ["a selector hides in another", "install+", "rpm", "-i", "-p", "-f", "x"],
  ["relocated twice", "rejected", "rpm", "-i", "--prefix", "/a", "--relocate", "/a=/b", "x"],
  ["no such relocation", "rejected", "rpm", "-i", "--relocate", "/a=b", "x"],
  ["documents in and out", "rejected", "rpm", "-i", "--includedocs", "--nodocs", "x"],
  ["for erasures only", "rejected", "rpm", "-i", "--allmatches", "x"],
  ["for installations only", "rejected", "rpm", "-e", "--oldpackage", "x"],
  ["--replacefiles is not looked at in a query", "query", "rpm", "-q", "--replacefiles", "x"],
  ["--nodeps is, in a query", "rejected", "rpm", "-q", "--nodeps", "x"],
  ["--nodeps is not, in a restoration", "restore", "rpm", "--restore", "--nodeps", "x"],
  ["no dry run of a restoration", "rejected", "rpm", "--restore", "--test", "x"],
  ["--ignoresize goes with an erasure", "erase", "rpm", "-e", "--ignoresize", "x"],
  ["a dry run of an erasure", "erase t", "rpm", "-e", "--test", "x"],
  ["the last root counts", "install+", "rpm", "--root", "x", "--root", "/", "-i", "y"],
  ["a bad root is seen at the end", "version", "rpm", "--root", "x", "--version"],
  ["a bad database path is seen at once", "rejected", "rpm", "--dbpath", "x", "--version"],
  ["a macro without a body", "rejected", "rpm", "-D", "a {}", "-i", "x"],
  ["a macro whose body is not closed", "rejected", "rpm", "-D", "a %{b", "-i", "x"],
  ["a macro without a name", "rejected", "rpm", "-D", "1 b", "-i", "x"],
  ["a dash in a macro's name", "install+", "rpm", "-D", "a-b c", "-i", "x"],
  ["an expression that is not closed", "rejected", "rpm", "-E", "%(a", "-i", "x"],
  ["nothing to install", "install", "rpm", "-i"],
];
for (const [why, want, ...words] of lines) {
  test(`readRpmCommandLine(): ${words.join(" ")}: ${why}`, () => {
    const { mode, installs, test: dryRun } = read(words);
    assert.equal(`${mode}${installs ? "+" : ""}${dryRun ? " t" : ""}`, want);
  });
}

const certainties = [
  { why: "only options of rpm's own", words: ["-i", "x"], aliases: debian, want: "install certain" },
  {
    why: "an alias of rpm's own",
    words: ["-i", "--httpproxy", "h", "x"],
    aliases: debian,
    want: "install certain",
  },
  {
    why: "an unknown option may be a user's alias",
    words: ["--zap", "x"],
    aliases: debian,
    want: "rejected possible",
  },
  { why: "a user's alias", words: ["--sneaky", "x"], aliases: withUser, want: "install possible" },
  {
    why: "a user's alias behind one dash",
    words: ["-sneaky", "x"],
    aliases: withUser,
    want: "install possible",
  },
  {
    why: "a user's alias with a pattern for rpm",
    words: ["-iz", "x"],
    aliases: withUser,
    want: "install possible",
  },
  {
    why: "popt passes over aliases that feed each other",
    words: ["--a", "-i", "x"],
    aliases: withUser,
    want: "install possible",
  },
  {
    why: "an alias whose option takes the next word",
    words: ["-iy", "a b", "x"],
    aliases: withUser,
    want: "install possible",
  },
  {
    why: "popt does not look at a last line without an end",
    words: ["--unended", "x"],
    aliases: withUser,
    want: "rejected possible",
  },
  { why: "rpm becomes any program", words: ["--boom", "x"], aliases: withUser, want: "exec possible" },
  {
    why: "popt 1.18 drops the argument of a flag",
    words: ["--install=1", "x"],
    aliases: rhel9,
    want: "install possible",
  },
  { why: "popt 1.18 reads on behind =", words: ["-i=v", "x"], aliases: rhel9, want: "install possible" },
  {
    why: "which popt is not known",
    words: ["--install=1", "x"],
    aliases: shippedAliases,
    want: "install possible",
  },
  {
    why: "older rpms have no --nodb",
    words: ["-i", "--nodb", "x"],
    aliases: rhel9,
    want: "install possible",
  },
  {
    why: "later rpms have more options",
    words: ["-i", "--nopreuntrans", "x"],
    aliases: debian,
    want: "install possible",
  },
  {
    why: "--restore was a query before 4.18",
    words: ["--restore", "-i", "x"],
    aliases: rhel8,
    want: "query certain",
  },
  {
    why: "which rpm is not known",
    words: ["--restore", "-i", "x"],
    aliases: shippedAliases,
    want: "install possible",
  },
] as const;
for (const { why, words, aliases, want } of certainties) {
  test(`readRpmCommandLine(): rpm ${words.join(" ")}: ${why}`, () => {
    const { mode, certainty } = read(["rpm", ...words], aliases);
    assert.equal(`${mode} ${certainty}`, want);
  });
}

test("readRpmCommandLine(): --target makes rpm forget a --dbpath before it, not one behind it", () => {
  const dbpathOf = (...words: string[]) => read(["rpm", "-i", ...words, "x"]).dbpath;
  assert.equal(dbpathOf("--dbpath", "/d", "--target", "noarch"), null);
  assert.equal(dbpathOf("--target", "noarch", "--dbpath", "/d"), "/d");
});

test("readRpmCommandLine(): a line that was cut is possible at most", () => {
  const execution = { argv: ["rpm", "-i", "x"], executable: "/usr/bin/rpm", complete: false };
  assert.equal(readRpmCommandLine(execution, debian)?.certainty, "possible");
});

const flagRows = [
  { why: "nothing remarkable", words: ["-ivh", "x.rpm"], want: [] },
  { why: "POSIXLY_CORRECT would end the options at x", words: ["x", "-i"], want: ["posixUnknown"] },
  { why: "POSIXLY_CORRECT changes only the operands", words: ["-i", "x", "-v"], want: [] },
  {
    why: "POSIXLY_CORRECT would forget the dry run",
    words: ["-i", "x", "--test"],
    want: ["test", "posixUnknown"],
  },
  {
    why: "another tree and database",
    words: ["-i", "-r/r", "--dbpath", "/d", "x"],
    want: ["altRoot", "altDb"],
  },
  { why: "the host's own tree by its name", words: ["-i", "--root", "//", "x"], want: [] },
  { why: "the database by a macro", words: ["-i", "-D_dbpath /d", "x"], want: ["altDb", "macroOverride"] },
  {
    why: "the audit plug-in by its macro",
    words: ["-i", "--undefine", "__transaction_audit", "x"],
    want: ["noPlugins", "macroOverride"],
  },
  { why: "a shell in a macro", words: ["-E", "%(id)"], want: ["macroOverride", "macroCommand"] },
  { why: "a shell behind rpm", words: ["-q", "--pipe", "sh", "x"], want: ["pipe"] },
  {
    why: "all verification off",
    words: ["-U", "--noverify", "http://h/x"],
    want: ["noSignature", "noDigest", "remoteOperand"],
  },
  {
    why: "a source package by its name",
    words: ["-i", "--nopreun", "x.src.rpm"],
    want: ["noScripts", "sourcePackage"],
  },
] as const;
for (const { why, words, want } of flagRows) {
  test(`readRpmCommandLine(): flags of rpm ${words.join(" ")}: ${why}`, () => {
    assert.deepEqual(read(["rpm", ...words]).flags, want);
  });
}

const executables = [
  { why: "the file decides, not argv[0]", executable: "/usr/bin/cat", argv0: "rpm", want: undefined },
  { why: "argv[0] is anybody's", executable: "/bin/rpm", argv0: "cat", want: "rpm install" },
  {
    why: "argv[0] decides where nothing else is known",
    executable: undefined,
    argv0: "/bin/rpm",
    want: "rpm install",
  },
  { why: "an empty name is no name", executable: "", argv0: "rpm", want: "rpm install" },
  {
    why: "a hard link is rpm all the same",
    executable: "/usr/bin/rpmquery",
    argv0: "rpm",
    want: "rpm install",
  },
  { why: "another program", executable: "/usr/bin/rpmdb", argv0: "rpm", want: "rpmdb rejected" },
] as const;
for (const { why, executable, argv0, want } of executables) {
  test(`readRpmCommandLine(): ${executable} called ${argv0}: ${why}`, () => {
    const line = readRpmCommandLine({ argv: [argv0, "-i", "x"], executable }, debian);
    assert.equal(line && `${line.program} ${line.mode}`, want);
  });
}

const siblings = [
  ["rpmkeys", "import", "--import", "k"],
  ["rpmkeys", "checksig", "-Kv", "x.rpm"],
  ["rpmdb", "rebuilddb", "-v", "--rebuilddb"],
  ["rpmbuild", "build", "-ba", "x.spec"],
  ["rpmbuild", "rebuild", "--rebuild", "x.src.rpm"],
  ["rpmspec", "query", "-q", "x.spec"],
  ["rpmsign", "addsign", "--addsign", "x.rpm"],
  ["rpmdb", "version", "--version"],
] as const;
for (const [program, mode, ...args] of siblings) {
  test(`readRpmCommandLine(): ${program} ${args.join(" ")} is ${mode}, and installs nothing`, () => {
    const line = read([program, ...args], debian, `/usr/bin/${program}`);
    assert.deepEqual([line.program, line.mode, line.installs], [program, mode, false]);
  });
}

test("readRpmCommandLine(): never throws and always ends, whatever the words", () => {
  const word = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("-i", "--", "--a", "-y", "--define", "--httpproxy", "--sneaky=", "%{", "!#:+", "-", "x"),
  );
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      const line = readRpmCommandLine({ argv, executable: "/usr/bin/rpm" }, withUser);
      assert.ok(line);
      if (line.installs) assert.ok(line.packages.length > 0);
    }),
  );
});

const many = Array.from({ length: 100_000 });
const laughs = ["a", "b", "c", "d", "e"]
  .map((name, index, names) => `rpm alias --${name} ${`--${names[index + 1] ?? "verbose"} `.repeat(500)}\n`)
  .join("");
const costly = [
  {
    why: "operands among options",
    words: many.map((_, index) => (index % 2 ? "-vvvv" : "x")),
    want: "install",
  },
  {
    why: "aliases that look for operands",
    words: [...many.map(() => "--color"), ...many.map(() => "x")],
    want: "install",
  },
  { why: "aliases that multiply", words: ["--a", "x"], want: "rejected" },
];
for (const { why, words, want } of costly) {
  test(`readRpmCommandLine(): takes less than two seconds: ${why}`, () => {
    const start = performance.now();
    assert.equal(read(["rpm", "-i", ...words], { ...debian, host: parsePoptConfig(laughs) }).mode, want);
    assert.ok(performance.now() - start < 2_000);
  });
}
