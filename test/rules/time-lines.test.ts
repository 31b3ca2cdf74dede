/** What becomes an alert over time, through the whole flow: records of a log in, alerts of the store out. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import type { Learn } from "../../agent/baseline/baseline.ts";
import { type Counters, newCounters } from "../../agent/counters.ts";
import { watch } from "../../agent/main.ts";
import { Delivery } from "../../agent/outputs/delivery.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { RuleEngine } from "../../agent/rules/rule-engine.ts";
import { readRules } from "../../agent/rules/rule-file.ts";
import type { Observation } from "../../agent/sources/source.ts";
import { Store } from "../../agent/store/store.ts";
import { execution } from "../events/kernel-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-lines-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startMs = Date.UTC(2026, 10, 1);

/** A rule in the shape of Elastic's. */
function ruleText({
  id = "r",
  terms = ["process.parent.executable"],
  history = "now-5d",
  limit = 100,
  query = "",
} = {}) {
  return `[rule]
author = ["test"]
description = "A downloader was started by a parent that had not done so."
from = "now-9m"
interval = "5m"
language = "kuery"
license = "Apache-2.0"
max_signals = ${limit}
name = "Downloader by a new parent"
risk_score = 47
rule_id = "${id}"
severity = "medium"
type = "new_terms"
query = '''${query || "event.action:exec and process.name:(curl or wget)"}'''
[rule.new_terms]
field = "new_terms_fields"
value = ${JSON.stringify(terms)}
[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "${history}"
`;
}

function engine(...texts: readonly string[]): RuleEngine {
  const files = texts.map((text, index) => ({
    path: `${index}.toml`,
    bytes: Buffer.from(text),
    builtIn: false,
  }));
  const { rules, mistakes } = readRules(files);
  assert.deepEqual(mistakes, []);
  return new RuleEngine(rules);
}

interface Start {
  readonly atMs: number;
  readonly parent: string;
  readonly args?: readonly string[];
  readonly executable?: string;
  readonly uidBefore?: number; // it ran something else before, as this user
  readonly seen?: boolean; // lies before the stored position
}

let serial = 0;

