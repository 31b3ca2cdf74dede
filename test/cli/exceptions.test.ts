/** Exceptions as a user has them: given on the command line, asked by a replay, and held against the alerts of the store. */
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { textWidth } from "../../agent/outputs/text-width.ts";
import { newParentRule } from "../../agent/rules/new-parent.ts";
import { exceptionToml } from "../helpers/exceptions.ts";
import { type Ended, kinwatch } from "../helpers/kinwatch.ts";
import { goodRule } from "../helpers/rules.ts";
import { rulesOff } from "../helpers/rules-off.ts";

const dayMs = 86_400_000;
const firstMs = Date.UTC(2026, 10, 24, 8);

/** An execution as auditd writes it. */
function execution(
  serial: number,
  timeMs: number,
  pid: number,
  ppid: number,
  argv: readonly string[],
): string {
  const id = `audit(${(timeMs / 1_000).toFixed(3)}:${serial})`;
  const words = argv.map((word, index) => `a${index}="${word}"`).join(" ");
  const isScript = argv[0] === "/bin/bash";
  const exe = isScript ? "/usr/bin/bash" : argv[0];
  return [
    `type=SYSCALL msg=${id}: arch=c000003e syscall=59 success=yes exit=0 a0=0 a1=0 a2=0 a3=0 items=2 ppid=${ppid} pid=${pid} auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="x" exe="${exe}" key="kinwatch"`,
    `type=EXECVE msg=${id}: argc=${argv.length} ${words}`,
    `type=CWD msg=${id}: cwd="/root"`,
    `type=PATH msg=${id}: item=0 name="${argv[isScript ? 1 : 0]}" nametype=NORMAL`,
    `type=EOE msg=${id}: `,
    "",
  ].join("\n");
}

/** update.sh installs once a day, at eight. */
function days(from: number, count: number): string {
  return Array.from({ length: count }, (_, day) => {
    const at = firstMs + (from + day) * dayMs;
    const pid = 2_000 + 10 * (from + day);
    return (
      execution(2 * (from + day) + 1, at, pid, 1_500, ["/bin/bash", "/opt/deploy/update.sh"]) +
      execution(2 * (from + day) + 2, at + 100, pid + 1, pid, [
        "/usr/bin/rpm",
        "-Uvh",
        "/srv/kw-a-1.0-1.noarch.rpm",
      ])
    );
  }).join("");
}

interface TestHost {
  readonly folder: string;
  readonly exceptions: string;
  run(...args: readonly string[]): Promise<Ended>;
  replay(log: string): Promise<AlertDocument[]>;
}

function testHost(t: TestContext, setting = rulesOff): TestHost {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-exceptions-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, "kinwatch.toml");
  const text = `${setting}\nexceptions.directory = "exceptions.d"\nstate.directory = "state"\n`;
  writeFileSync(config, text, { mode: 0o600 });
  const exceptions = join(folder, "exceptions.d");
  mkdirSync(exceptions, { mode: 0o755 });
  return {
    folder,
    exceptions,
    run: async (command, ...args) =>
      await kinwatch(["exceptions", command ?? "", ...args, "--config", config]),
    async replay(log) {
      const file = join(folder, "audit.log");
      writeFileSync(file, log);
      const { stdout, stderr, status } = await kinwatch([
        ...["replay", "--config", config, "--state", join(folder, "state"), "--format", "ndjson", file],
      ]);
      assert.equal(status, 0, stderr);
      return documents<AlertDocument>(stdout);
    },
  };
}

function documents<Document>(text: string): Document[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Document);
}

function write({ exceptions }: TestHost, keys: string, id = "x"): void {
  writeFileSync(join(exceptions, `${id}.toml`), exceptionToml(keys, id), { mode: 0o644 });
}

interface Listed {
  readonly id: string;
  readonly hits: number;
  readonly last_hit?: string;
  readonly unused: boolean;
  readonly expired: boolean;
}

test("exceptions: what one takes out is neither alert nor history, and alerts when it is over", async (t) => {
  const host = testHost(t);
  write(host, 'script = "/opt/deploy/update.sh"\nexpires = 2026-11-26');
  write(host, 'package = "kw-b"', "unused");
  const alerts = await host.replay(days(0, 5));
  assert.deepEqual(
    alerts.map((alert) => alert["@timestamp"]),
    ["2026-11-27T08:00:00.100Z"],
  );
  const { stdout } = await host.run("list");
  assert.deepEqual(
    documents<Listed>(stdout).map(({ id, hits, last_hit, unused, expired }) => [
      id,
      hits,
      last_hit,
      unused,
      expired,
    ]),
    [
      ["unused", 0, undefined, true, false],
      ["x", 3, "2026-11-26T08:00:00.100Z", false, Date.now() > Date.UTC(2026, 10, 27)],
    ],
  );
});

