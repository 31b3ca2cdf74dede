import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Counters, newCounters } from "../../agent/counters.ts";
import type { ExecEvent } from "../../agent/events/exec-event.ts";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";
import { type Installation, InstallationJoin } from "../../agent/packages/installation.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { atMs, imageOf, scriptImage, updateOf } from "../helpers/images.ts";

function newJoin(isGone?: (image: ProcessImage) => boolean): { join: InstallationJoin; counters: Counters } {
  const counters = newCounters();
  return { join: new InstallationJoin({ aliases: shippedAliases, isGone }, counters), counters };
}
const rpmImage = (given: Partial<ExecEvent> = {}) => imageOf(given, { parent: scriptImage() });
const dnfImage = (given: Partial<ExecEvent> = {}) =>
  imageOf(
    {
      executable: "/usr/bin/python3.9",
      script: "/usr/bin/dnf",
      args: ["/usr/bin/python3", "/usr/bin/dnf"],
      ...given,
    },
    { parent: scriptImage() },
  );
const dnfUpdate = { executable: "/usr/bin/python3.9", comm: "dnf" };
const packagesOf = ({ updates }: Installation) => updates.map(({ nevra }) => nevra);

const commands: { why: string; exec: Partial<ExecEvent>; installs: boolean }[] = [
  { why: "an upgrade", exec: {}, installs: true },
  { why: "a query", exec: { args: ["rpm", "-qi", "x"] }, installs: false },
  { why: "a dry run", exec: { args: ["rpm", "-i", "--test", "x"] }, installs: false },
  { why: "a removal", exec: { args: ["rpm", "-e", "x"] }, installs: false },
  { why: "rpm somewhere else", exec: { executable: "/opt/x/bin/rpm" }, installs: true },
  { why: "what is not rpm, by any argv[0]", exec: { executable: "/usr/bin/bash" }, installs: false },
  { why: "an executable that nobody could read: argv[0] decides", exec: { executable: "" }, installs: true },
  { why: "another program that begins like it", exec: { executable: "/usr/bin/rpmkeys" }, installs: false },
  {
    why: "arguments cut before a mode was named",
    exec: { args: ["rpm", "--nodeps", "x"], argumentsComplete: false },
    installs: true,
  },
  {
    why: "a removal that was cut: -i further on would win",
    exec: { args: ["rpm", "-e", "x"], argumentsComplete: false },
    installs: true,
  },
  {
    why: "a query that was cut: nothing further on wins over it",
    exec: { args: ["rpm", "-q", "x"], argumentsComplete: false },
    installs: false,
  },
  { why: "no arguments known at all", exec: { args: [], argumentsComplete: false }, installs: false },
];
for (const { why, exec, installs } of commands) {
  test(`InstallationJoin.execution(): ${why} is ${installs ? "an installation" : "none"}`, () => {
    const { join, counters } = newJoin();
    const installation = join.execution(rpmImage(exec));
    assert.equal(installation !== undefined, installs);
    assert.equal(counters.installs_read, installs ? 1 : 0);
    assert.deepEqual(join.waiting(), installs ? [installation] : []);
  });
}

test("InstallationJoin: an rpm and its records are one installation, settled 1 s after the last", () => {
  const { join, counters } = newJoin();
  const image = rpmImage();
  const installation = join.execution(image);
  assert.ok(installation);
  assert.equal(join.update(updateOf({ timeMs: atMs + 90_000 }), image), undefined);
  assert.equal(join.update(updateOf({ timeMs: atMs + 90_001, nevra: "kw-b-1-1.noarch" }), image), undefined);
  assert.deepEqual(join.settled(atMs + 91_001), []);
  assert.deepEqual(join.settled(atMs + 91_002), [installation]);
  assert.deepEqual(packagesOf(installation), ["kw-a-1.0-1.noarch", "kw-b-1-1.noarch"]);
  assert.deepEqual(join.settled(atMs + 99_999), []);
  assert.equal(counters.installs_without_outcome, 0);
});

test("InstallationJoin: what never gets a record is let go after ten minutes, and later records are late", () => {
  const { join, counters } = newJoin();
  const image = rpmImage();
  const installation = join.execution(image);
  assert.deepEqual(join.settled(atMs + 600_000), []);
  assert.deepEqual(join.settled(atMs + 600_001), [installation]);
  assert.equal(counters.installs_without_outcome, 1);
  assert.equal(join.update(updateOf({ timeMs: atMs + 700_000 }), image), undefined);
  assert.equal(counters.outcomes_late, 1);
  assert.deepEqual(join.waiting(), []);
});

