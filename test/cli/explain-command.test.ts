import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { inputLines } from "../../agent/cli/input-lines.ts";

const home = mkdtempSync(join(tmpdir(), "kinwatch-explain-"));
after(() => rmSync(home, { recursive: true }));

const script = `
  const { explainCommand } = await import(${JSON.stringify(new URL("../../agent/cli/explain-command.ts", import.meta.url))});
  await explainCommand().parseAsync(process.argv.slice(1), { from: "user" });
`;

function explain(args: readonly string[], input = "") {
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", script, "--", ...args], {
    input,
    encoding: "utf8",
    env: { ...process.env, HOME: home },
    timeout: 30_000,
  });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

test("explain-command: a command line as one document, with the keys in their order", () => {
  const { status, stdout } = explain(["--", "rpm", "-ivh", "--root", "/mnt", "a.rpm"]);
  assert.equal(
    stdout,
    '{"argv":["rpm","-ivh","--root","/mnt","a.rpm"],"program":"rpm","mode":"install","installs":true,"test":false,' +
      '"packages":["a.rpm"],"root":"/mnt","dbpath":null,"flags":["altRoot"],"certainty":"certain"}\n',
  );
  assert.equal(status, 0);
});

test("explain-command: what is none of rpm's programs is not judged, and is not said to install nothing", () => {
  const { stdout } = explain(["--", "dnf", "install", "x"]);
  assert.equal(
    stdout,
    '{"argv":["dnf","install","x"],"program":"dnf","mode":"unknown","installs":null,"test":null,' +
      '"packages":[],"root":null,"dbpath":null,"flags":[],"certainty":null}\n',
  );
  const pretty = explain(["--format", "pretty", "--", "dnf", "install", "x"]).stdout;
  assert.match(pretty, /^ {2}mode {7}unknown: not judged by its command line/m);
  assert.doesNotMatch(pretty, /nothing|certainty/);
  writeFileSync(join(home, ".popt"), "rpm exec --elsewhere /usr/bin/dnf\n");
  const line = JSON.parse(explain(["--", "rpm", "--elsewhere", "x"]).stdout);
  rmSync(join(home, ".popt"));
  assert.deepEqual([line.mode, line.program, line.installs], ["exec", "/usr/bin/dnf", null]);
});

test("explain-command: --stdin answers each good line in order, and names the bad ones", () => {
  const lines = [
    '{"argv":["rpmquery","-i","x"],"executable":"/usr/bin/rpm"}',
    "no JSON \u001b[31m",
    '{"argv":["rpm","-e","x"]}',
    '{"argv":"rpm -i x"}',
    "",
    '{"argv":["dnf","install","x"],"executable":"/usr/bin/python3.12","more":1}',
    '{"argv":[]}',
    '{"argv":["rpm","-U","x"],"executable":null}',
  ];
  const { status, stdout, stderr } = explain(["--stdin"], lines.join("\n"));
  const modes = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { program: string; mode: string })
    .map(({ program, mode }) => `${program} ${mode}`);
  assert.deepEqual(modes, ["rpm query", "rpm erase", "python3.12 unknown", " unknown", "rpm upgrade"]);
  assert.equal(status, 2);
  assert.deepEqual(stderr.match(/Line \d+/g), ["Line 2", "Line 4"]);
  assert.match(stderr, /^kinwatch: KW_INPUT_INVALID: Line 4 of the input has no good argv/m);
  assert.ok(!stderr.includes("\u001b"));
});

test("explain-command: thousands of lines come out whole and in order, and bad ones are counted", () => {
  const lines = Array.from({ length: 5_000 }, (_, index) => `{"argv":["rpm","-i","p${index}"]}\nbad`);
  const { stdout, stderr } = explain(["--stdin"], lines.join("\n"));
  const answers = stdout.trim().split("\n");
  assert.equal(answers.length, 5_000);
  assert.ok(answers.every((line, index) => line.includes(`"packages":["p${index}"]`)));
  assert.equal(stderr.trim().split("\n").length, 21);
  assert.match(stderr, /5000 bad lines in all\n$/);
});

test("explain-command: pretty shows no control character of the command line", () => {
  const { stdout } = explain(["--format", "pretty", "--", "rpm", "-i", "a\u001b[2J\nb", "c d"]);
  assert.ok(stdout.startsWith("rpm -i 'a\\x1b[2J\\nb' 'c d'\n"));
  assert.match(stdout, /^ {2}mode {7}install: changes what is installed$/m);
  assert.match(stdout, /^ {2}packages {3}'a\\x1b\[2J\\nb' 'c d'$/m);
  assert.ok(!stdout.includes("\u001b"));
});

test("explain-command: reads the user's own aliases, and calls what they say possible", () => {
  writeFileSync(join(home, ".popt"), "rpm alias --sneaky -i\n");
  const line = JSON.parse(explain(["--", "rpm", "--sneaky", "x"]).stdout);
  rmSync(join(home, ".popt"));
  assert.deepEqual([line.mode, line.certainty], ["install", "possible"]);
});

for (const args of [[], ["--stdin", "--", "rpm"]]) {
  test(`explain-command: refuses ${args.join(" ") || "no arguments"}`, () => {
    assert.match(explain(args).stderr, /KW_ARGUMENT_INVALID|explain-command -- rpm -i package.rpm/);
  });
}

test("explain-command: --help teaches by example", () => {
  assert.match(explain(["--help"]).stdout, /kinwatch -- explain-command -- rpm /);
});

test("inputLines(): lines over several pieces, characters too, and the last without a newline", async () => {
  async function* pieces() {
    const bytes = Buffer.from("eins\nzwölf\n\ntoo long it is\nlast");
    for (const byte of bytes) yield Buffer.of(byte);
  }
  const lines = await Array.fromAsync(inputLines(pieces(), 10));
  assert.deepEqual(
    lines.map(({ number, text, tooLong }) => (tooLong ? `${number} too long` : `${number} ${text}`)),
    ["1 eins", "2 zwölf", "3 ", "4 too long", "5 last"],
  );
});
