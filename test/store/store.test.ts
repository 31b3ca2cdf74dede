import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { newCounters } from "../../agent/counters.ts";
import type { Term } from "../../agent/rules/term.ts";
import { openStateInMemory } from "../../agent/store/state-file.ts";
import { openStoreToRead, Store } from "../../agent/store/store.ts";
import { openTermsToChange, StoredTerms } from "../../agent/store/stored-terms.ts";
import { takers } from "../helpers/takers.ts";

const rule = "package-installed-by-new-parent";
const term = (executable: string, script = ""): Term => ({
  field: "process.parent",
  value: [executable, script],
});
const inMemory = (limits = {}) => {
  const counters = newCounters();
  const state = openStateInMemory();
  const terms = new StoredTerms(state);
  return { counters, store: new Store(state, { counters, limits }), terms: () => [...terms.list()] };
};

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "kinwatch-store-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("Store.lastSeenMs(): what was seen, in its rule and scope only", () => {
  const { store } = inMemory();
  store.see(rule, "", term("/bin/sh", "/a.sh"), 1, false);
  assert.notEqual(store.lastSeenMs(rule, "", term("/bin/sh", "/a.sh")), undefined);
  assert.equal(store.lastSeenMs(rule, "", term("/bin/sh")), undefined);
  assert.equal(store.lastSeenMs(rule, "web-01", term("/bin/sh", "/a.sh")), undefined);
  assert.equal(store.lastSeenMs("another", "", term("/bin/sh", "/a.sh")), undefined);
  assert.equal(
    store.lastSeenMs(rule, "", { ...term("/bin/sh", "/a.sh"), field: "process.previous" }),
    undefined,
  );
});

test("Store.see(): the first sighting stays the first, and the last one is the latest", () => {
  const { store, terms } = inMemory();
  store.see(rule, "", term("/bin/sh"), 5.7, true);
  store.see(rule, "", term("/bin/sh"), 9, false);
  store.see(rule, "", term("/bin/sh"), 7, false);
  store.see(rule, "", term("/bin/su"), 2, false);
  const same = { rule, scope: "", field: "process.parent" };
  assert.deepEqual(terms(), [
    { ...same, value: ["/bin/sh", ""], firstSeenMs: 5, lastSeenMs: 9, learned: true },
    { ...same, value: ["/bin/su", ""], firstSeenMs: 2, lastSeenMs: 2, learned: false },
  ]);
});

test("Store.seeAgain(): moves the last sighting on, never back, and adds none", () => {
  const { store, terms } = inMemory();
  store.see(rule, "", term("/bin/sh"), 5, true);
  for (const at of [9.9, 7]) store.seeAgain(rule, "", term("/bin/sh"), at);
  store.seeAgain(rule, "", term("/bin/su"), 9);
  assert.deepEqual(
    terms().map(({ value, firstSeenMs, lastSeenMs }) => [value[0], firstSeenMs, lastSeenMs]),
    [["/bin/sh", 5, 9]],
  );
});

test("Store.isChangedByOthers(): once after each change of another, never for its own", (t) => {
  const directory = folder(t);
  using store = new Store(directory, { counters: newCounters(), limits: { terms: 2 } });
  store.see(rule, "", term("/bin/sh"), 5, false);
  assert.equal(store.isChangedByOthers(), false);
  {
    using reader = openStoreToRead(directory);
    assert.equal(reader.lastSeenMs(rule, "", term("/bin/sh")), 5);
  }
  assert.equal(store.isChangedByOthers(), false, "who reads changes nothing");
  using others = openTermsToChange(directory);
  const added = { rule, scope: "", firstSeenMs: 6, lastSeenMs: 6, learned: true };
  others.merge([
    { ...added, ...term("/bin/a") },
    { ...added, ...term("/bin/b") },
  ]);
  assert.equal(store.isChangedByOthers(), true);
  assert.equal(store.isChangedByOthers(), false);
  store.see(rule, "", term("/bin/su"), 7, false);
  assert.equal(others.count(), 2, "its limit counts what others added");
});

test("Store: gives back any text that it was given", () => {
  const { store } = inMemory();
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (executable, script) => {
      store.see(rule, executable, term(executable, script), 1, false);
      assert.notEqual(store.lastSeenMs(rule, executable, term(executable, script)), undefined);
      store.setMeta("text", JSON.stringify(script));
      assert.equal(store.meta("text"), JSON.stringify(script));
    }),
  );
});

test("Store.addAlert(): an alert of the same id is there already, and is handed over once", () => {
  const { store } = inMemory();
  assert.equal(store.addAlert("1-a", "{}", takers("journald", "terminal")), true);
  assert.equal(store.addAlert("1-a", '{"other":1}', takers("journald", "terminal")), false);
  assert.deepEqual([...store.alerts()], ["{}"]);
  assert.equal(store.outbox("journald", 10).length, 1);
  assert.equal(store.outbox("terminal", 10).length, 1);
});

