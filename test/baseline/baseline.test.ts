import assert from "node:assert/strict";
import { test } from "node:test";
import { Baseline, type History, type Learn, type TermStore } from "../../agent/baseline/baseline.ts";
import type { Term } from "../../agent/rules/term.ts";

const rule = "package-installed-by-new-parent";
const startMs = 1_700_000_000_000;
const dayMs = 86_400_000;
const term = (script: string): Term => ({ field: "process.parent", value: ["/usr/bin/bash", script] });

const ofRule = { rule, scope: "", historyMs: Number.POSITIVE_INFINITY };

interface Memory extends TermStore {
  readonly learned: boolean[];
  readonly terms: Map<string, number>;
  /** As another process does. */
  readonly forget: (rule: string, scope: string, term: Term) => void;
}

function memory(): Memory {
  const terms = new Map<string, number>();
  const meta = new Map<string, string>();
  const learned: boolean[] = [];
  let changed = false;
  return {
    learned,
    terms,
    lastSeenMs: (...key) => terms.get(JSON.stringify(key)),
    see(ruleId, scope, { field, value }, timeMs, isLearned) {
      const key = JSON.stringify([ruleId, scope, { field, value }]);
      if (!terms.has(key)) learned.push(isLearned);
      terms.set(key, Math.max(timeMs, terms.get(key) ?? 0));
    },
    seeAgain(...[ruleId, scope, seen, timeMs]) {
      const key = JSON.stringify([ruleId, scope, seen]);
      const lastMs = terms.get(key);
      if (lastMs !== undefined) terms.set(key, Math.max(timeMs, lastMs));
    },
    forgetRule(ruleId) {
      for (const key of terms.keys()) if (JSON.parse(key)[0] === ruleId) terms.delete(key);
    },
    isChangedByOthers() {
      const answer = changed;
      changed = false;
      return answer;
    },
    forget(...key) {
      changed = terms.delete(JSON.stringify(key));
    },
    meta: (key) => meta.get(key),
    setMeta: (key, value) => void meta.set(key, value),
  };
}

const rows: readonly { why: string; learn: Learn; atMs: number; learning: boolean }[] = [
  { why: "history is what happened before the start", learn: "history", atMs: startMs - 1, learning: true },
  { why: "what happens after the start is judged", learn: "history", atMs: startMs + 1, learning: false },
  { why: "none: the history is judged too", learn: "none", atMs: startMs - dayMs, learning: false },
  {
    why: "a time holds from the start on",
    learn: { durationMs: dayMs },
    atMs: startMs + dayMs,
    learning: true,
  },
  { why: "and ends", learn: { durationMs: dayMs }, atMs: startMs + dayMs + 1, learning: false },
  { why: "a time includes the history", learn: { durationMs: dayMs }, atMs: startMs - dayMs, learning: true },
];
for (const { why, learn, atMs, learning } of rows) {
  test(`Baseline.isLearning(): ${why}`, () => {
    const baseline = new Baseline(memory());
    baseline.begin(learn, startMs);
    assert.equal(baseline.isLearning(atMs), learning);
  });
}

test("Baseline: a later start finds what the first one was told", () => {
  const store = memory();
  assert.equal(new Baseline(store).begun, false);
  new Baseline(store).begin({ durationMs: dayMs }, startMs);
  const later = new Baseline(store);
  assert.equal(later.begun, true);
  assert.equal(later.isLearning(startMs + dayMs / 2), true);
  assert.equal(later.isLearning(startMs + 2 * dayMs), false);
});

test("Baseline: a killed reading of history goes on learning, an ended one does not", () => {
  const store = memory();
  new Baseline(store).begin("history", Number.POSITIVE_INFINITY);
  const resumed = new Baseline(store);
  assert.equal(resumed.begun, false, "a daemon on that state begins anew");
  assert.equal(resumed.isLearning(startMs + 1_000 * dayMs), true);
  resumed.endHistory(startMs);
  assert.equal(new Baseline(store).isLearning(startMs + 1), false);
});

test("Baseline.endHistory(): does not end a time that was asked for", () => {
  const baseline = new Baseline(memory());
  baseline.begin({ durationMs: dayMs }, startMs);
  baseline.endHistory(startMs);
  assert.equal(baseline.isLearning(startMs + 1), true);
});

test("Baseline.firstSightings(): a term is new once in its scope, and is kept as learned or not", () => {
  const store = memory();
  const baseline = new Baseline(store);
  baseline.begin("history", startMs);
  const terms = [term("/a.sh"), term("/b.sh")];
  assert.deepEqual(baseline.firstSightings(ofRule, terms, startMs), terms);
  baseline.learn(ofRule, [term("/a.sh")], startMs - 1);
  assert.deepEqual(baseline.firstSightings(ofRule, terms, startMs), [term("/b.sh")]);
  const elsewhere = { ...ofRule, scope: "other-host" };
  assert.deepEqual(baseline.firstSightings(elsewhere, terms, startMs), terms, "a host has its own history");
  baseline.learn(ofRule, [term("/b.sh")], startMs + 1);
  assert.deepEqual(store.learned, [true, false]);
});

