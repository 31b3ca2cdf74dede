/** What people do with what was seen: after a replay that kept its state, from host to host, and beside a daemon. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { Baseline } from "../../agent/baseline/baseline.ts";
import { scopeOf } from "../../agent/baseline/scope.ts";
import { termId } from "../../agent/baseline/stored-term.ts";
import { newCounters } from "../../agent/counters.ts";
import { textWidth } from "../../agent/outputs/text-width.ts";
import { newParentRule } from "../../agent/rules/new-parent.ts";
import { openStoreToRead, Store } from "../../agent/store/store.ts";
import { openTermsToRead } from "../../agent/store/stored-terms.ts";
import { execution } from "../events/kernel-writer.ts";
import { type Ended, kinwatch, startKinwatch } from "../helpers/kinwatch.ts";
import { takers } from "../helpers/takers.ts";

const startMs = Date.UTC(2026, 0, 31, 8);
const dayMs = 86_400_000;

interface Listed {
  readonly id: string;
  readonly rule: string;
  readonly host?: string;
  readonly container?: string;
  readonly value: readonly string[];
  readonly learned: boolean;
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "kinwatch-baseline-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

let serial = 100;

/** What audit writes when a script runs rpm. */
function installation(script: string, timeMs: number, node?: string): string {
  serial += 2;
  const parent = { node, pid: 4_000_000 + serial, ppid: 1, timeMs, serial, executable: "/usr/bin/bash" };
  const rpm = {
    ...parent,
    pid: parent.pid + 1,
    ppid: parent.pid,
    serial: serial + 1,
    executable: "/usr/bin/rpm",
  };
  const files = [script, "/usr/bin/bash", "/lib64/ld-linux-x86-64.so.2"];
  const lines = [
    ...execution({ ...parent, args: ["/bin/bash", script], files }),
    ...execution({ ...rpm, args: ["rpm", "-U", "a.rpm"] }),
  ];
  return `${lines.join("\n")}\n`;
}

/** A state that has these terms of two rules and of two hosts. */
function filled(t: TestContext): string {
  const state = join(folder(t), "state");
  using store = new Store(state, { counters: newCounters() });
  const see = (rule: string, scope: string, value: string[], days: number, learned: boolean) =>
    store.see(rule, scope, { field: "process.parent", value }, startMs + days * dayMs, learned);
  for (const [index, name] of ["one", "two", "three"].entries())
    see(newParentRule.id, "", ["/usr/bin/bash", `/opt/${name}.sh`], index, index === 0);
  for (let index = 0; index < 12; index += 1) see("gone", "web-01", [`/usr/bin/tool-${index}`, ""], 5, true);
  return state;
}

const baseline = async (state: string, ...args: readonly string[]) =>
  await kinwatch(["baseline", ...args, "--state", state]);

async function listed(state: string, ...args: readonly string[]): Promise<Listed[]> {
  const { stdout, stderr, status } = await baseline(state, "list", "--format", "ndjson", ...args);
  assert.equal(status, 0, stderr);
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Listed);
}

const names = (terms: readonly Listed[]) =>
  terms.map(({ value }) => (value[1] || value[0])?.split("/").at(-1));