test("Store.completeAlert(): once, and only what was raised", () => {
  const { store } = inMemory();
  store.completeAlert("1-a", "{}", takers("journald"));
  assert.deepEqual([...store.alerts()], []);
  store.addAlert("1-a", '{"stage":1}', takers("journald"));
  store.addAlert("2-b", "{}", takers("journald"));
  assert.deepEqual(store.awaiting(), ["1-a", "2-b"]);
  assert.equal(store.awaitsOutcome("1-a"), '{"stage":1}');
  store.completeAlert("1-a", '{"stage":2}', takers("journald"));
  store.completeAlert("1-a", '{"stage":3}', takers("journald"));
  assert.deepEqual(store.awaiting(), ["2-b"]);
  assert.equal(store.awaitsOutcome("1-a"), undefined);
  assert.deepEqual([...store.alerts("1-")], ['{"stage":2}']);
  const rows = store.outbox("journald", 10).map(({ stage, document }) => [stage, document]);
  assert.deepEqual(rows, [
    ["raised", '{"stage":2}'],
    ["raised", "{}"],
    ["completed", '{"stage":2}'],
  ]);
});

test("Store.awaitingRules(): of alerts that are not complete, each once", () => {
  const { store } = inMemory();
  for (const [id, rule] of Object.entries({ "1-a": "one", "2-b": "two", "3-c": "two", "4-d": "three" }))
    store.addAlert(id, JSON.stringify({ rule: { id: rule } }), takers());
  store.completeAlert("4-d", "{}", takers());
  assert.deepEqual(store.awaitingRules(), ["one", "two"]);
});

test("Store.outbox(): each output takes its own, in order", () => {
  const { store } = inMemory();
  for (const id of ["3", "1", "2"]) store.addAlert(id, `"${id}"`, takers("journald", "terminal"));
  const documents = (output: string, limit = 10) =>
    store.outbox(output, limit).map(({ document }) => document);
  assert.deepEqual(documents("journald"), ['"3"', '"1"', '"2"']);
  store.taken(store.outbox("journald", 2).map(({ sequence }) => sequence));
  assert.deepEqual(documents("journald"), ['"2"']);
  assert.deepEqual(documents("terminal", 2), ['"3"', '"1"']);
  assert.deepEqual(documents("ndjson"), []);
});

test("Store.alerts(): by the beginning of an id, and nothing in it is a pattern", () => {
  const { store } = inMemory();
  for (const id of ["01-ab", "01-ac", "02-aa"]) store.addAlert(id, `"${id}"`, takers());
  const rows: [prefix: string, want: string[]][] = [
    ["", ['"01-ab"', '"01-ac"', '"02-aa"']],
    ["01-a", ['"01-ab"', '"01-ac"']],
    ["02-aa", ['"02-aa"']],
    ["1", []],
    ["%", []],
    ["0_", []],
    ["01-ab-longer", []],
  ];
  for (const [prefix, want] of rows) assert.deepEqual([...store.alerts(prefix)], want, prefix);
});

test("Store.alerts(): any number, each once, also while more come", () => {
  const { store } = inMemory();
  const add = (id: number) => store.addAlert(String(id), String(id), takers());
  for (let id = 1_000; id < 1_100; id += 1) add(id);
  const listed: number[] = [];
  for (const document of store.alerts()) {
    listed.push(Number(document));
    if (listed.length === 50) add(2_000);
  }
  assert.deepEqual(listed, [...Array.from({ length: 100 }, (_, index) => 1_000 + index), 2_000]);
});

test("Store.alertsSince(): each change once, however far a reader lags behind", () => {
  const { store } = inMemory();
  assert.equal(store.lastChange(), 0);
  for (let id = 100; id < 350; id += 1) store.addAlert(String(id), `"${id}"`, takers());
  store.completeAlert("100", '"100 done"', takers());
  const seen: string[] = [];
  for (let change = 0; change < store.lastChange(); ) {
    for (const alert of store.alertsSince(change)) {
      seen.push(alert.document);
      change = alert.changed;
    }
  }
  assert.equal(seen.length, 250);
  assert.equal(seen[0], '"101"');
  assert.equal(seen.at(-1), '"100 done"');
});

test("Store.transaction(): all or nothing, and what failed does not stop the next", () => {
  const { store } = inMemory();
  const failed = new Error("half way");
  assert.throws(
    () =>
      store.transaction(() => {
        store.addAlert("1", "{}", takers("journald"));
        store.setMeta("cursor", "{}");
        throw failed;
      }),
    failed,
  );
  assert.deepEqual([...store.alerts()], []);
  assert.equal(store.cursor(), undefined);
  assert.equal(
    store.transaction(() => store.addAlert("1", "{}", takers())),
    true,
  );
  assert.deepEqual([...store.alerts()], ["{}"]);
});