/** A parent, and what it starts. */
function records(start: Start): string {
  const {
    atMs,
    parent,
    executable = "/usr/bin/curl",
    args = ["curl", "https://example.org"],
    uidBefore,
  } = start;
  serial += 3;
  const pid = 10_000 + serial;
  const child = { timeMs: atMs, pid: pid + 1, ppid: pid };
  const lines = [
    ...execution({ timeMs: atMs, uid: 0, serial, pid, ppid: 1, executable: parent, args: [parent] }),
    ...(uidBefore === undefined
      ? []
      : execution({
          ...child,
          serial: serial + 1,
          uid: uidBefore,
          executable: "/usr/bin/sudo",
          args: ["sudo"],
        })),
    ...execution({ ...child, serial: serial + 2, uid: 0, executable, args }),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

interface Run {
  readonly rules: RuleEngine;
  readonly starts: readonly Start[];
  readonly learn?: Learn;
  readonly live?: boolean;
  readonly provider?: "audit-log" | "procfs";
  readonly beganMs?: number; // when kinwatch started
  readonly state?: string | undefined; // undefined: a new one
  readonly idleMs?: number | undefined; // the time when all was read
  readonly isOnePiece?: boolean; // all that is in the log is read at once
  readonly refuses?: (store: Store) => boolean; // what a transaction wrote, once
}

interface Told {
  readonly alerts: AlertDocument[]; // of the store
  readonly shown: AlertDocument[]; // that an output was handed when they were raised
  readonly counters: Counters;
  readonly state: string;
}

/** A disk that is full for a moment. */
class RefusingStore extends Store {
  refuses: ((store: Store) => boolean) | undefined;

  override transaction<T>(work: () => T): T {
    return super.transaction(() => {
      const result = work();
      if (this.refuses?.(this) !== true) return result;
      this.refuses = undefined;
      throw new Error("full");
    });
  }
}

let states = 0;

async function run(given: Run): Promise<Told> {
  const { rules, starts, learn = "none", live = true, provider = "audit-log" } = given;
  const { beganMs = startMs, idleMs } = given;
  states += 1;
  const state = given.state ?? join(folder, String(states));
  const counters = newCounters();
  const shown: AlertDocument[] = [];
  const take = (alert: AlertDocument) => void shown.push(alert);
  using store = new RefusingStore(state, { counters });
  store.refuses = given.refuses;
  const output = live
    ? { name: "terminal" as const, raised: take, completed: () => {} }
    : { name: "terminal" as const, completed: take };
  const delivery = new Delivery({
    store,
    outputs: [output],
    counters,
    report: (_, error) => assert.fail(String(error)),
  });
  async function* observations(): AsyncGenerator<Observation> {
    let offset = 0;
    const pieces = starts.map((start) => ({ text: records(start), seen: start.seen ?? false }));
    const whole = { text: pieces.map(({ text }) => text).join(""), seen: false };
    for (const { text, seen } of given.isOnePiece ? [whole] : pieces) {
      const bytes = Buffer.from(text, "latin1");
      const position = { device: 1, inode: 1, offset };
      offset += bytes.length;
      yield { kind: "log", bytes, position, seen };
    }
    yield { kind: "idle", nowMs: idleMs ?? starts.at(-1)?.atMs ?? startMs };
  }
  const name = live ? provider : "files";
  await watch({
    source: {
      name,
      description: "",
      cursorAt: (position) => (given.refuses ? { ...position, fingerprint: "" } : undefined),
      [Symbol.asyncIterator]: observations,
    },
    store,
    delivery,
    namespace: "default",
    counters,
    rules: () => rules,
    past: undefined,
    renewed: () => assert.fail(),
    learn,
    startMs: live ? beganMs : undefined,
    lineage: { processesMax: 1_000, readProcess: undefined },
    installations: { aliases: shippedAliases, isGone: undefined },
    knowledge: { host: () => undefined, provider: name, nameUser: () => undefined, readDetails: undefined },
    agent: { type: "kinwatch", version: "0" },
    caughtUp: () => {},
    stateRefused: async () => given.refuses !== undefined,
    malformed: assert.fail,
  });
  const alerts = [...store.alerts()].map((text) => JSON.parse(text) as AlertDocument);
  return { alerts, shown, counters, state };
}

const at = (day: number, parent: string): Start => ({ atMs: startMs + day * dayMs, parent });
const daysOf = ({ alerts }: Told) =>
  alerts.map((alert) => (Date.parse(alert["@timestamp"]) - startMs) / dayMs);

const lines: readonly {
  why: string;
  history?: string;
  days: readonly [number, string][];
  alerted: readonly number[];
}[] = [
  {
    why: "new, then known",
    days: [
      [0, "/a"],
      [1, "/a"],
      [2, "/a"],
    ],
    alerted: [0],
  },
  {
    why: "each parent by itself",
    days: [
      [0, "/a"],
      [1, "/b"],
      [2, "/a"],
    ],
    alerted: [0, 1],
  },
  {
    why: "the window's first moment is in it",
    days: [
      [0, "/a"],
      [5, "/a"],
    ],
    alerted: [0],
  },
  {
    why: "the window has slid on",
    days: [
      [0, "/a"],
      [5.01, "/a"],
    ],
    alerted: [0, 5.01],
  },
  {
    why: "each sighting moves it",
    days: [
      [0, "/a"],
      [4, "/a"],
      [8, "/a"],
      [12, "/a"],
      [18, "/a"],
    ],
    alerted: [0, 18],
  },
  {
    why: "never: known for ever",
    history: "never",
    days: [
      [0, "/a"],
      [2_000, "/a"],
    ],
    alerted: [0],
  },
];
for (const { why, history = "now-5d", days, alerted } of lines) {
  const starts = days.map(([day, parent]) => at(day, parent));
  const rules = engine(ruleText({ history }));
  for (const live of [true, false]) {
    test(`new_terms, ${live ? "live" : "replayed"}: ${why}`, async () => {
      assert.deepEqual(daysOf(await run({ rules, starts, live })), alerted);
    });
  }
  test(`new_terms, with restarts in between: ${why}`, async () => {
    let told: Told | undefined;
    for (const index of starts.keys()) {
      const so = starts.slice(0, index + 1).map((start, nth) => ({ ...start, seen: nth < index }));
      told = await run({ rules, starts: so, state: told?.state });
    }
    assert.deepEqual(told && daysOf(told), alerted);
  });
}

test("new_terms: the alert is that of the first event, says what is new, and is whole at once", async () => {
  const { shown } = await run({ rules: engine(ruleText()), starts: [at(0, "/opt/a"), at(0.1, "/opt/a")] });
  assert.equal(shown.length, 1);
  const [alert] = shown;
  assert.equal(alert?.message, "Downloader by a new parent: /opt/a ran curl https://example.org");
  assert.equal(
    alert.event.reason,
    "Not seen here in the 5 days before: process.parent.executable /opt/a: A downloader was started by a parent that had not done so.",
  );
  assert.deepEqual(alert.kinwatch.new_terms, [{ field: "process.parent.executable", value: ["/opt/a"] }]);
  const { category, type, action, outcome, severity, risk_score } = alert.event;
  assert.deepEqual([category, type, action, outcome], [["process"], ["start"], "exec", "unknown"]);
  assert.deepEqual([severity, risk_score, alert.rule.id, alert.rule.ruleset], [47, 47, "r", "custom"]);
  assert.equal(alert.kinwatch.outcome, "not applicable");
});

test("new_terms: what the first start finds in the past is learned", async () => {
  const starts = [at(0, "/a"), at(1, "/a"), at(1, "/b")];
  const told = await run({
    rules: engine(ruleText()),
    starts,
    learn: "history",
    beganMs: startMs + dayMs / 2,
  });
  assert.deepEqual(daysOf(told), [1]);
  assert.equal(told.counters.alerts_learned, 1);
});

test("new_terms: a state begun on /proc learns what the log retains, once, unless it is to learn nothing", async () => {
  const rules = engine(ruleText());
  const starts = [at(1, "/a"), at(3, "/b")];
  for (const learn of ["history", "none"] as const) {
    const { state } = await run({ rules, starts: [], learn, provider: "procfs" });
    const first = await run({ rules, starts, learn, state, beganMs: startMs + 2 * dayMs });
    assert.deepEqual(daysOf(first), learn === "history" ? [3] : [1, 3]);
    // It stopped before it had a position: what came meanwhile was not watched, but would have been.
    const again = await run({ rules, starts: [at(4, "/c")], learn, state, beganMs: startMs + 5 * dayMs });
    assert.deepEqual(daysOf(again), [...daysOf(first), 4]);
  }
});

test("new_terms: a rule that comes later learns from what is retained, one that was there does not", async () => {
  const first = engine(ruleText());
  const both = engine(ruleText(), ruleText({ id: "later", history: "never" }));
  const { state } = await run({ rules: first, starts: [at(0, "/a")] });
  const starts = [{ ...at(0, "/a"), seen: true }, at(1, "/a"), at(1, "/b")];
  const { alerts } = await run({ rules: both, starts, state });
  assert.deepEqual(alerts.map(({ rule, kinwatch }) => [rule.id, kinwatch.new_terms[0]?.value[0]]).sort(), [
    ["later", "/b"],
    ["r", "/a"],
    ["r", "/b"],
  ]);
});

test("new_terms: a rule that was edited has only what it asks now as its history, of what is retained", async () => {
  const wide = engine(ruleText({ history: "never" }));
  const query = "event.action:exec and process.name:curl and process.args:-o";
  const narrow = engine(ruleText({ history: "never", query }));
  const download = (day: number, parent: string) => ({ ...at(day, parent), args: ["curl", "-o", "x"] });
  const { state } = await run({ rules: wide, starts: [at(0, "/a"), download(0, "/b")] });
  const retained = [at(0, "/a"), download(0, "/b")].map((start) => ({ ...start, seen: true }));
  const parentsOf = ({ shown }: Told) => shown.map(({ kinwatch }) => kinwatch.new_terms[0]?.value[0]);
  const edited = await run({
    rules: narrow,
    starts: [...retained, download(1, "/a"), download(1, "/b")],
    state,
  });
  assert.deepEqual(parentsOf(edited), ["/a"]);
  // It goes, and comes again as it was: what it knows is of use still.
  await run({ rules: engine(), starts: [], state });
  const back = await run({ rules: narrow, starts: [download(2, "/a"), download(2, "/c")], state });
  assert.deepEqual(parentsOf(back), ["/c"]);
  await run({ rules: engine(), starts: [], state });
  assert.deepEqual(parentsOf(await run({ rules: wide, starts: [at(3, "/a")], state })), ["/a"]);
});

test("new_terms: an event without one of the fields never alerts; several fields and lists make combinations", async () => {
  const terms = ["process.parent.executable", "process.args"];
  const starts = [
    { ...at(0, "/a"), args: ["curl", "x", "y"] },
    { ...at(0.1, "/a"), args: ["curl", "y"] },
    { ...at(0.2, "/a"), args: ["curl", "z"] },
  ];
  const told = await run({ rules: engine(ruleText({ terms })), starts });
  assert.deepEqual(
    told.alerts.map(({ kinwatch }) => kinwatch.new_terms.map(({ value }) => value.join(" "))),
    [["/a curl", "/a x", "/a y"], ["/a z"]],
  );
  const missing = engine(ruleText({ terms: ["process.previous.executable"] }));
  assert.deepEqual((await run({ rules: missing, starts })).alerts, []);
});

test("new_terms: only what matches is history", async () => {
  const rules = engine(ruleText({ query: "event.action:exec and process.name:curl and process.args:-o" }));
  const starts = [at(0, "/a"), { ...at(1, "/a"), args: ["curl", "-o", "x"] }];
  assert.deepEqual(daysOf(await run({ rules, starts })), [1]);
});

test("new_terms: uid_change is asked of a process that changes its user", async () => {
  const rules = engine(ruleText({ query: "event.action:uid_change and process.name:curl" }));
  const starts = [at(0, "/a"), { ...at(1, "/b"), uidBefore: 0 }, { ...at(2, "/c"), uidBefore: 1_000 }];
  const { alerts } = await run({ rules, starts });
  assert.deepEqual(
    alerts.map(({ event, kinwatch }) => [event.action, event.type, kinwatch.new_terms[0]?.value]),
    [["uid_change", ["change"], ["/c"]]],
  );
});

const many = (count: number, day: number) =>
  Array.from({ length: count }, (_, index) => ({
    ...at(day, `/p${day}/${index}`),
    atMs: startMs + day * dayMs + index,
  }));

test("max_signals: what is above it is stored, and told of by one alert when the interval is over", async () => {
  const rules = engine(ruleText({ limit: 3 }));
  const starts = [...many(8, 0), at(1, "/later")];
  const { alerts, shown, counters } = await run({ rules, starts });
  assert.deepEqual([counters.alerts_raised, counters.alerts_held], [4, 5]);
  const summary = shown[3];
  assert.deepEqual(
    shown.map(({ kinwatch: { new_terms: terms, summary: all } }) => all?.held ?? terms[0]?.value[0]),
    ["/p0/0", "/p0/1", "/p0/2", 5, "/later"],
  );
  assert.deepEqual(summary?.kinwatch.summary, {
    held: 5,
    from: new Date(startMs).toISOString(),
    until: new Date(startMs + 300_000).toISOString(),
    alerts: alerts.filter(({ kinwatch }) => kinwatch.held).map(({ event }) => event.id),
  });
  assert.match(
    summary.message,
    /^5 more alerts between .* the first of them: Downloader by a new parent: \/p0\/3 ran/,
  );
  assert.equal(alerts.length, 10, "each is in the store");
});

test("max_signals: a quiet host is told as well, and a restart in between changes nothing", async () => {
  const rules = engine(ruleText({ limit: 1 }));
  const first = await run({ rules, starts: many(4, 0) });
  assert.deepEqual([first.shown.length, first.counters.alerts_held], [1, 3]);
  const again = many(4, 0).map((start) => ({ ...start, seen: true }));
  const { shown } = await run({ rules, starts: again, state: first.state, idleMs: startMs + hourMs });
  assert.deepEqual(
    shown.map(({ kinwatch }) => kinwatch.summary?.held),
    [3],
  );
});

test("max_signals: a clock that was far ahead and is set back holds nothing up", async () => {
  const rules = engine(ruleText({ limit: 2 }));
  const { shown } = await run({
    rules,
    starts: [...many(3, 1_000), ...many(3, 0)],
    idleMs: startMs + hourMs,
  });
  assert.deepEqual(
    shown.map(({ kinwatch: { summary, new_terms: terms } }) => summary?.held ?? terms[0]?.value[0]),
    ["/p1000/0", "/p1000/1", 1, "/p0/0", "/p0/1", 1],
  );
});

test("max_signals: each interval has its own, and a replay shows all", async () => {
  const rules = engine(ruleText({ limit: 2 }));
  const starts = [...many(3, 0), ...many(2, 1)];
  assert.equal((await run({ rules, starts })).counters.alerts_held, 1);
  const replayed = await run({ rules, starts, live: false });
  assert.deepEqual([replayed.shown.length, replayed.counters.alerts_held], [5, 0]);
});

test("max_signals: what is told late, as an outcome is, has its summaries one by one, and none is lost", async () => {
  const query = "event.action:package-installed and kinwatch.outcome:none";
  const rules = engine(`${ruleText({ limit: 1, query })}[kinwatch]\non = "outcome"\n`);
  const second = (atS: number, parent: string, executable: string, args: string[]): Start => ({
    atMs: startMs + atS * 1_000,
    parent,
    executable,
    args,
  });
  const starts = [
    ...["/a", "/b", "/c", "/d"].map((parent, index) =>
      second(index, parent, "/usr/bin/rpm", ["rpm", "-i", "a.rpm"]),
    ),
    ...[600.5, 601.5, 602.5, 603.5, 2_000].map((atS) => second(atS, "/tick", "/usr/bin/true", ["true"])),
  ];
  const { shown, counters } = await run({ rules, starts });
  const mine = shown.filter(({ rule }) => rule.id === "r");
  assert.equal(counters.alerts_held, 3);
  const told = mine.reduce((sum, { kinwatch: { summary } }) => sum + (summary?.held ?? 1), 0);
  assert.equal(told, 4);
  assert.equal(new Set(mine.map(({ event }) => event.id)).size, mine.length);
});

const hasAlert = (part: string) => (store: Store) => store.alerts().some((text) => text.includes(part));

test("a transaction that the disk refused is done again as if it were the first time: alerts, counters, position", async () => {
  const given = { rules: engine(ruleText()), starts: [at(0, "/a")] };
  const { alerts, counters, state } = await run({ ...given, refuses: hasAlert("/a") });
  assert.deepEqual([alerts.length, counters.alerts_raised], [1, 1]);
  using store = new Store(state, { counters });
  assert.ok(store.cursor());
});

for (const [when, later, idleMs] of [
  ["the next alert comes", [at(1, "/later")], undefined],
  ["a quiet host's interval is over", [], startMs + hourMs],
] as const) {
  test(`a transaction that the disk refused: what was held is told when ${when}`, async () => {
    const rules = engine(ruleText({ limit: 1 }));
    const starts = [...many(4, 0), ...later];
    const { shown } = await run({ rules, starts, idleMs, refuses: hasAlert('"summary"') });
    assert.deepEqual(
      shown.map(({ kinwatch: { summary, new_terms: terms } }) => summary?.held ?? terms[0]?.value[0]),
      ["/p0/0", 3, ...later.map(({ parent }) => parent)],
    );
  });
}

test("a transaction that the disk refused: what was being learned is learned all the same", async () => {
  const quiet = { ...at(2, "/x"), executable: "/usr/bin/true", args: ["true"] };
  const given = { rules: engine(ruleText()), starts: [at(0.5, "/a"), quiet], learn: { durationMs: dayMs } };
  const term = { field: "process.parent.executable", value: ["/a"] };
  const isLearned = (store: Store) => store.lastSeenMs("r", "", term) !== undefined;
  for (const refuses of [undefined, isLearned]) {
    const { alerts, counters } = await run({ ...given, isOnePiece: true, ...(refuses && { refuses }) });
    assert.deepEqual([alerts.length, counters.alerts_learned], [0, 1]);
  }
});