test("exceptions: hits go on over runs, and what was read before is not counted again", async (t) => {
  const host = testHost(t);
  write(host, 'user = "root"');
  assert.deepEqual(await host.replay(days(0, 2)), []);
  assert.deepEqual(await host.replay(days(0, 2) + days(2, 1)), []);
  const [one] = documents<Listed>((await host.run("list")).stdout);
  assert.equal(one?.hits, 3);
  rmSync(join(host.exceptions, "x.toml"));
  const alerts = await host.replay(days(0, 3) + days(3, 2));
  assert.equal(alerts.length, 1, "it did not become history");
});

test("exceptions: a rule of a file has them too, by its id, and the others go on", async (t) => {
  const host = testHost(t, `${rulesOff}\nrules.directories = ["."]`);
  writeFileSync(join(host.folder, "a.toml"), goodRule.replace('"-i" or', "*Uvh or"), { mode: 0o644 });
  const id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11";
  write(host, `rules = ["${id}"]\nancestor = "/opt/deploy/*"`);
  const alerts = await host.replay(days(0, 2));
  assert.deepEqual(
    alerts.map(({ rule }) => rule.id),
    [newParentRule.id],
  );
  rmSync(join(host.exceptions, "x.toml"));
  const later = await host.replay(days(0, 2) + days(2, 1));
  assert.deepEqual(
    later.map(({ rule }) => rule.id),
    [id],
  );
});

test("exceptions: a bad file and one that others could change are told, and hold nothing back", async (t) => {
  const host = testHost(t);
  write(host, 'user = "root"\nusr = "a"');
  write(host, 'user = "root"', "y");
  chmodSync(join(host.exceptions, "y.toml"), 0o666);
  const alerts = await host.replay(days(0, 1));
  assert.equal(alerts.length, 1);
  const { stderr, stdout, status } = await host.run("list");
  assert.deepEqual([stdout, status], ["", 0]);
  assert.match(stderr, /x\.toml:6:1: KW_EXCEPTION_KEY_UNKNOWN: .*did you mean exception\.user\?/);
  assert.match(stderr, /y\.toml: KW_EXCEPTION_INSECURE: Refusing /);
  assert.match(stderr, /no exceptions in /);
});

test("exceptions: what the source does not always give is told once, with who asks for it", async (t) => {
  const host = testHost(t);
  write(host, 'user = "deploy"', "a");
  write(host, 'user = "build"\nlogin_user = "admin"', "b");
  write(host, 'user = "root"', "c");
  const log = join(host.folder, "empty.log");
  writeFileSync(log, "");
  const { stderr } = await kinwatch(["replay", "--config", join(host.folder, "kinwatch.toml"), log]);
  const told = stderr.split("\n").filter((line) => line.includes("the exception "));
  assert.equal(told.length, 2, stderr);
  assert.match(told[0] ?? "", /the exception a and 1 more: user\.name is at times given by files: /);
  assert.match(told[1] ?? "", /the exception b: kinwatch\.login_user\.name is at times given by files: /);
});

test("exceptions add --from: proposes what an alert shows, writes it, and it holds from then on", async (t) => {
  const host = testHost(t);
  const [alert = assert.fail("it alerts")] = await host.replay(days(0, 1));
  const about = [
    "--from",
    alert.event.id.slice(0, -3),
    "--reason",
    "it's ours",
    "--author",
    "admin",
    "--id",
    "ours",
  ];
  const shown = await host.run("add", ...about, "--dry-run");
  const want = `[[exception]]
id = "ours"
rules = [ "package-installed-by-new-parent" ]
user = "0"
parent = "/usr/bin/bash"
script = "/opt/deploy/update.sh"
reason = "it's ours"
author = "admin"
`;
  assert.equal(shown.stdout, want);
  assert.match(
    shown.stderr,
    /^kinwatch: would be written to .*\/exceptions\.d\/ours\.toml: takes out user 0, parent .*\n$/,
  );
  assert.deepEqual(readdirSync(host.exceptions), []);
  rmSync(host.exceptions, { recursive: true });
  const written = await host.run("add", ...about);
  assert.deepEqual([written.stdout, written.status], [want, 0]);
  const file = join(host.exceptions, "ours.toml");
  assert.equal(readFileSync(file, "utf8"), want);
  assert.equal(statSync(file).mode & 0o777, 0o644);
  assert.deepEqual(readdirSync(host.exceptions), ["ours.toml"]);
  const again = await host.run("add", ...about);
  assert.match(
    again.stderr,
    /There is an exception ours already\. Give it another --id\. \(KW_EXCEPTION_DUPLICATE\)/,
  );
  assert.equal(again.status, 2);
  const tested = await host.run("test", alert.event.id);
  assert.deepEqual(documents(tested.stdout), [{ id: "ours", file, holds: true, refused_by: [] }]);
  const removed = await host.run("remove", "ou");
  assert.match(removed.stderr, /removed ours of .*: it took out user 0/);
  assert.deepEqual(readdirSync(host.exceptions), []);
});

