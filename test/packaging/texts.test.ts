/** What is installed for people and their shells: asked of the programs that read it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
import { findProgram, needs } from "../helpers/real-parts.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-texts-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let all: CommandNode[];
before(async () => {
  await writeTexts(folder, Date.UTC(2026, 10, 26) / 1_000);
  const below = (node: CommandNode): CommandNode[] => [node, ...node.children.flatMap(below)];
  all = (await commandTree()).flatMap(below);
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
  for (const { words, options } of all) {
    const start = page.indexOf(`.SS "${words} `);
    assert.ok(start >= 0, words);
    const part = page.slice(start, page.indexOf(".SS", start + 1));
    for (const { term } of options)
      assert.ok(/--help/.test(term) || part.includes(`\\fB${term}\\fR`), `${words} ${term}`);
  }
  const keys = textOf("kinwatch.toml.5");
  for (const { path } of configKeys) assert.ok(keys.includes(`\\fB${path.join(".")}\\fR`), path.join("."));
});

/** What is typed, with the word that is to be completed last; what must be among the offers, and what must not. */
const typed: readonly (readonly [string, string, string])[] = [
  ["kinwatch ", "replay", "list"],
  ["kinwatch ba", "baseline", "run"],
  ["kinwatch baseline ", "forget", "replay"],
  ["kinwatch baseline list --l", "--learned", "--all"],
  ["kinwatch alerts list --format ", "ndjson", "list"],
  ["kinwatch run --config /et", "/etc", "run"],
  ["kinwatch run --state /et", "/etc", "run"],
  ["kinwatch replay /et", "/etc", "run"],
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

for (const [shell, { file, script, args }] of Object.entries(shells)) {
  test(`${file}: offers commands, options and values where ${shell} asks`, {
    skip: needs(shell as "bash" | "fish"),
  }, () => {
    const before = shell === "bash" ? ["bash"] : [];
    for (const [line, offered, other] of typed) {
      const { stdout, stderr } = spawnSync(
        findProgram(shell) ?? "",
        [...args, script, ...before, join(folder, file), line],
        {
          encoding: "utf8",
          timeout: 20_000,
          env: { ...process.env, HOME: folder },
        },
      );
      const offers = stdout.split("\n").map((word) => word.replace(/\t.*/, "").replace(/\/$/, ""));
      assert.ok(offers.includes(offered), `${line}: ${stdout}${stderr}`);
      assert.ok(!offers.includes(other), `${line}: ${stdout}`);
      assert.equal(stderr, "", line);
    }
  });
}

// zsh completes in a terminal only: one of its own, in which it lists what there is.
const zsh = `zmodload zsh/zpty
zpty z "COLUMNS=200 LINES=100 zsh -f -i"
zpty -w z "PS1=; fpath=(\${(q)1} \\$fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=1000; print re''ady"
zpty -r z text "*ready*"
zpty -w -n z "$2"$'\\t'
for ((i = 0; i < 20; i++)); do sleep 0.05; while zpty -rt z text; do print -rn -- "$text"; done; done
zpty -d z`;

test("_kinwatch: is what compinit takes, and offers by the command that was typed", {
  skip: needs("zsh"),
}, () => {
  const program = findProgram("zsh") ?? "";
  assert.equal(spawnSync(program, ["-n", join(folder, "_kinwatch")], { encoding: "utf8" }).stderr, "");
  for (const [line, offered, other] of typed.slice(0, 5)) {
    const env = { ...process.env, HOME: folder, TERM: "dumb" };
    const { stdout } = spawnSync(program, ["-f", "-c", zsh, "zsh", folder, line], {
      encoding: "utf8",
      timeout: 20_000,
      env,
    });
    assert.ok(stdout.includes(offered), `${line}: ${stdout}`);
    assert.doesNotMatch(stdout.replace(line, ""), new RegExp(`(^|\\s)${other}\\s+--\\s`, "m"), line);
  }
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
