/**
 * A writer is killed at random moments, again and again on the same state. Each time the database opens, and says what it would
 * had the last whole transaction been the last thing done.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import type { Term } from "../../agent/rules/term.ts";
import { Store } from "../../agent/store/store.ts";
import { openTermsToRead } from "../../agent/store/stored-terms.ts";

const KILLS = 30;
const term = (number: number): Term => ({ field: "process.parent", value: [`/bin/${number}`, ""] });

/** Alert n, its term and the position are one transaction, as in main.ts; its outcome and its delivery are others. */
const writing = `
  import { Store } from ${JSON.stringify(new URL("../../agent/store/store.ts", import.meta.url).href)};
  console.log("started");
  const store = new Store(process.argv[1], { counters: {} });
  const idOf = (number) => String(number).padStart(9, "0");
  for (let number = Number(store.meta("number") ?? 0) + 1; ; number += 1) {
    store.transaction(() => {
      store.see("rule", "", { field: "process.parent", value: ["/bin/" + number, ""] }, number, false);
      store.addAlert(idOf(number), String(number), { raised: ["journald"], completed: ["journald"] });
      store.setMeta("number", String(number));
    });
    console.log("committed " + number);
    if (number > 3) store.transaction(() => store.completeAlert(idOf(number - 3), String(number - 3), { raised: ["journald"], completed: ["journald"] }));
    if (number % 5 === 0) {
      const rows = store.outbox("journald", 7);
      console.log("delivered " + rows.map(({ document, stage }) => document + stage[0]).join());
      store.taken(rows.map(({ sequence }) => sequence));
    }
  }`;

test(`Store: ${KILLS} kills at any moment leave whole transactions, and lose none that was committed`, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kinwatch-killed-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const delivered = new Map<string, number>();
  let committed = 0;
  let repeated = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", writing, directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const output: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => output.push(bytes));
    await once(child.stdout, "data");
    // From within the opening to some hundred transactions later: busy waiting, for timers are no finer than 1 ms.
    const endMs = performance.now() + Math.random() ** 2 * 100;
    while (performance.now() < endMs) await new Promise(setImmediate);
    child.kill("SIGKILL");
    await once(child, "close");
    const lines = Buffer.concat(output).toString().split("\n").slice(0, -1); // the last may be half a line
    for (const line of lines) {
      const [word, what = ""] = line.split(" ");
      if (word === "committed") committed = Math.max(committed, Number(what));
      for (const row of word === "delivered" ? what.split(",") : []) {
        if (row) delivered.set(row, (delivered.get(row) ?? 0) + 1);
      }
    }
    repeated = checkState(directory, committed, delivered);
  }
  assert.ok(committed > KILLS, `${committed} transactions are too few to mean anything`);
  t.diagnostic(`${committed} alerts, ${delivered.size} handed over, ${repeated} of them twice`);
});

function checkState(directory: string, committed: number, delivered: ReadonlyMap<string, number>): number {
  using store = new Store(directory, { counters: newCounters() });
  const last = Number(store.meta("number") ?? 0);
  assert.ok(last >= committed, `alert ${committed} was committed, and ${last} is the last one here`);
  const alerts = [...store.alerts()].map(Number);
  const want = Array.from({ length: last }, (_, index) => index + 1);
  assert.deepEqual(alerts, want, "each alert, once, in order");
  using terms = openTermsToRead(directory);
  assert.equal(terms.count(), last, "a term is known if its alert is there, and only then");
  for (const number of want)
    assert.ok(store.lastSeenMs("rule", "", term(number)) !== undefined, `term ${number}`);
  const waiting = store.outbox("journald", 1_000_000).map(({ document, stage }) => document + stage[0]);
  const awaited = store.awaiting().map(Number);
  const complete = want.filter((number) => !awaited.includes(number));
  const due = new Set([...want.map((number) => `${number}r`), ...complete.map((number) => `${number}c`)]);
  for (const row of waiting) assert.ok(due.has(row), `${row} waits, and is no alert's`);
  for (const row of due)
    assert.ok(waiting.includes(row) || delivered.has(row), `${row} was neither kept nor handed over`);
  return [...delivered.values()].filter((times) => times > 1).length;
}
