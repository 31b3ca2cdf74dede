import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { StoredTerm } from "../../agent/baseline/stored-term.ts";
import { newCounters } from "../../agent/counters.ts";
import { openStateInMemory } from "../../agent/store/state-file.ts";
import { Store } from "../../agent/store/store.ts";
import {
  openTermsToChange,
  openTermsToRead,
  StoredTerms,
  type TermFilter,
} from "../../agent/store/stored-terms.ts";

function inMemory(max?: number): StoredTerms {
  return new StoredTerms(openStateInMemory(), max);
}

/** A state that was seen to have them, learned or not. */
function having(terms: readonly StoredTerm[]): StoredTerms {
  const state = openStateInMemory();
  const store = new Store(state, { counters: newCounters() });
  for (const term of terms) {
    store.see(term.rule, term.scope, term, term.firstSeenMs, term.learned);
    store.seeAgain(term.rule, term.scope, term, term.lastSeenMs);
  }
  return new StoredTerms(state);
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "kinwatch-terms-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const termOf = (rule: string, name: string, given: Partial<StoredTerm> = {}): StoredTerm => ({
  rule,
  scope: "",
  field: "process.parent",
  value: [name, ""],
  firstSeenMs: 10,
  lastSeenMs: 20,
  learned: false,
  ...given,
});

/** Few of each, so that they meet. */
const anyTerm: fc.Arbitrary<StoredTerm> = fc
  .record({
    rule: fc.constantFrom("a", "b"),
    scope: fc.constantFrom("", "web-01"),
    field: fc.constantFrom("process.parent", "process.name,host.id"),
    value: fc.constantFrom(["/bin/sh", ""], ["/bin/sh", "/a.sh"], ["\u0000é\ud800", '"'], [""]),
    times: fc.tuple(fc.nat(50), fc.nat(50)),
    learned: fc.boolean(),
  })
  .map(({ times, ...term }) => ({
    ...term,
    firstSeenMs: Math.min(...times),
    lastSeenMs: Math.max(...times),
  }));
const someTerms = fc.array(anyTerm, { maxLength: 20 });

const keyOf = ({ rule, scope, field, value }: StoredTerm) => JSON.stringify([rule, scope, field, value]);
const merged = (here: readonly StoredTerm[], ...others: readonly (readonly StoredTerm[])[]): StoredTerm[] => {
  using terms = having(here);
  for (const other of others) terms.merge(other);
  return [...terms.list()];
};

test("StoredTerms.merge(): is idempotent, and in any order the same", () => {
  fc.assert(
    fc.property(someTerms, someTerms, someTerms, (here, one, other) => {
      const both = merged(here, one, other);
      assert.deepEqual(merged(here, other, one), both);
      assert.deepEqual(merged(here, one, other, one), both);
      assert.deepEqual(merged(here, [...one, ...other]), both);
    }),
  );
});

test("StoredTerms.merge(): never shrinks, alerted stays alerted, and what is new is learned", () => {
  fc.assert(
    fc.property(someTerms, someTerms, (here, other) => {
      using terms = having(here);
      const before = new Map([...terms.list()].map((term) => [keyOf(term), term]));
      const { added, widened } = terms.merge(other);
      const after = new Map([...terms.list()].map((term) => [keyOf(term), term]));
      assert.equal(after.size, before.size + added);
      let wider = 0;
      for (const [key, old] of before) {
        const now = after.get(key);
        assert.ok(now && now.firstSeenMs <= old.firstSeenMs && now.lastSeenMs >= old.lastSeenMs);
        assert.equal(now.learned, old.learned);
        if (now.firstSeenMs < old.firstSeenMs || now.lastSeenMs > old.lastSeenMs) wider += 1;
      }
      assert.ok(wider <= widened);
      assert.equal(
        wider > 0,
        [...other].some((term) => isWider(term, before.get(keyOf(term)))),
      );
      for (const term of other) {
        const now = after.get(keyOf(term));
        assert.ok(now && now.firstSeenMs <= term.firstSeenMs && now.lastSeenMs >= term.lastSeenMs);
        if (!before.has(keyOf(term))) assert.equal(now.learned, true);
      }
      assert.deepEqual(new Set(after.keys()), new Set([...before.keys(), ...other.map(keyOf)]));
    }),
  );
});

function isWider(term: StoredTerm, old: StoredTerm | undefined): boolean {
  return old !== undefined && (term.firstSeenMs < old.firstSeenMs || term.lastSeenMs > old.lastSeenMs);
}