test("Store: the oldest complete and delivered alerts go first when it is full", () => {
  const { store, counters } = inMemory({ alerts: 3 });
  store.addAlert("1 awaits its outcome", '"1"', takers());
  store.addAlert("2 was not delivered", '"2"', takers());
  store.completeAlert("2 was not delivered", '"2"', takers("journald"));
  for (const id of ["3", "4", "5"]) {
    store.addAlert(id, `"${id}"`, takers());
    store.completeAlert(id, `"${id}"`, takers());
  }
  assert.deepEqual([...store.alerts()], ['"1"', '"2"', '"5"']);
  assert.equal(counters.alerts_let_go, 2);
});

test("Store: the terms seen longest ago go first when it is full", () => {
  const { store, counters, terms } = inMemory({ terms: 2 });
  for (const at of [5, 1, 9]) store.see(rule, "", term(`/bin/${at}`), at, false);
  store.see(rule, "", term("/bin/9"), 10, false);
  assert.deepEqual(
    terms().map(({ value }) => value[0]),
    ["/bin/5", "/bin/9"],
  );
  assert.equal(counters.terms_let_go, 1);
});

test("Store: an output that refuses for ever holds a bounded number of rows, and no alert is lost by it", () => {
  const { store, counters } = inMemory({ outbox: 2 });
  for (const id of ["1", "2", "3"]) store.addAlert(id, `"${id}"`, takers("journald"));
  const waiting = store.outbox("journald", 10).map(({ document }) => document);
  assert.deepEqual(waiting, ['"2"', '"3"']);
  assert.equal([...store.alerts()].length, 3);
  assert.equal(counters.outbox_let_go, 1);
});

test("Store: behaves as a model of it, over any calls and restarts", (t) => {
  const directory = folder(t);
  const id = fc.integer({ min: 0, max: 9 }).map(String);
  const step = fc.oneof(
    fc.record({ call: fc.constant("add" as const), id }),
    fc.record({ call: fc.constant("complete" as const), id }),
    fc.record({ call: fc.constant("take" as const), id }),
    fc.record({ call: fc.constant("reopen" as const), id }),
  );
  const counters = newCounters();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      rmSync(directory, { recursive: true });
      let store = new Store(directory, { counters });
      const alerts = new Map<string, boolean>();
      let outbox: string[] = [];
      for (const { call, id } of steps) {
        if (call === "add") {
          assert.equal(store.addAlert(id, JSON.stringify(id), takers("journald")), !alerts.has(id));
          if (!alerts.has(id)) outbox.push(`raised ${id}`);
          alerts.set(id, alerts.get(id) ?? false);
        } else if (call === "complete") {
          store.completeAlert(id, JSON.stringify(id), takers("journald"));
          if (alerts.get(id) === false) outbox.push(`completed ${id}`);
          if (alerts.has(id)) alerts.set(id, true);
        } else if (call === "take") {
          store.taken(store.outbox("journald", 1).map(({ sequence }) => sequence));
          outbox = outbox.slice(1);
        } else {
          store[Symbol.dispose]();
          store = new Store(directory, { counters });
        }
        const rows = store.outbox("journald", 100);
        assert.deepEqual(
          rows.map(({ stage, document }) => `${stage} ${JSON.parse(document)}`),
          outbox,
        );
        const awaited = [...alerts].flatMap(([key, complete]) => (complete ? [] : [key])).sort();
        assert.deepEqual(store.awaiting(), awaited);
        assert.equal([...store.alerts()].length, alerts.size);
      }
      store[Symbol.dispose]();
    }),
    { numRuns: 25 },
  );
});

test("openStoreToRead(): sees what the writer committed, before any checkpoint and without holding it up", (t) => {
  const directory = folder(t);
  using store = new Store(directory, { counters: newCounters() });
  using reader = openStoreToRead(directory);
  assert.deepEqual([...reader.alerts()], []);
  store.transaction(() => {
    store.addAlert("1", '"1"', takers("journald"));
    assert.deepEqual([...reader.alerts()], [], "not before the commit");
  });
  assert.deepEqual([...reader.alerts()], ['"1"']);
  assert.deepEqual(
    reader.alertsSince(0).map(({ document }) => document),
    ['"1"'],
  );
  assert.throws(() => reader.setMeta("a", "b"), { code: "KW_STATE_UNUSABLE" });
});

test("openStoreToRead(): sees what a stopped writer left", (t) => {
  const directory = folder(t);
  {
    using store = new Store(directory, { counters: newCounters() });
    store.addAlert("1", '"1"', takers());
  }
  using reader = openStoreToRead(directory);
  assert.deepEqual([...reader.alerts()], ['"1"']);
});

test("Store: hits of exceptions add up, with the latest time", () => {
  using store = new Store(undefined, { counters: newCounters() });
  assert.deepEqual(store.hits(), new Map());
  store.addHits("a", { hits: 2, lastMs: 20.5 });
  store.addHits("b", { hits: 1, lastMs: 5 });
  store.addHits("a", { hits: 3, lastMs: 10 });
  assert.deepEqual(
    store.hits(),
    new Map([
      ["a", { hits: 5, lastMs: 20 }],
      ["b", { hits: 1, lastMs: 5 }],
    ]),
  );
});
