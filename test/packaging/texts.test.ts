/** What is installed for people and their shells: asked of the programs that read it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { configKeys, defaultConfig, loadConfig } from "../../agent/config.ts";
import { alertFields, alertMessageId } from "../../agent/outputs/journald.ts";
import { type CommandNode, commandTree } from "../../packaging/command-tree.ts";
import { writeTexts } from "../../packaging/texts.ts";
import { wrapped } from "../../packaging/wrapped.ts";
import { completedAlert } from "../helpers/alerts.ts";
import { bashCompletionPath, findProgram, needs } from "../helpers/real-parts.ts";
import { typeInTerminal } from "../helpers/shell-terminal.ts";
import { commandsInMarkdown, commandsInShell, mistakeIn } from "../helpers/typed-commands.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-texts-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let tree: CommandNode[];
let all: CommandNode[];
before(async () => {
  await writeTexts(folder, Date.UTC(2026, 10, 26) / 1_000);
  const below = (node: CommandNode): CommandNode[] => [node, ...node.children.flatMap(below)];
  tree = await commandTree();
  all = tree.flatMap(below);
  assert.ok(all.length > 25);
});

const textOf = (name: string): string => readFileSync(join(folder, name), "utf8");

test("kinwatch.toml: changes nothing as it is, and each key in it can be had by taking its sign away", () => {
  const file = join(folder, "taken.toml");
  const text = textOf("kinwatch.toml");
  for (const taken of [text, text.replaceAll(/^#(?! )/gm, "")]) {
    writeFileSync(file, taken, { mode: 0o600 });
    assert.deepEqual(loadConfig(file), defaultConfig);
  }
  const keys = text.match(/^#[a-z_]+ = /gm) ?? [];
  assert.equal(keys.length, configKeys.length);
});

test("kinwatch.toml: fits a terminal", () => {
  const wide = textOf("kinwatch.toml")
    .split("\n")
    .filter((line) => line.length > 80);
  assert.deepEqual(wide, []);
});

test("wrapped(): breaks between words, at the width", () => {
  assert.deepEqual(wrapped("one two three", 7), ["one two", "three"]);
  assert.deepEqual(wrapped("a longerthanthat b", 5), ["a", "longerthanthat", "b"]);
});

for (const page of ["kinwatch.1", "kinwatch.toml.5"]) {
  test(`${page}: is what man(7) asks for`, { skip: needs("mandoc") }, () => {
    const mandoc = findProgram("mandoc") ?? "";
    const { stdout } = spawnSync(mandoc, ["-T", "lint", "-W", "warning", join(folder, page)], {
      encoding: "utf8",
    });
    assert.equal(stdout, "");
    const text = execFileSync(mandoc, ["-T", "ascii", "-O", "width=78", join(folder, page)], {
      encoding: "utf8",
    });
    const plain = text.replaceAll(/.[\b]/g, ""); // overstruck for bold
    assert.deepEqual(
      plain.split("\n").filter((line) => line.length > 80),
      [],
    );
    assert.doesNotMatch(plain, /npm run/);
  });
}

test("kinwatch(1): has each command and each of its options; kinwatch.toml(5) each key", () => {
  const page = textOf("kinwatch.1").replaceAll("\\-", "-");
  for (const { words, options, operands } of all) {
    const start = page.indexOf(`.SS "${words} `);
    assert.ok(start >= 0, words);
    const part = page.slice(start, page.indexOf(".SS", start + 1));
    for (const { term } of options)
      assert.ok(/--help/.test(term) || part.includes(`\\fB${term}\\fR`), `${words} ${term}`);
    for (const { name } of operands) assert.ok(part.includes(`\\fI${name}\\fR`), `${words} ${name}`);
  }
  assert.match(page, /how long to wait for each stage; default: 15s/);
  const keys = textOf("kinwatch.toml.5");
  for (const { path } of configKeys) assert.ok(keys.includes(`\\fB${path.join(".")}\\fR`), path.join("."));
});

test("texts.ts: the same bytes from the same sources, whenever it runs; the pages have the date of SOURCE_DATE_EPOCH", () => {
  const program = fileURLToPath(new URL("../../packaging/texts.ts", import.meta.url));
  const again = join(folder, "again");
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(Date.UTC(2026, 10, 26) / 1_000), TZ: "Asia/Tokyo" };
  execFileSync(process.execPath, [program, again], { env });
  for (const name of readdirSync(again)) assert.equal(readFileSync(join(again, name), "utf8"), textOf(name));
  assert.match(textOf("kinwatch.1"), /^\.TH "kinwatch" 1 2026-11-26 /);
  const { status } = spawnSync(process.execPath, [program, again], {
    env: { ...env, SOURCE_DATE_EPOCH: "today" },
  });
  assert.notEqual(status, 0);
});

test("kinwatch(1): what its examples type the program takes, and no option that it has not", () => {
  const page = textOf("kinwatch.1").replaceAll("\\-", "-").replaceAll("\\e", "\\");
  const typed = Array.from(page.matchAll(/^\.nf\n(.*?)^\.fi/gms), ([, lines = ""]) => lines).flatMap(
    commandsInShell,
  );
  assert.ok(typed.length > 50);
  const mistakes = typed.flatMap((command) => mistakeIn(command, tree) ?? []);
  assert.deepEqual(mistakes, []);
});

test("docs, README and catalog: what they type the program takes", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const pages = ["README.md", ...globSync("docs/**/*.md", { cwd: root })];
  const typed = pages.flatMap((page) => commandsInMarkdown(readFileSync(join(root, page), "utf8")));
  const catalog =
    readFileSync(join(root, "packaging/kinwatch.catalog"), "utf8").match(/^ {2}\S.*(\n {4}.*)*/gm) ?? [];
  assert.ok(typed.length > 50 && catalog.length > 2);
  const mistakes = [...typed, ...catalog.flatMap(commandsInShell)].flatMap(
    (command) => mistakeIn(command, tree) ?? [],
  );
  assert.deepEqual(mistakes, []);
});