test("StoredTerms.merge(): more than a state keeps is refused as a whole, and lets go of nothing", () => {
  using terms = inMemory(2);
  terms.merge([termOf("a", "/1"), termOf("a", "/2")]);
  assert.throws(() => terms.merge([termOf("a", "/2", { lastSeenMs: 99 }), termOf("a", "/3")]), {
    code: "KW_BASELINE_TOO_LARGE",
  });
  assert.deepEqual(
    [...terms.list()].map(({ value, lastSeenMs }) => [value[0], lastSeenMs]),
    [
      ["/1", 20],
      ["/2", 20],
    ],
  );
  assert.deepEqual(terms.merge([termOf("a", "/2", { lastSeenMs: 99 })]), { added: 0, widened: 1 });
});

const filters: readonly { why: string; filter: TermFilter; want: (term: StoredTerm) => boolean }[] = [
  { why: "all", filter: {}, want: () => true },
  { why: "of a rule", filter: { rule: "a" }, want: ({ rule }) => rule === "a" },
  { why: "of a rule that is not there", filter: { rule: "%" }, want: () => false },
  { why: "learned", filter: { learned: true }, want: ({ learned }) => learned },
  { why: "since", filter: { sinceMs: 25 }, want: ({ firstSeenMs }) => firstSeenMs >= 25 },
  { why: "before", filter: { beforeMs: 25 }, want: ({ firstSeenMs }) => firstSeenMs < 25 },
  {
    why: "all of it together",
    filter: { rule: "b", learned: true, sinceMs: 5, beforeMs: 40 },
    want: ({ rule, learned, firstSeenMs }) => rule === "b" && learned && firstSeenMs >= 5 && firstSeenMs < 40,
  },
];
for (const { why, filter, want } of filters) {
  test(`StoredTerms: lists, counts and forgets the same, once each: ${why}`, () => {
    const all = Array.from({ length: 250 }, (_, index) =>
      termOf(index % 2 === 0 ? "a" : "b", `/bin/${index}`, {
        scope: index % 7 === 0 ? "web-01" : "",
        firstSeenMs: index % 50,
        lastSeenMs: 60,
        learned: index % 3 === 0,
      }),
    );
    using terms = having(all);
    const names = (list: Iterable<StoredTerm>) => [...list].map(keyOf).toSorted();
    const wanted = names(all.filter(want));
    assert.deepEqual(names(terms.list(filter)), wanted);
    assert.equal(terms.count(filter), wanted.length);
    assert.equal(terms.forgetAll(filter), wanted.length);
    assert.deepEqual(names(terms.list()), names(all.filter((term) => !want(term))));
  });
}

test("StoredTerms.forget(): that one, once", () => {
  using terms = having([termOf("a", "/1"), termOf("a", "/2"), termOf("b", "/1")]);
  assert.equal(terms.forget(termOf("a", "/1")), true);
  assert.equal(terms.forget(termOf("a", "/1")), false);
  assert.deepEqual([...terms.list()].map(keyOf), [termOf("a", "/2"), termOf("b", "/1")].map(keyOf));
  assert.deepEqual(terms.rules(), ["a", "b"]);
});

test("StoredTerms.holdStill(): what others write meanwhile is not seen", (t) => {
  const directory = folder(t);
  using store = new Store(directory, { counters: newCounters() });
  store.see("a", "", termOf("a", "/1"), 1, false);
  using still = openTermsToRead(directory);
  still.holdStill();
  store.see("a", "", termOf("a", "/2"), 1, false);
  assert.equal(still.count(), 1);
  using another = openTermsToRead(directory);
  assert.equal(another.count(), 2);
});

test("openTermsToChange(): beside a daemon that holds the state, and after its end", (t) => {
  const directory = folder(t);
  assert.throws(() => openTermsToChange(directory), { code: "KW_STATE_UNUSABLE" });
  {
    using store = new Store(directory, { counters: newCounters() });
    using terms = openTermsToChange(directory);
    terms.merge([termOf("a", "/1")]);
    assert.equal(store.lastSeenMs("a", "", termOf("a", "/1")), 20);
    store.transaction(() => store.see("a", "", termOf("a", "/2"), 1, false));
  }
  using terms = openTermsToChange(directory);
  assert.equal(terms.forgetAll({ rule: "a" }), 2);
});