test("InstallationJoin.settledAtRest(): a process that is gone has said what it had to say, 2 s later", () => {
  const gone = new Set<number>();
  const { join, counters } = newJoin(({ exec }) => gone.has(exec.pid));
  const first = join.execution(rpmImage({ pid: 901 }));
  const second = join.execution(rpmImage({ pid: 902 }));
  assert.deepEqual(join.settledAtRest(atMs + 5_000), [], "both run");
  gone.add(901);
  assert.deepEqual(join.settledAtRest(atMs + 6_000), [], "it has just gone");
  assert.deepEqual(join.settled(atMs + 60_000), [], "while records are still being read");
  assert.deepEqual(join.settledAtRest(atMs + 8_001), [first]);
  assert.deepEqual(join.waiting(), [second]);
  assert.equal(counters.installs_without_outcome, 1);
});

test("InstallationJoin: with the procfs source no outcome will come, and none is missed", () => {
  const { join, counters } = newJoin(() => false);
  const installation = join.execution(rpmImage({ source: "procfs", argumentsFrom: "procfs" }));
  assert.deepEqual(join.settled(atMs), [installation]);
  assert.equal(counters.installs_without_outcome, 0);
});

test("InstallationJoin.update(): dnf is known by its records, each transaction an installation", () => {
  const { join, counters } = newJoin();
  const image = dnfImage();
  assert.equal(join.execution(image), undefined);
  const first = join.update(updateOf({ ...dnfUpdate, timeMs: atMs, serial: 7 }), image);
  assert.ok(first);
  assert.deepEqual([first.timeMs, first.serial, first.command, first.begun], [atMs, 7, undefined, "record"]);
  assert.equal(first.image.parent?.exec.script, "/opt/deploy/update.sh", "whose parent installed");
  assert.equal(join.update(updateOf({ ...dnfUpdate, timeMs: atMs + 5 }), image), undefined);
  assert.deepEqual(join.settled(atMs + 1_006), [first]);
  const second = join.update(updateOf({ ...dnfUpdate, timeMs: atMs + 60_000 }), image);
  assert.ok(second && second !== first, "dnf's shell does one transaction after the other");
  assert.deepEqual(join.flush(), [second]);
  assert.equal(counters.outcomes_late, 0);
  assert.equal(counters.installs_read, 2);
});

test("InstallationJoin.update(): what an installation replaces may come first", () => {
  const { join } = newJoin();
  const image = dnfImage();
  const remove = updateOf({
    ...dnfUpdate,
    operation: "remove",
    nevra: "old-1-1.noarch",
    timeMs: atMs,
    serial: 7,
  });
  assert.equal(join.update(remove, image), undefined);
  assert.deepEqual(join.waiting(), []);
  const installation = join.update(updateOf({ ...dnfUpdate, timeMs: atMs + 2, serial: 8 }), image);
  assert.ok(installation);
  assert.equal(installation.serial, 7, "named by its first record");
  assert.deepEqual(packagesOf(installation), ["old-1-1.noarch", "kw-a-1.0-1.noarch"]);
});

test("InstallationJoin.update(): nothing but removals is no installation, and does not begin the next one", () => {
  const { join, counters } = newJoin();
  const image = dnfImage();
  join.update(updateOf({ ...dnfUpdate, operation: "remove", timeMs: atMs }), image);
  assert.deepEqual(join.settled(atMs + 1_001), []);
  const installation = join.update(updateOf({ ...dnfUpdate, timeMs: atMs + 5_000, serial: 9 }), image);
  assert.equal(installation?.serial, 9);
  assert.equal(counters.installs_read, 1);
  assert.equal(counters.installs_without_outcome, 0);
});

test("InstallationJoin.update(): a record of RHEL 7 has no op, and counts as an installation", () => {
  const { join } = newJoin();
  assert.ok(join.update(updateOf({ ...dnfUpdate, operation: "unknown" }), dnfImage()));
});

test("InstallationJoin.update(): an rpm whose command line says something else is found by its record", () => {
  const { join } = newJoin();
  const image = rpmImage({ args: ["rpm", "--sneaky", "x"] });
  assert.equal(join.execution(image), undefined, "an alias in somebody's ~/.popt");
  const installation = join.update(updateOf(), image);
  assert.equal(installation?.command?.mode, "rejected");
  assert.equal(installation?.command?.certainty, "possible");
});