test("baseline list: a readable table of at most 80 columns, that loses nothing", async (t) => {
  const state = filled(t);
  {
    using store = new Store(state, { counters: newCounters() });
    const long = { field: "process.args,host.id", value: [`--x=${"漢字 ".repeat(40)}\u001b`, "h"] };
    store.see("gone", "", long, startMs, false);
  }
  const { stdout, status } = await baseline(state, "list", "--format", "pretty");
  assert.equal(status, 0);
  for (const line of stdout.split("\n")) assert.ok(textWidth(line) <= 80, line);
  assert.match(stdout, /^Package installed by a new parent \(package-installed-by-new-parent\): parents$/m);
  assert.match(stdout, /^ {2}[0-9a-f]{8} {2}learned {2}2026-01-31 {2}- {11}\/opt\/one\.sh/m);
  assert.match(stdout, /^ {2}[0-9a-f]{8} {2}alerted {2}2026-02-01 {2}- {11}\/opt\/two\.sh \(/m);
  assert.match(stdout, /^gone \(not loaded\): parents on web-01$/m);
  assert.match(stdout, /^ {2}[0-9a-f]{8} {2}learned {2}2026-02-05 {2}2026-02-05 {2}\/usr\/bin\/tool-11$/m);
  assert.match(stdout, /^gone \(not loaded\): process\.args with host\.id$/m);
  assert.equal(stdout.match(/漢字/g)?.length, 40);
  assert.match(stdout, /\\x1b\s+with\s+h$/m);
});

const selections: readonly { why: string; args: readonly string[]; want: readonly string[] }[] = [
  { why: "an id of a rule", args: ["--rule", newParentRule.id], want: ["one.sh", "three.sh", "two.sh"] },
  {
    why: "the beginning of it",
    args: ["--rule", "package-installed-by-new"],
    want: ["one.sh", "three.sh", "two.sh"],
  },
  {
    why: "its name",
    args: ["--rule", "package installed by a new parent"],
    want: ["one.sh", "three.sh", "two.sh"],
  },
  { why: "learned ones of it", args: ["--rule", newParentRule.id, "--learned"], want: ["one.sh"] },
  {
    why: "since a day",
    args: ["--since", "2026-02-01", "--before", "2026-02-04"],
    want: ["three.sh", "two.sh"],
  },
  { why: "before a moment", args: ["--before", "2026-02-01T09:00+01:00"], want: ["one.sh"] },
  { why: "since a time ago", args: ["--since", "1s"], want: [] },
];
for (const { why, args, want } of selections) {
  test(`baseline list: ${why}`, async (t) => {
    assert.deepEqual(names(await listed(filled(t), ...args)), want);
  });
}

const refusals: readonly { why: string; args: readonly string[]; message: RegExp }[] = [
  {
    why: "a rule that nobody knows",
    args: ["list", "--rule", "nosuch"],
    message: /No rule has .*KW_RULE_UNKNOWN/,
  },
  {
    why: "a beginning of many",
    args: ["list", "--rule", "b"],
    message: /More than one rule .*KW_RULE_UNKNOWN/,
  },
  { why: "no rule", args: ["forget", "--rule", "", "--yes"], message: /KW_RULE_UNKNOWN/ },
  {
    why: "a day that is none",
    args: ["list", "--since", "yesterday"],
    message: /Give a time ago such as 7d/,
  },
  {
    why: "a month that is none",
    args: ["list", "--since", "2026-13-01"],
    message: /Give a time ago such as 7d/,
  },
  {
    why: "a term that is not there",
    args: ["show", "ffffffff"],
    message: /No term .*KW_BASELINE_TERM_UNKNOWN/,
  },
  { why: "an unset variable", args: ["forget", ""], message: /No term .*KW_BASELINE_TERM_UNKNOWN/ },
  { why: "nothing", args: ["forget"], message: /Nothing says what to forget\. .*KW_ARGUMENT_INVALID/ },
  {
    why: "two ways at once",
    args: ["forget", "ffffffff", "--learned"],
    message: /Both ids .*KW_ARGUMENT_INVALID/,
  },
  {
    why: "many without --yes",
    args: ["forget", "--learned"],
    message: /would forget 13 terms, and nothing was.*--yes/,
  },
  {
    why: "a file that is not there",
    args: ["import", "/nosuch/x"],
    message: /ENOENT.*KW_BASELINE_UNREADABLE/,
  },
  {
    why: "a folder that is not there",
    args: ["export", "/nosuch/x"],
    message: /ENOENT.*KW_BASELINE_UNWRITABLE/,
  },
  {
    why: "a device in place of a file",
    args: ["export", "/dev/null"],
    message: /no regular file.*UNWRITABLE/,
  },
];
for (const { why, args, message } of refusals) {
  test(`baseline ${args[0]}: refuses ${why}, and changes nothing`, async (t) => {
    const state = filled(t);
    const { status, stdout, stderr } = await baseline(state, ...args);
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.match(stderr, message);
    assert.equal((await listed(state)).length, 15);
  });
}

test("baseline forget: by ids, or by options; what it did is told, and up to ten need no --yes", async (t) => {
  const state = filled(t);
  const [one, three] = await listed(state, "--rule", newParentRule.id);
  assert.ok(one && three);
  const byId = await baseline(state, "forget", one.id.slice(0, 8), three.id, one.id.slice(0, 8));
  assert.match(
    byId.stderr,
    /^kinwatch: forgot [0-9a-f]{16}: \/opt\/one\.sh \(\/usr\/bin\/bash\)\nkinwatch: forgot .*three.*\nkinwatch: 2 terms forgotten; each alerts again/,
  );
  assert.equal(byId.status, 0);
  const byRule = await baseline(state, "forget", "--rule", newParentRule.id);
  assert.match(byRule.stderr, /^kinwatch: forgot .*two\.sh.*\nkinwatch: 1 term forgotten;/);
  assert.deepEqual(new Set((await listed(state)).map(({ rule }) => rule)), new Set(["gone"]));
  const many = await baseline(state, "forget", "--learned", "--before", "2026-12-31", "--yes");
  assert.match(many.stderr, /\nkinwatch: and 2 more\nkinwatch: 12 terms forgotten;/);
  assert.deepEqual(await listed(state), []);
  const none = await baseline(state, "forget", "--learned");
  assert.deepEqual([none.status, none.stderr], [0, "kinwatch: 0 terms forgotten\n"]);
});

test("baseline forget: says when it will not help because learning goes on", async (t) => {
  const state = filled(t);
  {
    using store = new Store(state, { counters: newCounters() });
    new Baseline(store).begin({ durationMs: dayMs }, Date.now());
  }
  const { stderr } = await baseline(state, "forget", "--rule", newParentRule.id);
  assert.match(stderr, /still learning: what it sees until that ends is taken for granted again\n$/);
});

test("baseline show: all of a term, and the alerts that it raised", async (t) => {
  const path = folder(t);
  const [log, state] = [join(path, "audit.log"), join(path, "state")];
  const events = ["/opt/a.sh", "/opt/b.sh", "/opt/a.sh"].map((script, index) =>
    installation(script, startMs + index),
  );
  writeFileSync(log, events.join(""));
  const replayed = await kinwatch(["replay", "--state", state, "--format", "ndjson", log]);
  const alerts = replayed.stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AlertDocument);
  const ofParent = alerts.filter(({ rule }) => rule.id === newParentRule.id);
  assert.equal(ofParent.length, 2);
  {
    using store = new Store(state, { counters: newCounters() });
    const copy = {
      ...ofParent[1],
      kinwatch: { ...ofParent[1]?.kinwatch, audit: { serial: 1, node: "other" } },
    };
    store.addAlert("ffff-of another host", JSON.stringify(copy), takers(), true);
  }
  for (const term of await listed(state, "--rule", newParentRule.id)) {
    const { stdout } = await baseline(state, "show", term.id, "--format", "ndjson");
    const [want] = ofParent.filter(({ kinwatch }) => kinwatch.new_terms[0]?.value[1] === term.value[1]);
    assert.deepEqual(JSON.parse(stdout), { ...term, alerts: [want?.event.id], alerts_complete: true });
    const pretty = await baseline(state, "show", term.id.slice(0, 6), "--format", "pretty");
    assert.match(pretty.stdout, /^term +[0-9a-f]{16}\nrule +Package installed by a new parent\n/);
    assert.match(
      pretty.stdout,
      new RegExp(`\nits alerts\n${want?.event.id.slice(0, 17)} .*${term.value[1]}`),
    );
  }
});

