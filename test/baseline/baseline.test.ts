import assert from "node:assert/strict";
import { test } from "node:test";
import { Baseline, type Learn, type TermStore } from "../../agent/baseline/baseline.ts";
import type { Term } from "../../agent/rules/new-parent.ts";

const rule = "package-installed-by-new-parent";
const startMs = 1_700_000_000_000;
const dayMs = 86_400_000;
const term = (script: string): Term => ({ field: "process.parent", value: ["/usr/bin/bash", script] });

function memory(): TermStore & { readonly learned: boolean[] } {
  const terms = new Set<string>();
  const meta = new Map<string, string>();
  const learned: boolean[] = [];
  return {
    learned,
    knows: (...key) => terms.has(JSON.stringify(key)),
    learn(ruleId, scope, { field, value }, _, isLearned) {
      terms.add(JSON.stringify([ruleId, scope, { field, value }]));
      learned.push(isLearned);
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
  const match = { terms: [term("/a.sh"), term("/b.sh")], unresolved: undefined };
  assert.deepEqual(baseline.firstSightings(rule, "", match), match.terms);
  baseline.learn(rule, "", [term("/a.sh")], startMs - 1);
  assert.deepEqual(baseline.firstSightings(rule, "", match), [term("/b.sh")]);
  assert.deepEqual(
    baseline.firstSightings(rule, "other-host", match),
    match.terms,
    "a host has its own history",
  );
  baseline.learn(rule, "", [term("/b.sh")], startMs + 1);
  assert.deepEqual(store.learned, [true, false]);
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
