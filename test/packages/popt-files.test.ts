import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parsePoptConfig } from "../../agent/packages/popt-config.ts";
import { readRpmAliases } from "../../agent/packages/popt-files.ts";
import { olderThan } from "../../agent/packages/rpm-aliases.ts";
import { readRpmCommandLine } from "../../agent/packages/rpm-command-line.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { matchesWildcard } from "../../agent/packages/wildcard.ts";
import { needs } from "../helpers/real-parts.ts";

function tree(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), "kinwatch-popt-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

const names = (aliases: readonly { readonly name: string }[]) => aliases.map(({ name }) => name);

test("readRpmAliases(): a host without any popt file has rpm's own aliases, of an unknown version", () => {
  using empty = tree({});
  assert.deepEqual(readRpmAliases(empty.root, "/root"), shippedAliases);
});

test("readRpmAliases(): reads the newest rpmpopt, and the host's files in the order of rpm", () => {
  using host = tree({
    "usr/lib/rpm/rpmpopt-4.9.1": "rpm alias --old -q\n",
    "usr/lib/rpm/rpmpopt-4.18.0": "rpm alias --own -q\n",
    "etc/popt": "rpm alias --one -i\nother alias --two -i\n",
    "etc/popt.d/b": "rpm alias --four -i\n",
    "etc/popt.d/a": "rpm alias --three -i\n",
    "root/.popt": "rpm alias --five -i\n",
    "home/eve/.popt": "rpm alias --six -i\n",
  });
  const aliases = readRpmAliases(host.root, "/root");
  assert.equal(aliases.rpmVersion, "4.18.0");
  assert.deepEqual(names(aliases.shipped), ["own"]);
  assert.deepEqual(names(aliases.host), ["one", "two", "three", "four", "five"]);
  assert.deepEqual(names(readRpmAliases(host.root).host), ["one", "two", "three", "four"]);
});

test("readRpmAliases(): passes over what popt passes over in /etc/popt.d", () => {
  using host = tree({
    "etc/popt.d/.hidden": "rpm alias --hidden -i\n",
    "etc/popt.d/a.rpmnew": "rpm alias --new -i\n",
    "etc/popt.d/a.rpmsave": "rpm alias --save -i\n",
    "etc/popt.d/a.rpmorig": "rpm alias --orig -i\n",
    "etc/popt.d/program": "rpm alias --program -i\n",
    "etc/popt.d/folder/file": "rpm alias --folder -i\n",
    linked: "rpm alias --linked -i\n",
  });
  chmodSync(join(host.root, "etc/popt.d/program"), 0o755);
  symlinkSync(join(host.root, "linked"), join(host.root, "etc/popt.d/z"));
  symlinkSync("/nowhere", join(host.root, "etc/popt.d/broken"));
  assert.deepEqual(names(readRpmAliases(host.root).host), ["orig", "linked"]);
});

test("readRpmAliases(): a FIFO, a folder or a huge file does not stop it", () => {
  const line = "rpm alias --x -i\n";
  using host = tree({ "etc/popt/file": line, "etc/popt.d/a": line.repeat(100_000), "home/.popt": "" });
  rmSync(join(host.root, "home/.popt"));
  execFileSync("mkfifo", [join(host.root, "home/.popt")]);
  assert.equal(readRpmAliases(host.root, "/home").host.length, 1_000);
});

test("readRpmAliases(): an alias whose expansion is a file of its own", () => {
  using host = tree({ "etc/popt": "rpm alias /opt/sneaky -v\n", "opt/sneaky": "--install \\\n --nodeps\n" });
  const aliases = readRpmAliases(host.root);
  assert.deepEqual(aliases.host[0]?.expansion, ["--install", "--nodeps", "-v"]);
  const execution = { argv: ["rpm", "--sneaky", "x"], executable: "/bin/rpm" };
  assert.equal(readRpmCommandLine(execution, aliases)?.installs, true);
});