test("baseline export, import: what a golden host knows does not alert on a fresh one, and what it does not know does", async (t) => {
  const path = folder(t);
  const at = (name: string) => join(path, name);
  writeFileSync(at("golden.log"), installation("/opt/known.sh", startMs));
  await kinwatch([
    "replay",
    "--state",
    at("golden"),
    "--learn",
    "history",
    "--format",
    "ndjson",
    at("golden.log"),
  ]);
  const exported = await baseline(at("golden"), "export", at("golden.jsonl"));
  const [, checksum] = /checksum ([0-9a-f]{64})\n$/.exec(exported.stderr) ?? [];
  const imported = await baseline(at("fresh"), "import", at("golden.jsonl"));
  assert.equal(imported.status, 0, imported.stderr);
  assert.match(
    imported.stderr,
    new RegExp(`checksum ${checksum}\nkinwatch: [1-9]\\d* terms are new here, 0 were known\n$`),
  );
  const terms = await listed(at("golden"));
  assert.deepEqual(
    await listed(at("fresh")),
    terms.map((term) => ({ ...term, learned: true })),
  );

  const scripts = ["/opt/known.sh", "/opt/unknown.sh"];
  writeFileSync(
    at("fresh.log"),
    scripts.map((script, index) => installation(script, startMs + 1_000 + index)).join(""),
  );
  const parents = async (state: string) => {
    const { stdout } = await kinwatch([
      "replay",
      "--state",
      at(state),
      "--format",
      "ndjson",
      at("fresh.log"),
    ]);
    const alerts = stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AlertDocument);
    return alerts
      .filter(({ rule }) => rule.id === newParentRule.id)
      .map(({ kinwatch }) => kinwatch.ancestry[0]?.script);
  };
  assert.deepEqual(await parents("fresh"), ["/opt/unknown.sh"]);
  assert.deepEqual(await parents("without"), scripts);
  const again = await baseline(at("fresh"), "import", at("golden.jsonl"));
  assert.match(again.stderr, /kinwatch: 0 terms are new here, [1-9]\d* were known\n$/);
});

