/** When health is told, and what it says has become worse. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pulse } from "../../agent/alert/pulse.ts";
import { newCounters } from "../../agent/counters.ts";
import { KinwatchError } from "../../agent/errors.ts";

const part = { rules: 2, lag_ms: 3, outbox: { waiting: 0, bytes: 0, set_aside: 0 } };
const agent = { id: "a", type: "kinwatch", version: "1", ephemeral_id: "e" } as const;
const start = 1_700_000_000_000;
const off = new KinwatchError("KW_AUDIT_OFF", "It is off", "Turn it on");

class World {
  readonly counters = newCounters();
  problems: KinwatchError[] = [];
  readonly pulse = new Pulse({
    source: "audit-log",
    counters: this.counters,
    usage: () => ({ uptimeMs: 1, memoryBytes: 2, cpuMs: 3 }),
    problems: () => this.problems,
    kernel: () => ({ backlog: 0, backlog_limit: 64, lost: 9 }),
  });

  tell(afterMs: number) {
    const nowMs = start + afterMs;
    const document = this.pulse.document(part, { host: undefined, agent, namespace: "default", nowMs });
    this.pulse.told(nowMs);
    return document;
  }

  isDue(afterMs: number): boolean {
    return this.pulse.isDue(start + afterMs);
  }
}

test("Pulse: each minute, and when a clock was set back", () => {
  const world = new World();
  assert.equal(world.isDue(0), true);
  const { message, event, kinwatch } = world.tell(0);
  assert.equal(message, "kinwatch watches by audit-log: nothing lost since the last report");
  assert.equal("reason" in event, false);
  assert.deepEqual(kinwatch.health.kernel, { backlog: 0, backlog_limit: 64, lost: 9 });
  assert.deepEqual([world.isDue(59_999), world.isDue(60_000), world.isDue(-1)], [false, true, true]);
});

test("Pulse: a loss and a problem that begins are told within 10 s, and as what became worse", () => {
  const world = new World();
  world.tell(0);
  world.counters.kernel_records_lost = 5;
  assert.deepEqual([world.isDue(9_999), world.isDue(10_000)], [false, true]);
  world.problems = [off];
  const { message, event, kinwatch } = world.tell(10_000);
  assert.equal(event.reason, "It is off. Turn it on. (KW_AUDIT_OFF); kernel_records_lost rose by 5");
  assert.match(message, /^kinwatch watches by audit-log: It is off/);
  assert.deepEqual([kinwatch.health.problems, kinwatch.health.lost], [["KW_AUDIT_OFF"], 5]);
  assert.equal(world.isDue(60_000), false, "one that lasts is no news");
  const later = world.tell(70_000);
  assert.deepEqual([later.kinwatch.health.problems, later.event.reason], [["KW_AUDIT_OFF"], undefined]);
  world.problems = [];
  world.tell(130_000);
  world.problems = [off];
  assert.equal(world.isDue(140_000), true, "it is back");
});