test("mistakeIn(): finds a command or option that is not, and takes what is", () => {
  const found = (line: string) =>
    commandsInShell(line).map((command) => mistakeIn(command, tree) !== undefined);
  assert.deepEqual(found("kinwatch alerts --since 1d"), [true]);
  assert.deepEqual(found("kinwatch shout"), [true]);
  assert.deepEqual(found("kinwatch baseline export - | ssh web-02 kinwatch baseline emport -"), [
    false,
    true,
  ]);
  assert.deepEqual(found('kinwatch exceptions add --from 1 \\\n  --reason "--since then" # kinwatch shout'), [
    false,
  ]);
  assert.deepEqual(found("kinwatch explain-command -- rpm -Uvh x; systemctl status kinwatch"), [
    false,
    false,
  ]);
  assert.deepEqual(found("ls /var/lib/kinwatch /usr/bin/kinwatch.d"), []);
});

/** What is typed, with the word that is to be completed last; what must be among the offers, and what must not. */
const typed: readonly (readonly [string, string, string])[] = [
  ["kinwatch ", "replay", "list"],
  ["kinwatch ba", "baseline", "run"],
  ["kinwatch baseline ", "forget", "replay"],
  ["kinwatch baseline list --l", "--learned", "--all"],
  ["kinwatch alerts list --format ", "ndjson", "list"],
  ["kinwatch alerts list --format nd", "ndjson", "pretty"],
  ["kinwatch run --config /et", "/etc", "run"],
  ["kinwatch run --state /et", "/etc", "run"],
  ["kinwatch replay /et", "/etc", "run"],
  ["kinwatch replay --format ndjson /et", "/etc", "ndjson"],
  ["kinwatch exceptions list --state /tmp --f", "--format", "--from"],
];

const shells = {
  bash: {
    file: "kinwatch.bash",
    // As readline calls it. compopt has nothing to do with the words.
    script: `compopt() { :; }; . "$1"; COMP_WORDS=($2); [[ $2 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _kinwatch; printf '%s\\n' "\${COMPREPLY[@]}"`,
    args: ["--norc", "-c"],
  },
  fish: {
    file: "kinwatch.fish",
    script: 'source $argv[1]; complete -C "$argv[2]"',
    args: ["--no-config", "-c"],
  },
} as const;

/** @returns the words that the shell offers for the last one of the line */
function offersOf(shell: keyof typeof shells, line: string): string[] {
  const { file, script, args } = shells[shell];
  const before = shell === "bash" ? ["bash"] : [];
  const { stdout, stderr } = spawnSync(
    findProgram(shell) ?? "",
    [...args, script, ...before, join(folder, file), line],
    { encoding: "utf8", timeout: 20_000, env: { ...process.env, HOME: folder } },
  );
  assert.equal(stderr, "", line);
  return stdout.split("\n").map((word) => word.replace(/\t.*/, "").replace(/\/$/, ""));
}

for (const shell of ["bash", "fish"] as const) {
  test(`${shells[shell].file}: offers commands, options and values where ${shell} asks`, {
    skip: needs(shell),
  }, () => {
    for (const [line, offered, other] of typed) {
      const offers = offersOf(shell, line);
      assert.ok(offers.includes(offered), `${line}: ${offers}`);
      assert.ok(!offers.includes(other), `${line}: ${offers}`);
    }
  });

  test(`${shells[shell].file}: each command and each long option of the program`, {
    skip: needs(shell),
  }, () => {
    assert.deepEqual(
      tree.map(({ name }) => name).filter((name) => !offersOf(shell, "kinwatch ").includes(name)),
      [],
    );
    for (const { words, options, children } of all) {
      const offers = new Set([...offersOf(shell, `${words} `), ...offersOf(shell, `${words} --`)]);
      const wanted = [
        ...children.map(({ name }) => name),
        ...options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith("--"))),
      ];
      assert.deepEqual(
        wanted.filter((word) => !offers.has(word)),
        [],
        words,
      );
    }
  });
}