test("baseline import --host: a golden host whose log names it, for one whose log names that", async (t) => {
  const path = folder(t);
  const at = (name: string) => join(path, name);
  writeFileSync(at("golden.log"), installation("/opt/known.sh", startMs, "golden-01"));
  await kinwatch(["replay", "--state", at("golden"), "--learn", "history", at("golden.log")]);
  const exported = await baseline(at("golden"), "export", "-");
  await kinwatch(["baseline", "import", "--host", "web-02", "-", "--state", at("fresh")], {
    input: exported.stdout,
  });
  writeFileSync(at("fresh.log"), installation("/opt/known.sh", startMs + 1_000, "web-02"));
  const { stdout, stderr } = await kinwatch(["replay", "--state", at("fresh"), at("fresh.log")]);
  assert.equal(stdout, "");
  assert.match(stderr, /1 installations, 0 alerts/);
});

test("baseline: an image has its own, which stays its own on another host", async (t) => {
  const path = folder(t);
  const at = (name: string) => join(path, name);
  const term = { field: "process.parent", value: ["/usr/bin/bash", "/build.sh"] };
  const scope = scopeOf("golden-01", { id: "ab".repeat(32), image: "localhost/kw/build:1" });
  {
    using store = new Store(at("golden"), { counters: newCounters() });
    store.see(newParentRule.id, scope, term, startMs, true);
  }
  const shown = await baseline(at("golden"), "list", "--format", "pretty");
  assert.match(
    shown.stdout,
    /\(package-installed-by-new-parent\): parents in\simage:localhost\/kw\/build on golden-01/,
  );
  const exported = await baseline(at("golden"), "export", "-");
  await kinwatch(["baseline", "import", "--host", "web-02", "-", "--state", at("fresh")], {
    input: exported.stdout,
  });
  const [first] = await listed(at("fresh"));
  assert.deepEqual([first?.host, first?.container], ["web-02", "image:localhost/kw/build"]);
  using terms = openTermsToRead(at("fresh"));
  assert.deepEqual(
    [...terms.list()].map((one) => one.scope),
    ["web-02 image:localhost/kw/build"],
  );
});

test("baseline export: some of it, whole or not at all, and nobody else may read or change it", async (t) => {
  const state = filled(t);
  const path = folder(t);
  const file = join(path, "golden.jsonl");
  writeFileSync(file, "old", { mode: 0o666 });
  const { status } = await baseline(state, "export", file, "--rule", "gone");
  assert.equal(status, 0);
  const [head = "", ...rest] = readFileSync(file, "utf8").trimEnd().split("\n");
  assert.deepEqual([JSON.parse(head).rules, JSON.parse(head).terms, rest.length], [[{ id: "gone" }], 12, 13]);
  assert.deepEqual(readdirSync(path), ["golden.jsonl"]);
  const fresh = join(path, "fresh");
  const imported = await baseline(fresh, "import", file);
  assert.match(imported.stderr, /\nkinwatch: not loaded here, so that their terms wait for them: gone\n$/);
  chmodSync(file, 0o666);
  const insecure = await baseline(join(path, "none"), "import", file);
  assert.equal(insecure.status, 2);
  assert.match(insecure.stderr, /others may write .*chmod go-w .*KW_BASELINE_INSECURE/);
  assert.throws(() => openTermsToRead(join(path, "none")), { code: "KW_STATE_UNUSABLE" });
});

test("baseline import: a damaged file leaves all as it was", async (t) => {
  const state = filled(t);
  const file = join(folder(t), "golden.jsonl");
  const { stdout } = await baseline(state, "export", "-");
  writeFileSync(file, stdout.replace("tool-7", "tool-x"));
  await baseline(state, "forget", "--learned", "--yes");
  const before = await listed(state);
  const { status, stderr } = await baseline(state, "import", file);
  assert.equal(status, 2);
  assert.match(stderr, /golden\.jsonl, line 17: the checksum is of other lines .*KW_BASELINE_DAMAGED/);
  assert.deepEqual(await listed(state), before);
});

test("baseline list: needs little memory for a full state, and a slow reader gets all of it", {
  timeout: 60_000,
}, async (t) => {
  const state = join(folder(t), "state");
  {
    using store = new Store(state, { counters: newCounters() });
    store.transaction(() => {
      for (let number = 0; number < 3_000; number += 1)
        store.see(
          "a",
          "",
          { field: "process.args", value: [`${number}${"x".repeat(32_768)}`] },
          number,
          true,
        );
    });
  }
  const args = ["baseline", "list", "--state", state, "--format", "ndjson"];
  const { child, ended } = startKinwatch(args, { env: { NODE_OPTIONS: "--max-old-space-size=48" } });
  child.stdout?.pause();
  setTimeout(() => child.stdout?.resume(), 1_000);
  const { status, stdout }: Ended = await ended;
  assert.equal(status, 0);
  assert.equal(stdout.split("\n").length, 3_001);
});

