import assert from "node:assert/strict";
import { test } from "node:test";
import { type Life, PidClock } from "../../agent/lineage/pid-clock.ts";

/** Processes that execute right after their birth, as a busy host's do. */
function run(clock: PidClock, from: number, to: number): Map<number, Life> {
  const lives = new Map<number, Life>();
  for (let pid = from; pid <= to; pid += 1) lives.set(pid, clock.born(pid));
  return lives;
}

const rows = [
  { why: "the counter has not come there since", later: [[1_001, 2_000]], passed: false },
  {
    why: "the counter has come round to it",
    later: [
      [1_001, 4_095],
      [300, 1_010],
    ],
    passed: true,
  },
  {
    why: "the counter has come round, but not to it yet",
    later: [
      [1_001, 4_095],
      [300, 900],
    ],
    passed: false,
  },
  {
    why: "the counter has leapt over it unseen, and what executes goes on from there",
    later: [
      [1_001, 2_000],
      [1_100, 1_110],
    ],
    passed: true,
  },
  {
    why: "a process that waited before it executed is no sign of the counter",
    later: [
      [1_001, 2_000],
      [990, 990],
      [2_001, 2_002],
    ],
    passed: false,
  },
  {
    why: "pids far ahead were skipped, not passed twice",
    later: [
      [1_001, 1_100],
      [3_000, 3_100],
    ],
    passed: false,
  },
] as const;
for (const { why, later, passed } of rows) {
  test(`PidClock.passed(): ${why}`, () => {
    const clock = new PidClock();
    const owner = run(clock, 300, 1_000).get(1_000) as Life;
    let last = owner;
    for (const [from, to] of later) last = run(clock, from, to).get(to) as Life;
    assert.equal(clock.passed(1_000, owner.seen, last.bornBy), passed);
  });
}

test("PidClock.born(): is in doubt until the counter is seen to go on from there, and then is not", () => {
  const clock = new PidClock();
  run(clock, 300, 4_095);
  const first = clock.born(301);
  assert.ok(first.seen < first.bornBy, "an old process that executes late, or a new round");
  clock.born(302);
  assert.equal(first.seen, first.bornBy);
});

test("PidClock.born(): doubts all that is older when executions are so rare that a round may lie between", () => {
  const clock = new PidClock();
  run(clock, 300, 4_095);
  run(clock, 300, 320);
  const owner = clock.born(330);
  for (let step = 1; step < 200; step += 1) clock.born(300 + ((30 + step * 700) % 3_796));
  assert.ok(clock.passed(330, owner.seen, clock.born(340).bornBy));
  assert.equal(clock.mayBeAnother(330, owner.seen, true), true);
});

test("PidClock.mayBeAnother(): a process that executes again soon is the same, one that does a round later may not be", () => {
  const clock = new PidClock();
  const owner = run(clock, 300, 1_000).get(1_000) as Life;
  run(clock, 1_001, 1_200);
  assert.equal(clock.mayBeAnother(1_000, owner.seen, false), false);
  run(clock, 1_201, 4_095);
  run(clock, 300, 990);
  assert.equal(clock.mayBeAnother(1_000, owner.seen, false), true, "the counter is about to come there");
  assert.equal(clock.mayBeAnother(1_000, owner.seen, true), true, "whoever its parent is");
});

test("PidClock.living(): a process found alive is known to live now, and was born before", () => {
  const clock = new PidClock();
  run(clock, 300, 2_000);
  const life = clock.living(700);
  assert.equal(clock.passed(700, life.seen, (run(clock, 2_001, 2_100).get(2_100) as Life).bornBy), false);
});