test("kinwatch.bash: behind -- no option is ours", { skip: needs("bash") }, () => {
  assert.equal(offersOf("bash", "kinwatch explain-command -- rpm -").join(""), "");
  assert.notEqual(offersOf("bash", "kinwatch explain-command -").join(""), "");
});

/** Where bash splits a word, or a shell chooses what to insert, only a terminal tells. */
const typedInTerminal: readonly (readonly [string, string, RegExp])[] = [
  ["kinwatch baseline \t\t", "forget", /\breplay\b/],
  ["kinwatch baseline list --le\t", "--learned", /--all/],
  ["kinwatch alerts list --format=nd\t", "--format=ndjson", /pretty/],
  ["kinwatch run --state=/et\t", "--state=/etc/", /ndjson/],
  ["kinwatch replay /et\t", "/etc/", /\brun\b/],
];

test("kinwatch.bash: bash-completion finds it where the package puts it, and a terminal shows what it offers", {
  skip: needs("bash", "zsh", "bash-completion"),
}, () => {
  const place = join(folder, "share/bash-completion/completions");
  mkdirSync(place, { recursive: true });
  cpSync(join(folder, "kinwatch.bash"), join(place, "kinwatch"));
  const setup = `XDG_DATA_DIRS='${folder}/share'; bind 'set bell-style none'; . ${bashCompletionPath}`;
  for (const [keys, until, other] of typedInTerminal) {
    const shown = typeInTerminal({ shell: "bash --norc --noprofile -i", setup, keys, until, home: folder });
    assert.ok(shown.includes(until), `${keys}: ${shown}`);
    assert.doesNotMatch(shown, other, keys);
  }
});

test("_kinwatch: is what compinit takes, and offers by the command that was typed", {
  skip: needs("zsh"),
}, () => {
  const file = join(folder, "_kinwatch");
  assert.equal(spawnSync(findProgram("zsh") ?? "", ["-n", file], { encoding: "utf8" }).stderr, "");
  const setup = `fpath=('${folder}' $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=1000`;
  for (const [keys, until, other] of typedInTerminal) {
    const shown = typeInTerminal({ shell: "zsh -f -i", setup, keys, until, home: folder });
    assert.ok(shown.includes(until), `${keys}: ${shown}`);
    assert.doesNotMatch(shown, other, keys);
  }
  const twice = typeInTerminal({
    shell: "zsh -f -i",
    setup,
    keys: "kinwatch exceptions test x --rule a --rul\t",
    until: "--rule  --",
    home: folder,
  });
  assert.match(twice, /^--rule {2}-- of this rule/m, "an option that may be repeated is offered again");
});

test("kinwatch.catalog: journalctl takes it for alerts, and what it quotes each alert has", {
  skip: needs("journald"),
}, () => {
  const source = fileURLToPath(new URL("../../packaging/kinwatch.catalog", import.meta.url));
  const root = join(folder, "root");
  mkdirSync(join(root, "usr/lib/systemd/catalog"), { recursive: true });
  mkdirSync(join(root, "var/lib/systemd/catalog"), { recursive: true });
  cpSync(source, join(root, "usr/lib/systemd/catalog/kinwatch.catalog"));
  const journalctl = findProgram("journalctl") ?? "";
  execFileSync(journalctl, ["--update-catalog", `--root=${root}`], { stdio: "ignore" });
  const shown = execFileSync(journalctl, ["--dump-catalog", `--root=${root}`], { encoding: "utf8" });
  assert.match(shown, /^Defined-By: kinwatch$/m);
  const text = readFileSync(source, "utf8");
  assert.ok(text.includes(`-- ${alertMessageId}\n`));
  const quoted = new Set(Array.from(text.matchAll(/@(\w+)@/g), ([, name = ""]) => name));
  assert.ok(quoted.size > 1);
  const alert = JSON.parse(JSON.stringify(completedAlert()));
  const fields = new Map(alertFields(alert, "raised"));
  for (const name of quoted) assert.ok((fields.get(name)?.length ?? 1e3) < 256, name); // REPLACE_VAR_MAX, catalog.c
  assert.deepEqual(
    text.split("\n").filter((line) => line.length > 80 && !line.startsWith("#")),
    [],
  );
});
