import assert from "node:assert/strict";
import { test } from "node:test";
import { ToldInstallations } from "../../agent/packages/told-installations.ts";

const audit = { source: "audit-log", pid: 700, timeMs: 10_000 } as const;

const rows = [
  {
    why: "another source told of it, a little earlier or later",
    later: { source: "procfs", pid: 700, timeMs: 10_900 },
    told: true,
  },
  {
    why: "the same source does not tell twice: it is another one",
    later: { source: "audit-log", pid: 700, timeMs: 10_001 },
    told: false,
  },
  { why: "another process", later: { source: "procfs", pid: 701, timeMs: 10_000 }, told: false },
  {
    why: "long after: the pid is another's, or it executed again",
    later: { source: "procfs", pid: 700, timeMs: 13_000 },
    told: false,
  },
] as const;
for (const { why, later, told } of rows) {
  test(`ToldInstallations.take(): ${told}: ${why}`, () => {
    const all = new ToldInstallations();
    all.add(audit);
    assert.equal(all.take(later), told);
  });
}

test("ToldInstallations.take(): once: what the process executes next is another one", () => {
  const all = new ToldInstallations();
  all.add(audit);
  const again = { ...audit, source: "tracefs" } as const;
  assert.deepEqual([all.take(again), all.take(again)], [true, false]);
});

test("ToldInstallations: keeps the last 1,024", () => {
  const all = new ToldInstallations();
  for (let pid = 1; pid <= 1_025; pid += 1) all.add({ source: "audit-log", pid, timeMs: 0 });
  const taken = [1, 2].map((pid) => all.take({ source: "procfs", timeMs: 0, pid }));
  assert.deepEqual(taken, [false, true]);
});
