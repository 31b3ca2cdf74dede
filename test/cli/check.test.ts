import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import { facts } from "../../agent/health/host-check.ts";
import { Store } from "../../agent/store/store.ts";
import { kinwatch } from "../helpers/kinwatch.ts";
import { asPlainUser, needs } from "../helpers/real-parts.ts";
import { takers } from "../helpers/takers.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-check-"));
after(() => rmSync(folder, { recursive: true }));

/** A host that has no such audit log, whatever else it has. */
function configOf(type: string, logName = "none.log"): string {
  const file = join(folder, `${type}.toml`);
  const lines = [
    `source.type = "${type}"`,
    `source.audit_log = ${JSON.stringify(logName)}`,
    'state.directory = "state"',
  ];
  writeFileSync(file, `${lines.join("\n")}\noutput.journald.enabled = false\n`);
  return file;
}

test("kinwatch check: without a log what there is instead is watched, and what it does not show is said", async () => {
  const { status, stdout, stderr } = await kinwatch([
    "check",
    "--config",
    configOf("auto"),
    "--format",
    "pretty",
  ]);
  assert.equal(stderr, "");
  assert.match(stdout, /^warning {2}log {10}/m);
  const [, place] =
    /\n\nThis host is watched through (.*), with \d+ warnings?\.\sWhat\sis\snot\sseen/.exec(stdout) ?? [];
  assert.equal(place, /^ok {7}tracefs/m.test(stdout) ? "the kernel's tracepoints" : "/proc");
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80 || /^ {9}[$ ]/.test(line), line);
  assert.equal(status, 0);
});

test("kinwatch check: a log that was asked for and is not there: exit code 3", async () => {
  const { status, stdout } = await kinwatch([
    "check",
    "--config",
    configOf("audit-log"),
    "--format",
    "pretty",
  ]);
  assert.match(stdout, /^FAILED {3}log {10}/m);
  assert.match(stdout, /\nThis host is not watched\. Cure what failed \(\d+\), then check again\.\n$/);
  assert.equal(status, 3);
});

test("kinwatch check: ndjson is a document a fact, in order, and the verdict", async () => {
  const { stdout } = await kinwatch(["check", "--config", configOf("auto")]);
  const documents = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const names = documents.map(({ fact }) => fact);
  assert.deepEqual(names, [...facts.filter((fact) => names.includes(fact)), "host"]);
  const isTraced = documents.some(({ fact, status }) => fact === "tracefs" && status === "ok");
  assert.deepEqual(
    [documents.at(-1).watched, documents.at(-1).source],
    [true, isTraced ? "tracefs" : "procfs"],
  );
  for (const { status } of documents) assert.match(status, /^(ok|warning|failed)$/);
});

test("kinwatch check: shows no control character of a path", async () => {
  const file = configOf("audit-log", "a\u001b[2J\nb.log");
  const { stdout } = await kinwatch(["check", "--config", file, "--format", "pretty"]);
  assert.match(stdout, /\/a\\x1b\[2J\\nb\.log/);
  assert.ok(!stdout.includes("\u001b"));
});

test("kinwatch check: a state folder below a file cannot be made, and the cure is shown", async () => {
  writeFileSync(join(folder, "file"), "");
  const state = join(folder, "file", "state");
  const args = ["check", "--config", configOf("auto"), "--state", state, "--format", "pretty"];
  const { status, stdout } = await kinwatch(args);
  assert.match(stdout, /^FAILED {3}state {8}.*\n? +.*ENOTDIR/m);
  assert.match(stdout, new RegExp(`^ {9}\\$ install -d -m 0700 -o \\d+ ${state}$`, "m"));
  assert.equal(status, 3);
});

test("kinwatch check: a database that a start would refuse fails, with the cure; one that is in use does not", async () => {
  const state = join(folder, "used");
  const args = ["check", "--config", configOf("auto"), "--state", state, "--format", "pretty"];
  const database = async () => {
    const { stdout, status } = await kinwatch(args);
    return { status, text: /^\S+ +database .*(?:\n {9,}.*)*/m.exec(stdout)?.[0] ?? stdout };
  };
  assert.match((await database()).text, /^ok {7}database {5}none yet/);
  assert.equal(existsSync(state), false, "nothing is made");
  {
    using store = new Store(state, { counters: newCounters() });
    store.addAlert("1", "{}", takers());
    const running = await database();
    assert.match(running.text, /^ok {7}database {5}sound$/);
    assert.equal(running.status, 0);
  }
  const bytes = Buffer.alloc(8_192, "not a database ");
  writeFileSync(join(state, "kinwatch.db"), bytes);
  const { status, text } = await database();
  assert.equal(status, 3);
  assert.match(text, /^FAILED {3}database .*damaged/s);
  assert.ok(text.includes(`$ mv -T ${state} ${state}.damaged`), text);
  assert.ok(readFileSync(join(state, "kinwatch.db")).equals(bytes), "it is as it was");
});

test("kinwatch check: a plain user is told what only root can know", {
  skip: needs("plain-user"),
}, async () => {
  const open = join(folder, "open");
  mkdirSync(open);
  chmodSync(folder, 0o755);
  chmodSync(open, 0o777);
  const prefix = asPlainUser([]) ?? [];
  const args = ["check", "--state", open, "--format", "pretty"];
  const { status, stdout, stderr } = await kinwatch(args, { prefix });
  assert.equal(stderr, "");
  assert.match(stdout, /^warning {2}rights {7}User \d+ cannot ask audit/m);
  assert.match(stdout, /^ok {7}state {8}/m);
  assert.equal(status, 0);
});

test("kinwatch check: --help teaches by example, and says what the exit codes mean", async () => {
  const { stdout } = await kinwatch(["check", "--help"]);
  assert.match(stdout, /kinwatch -- check --json \|\n +jq/);
  assert.match(stdout, /Exit code 0: this host is watched.* 3: it is not/);
});