const version = readRpmAliases("/").rpmVersion ?? "0";
test("readRpmAliases(): the host's rpm ships the aliases that we say every rpm ships", {
  skip: needs("rpm") || (olderThan(version, "4.18") && "is told for rpm 4.18 and later"),
}, () => {
  const host = readRpmAliases("/");
  const ofRpm = (aliases: typeof host) => aliases.shipped.filter(({ program }) => program === "rpm");
  const told = new Map(ofRpm(shippedAliases).map((alias) => [`${alias.kind} ${alias.name}`, alias]));
  for (const alias of ofRpm(host)) {
    const own = told.get(`${alias.kind} ${alias.name}`);
    assert.ok(own, `rpm ships ${alias.kind} --${alias.name}, which is not among ours`);
    const options = (words: readonly string[]) => words.filter((word) => word.startsWith("-"));
    assert.deepEqual(options(own.expansion), options(alias.expansion), alias.name);
  }
});

const configs = [
  { why: "a plain line", text: "rpm alias --x -i\n", want: [["--x", "-i"]] },
  { why: "a letter", text: "rpm alias -x -i\n", want: [["-x", "-i"]] },
  { why: "a line goes on behind a backslash", text: "rpm alias --x \\\n -i\n", want: [["--x", "-i"]] },
  { why: "descriptions are no words", text: 'rpm alias --x -i --POPTdesc=$"a b"\n', want: [["--x", "-i"]] },
  {
    why: "quotes join words",
    text: 'rpm alias --x --define \'a b\' "c \\" d"\n',
    want: [["--x", "--define", "a b", 'c " d']],
  },
  {
    why: "a backslash in quotes stays, but before the quote",
    text: "rpm alias --x 'a\\\\' -i\n",
    want: [["--x", "a\\\\", "-i"]],
  },
  { why: "an empty word vanishes", text: "rpm alias --x '' -i\n", want: [["--x", "-i"]] },
  { why: "no words, no alias", text: "rpm alias --x ''\nrpm alias --x\n", want: [] },
  { why: "a comment", text: " # rpm alias --x -i\n#rpm alias --x -i\n", want: [] },
  { why: "a last line without a newline", text: "rpm alias --x -i", want: [] },
  { why: "what follows a NUL", text: "rpm alias --x -i\n\0rpm alias --y -i\n", want: [["--x", "-i"]] },
  { why: "another kind of entry", text: "rpm option --x -i\n", want: [] },
  { why: "a backslash at the end", text: "rpm alias --x -i \\", want: [] },
  { why: "Unicode's blanks are none", text: "rpm\u00a0alias --x -i\n", want: [] },
  { why: "a file nobody can name", text: "rpm alias sneaky -i\n", want: [] },
] as const;
for (const { why, text, want } of configs) {
  test(`parsePoptConfig(): ${why}`, () => {
    const read = parsePoptConfig(text).map(({ name, short, expansion }) => [
      `${short ? "-" : "--"}${name}`,
      ...expansion,
    ]);
    assert.deepEqual(read, want);
  });
}

const wildcards = [
  ["rpm", "rpm", true],
  ["rpm", "rpmx", false],
  ["*", "", true],
  ["r?m*", "rpmquery", true],
  ["r?m", "rm", false],
  ["*m", "rpm", true],
  ["[q-s]pm", "rpm", true],
  ["[!r]pm", "rpm", false],
  ["\\*", "*", true],
  ["[", "[", true],
  ["a*b*c", "aXbXbc", true],
] as const;
for (const [pattern, text, want] of wildcards) {
  test(`matchesWildcard(): ${pattern} ${want ? "matches" : "does not match"} "${text}"`, () => {
    assert.equal(matchesWildcard(pattern, text), want);
  });
}

test("matchesWildcard(): a pattern of stars takes no longer than pattern times text", () => {
  const start = performance.now();
  assert.equal(matchesWildcard("*a".repeat(2_000), `${"a".repeat(4_000)}b`), false);
  assert.ok(performance.now() - start < 1_000);
});
