import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { newCounters } from "../../agent/counters.ts";
import { KinwatchError } from "../../agent/errors.ts";
import { Delivery } from "../../agent/outputs/delivery.ts";
import type { Output } from "../../agent/outputs/output.ts";
import { Store } from "../../agent/store/store.ts";

/** An output that notes what it took, and refuses while it is told to. */
class Notes implements Output {
  readonly name: Output["name"];
  readonly taken: string[] = [];
  refuses = false;
  constructor(name: Output["name"]) {
    this.name = name;
  }
  raised(alert: AlertDocument): void {
    this.#take("raised", alert);
  }
  async completed(alert: AlertDocument): Promise<void> {
    this.#take("completed", alert);
  }
  #take(stage: string, { event }: AlertDocument): void {
    if (this.refuses) throw new KinwatchError("KW_JOURNALD_UNAVAILABLE", "It refused", "Wait");
    this.taken.push(`${stage} ${event.id}`);
  }
}

function world() {
  const counters = newCounters();
  const store = new Store(undefined, { counters });
  const terminal = new Notes("terminal");
  const journald = new Notes("journald");
  const clock = { nowMs: 1_000 };
  const reports: string[] = [];
  const delivery = new Delivery({
    store,
    outputs: [terminal, journald],
    counters,
    report: (name) => reports.push(name),
    nowMs: () => clock.nowMs,
  });
  const post = (id: string) =>
    store.transaction(() => store.addAlert(id, JSON.stringify({ event: { id } }), delivery.names));
  return { counters, store, terminal, journald, clock, reports, delivery, post };
}

test("Delivery: each output takes all, in order, once", async () => {
  const { store, terminal, journald, delivery, post } = world();
  post("a");
  post("b");
  store.transaction(() => store.completeAlert("a", '{"event":{"id":"a"}}', delivery.names));
  await delivery.deliver(true);
  await delivery.deliver(true);
  assert.deepEqual(terminal.taken, ["raised a", "raised b", "completed a"]);
  assert.deepEqual(journald.taken, terminal.taken);
});

test("Delivery: what was posted before a start is taken without a word", async () => {
  const { store, counters, terminal, journald, post } = world();
  post("a");
  await new Delivery({ store, outputs: [terminal, journald], counters, report: () => {} }).deliver(false);
  assert.deepEqual(terminal.taken, ["raised a"]);
});

test("Delivery: one that refuses is tried again, later each time, and holds up no other", async () => {
  const { counters, terminal, journald, clock, reports, delivery, post } = world();
  journald.refuses = true;
  post("a");
  const triedAtMs: number[] = [];
  for (const start = clock.nowMs; clock.nowMs < start + 200_000; clock.nowMs += 500) {
    const before = reports.length;
    await delivery.deliver(false);
    if (reports.length > before) triedAtMs.push(clock.nowMs - start);
  }
  assert.deepEqual(terminal.taken, ["raised a"]);
  assert.deepEqual(triedAtMs, [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000, 183_000]);
  assert.equal(counters.outputs_failed, triedAtMs.length);
  journald.refuses = false;
  post("b");
  clock.nowMs += 60_000;
  await delivery.deliver(true);
  assert.deepEqual(journald.taken, ["raised a", "raised b"], "nothing was lost, and the order is kept");
});

test("Delivery: what was taken before a refusal is not taken again", async () => {
  const { terminal, journald, clock, delivery, post } = world();
  post("a");
  await delivery.deliver(true);
  journald.refuses = true;
  post("b");
  await delivery.deliver(true);
  journald.refuses = false;
  clock.nowMs += 1_000;
  await delivery.deliver(false);
  assert.deepEqual(journald.taken, ["raised a", "raised b"]);
  assert.deepEqual(terminal.taken, ["raised a", "raised b"]);
});

test("Delivery: an alert that an output cannot show is told, and holds up no other", async () => {
  const { counters, terminal, reports, delivery, post, store } = world();
  store.transaction(() => store.addAlert("a", "{}", delivery.names)); // as an older kinwatch could have written it
  post("b");
  await delivery.deliver(true);
  assert.deepEqual(terminal.taken, ["raised b"]);
  assert.deepEqual(reports, ["terminal", "journald"]);
  assert.equal(counters.outputs_failed, 2);
});

test("Delivery: what waited for an output that is configured no more goes, and is counted", async () => {
  const { store, counters, terminal, post } = world();
  post("a");
  const delivery = new Delivery({ store, outputs: [terminal], counters, report: () => {} });
  assert.equal(counters.outbox_let_go, 1);
  await delivery.deliver(true);
  assert.deepEqual(terminal.taken, ["raised a"]);
  assert.deepEqual(store.outbox("journald", 10), []);
});