test("exceptions: of a stored log nobody knows whose package a parent was: what asks for it does not hold, and says so", async (t) => {
  const host = testHost(t);
  const added = await host.run("add", "--package-owner", "kw-*", "--reason", "ours", "--id", "owned");
  assert.match(added.stdout, /^package_owner = "kw-\*"$/m);
  const [alert = assert.fail()] = await host.replay(days(0, 1));
  assert.deepEqual(
    alert.kinwatch.ancestry.map(({ package_owner }) => package_owner),
    [undefined],
  );
  assert.equal(alert.kinwatch.package_owner, undefined);
  const tested = await host.run("test", alert.event.id);
  assert.deepEqual(
    documents<{ refused_by: string[] }>(tested.stdout).map(({ refused_by }) => refused_by),
    [["package_owner"]],
  );
  const config = join(host.folder, "kinwatch.toml");
  const { stderr } = await kinwatch(["replay", "--config", config, join(host.folder, "audit.log")]);
  assert.match(
    stderr,
    /the exception owned: package_owner is never given by files: a stored log does not tell/,
  );
});

test("exceptions add: says which option is wrong, and writes nothing", async (t) => {
  const host = testHost(t);
  const rows = [
    { args: [], want: /It would except everything\. Add a condition: user, .*\(KW_EXCEPTION_EMPTY\)/ },
    { args: ["--parent", "sh"], want: /--parent: expected an absolute path.*\(KW_EXCEPTION_VALUE_INVALID\)/ },
    { args: ["--working-directory", "x"], want: /--working-directory: expected/ },
    { args: ["--package-owner", "*"], want: /--package-owner: expected a name/ },
    {
      args: ["--parent", "sh", "--query", "process.argz:a"],
      want: /^kinwatch: --parent: .*\nkinwatch: --query: .* Did you mean process\.args\? \(KW_EXCEPTION_FIELD_UNUSABLE\)\n$/,
    },
    { args: ["--query", "a:("], want: /--query: .*\(KW_EXCEPTION_QUERY_INVALID\)/ },
    { args: ["--user", "a", "--id", "../x"], want: /--id: expected 1 to 64 letters/ },
    {
      args: ["--user", "a", "--rule", "zz"],
      want: /No rule has an id that begins with zz.*\(KW_RULE_UNKNOWN\)/,
    },
    {
      args: ["--user", "a", "--expires", "soon"],
      want: /--expires soon is no date\. .*\(KW_ARGUMENT_INVALID\)/,
    },
    { args: ["--user", "a", "--expires", "2026-01-01"], want: /--expires 2026-01-01 is over already/ },
    { args: ["--from", "ff"], want: /KW_STATE_UNUSABLE/ },
  ];
  for (const { args, want } of rows) {
    const { stdout, stderr, status } = await host.run("add", "--reason", "r", ...args);
    assert.match(stderr, want);
    assert.deepEqual([stdout, status], ["", 2]);
  }
  assert.deepEqual(readdirSync(host.exceptions), []);
});

test("exceptions add: what would control a terminal is escaped in the file, and means the same", async (t) => {
  const host = testHost(t);
  const path = '/opt/\u009b2J\u202e"\\';
  const { stdout } = await host.run("add", "--script", path, "--reason", "two\nlines");
  assert.doesNotMatch(stdout, /[\u009b\u202e]/);
  const [one] = documents<{ script: string; reason: string }>((await host.run("list")).stdout);
  assert.deepEqual([one?.script, one?.reason], [path, "two\nlines"]);
});

test("exceptions add: a time from now on becomes a date-time, and a beginning of a rule's id the id", async (t) => {
  const host = testHost(t);
  const before = Date.now();
  const { stdout } = await host.run(
    "add",
    "--user",
    "a",
    "--reason",
    "r",
    "--expires",
    "30d",
    "--rule",
    "package-",
  );
  const [, date = ""] = /^expires = (\S+)$/m.exec(stdout) ?? [];
  const lateMs = Date.parse(date) - before - 30 * dayMs;
  assert.ok(lateMs > -1_000 && lateMs < 60_000, stdout);
  assert.match(stdout, /^rules = \[ "package-installed-by-new-parent" \]$/m);
  assert.match(stdout, /^id = "[0-9a-f]{8}"$/m);
});

