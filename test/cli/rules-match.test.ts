import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { kinwatch } from "../helpers/kinwatch.ts";
import { goodRule } from "../helpers/rules.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-match-"));
after(() => rmSync(folder, { recursive: true }));

function match(args: readonly string[], input = "") {
  return kinwatch(["rules", "match", ...args], { input });
}

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function ruleOf(name: string, query: string, ...terms: readonly string[]): string {
  const text = goodRule
    .replace(/query = '''[^']*'''/, `query = '''\n${query}\n'''`)
    .replace('value = ["process.parent.name"]', `value = ${JSON.stringify(terms)}`);
  return fileOf(name, text);
}

const rule = ruleOf(
  "rule.toml",
  "process.name:rpm and process.args:(-i or --install)",
  "host.id",
  "process.parent.name",
);

test("rules match: an answer for each event, in their order", async () => {
  const events = [
    { process: { name: "rpm", args: ["rpm", "-i"], parent: { name: ["sh", "bash"] } }, "host.id": "a" },
    { process: { name: "rpm", args: ["rpm", "-q"], parent: { name: "sh" } }, host: { id: "a" } },
    { process: { name: "rpm", args: ["rpm", "--install"] }, host: { id: "a" } },
  ];
  const { status, stdout, stderr } = await match(
    ["--rule", rule, "--format", "ndjson"],
    events.map((event) => JSON.stringify(event)).join("\n"),
  );
  assert.deepEqual(stdout.split("\n"), [
    '{"match":true,"terms":[["a","sh"],["a","bash"]]}',
    '{"match":false,"terms":[]}',
    '{"match":true,"terms":[]}',
    "",
  ]);
  assert.equal(stderr, "");
  assert.equal(status, 0);
});

test("rules match: files one after the other, and bad lines by their numbers", async () => {
  const good = '{"process.name":"rpm","process.args":"-i"}';
  const one = fileOf("one.ndjson", `${good}\n\n[1]\n${good}`);
  const two = fileOf("two.ndjson", `no JSON \u001b[31m\n"text"\n${good}\n{"a":\n`);
  const { status, stdout, stderr } = await match(
    ["--rule", rule, "--format", "ndjson", one, two, "-"],
    "null\n",
  );
  assert.equal(stdout, '{"match":true,"terms":[]}\n'.repeat(3));
  assert.equal(status, 2);
  assert.deepEqual(stderr.match(/Line \d+ of .+? is no \w+/g), [
    `Line 3 of ${one} is no object`,
    `Line 1 of ${two} is no JSON`,
    `Line 2 of ${two} is no object`,
    `Line 4 of ${two} is no JSON`,
    "Line 1 of the input is no object",
  ]);
  assert.ok(!stderr.includes("\u001b"));
});

test("rules match: a line that is longer than any event is one bad line", async () => {
  const { status, stdout, stderr } = await match(
    ["--rule", rule, "--format", "ndjson"],
    `{"a":"${"x".repeat(17 * 1_024 * 1_024)}"}\n{}\n`,
  );
  assert.equal(stdout, '{"match":false,"terms":[]}\n');
  assert.match(stderr, /Line 1 of the input is longer than any event/);
  assert.equal(status, 2);
});

test("rules match: many bad lines are counted", async () => {
  const { stdout, stderr } = await match(["--rule", rule, "--format", "ndjson"], "bad\n{}\n".repeat(3_000));
  assert.equal(stdout.trim().split("\n").length, 3_000);
  assert.equal(stderr.trim().split("\n").length, 21);
  assert.match(stderr, /3000 bad lines in all\n$/);
});

test("rules match: more terms than anybody could look at are cut, and it says so", async () => {
  const wide = ruleOf("wide.toml", "process.name:rpm", "process.args", "process.parent.args");
  const args = Array.from({ length: 100 }, (_, index) => `a${index}`);
  const event = { process: { name: "rpm", args, parent: { args } } };
  const { stdout, stderr, status } = await match(
    ["--rule", wide, "--format", "ndjson"],
    JSON.stringify(event),
  );
  assert.equal(JSON.parse(stdout).terms.length, 1_000);
  assert.match(stderr, /1 events have more terms/);
  assert.equal(status, 0);
});

test("rules match: for people the number of the line, and no control characters", async () => {
  const event = { process: { name: "rpm", args: "-i", parent: { name: "a\u001b[2J" } }, host: { id: "h" } };
  const { stdout } = await match(
    ["--rule", rule, "--format", "pretty"],
    `\n${JSON.stringify(event)}\n{}\n${JSON.stringify({ ...event, host: {} })}`,
  );
  assert.deepEqual(stdout.split("\n"), [
    "2: match: h, a\\x1b[2J",
    "3: no match",
    "4: match, without terms: it lacks one of their fields",
    "",
  ]);
});

test("rules match: fields and events of other sensors", async () => {
  const other = ruleOf(
    "other.toml",
    "event.action:mprotect and auditd.data.a2:7 and process.hash.sha256:* and package.name:a",
    "process.hash.sha256",
  );
  const event = {
    event: { action: "mprotect" },
    auditd: { data: { a2: 7 } },
    process: { hash: { sha256: "c0" } },
    package: { name: "a" },
  };
  const { stdout, stderr } = await match(["--rule", other, "--format", "ndjson"], JSON.stringify(event));
  assert.equal(stdout, '{"match":true,"terms":[["c0"]]}\n', stderr);
});

test("rules match: a rule that is wrong is told with its place, and nothing is asked", async () => {
  const broken = ruleOf("broken.toml", "process.name:(rpm", "process.parent.name");
  const { status, stdout, stderr } = await match(["--rule", broken, "--format", "ndjson"], "{}\n");
  assert.equal(stdout, "");
  assert.equal(status, 2);
  assert.match(stderr, /broken\.toml:\d+:\d+: KW_RULE_QUERY_INVALID: /);
  const address = ruleOf("address.toml", "host.ip:10.0.0.1", "process.parent.name");
  assert.match(
    (await match(["--rule", address], "{}")).stderr,
    /KW_RULE_FIELD_UNUSABLE: rule\.query: "host\.ip" is of a kind/,
  );
});

test("rules match: what kinwatch events prints can be asked", async () => {
  const log = new URL("../samples/events/arguments.log", import.meta.url).pathname;
  const { stdout: events } = await kinwatch(["events", "--all", "--format", "ndjson", log]);
  const [first] = events.split("\n").map((line) => (line === "" ? undefined : JSON.parse(line)));
  const query = `host.os.type:linux and event.category:process and event.type:start and event.action:exec and process.name:"${first.process.name}"`;
  const seed = ruleOf("seed.toml", query, "process.executable");
  const { stdout } = await match(["--rule", seed, "--format", "ndjson"], events);
  assert.equal(stdout.trim().split("\n").length, events.trim().split("\n").length);
  assert.ok(
    stdout.startsWith(`{"match":true,"terms":[["${first.process.executable}"]]}\n`),
    stdout.slice(0, 200),
  );
});
