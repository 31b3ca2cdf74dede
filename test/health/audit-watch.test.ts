/** When the daemon says that it does not see all, and when that this is over. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditStatus } from "../../agent/health/audit-status.ts";
import { AuditWatch } from "../../agent/health/audit-watch.ts";

const well: AuditStatus = { enabled: 1, pid: 700, lost: 3, backlog: 0, backlogLimit: 100, rateLimit: 0 };

class World {
  readonly counters = { events_read: 0, kernel_records_lost: 0 };
  readonly said: string[] = [];
  executed = 0;
  asked = 0;
  answer: AuditStatus | "refused" | undefined = well;
  nowMs = 0;
  readonly watch = new AuditWatch({
    path: "/var/log/audit/audit.log",
    counters: this.counters,
    socket: {
      ask: () => {
        this.asked += 1;
      },
      answer: () => (this.asked === 0 ? undefined : this.answer),
    },
    execute: () => {
      this.executed += 1;
    },
    began: ({ code }) => this.said.push(`+${code}`),
    ended: ({ code }) => this.said.push(`-${code}`),
  });

  /** Time goes on, a second at a time. @param each what happens in each */
  go(seconds: number, each: () => void = () => {}): this {
    for (let left = seconds; left > 0; left -= 1) {
      each();
      this.nowMs += 1_000;
      this.watch.look(this.nowMs);
    }
    return this;
  }

  busy(seconds: number): this {
    return this.go(seconds, () => {
      this.counters.events_read += 1;
    });
  }
}

test("AuditWatch: a host that is well is left in peace: asked each 5 s, nothing executed, nothing said", () => {
  const world = new World().busy(600);
  assert.deepEqual([world.asked, world.executed, world.said], [120, 0, []]);
  assert.deepEqual(world.watch.kernel, { backlog: 0, backlog_limit: 100, lost: 3 });
});

const conditions = [
  { why: "audit is off", status: { enabled: 0 }, code: "KW_AUDIT_OFF" },
  { why: "nobody takes the records", status: { pid: 0 }, code: "KW_AUDIT_UNATTENDED" },
  { why: "the queue is nearly full", status: { backlog: 81 }, code: "KW_AUDIT_BACKLOG" },
];
for (const { why, status, code } of conditions) {
  test(`AuditWatch: ${why}: said once, within 10 s, and once that it is over`, () => {
    const world = new World().busy(20);
    world.answer = { ...well, ...status };
    world.go(10);
    assert.deepEqual(world.said, [`+${code}`]);
    world.go(30);
    assert.deepEqual(
      world.watch.problems.map((problem) => problem.code),
      [code],
    );
    world.answer = well;
    world.busy(10);
    assert.deepEqual(world.said, [`+${code}`, `-${code}`]);
    assert.deepEqual(world.watch.problems, []);
  });
}

test("AuditWatch: a log that executions come to is watched, whatever the kernel of this host does", () => {
  const world = new World();
  world.answer = { ...well, enabled: 0, pid: 0 };
  world.busy(600);
  assert.deepEqual(world.said, []);
});

test("AuditWatch: what the kernel loses from the start on is counted, a counter that begins anew too", () => {
  const world = new World().busy(20);
  assert.equal(world.counters.kernel_records_lost, 0, "what was lost before is not ours");
  world.answer = { ...well, lost: 10 };
  world.busy(10);
  assert.equal(world.counters.kernel_records_lost, 7);
  world.answer = { ...well, lost: 0 };
  world.busy(10);
  world.answer = { ...well, lost: 2 };
  world.busy(10);
  assert.equal(world.counters.kernel_records_lost, 9);
});

test("AuditWatch: an idle host executes something for us each minute, and that is enough", () => {
  const world = new World();
  world.go(600, () => {
    world.counters.events_read = world.executed;
  });
  assert.equal(world.executed, 9);
  assert.deepEqual(world.said, []);
});

test("AuditWatch: silence in spite of an execution of our own is said within 75 s, and is over with the next one that comes", () => {
  const world = new World().busy(10).go(72);
  assert.deepEqual(world.said, ["+KW_AUDIT_SILENT"]);
  world.go(600);
  assert.equal(world.said.length, 1);
  assert.ok(world.executed >= 9 && world.executed <= 12, "it goes on to try");
  world.busy(1).go(30);
  assert.deepEqual(world.said, ["+KW_AUDIT_SILENT", "-KW_AUDIT_SILENT"]);
});

test("AuditWatch: where the kernel does not answer, silence tells alone", () => {
  const world = new World();
  world.answer = "refused";
  world.go(80);
  assert.deepEqual(world.said, ["+KW_AUDIT_SILENT"]);
  assert.equal(world.watch.kernel, undefined);
});