test("exceptions test: asks those in force, a file, or options, and says why one does not hold", async (t) => {
  const host = testHost(t);
  const [alert = assert.fail("it alerts")] = await host.replay(days(0, 1));
  const { id } = alert.event;
  const none = await host.run("test", id);
  assert.deepEqual([none.stdout, none.status], ["", 1]);
  write(host, `user = "1000"\nparent = "/usr/bin/bash"\nrules = ["other"]\nexpires = 2026-11-01`);
  const force = await host.run("test", id, "--format", "pretty");
  assert.equal(force.stdout, "x: does not, by rules, expires, user: user 1000, parent /usr/bin/bash\n");
  assert.match(force.stderr, /warning: KW_EXCEPTION_RULE_UNKNOWN: .*no rule has the id "other"/);
  assert.equal(force.status, 1);
  const given = await host.run("test", id, "--format", "pretty", "--login-user", "1000", "--package", "kw-*");
  assert.deepEqual(
    [given.stdout, given.status],
    ["given: holds it back: login user 1000, package kw-*\n", 0],
  );
  const file = join(host.folder, "some.toml");
  writeFileSync(file, exceptionToml('working_directory = "/root"', "some"), { mode: 0o644 });
  const some = await host.run("test", id, "--file", file);
  assert.deepEqual([documents<{ holds: boolean }>(some.stdout)[0]?.holds, some.status], [true, 0]);
  writeFileSync(file, "x");
  const bad = await host.run("test", id, "--file", file);
  assert.match(bad.stderr, /some\.toml:1:1: KW_EXCEPTION_NOT_TOML/);
  assert.equal(bad.status, 2);
});

test("exceptions remove: takes one out of a file of several and leaves the rest as it is", async (t) => {
  const host = testHost(t);
  const tables = ["one", "two", "three"].map(
    (id) => `# about ${id}\n${exceptionToml('user = "a" # ours', id)}`,
  );
  const file = join(host.exceptions, "all.toml");
  writeFileSync(file, tables.join("\n"), { mode: 0o644 });
  const { status } = await host.run("remove", "two");
  assert.equal(status, 0);
  const left = readFileSync(file, "utf8");
  assert.ok(!left.includes('"two"'));
  assert.ok(
    left.startsWith(`${tables[0]}\n`) && left.endsWith(exceptionToml('user = "a" # ours', "three")),
    left,
  );
  const listed = documents<Listed>((await host.run("list")).stdout);
  assert.deepEqual(
    listed.map(({ id }) => id),
    ["one", "three"],
  );
  for (const [id, want] of [
    ["t", /removed three/],
    ["zz", /No exception has an id that begins with zz\. See .*\(KW_EXCEPTION_UNKNOWN\)/],
  ] as const)
    assert.match((await host.run("remove", id)).stderr, want);
  const inline =
    'exception = [{ id = "a", user = "a", reason = "r", author = "a" }, { id = "b", user = "a", reason = "r", author = "a" }]';
  writeFileSync(file, inline);
  const refused = await host.run("remove", "a");
  assert.match(
    refused.stderr,
    /Cannot take a out of .*Take it out with an editor\. \(KW_EXCEPTION_UNWRITABLE\)/,
  );
  assert.equal(readFileSync(file, "utf8"), inline);
});

test("exceptions list: says what each takes out, in 80 columns, whatever is in it", async (t) => {
  const host = testHost(t);
  write(host, `script = "/opt/${"x".repeat(200)}\\u001b[2J"\nexpires = 2026-01-01`, "old");
  write(host, `user = "root"\nrules = ["${newParentRule.id}", "gone"]`, "young");
  const { stdout } = await host.run("list", "--format", "pretty");
  for (const line of stdout.split("\n")) assert.ok(textWidth(line) <= 80, line);
  assert.match(stdout, /^old {2}UNUSED, EXPIRED 2026-01-01 23:59Z\n {2}takes out script \/opt\/x/);
  assert.match(stdout, /\\x1b\[2J\n {2}of {8}all rules\n {2}because {3}it is ours \(admin\)\n\n/);
  assert.match(
    stdout,
    /young {2}UNUSED, for ever\n {2}takes out user root\n {2}of {8}Package installed by a new parent;/,
  );
});
