import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
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
    store.transaction(() => store.addAlert(id, JSON.stringify({ event: { id } }), delivery.takers));
  return { counters, store, terminal, journald, clock, reports, delivery, post };
}

test("Delivery: each output takes all, in order, once", async () => {
  const { store, terminal, journald, delivery, post } = world();
  post("a");
  post("b");
  store.transaction(() => store.completeAlert("a", '{"event":{"id":"a"}}', delivery.takers));
  delivery.begin(true);
  await delivery.finish();
  delivery.begin(true);
  await delivery.finish();
  assert.deepEqual(terminal.taken, ["raised a", "raised b", "completed a"]);
  assert.deepEqual(journald.taken, terminal.taken);
});

test("Delivery: what was posted before a start is taken without a word", async () => {
  const { store, counters, terminal, journald, post } = world();
  post("a");
  const delivery = new Delivery({ store, outputs: [terminal, journald], counters, report: () => {} });
  delivery.begin(false);
  await delivery.finish();
  assert.deepEqual(terminal.taken, ["raised a"]);
});

test("Delivery: one that refuses is tried again, later each time, and holds up no other", async () => {
  const { counters, terminal, journald, clock, reports, delivery, post } = world();
  journald.refuses = true;
  post("a");
  const triedAtMs: number[] = [];
  for (const start = clock.nowMs; clock.nowMs < start + 200_000; clock.nowMs += 500) {
    const before = reports.length;
    delivery.begin(false);
    await delivery.finish();
    if (reports.length > before) triedAtMs.push(clock.nowMs - start);
  }
  assert.deepEqual(terminal.taken, ["raised a"]);
  assert.deepEqual(triedAtMs, [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000, 183_000]);
  assert.equal(counters.outputs_failed, triedAtMs.length);
  journald.refuses = false;
  post("b");
  clock.nowMs += 60_000;
  delivery.begin(true);
  await delivery.finish();
  assert.deepEqual(journald.taken, ["raised a", "raised b"], "nothing was lost, and the order is kept");
});

test("Delivery: what was taken before a refusal is not taken again", async () => {
  const { terminal, journald, clock, delivery, post } = world();
  post("a");
  delivery.begin(true);
  await delivery.finish();
  journald.refuses = true;
  post("b");
  delivery.begin(true);
  await delivery.finish();
  journald.refuses = false;
  clock.nowMs += 1_000;
  delivery.begin(false);
  await delivery.finish();
  assert.deepEqual(journald.taken, ["raised a", "raised b"]);
  assert.deepEqual(terminal.taken, ["raised a", "raised b"]);
});

test("Delivery: an alert that an output cannot show is told, and holds up no other", async () => {
  const { counters, terminal, reports, delivery, post, store } = world();
  store.transaction(() => store.addAlert("a", "{}", delivery.takers)); // as an older kinwatch could have written it
  post("b");
  delivery.begin(true);
  await delivery.finish();
  assert.deepEqual(terminal.taken, ["raised b"]);
  assert.deepEqual(reports, ["terminal", "journald"]);
  assert.equal(counters.outputs_failed, 2);
});

test("Delivery: what waited for an output that is configured no more goes, and is counted", async () => {
  const { store, counters, terminal, post } = world();
  post("a");
  const delivery = new Delivery({ store, outputs: [terminal], counters, report: () => {} });
  assert.equal(counters.outbox_let_go, 1);
  delivery.begin(true);
  await delivery.finish();
  assert.deepEqual(terminal.taken, ["raised a"]);
  assert.deepEqual(store.outbox("journald", 10), []);
});

/** An output that takes an alert when it is told to. */
class Slow implements Output {
  readonly name = "ndjson";
  readonly begun: string[] = [];
  take: () => void = () => {};
  raised({ event }: AlertDocument): Promise<void> {
    this.begun.push(event.id);
    return new Promise((resolve) => {
      this.take = resolve;
    });
  }
  completed(): void {}
}

function slowWorld(slowMs?: number) {
  const { store, counters, journald } = world();
  const slow = new Slow();
  const errors: unknown[] = [];
  const delivery = new Delivery({
    store,
    outputs: [slow, journald],
    counters,
    report: (_, error) => errors.push(error),
    ...(slowMs === undefined ? {} : { slowMs }),
  });
  const post = (id: string) =>
    store.transaction(() => store.addAlert(id, JSON.stringify({ event: { id } }), delivery.takers));
  const left = () => store.outbox("ndjson", 10).map(({ document }) => JSON.parse(document).event.id);
  return { store, counters, slow, journald, errors, delivery, post, left };
}

test("Delivery: one that does not take an alert holds up neither the others nor the end, and loses none", async () => {
  const { store, counters, slow, journald, errors, delivery, post, left } = slowWorld();
  post("a");
  post("b");
  delivery.begin(true);
  await setImmediate();
  slow.take();
  await setImmediate();
  post("c");
  delivery.begin(true);
  await delivery.finish(10);
  assert.deepEqual(journald.taken, ["raised a", "raised b", "raised c"]);
  assert.deepEqual(slow.begun, ["a", "b"], "each once, and none before the one before it was taken");
  assert.deepEqual(left(), ["b", "c"], "what was taken is not handed over again");
  slow.take();
  await setImmediate();
  assert.deepEqual(
    [slow.begun, left()],
    [
      ["a", "b"],
      ["b", "c"],
    ],
    "what comes too late is as if it had not",
  );
  const next = new Delivery({ store, outputs: [slow, journald], counters, report: assert.fail });
  next.begin(false);
  await setImmediate();
  slow.take();
  await setImmediate();
  slow.take();
  await next.finish();
  assert.deepEqual(slow.begun, ["a", "b", "b", "c"]);
  assert.deepEqual([left(), errors], [[], []]);
});

test("Delivery: an alert that is not taken for long is reported once, and waited for", async () => {
  const { slow, counters, errors, delivery, post, left } = slowWorld(5);
  post("a");
  delivery.begin(true);
  await setTimeout(50);
  assert.equal(errors.length, 1);
  assert.match(String(errors[0]), /An alert is not taken/);
  assert.equal(counters.outputs_failed, 1);
  slow.take();
  await delivery.finish();
  assert.deepEqual([slow.begun, left()], [["a"], []]);
});

test("Delivery: without a limit the end waits for who is slow, as a replay does", async () => {
  const { slow, errors, delivery, post, left } = slowWorld();
  post("a");
  delivery.begin(true);
  let ended = false;
  const end = delivery.finish().then(() => {
    ended = true;
  });
  await setTimeout(20);
  assert.equal(ended, false);
  slow.take();
  await end;
  assert.deepEqual([left(), errors], [[], []]);
});
