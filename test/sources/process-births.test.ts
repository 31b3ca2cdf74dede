import assert from "node:assert/strict";
import { test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import { ProcessBirths } from "../../agent/sources/process-births.ts";
import type { TraceEvent } from "../../agent/sources/trace-event.ts";

let timeMs = 1_000;
const born = (pid: number, by: number, how: { isThread?: boolean; isSibling?: boolean } = {}): TraceEvent => {
  timeMs += 1;
  return { kind: "born", timeMs, pid, by, isThread: false, isSibling: false, ...how };
};
const exited = (pid: number): TraceEvent => ({ kind: "exited", timeMs, pid });
const executed = (pid: number, thread = pid): TraceEvent => ({
  kind: "executed",
  timeMs,
  pid,
  thread,
  path: "/bin/x",
});

function birthsOf(
  events: readonly TraceEvent[],
  threads: Record<number, { process: number; parent: number }> = {},
) {
  const counters = newCounters();
  const births = new ProcessBirths(counters, (thread) => threads[thread]);
  for (const event of events) births.take(event);
  return { births, counters };
}

const rows: readonly {
  readonly why: string;
  readonly events: readonly TraceEvent[];
  readonly of: number;
  readonly parent: number | undefined;
  readonly threads?: Record<number, { process: number; parent: number }>;
}[] = [
  { why: "the process that called", events: [born(20, 10)], of: 20, parent: 10 },
  { why: "one that is over by now", events: [born(20, 10), born(30, 20), exited(20)], of: 30, parent: 20 },
  { why: "also of one that is over itself", events: [born(20, 10), exited(20)], of: 20, parent: 10 },
  {
    why: "the last one under that pid",
    events: [born(20, 10), exited(20), born(20, 11)],
    of: 20,
    parent: 11,
  },
  { why: "a thread is no process", events: [born(21, 20, { isThread: true })], of: 21, parent: undefined },
  {
    why: "who called is a thread: its process",
    events: [born(20, 10), born(21, 20, { isThread: true }), born(22, 21, { isThread: true }), born(30, 22)],
    of: 30,
    parent: 20,
  },
  {
    why: "who called is a thread of a process from before",
    events: [born(30, 22)],
    threads: { 22: { process: 20, parent: 10 } },
    of: 30,
    parent: 20,
  },
  {
    why: "CLONE_PARENT: the parent of who called",
    events: [born(20, 10), born(30, 20, { isSibling: true })],
    of: 30,
    parent: 10,
  },
  {
    why: "CLONE_PARENT in a thread of a process from before",
    events: [born(30, 22, { isSibling: true })],
    threads: { 22: { process: 20, parent: 10 }, 20: { process: 20, parent: 10 } },
    of: 30,
    parent: 10,
  },
  { why: "begun before it was watched", events: [born(30, 20)], of: 20, parent: undefined },
  {
    why: "a thread that executes goes on under the pid of its process",
    events: [born(20, 10), born(21, 20, { isThread: true }), exited(20), executed(20, 21), born(30, 20)],
    of: 30,
    parent: 20,
  },
  {
    why: "and its own number is free for another",
    events: [born(20, 10), born(21, 20, { isThread: true }), exited(20), executed(20, 21), born(30, 21)],
    of: 30,
    parent: 21,
  },
  {
    why: "nothing is believed that was before a loss",
    events: [born(20, 10), { kind: "lost", timeMs: 1 }],
    of: 20,
    parent: undefined,
  },
];
for (const { why, events, of, parent, threads } of rows) {
  test(`ProcessBirths.of(): ${why}`, () => {
    assert.equal(birthsOf(events, threads).births.of(of)?.parent, parent);
  });
}

test("ProcessBirths: is bounded: of the ended the oldest goes first, then of the living, which is counted", () => {
  const { births, counters } = birthsOf([born(1, 9), exited(1)]);
  for (let pid = 2; pid <= 16_385; pid += 1)
    for (const event of [born(pid, 9), exited(pid)]) births.take(event);
  assert.deepEqual([births.of(1), births.of(2)?.parent, counters.births_let_go], [undefined, 9, 0]);
  for (let pid = 100_000; pid <= 100_000 + 131_072; pid += 1) births.take(born(pid, 9));
  assert.equal(births.of(100_000), undefined);
  assert.equal(births.of(100_000 + 131_072)?.parent, 9);
  assert.ok(counters.births_let_go > 0);
});