test("InstallationJoin: a pid that went to another process takes no records of the one before", () => {
  const { join, counters } = newJoin();
  const failed = join.execution(rpmImage());
  const dnf = dnfImage({ timeMs: atMs + 60_000 });
  assert.equal(join.execution(dnf), undefined);
  const installed = join.update(updateOf({ ...dnfUpdate, timeMs: atMs + 70_000 }), dnf);
  assert.ok(installed && installed !== failed);
  assert.deepEqual(join.settled(atMs + 70_000), [failed]);
  assert.deepEqual(packagesOf(installed), ["kw-a-1.0-1.noarch"]);
  assert.equal(counters.installs_without_outcome, 1);
});

test("InstallationJoin: the same, when the other process was never seen to execute", () => {
  const { join } = newJoin();
  const failed = join.execution(rpmImage());
  const installed = join.update(updateOf({ ...dnfUpdate, timeMs: atMs + 70_000 }), dnfImage());
  assert.ok(installed && installed !== failed);
});

test("InstallationJoin: an image read anew from /proc is the process that it was", () => {
  const { join } = newJoin();
  const installation = join.execution(rpmImage());
  assert.equal(join.update(updateOf(), rpmImage({ source: "procfs" })), undefined);
  assert.equal(installation?.updates.length, 1);
});

test("InstallationJoin: hosts of one log do not mix, nor do their clocks", () => {
  const { join } = newJoin();
  const here = rpmImage({ node: "web-01" });
  const there = rpmImage({ node: "web-02" });
  const first = join.execution(here);
  const second = join.execution(there);
  join.update(updateOf({ node: "web-02", timeMs: atMs + 10 }), there);
  assert.deepEqual(join.settled(atMs + 9_000_000, { name: "web-03" }), []);
  assert.deepEqual(join.settled(atMs + 2_000, { name: "web-02" }), [second]);
  assert.deepEqual(join.waiting(), [first]);
  assert.deepEqual(join.settled(atMs + 9_000_000), [first], "everybody's clock");
});

test("InstallationJoin: however many wait, what it holds is bounded, and each is settled once", () => {
  const { join } = newJoin();
  const begun = new Set<Installation>();
  const settled: Installation[] = [];
  for (let pid = 1; pid <= 3_000; pid += 1) {
    const installation = join.execution(rpmImage({ pid, timeMs: atMs + pid }));
    assert.ok(installation);
    begun.add(installation);
    settled.push(...join.settled(atMs + pid));
    assert.ok(join.waiting().length <= 1_024);
  }
  settled.push(...join.flush());
  assert.equal(settled.length, 3_000);
  assert.deepEqual(new Set(settled), begun);
});

test("InstallationJoin: of one installation so many records are kept, and the others counted", () => {
  const { join, counters } = newJoin();
  const installation = join.execution(rpmImage());
  for (let count = 0; count < 16_390; count += 1) join.update(updateOf(), rpmImage());
  assert.equal(installation?.updates.length, 16_384);
  assert.equal(counters.outcomes_let_go, 6);
});

test("InstallationJoin: every installation is told once and settled once, and no record of one is lost", () => {
  const step = fc.record({
    what: fc.constantFrom("rpm", "query", "record", "removal", "time"),
    pid: fc.integer({ min: 1, max: 3 }),
    afterMs: fc.integer({ min: 0, max: 2_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { join, counters } = newJoin();
      const images = new Map([1, 2, 3].map((pid) => [pid, dnfImage({ pid })]));
      const told: Installation[] = [];
      const settled: Installation[] = [];
      let records = 0;
      let nowMs = atMs;
      for (const { what, pid, afterMs } of steps) {
        nowMs += afterMs;
        settled.push(...join.settled(nowMs));
        let found: Installation | undefined;
        if (what === "rpm" || what === "query") {
          const image = rpmImage({ pid, timeMs: nowMs, args: ["rpm", what === "rpm" ? "-i" : "-q", "x"] });
          images.set(pid, image);
          found = join.execution(image);
        } else if (what !== "time") {
          const image = images.get(pid) as ProcessImage;
          const operation = what === "record" ? "install" : "remove";
          found = join.update(updateOf({ pid, timeMs: nowMs, operation }), image);
          if (operation === "install") records += 1;
        }
        if (found) told.push(found);
      }
      settled.push(...join.flush());
      assert.equal(settled.length, told.length);
      assert.deepEqual(new Set(settled), new Set(told));
      const joined = settled.flatMap(({ updates }) =>
        updates.filter(({ operation }) => operation === "install"),
      );
      assert.equal(new Set(joined).size, joined.length, "a record belongs to one installation");
      assert.ok(records - joined.length <= counters.outcomes_late, "or is counted as late");
      assert.ok(joined.length <= records);
    }),
  );
});