const window = { ...ofRule, historyMs: 5 * dayMs };
const timeLines: readonly { why: string; seenDays: readonly number[]; atDays: number; isNew: boolean }[] = [
  { why: "never seen", seenDays: [], atDays: 10, isNew: true },
  { why: "seen within the window", seenDays: [6], atDays: 10, isNew: false },
  { why: "the window's first moment is in it", seenDays: [5], atDays: 10, isNew: false },
  { why: "before the window", seenDays: [4.99], atDays: 10, isNew: true },
  { why: "what is seen again moves the window on", seenDays: [1, 5.5], atDays: 10, isNew: false },
  { why: "by the last sighting, in whatever order they came", seenDays: [5.5, 1], atDays: 10, isNew: false },
  { why: "what is later is known, though it came first", seenDays: [12], atDays: 10, isNew: false },
];
for (const { why, seenDays, atDays, isNew } of timeLines) {
  for (const restart of [false, true]) {
    test(`Baseline.firstSightings(): ${why}${restart ? ", with a restart in between" : ""}`, () => {
      const store = memory();
      let baseline = new Baseline(store);
      for (const [index, day] of seenDays.entries()) {
        if (index === 0) baseline.learn(window, [term("/a.sh")], startMs + day * dayMs);
        else baseline.seeAgain(window, [term("/a.sh")], startMs + day * dayMs);
        baseline.write();
        baseline.written(true);
        if (restart) baseline = new Baseline(store);
      }
      const news = baseline.firstSightings(window, [term("/a.sh")], startMs + atDays * dayMs);
      assert.equal(news.length, isNew ? 1 : 0);
    });
  }
}

test("Baseline.seeAgain(): counts at once, and is written down later", () => {
  const store = memory();
  const baseline = new Baseline(store);
  baseline.learn(window, [term("/a.sh")], startMs);
  baseline.written(true);
  baseline.seeAgain(window, [term("/a.sh")], startMs + 4 * dayMs);
  assert.deepEqual(baseline.firstSightings(window, [term("/a.sh")], startMs + 8 * dayMs), []);
  assert.deepEqual([...store.terms.values()], [startMs]);
  baseline.write();
  baseline.written(true);
  assert.deepEqual([...store.terms.values()], [startMs + 4 * dayMs]);
});

test("Baseline.written(): what a transaction learned that was undone is new again", () => {
  const store = memory();
  const baseline = new Baseline(store);
  baseline.learn(window, [term("/a.sh")], startMs);
  assert.deepEqual(baseline.firstSightings(window, [term("/a.sh")], startMs + 1), []);
  baseline.seeAgain(window, [term("/a.sh")], startMs + 1);
  store.terms.clear(); // undone
  baseline.written(false);
  assert.deepEqual(baseline.firstSightings(window, [term("/a.sh")], startMs + 1), [term("/a.sh")]);
});

for (const { why, again } of [
  { why: "that it knew", again: false },
  { why: "that it was about to write down", again: true },
] as const) {
  test(`Baseline.refresh(): what another process struck out is new at once, ${why}, and does not come back`, () => {
    const store = memory();
    const baseline = new Baseline(store);
    const terms = [term("/a.sh"), term("/b.sh")];
    baseline.learn(window, terms, startMs);
    baseline.written(true);
    assert.deepEqual(baseline.firstSightings(window, terms, startMs + 1), []);
    if (again) baseline.seeAgain(window, terms, startMs + 1);
    store.forget(rule, "", term("/a.sh"));
    assert.deepEqual(baseline.firstSightings(window, terms, startMs + 2), [], "it asks the store no more");
    baseline.refresh();
    assert.deepEqual(baseline.firstSightings(window, terms, startMs + 2), [term("/a.sh")]);
    baseline.write();
    baseline.written(true);
    assert.deepEqual([...store.terms.values()], [again ? startMs + 1 : startMs]);
  });
}

test("Baseline.write(): what was struck out since it was seen is not learned by that", () => {
  const store = memory();
  const baseline = new Baseline(store);
  baseline.learn(window, [term("/a.sh")], startMs);
  baseline.written(true);
  baseline.seeAgain(window, [term("/a.sh")], startMs + 1);
  store.forget(rule, "", term("/a.sh"));
  baseline.write();
  assert.equal(store.terms.size, 0);
});

test("Baseline.reach(): learning that has ended does not begin again when the clock is set back", () => {
  const store = memory();
  const baseline = new Baseline(store);
  baseline.begin("history", startMs);
  baseline.reach(startMs);
  assert.equal(baseline.isLearning(startMs), true);
  baseline.reach(startMs + 1);
  assert.equal(baseline.isLearning(startMs - dayMs), false);
  assert.equal(new Baseline(store).isLearning(startMs - dayMs), false);
  assert.equal(new Baseline(store).begun, true);
});

test("Baseline.forget(): all of one rule is new again, also what was not written down yet", () => {
  const store = memory();
  const baseline = new Baseline(store);
  const [one, other] = ["one", "other"].map((id) => ({ ...ofRule, rule: id, historyMs: dayMs })) as [
    History,
    History,
  ];
  for (const history of [one, other]) {
    baseline.learn(history, [term("/a")], startMs, true);
    baseline.written(true);
    baseline.seeAgain(history, [term("/a")], startMs + 1);
  }
  baseline.forget("one");
  baseline.write();
  baseline.written(true);
  assert.deepEqual(baseline.firstSightings(one, [term("/a")], startMs + 2), [term("/a")]);
  assert.deepEqual(baseline.firstSightings(other, [term("/a")], startMs + 2), []);
});