test("run: what is forgotten or imported while it runs counts at once, and a restart changes nothing of that", async (t) => {
  const path = folder(t);
  const [log, state, config] = ["audit.log", "state", "kinwatch.toml"].map((name) => join(path, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(join(path, "rules.d"), { mode: 0o755 });
  // Beside the built-in rules one that forgets, so that its terms are kept up to date while they are seen again.
  const rule = `[rule]
rule_id = "slides"
name = "Slides"
description = "A program ran rpm."
type = "new_terms"
query = "process.name:rpm"
severity = "low"
risk_score = 21
[rule.new_terms]
field = "new_terms_fields"
value = ["process.parent.args"]
[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "now-5d"
`;
  writeFileSync(join(path, "rules.d", "slides.toml"), rule, { mode: 0o644 });
  writeFileSync(
    log,
    installation("/opt/a.sh", Date.now() - 10_000) + installation("/opt/b.sh", Date.now() - 9_000),
  );
  const settings = `source.type = "audit-log"\nsource.audit_log = "${log}"\nstate.directory = "${state}"
rules.directories = ["${join(path, "rules.d")}"]
output.journald.enabled = false\noutput.stdout.enabled = true\noutput.stdout.format = "ndjson"\n`;
  writeFileSync(config, settings, { mode: 0o600 });
  const install = (script: string) => appendFileSync(log, installation(script, Date.now()));
  const both = [newParentRule.id, "slides"];
  /** The rules whose alerts tell of this script, once another one that installed after it has alerted. */
  let marks = 0;
  const rulesOf = async (name: string) => {
    const mark = `/opt/mark${++marks}.sh`;
    using store = openStoreToRead(state);
    const before = new Set(
      [...store.alerts()].map((document) => (JSON.parse(document) as AlertDocument).event.id),
    );
    install(`/opt/${name}.sh`);
    install(mark);
    for (let tries = 0; tries < 200; tries += 1) {
      const alerts = [...store.alerts()].map((document) => JSON.parse(document) as AlertDocument);
      const told = (script: string) =>
        alerts
          .filter(({ event, kinwatch }) => !before.has(event.id) && kinwatch.ancestry[0]?.script === script)
          .map(({ rule }) => rule.id);
      const want = new Set(both);
      if (want.isSubsetOf(new Set(told(mark)))) return told(`/opt/${name}.sh`).filter((id) => want.has(id));
      await sleep(50);
    }
    assert.fail(`${mark} did not alert`);
  };
  {
    await using running = startKinwatch(["run", "--config", config]);
    await running.until("stderr", /ready after/);
    assert.deepEqual(await rulesOf("a"), [], "it was learned");
    assert.deepEqual(await rulesOf("b"), []);

    const ids = (await listed(state)).flatMap(({ id, value }) => (value.includes("/opt/a.sh") ? [id] : []));
    assert.equal(ids.length, 2);
    const forgotten = await baseline(state, "forget", ...ids);
    assert.equal(forgotten.status, 0, forgotten.stderr);
    assert.deepEqual((await rulesOf("a")).toSorted(), both, "at once");
    assert.deepEqual(await rulesOf("b"), [], "the others are known");
    assert.deepEqual(await rulesOf("a"), [], "and is known again");

    using terms = openTermsToRead(state);
    const seen = [...terms.list()].filter((term) => ids.includes(termId(term)));
    assert.deepEqual(
      seen.map(({ learned }) => learned),
      [false, false],
    );

    const exported = await baseline(state, "export", "-");
    const golden = exported.stdout;
    assert.equal((await baseline(state, "forget", "--rule", newParentRule.id, "--yes")).status, 0);
    const imported = await kinwatch(["baseline", "import", "-", "--state", state], { input: golden });
    assert.equal(imported.status, 0, imported.stderr);
    assert.deepEqual(await rulesOf("b"), [], "it is back");
    await baseline(state, "forget", "--rule", newParentRule.id, "--yes");
    assert.equal((await running.kill("SIGTERM")).status, 0);
  }
  await using again = startKinwatch(["run", "--config", config]);
  await again.until("stderr", /ready after/);
  assert.deepEqual(
    await rulesOf("b"),
    [newParentRule.id],
    "what a restart reads again is not learned by that",
  );
});
