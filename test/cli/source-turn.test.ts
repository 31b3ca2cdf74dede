import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Turn } from "../../agent/cli/source-turn.ts";
import { type ErrorCode, KinwatchError } from "../../agent/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-turn-"));
const audit_log = join(folder, "audit.log");
after(() => rmSync(folder, { recursive: true, force: true }));

/** A turn, what it said, and what it finds when it looks whether executions reach the log. */
function turnOf({ type = "auto", before }: { type?: "auto" | "audit-log" | "procfs"; before?: Turn } = {}) {
  const stop = new AbortController();
  const counters = { events_read: 0 };
  const said: string[] = [];
  const probes: string[] = [];
  const probe = { reason: "nothing came" as string | undefined };
  const turn = new Turn(
    {
      config: { type, audit_log, tracefs: true },
      stop: stop.signal,
      counters,
      log: { info: (text) => said.push(text), warn: (text) => said.push(text) },
      async whyNot(path) {
        probes.push(path);
        return probe.reason;
      },
    },
    before,
  );
  return { turn, stop, counters, said, probes, probe };
}

const problem = (code: ErrorCode) => [new KinwatchError(code, "Something is wrong", "Mend it")];

const rows: readonly {
  readonly why: string;
  readonly type?: "auto" | "audit-log";
  readonly code: ErrorCode;
  readonly ms: number;
  readonly comes?: boolean; // executions, all the while
  readonly over: boolean;
}[] = [
  { why: "nobody takes the records for a while", code: "KW_AUDIT_UNATTENDED", ms: 10_000, over: true },
  { why: "audit is off", code: "KW_AUDIT_OFF", ms: 10_000, over: true },
  { why: "the log is silent", code: "KW_AUDIT_SILENT", ms: 10_000, over: true },
  { why: "auditd is started anew", code: "KW_AUDIT_UNATTENDED", ms: 9_000, over: false },
  {
    why: "the log was deleted, and is read on",
    code: "KW_AUDIT_LOG_MISSING",
    ms: 60_000,
    comes: true,
    over: false,
  },
  { why: "a full queue hides some, not all", code: "KW_AUDIT_BACKLOG", ms: 60_000, over: false },
  {
    why: "somebody wants this log and no other",
    type: "audit-log",
    code: "KW_AUDIT_OFF",
    ms: 60_000,
    over: false,
  },
];
for (const { why, type = "auto", code, ms, comes = false, over } of rows) {
  test(`Turn: the audit log's is ${over ? "" : "not "}over: ${why}`, () => {
    const { turn, counters } = turnOf({ type });
    turn.begin("audit-log", undefined, true);
    turn.look(0, []);
    for (let now = 1_000; now <= 1_000 + ms; now += 1_000) {
      if (comes) counters.events_read += 1;
      turn.look(now, problem(code));
    }
    assert.equal(turn.signal.aborted, over);
  });
}

test("Turn: a problem that ended in between does not count", () => {
  const { turn } = turnOf();
  turn.begin("audit-log", undefined, true);
  for (const [now, there] of [
    [0, true],
    [8_000, true],
    [9_000, false],
    [12_000, true],
    [20_000, true],
  ] as const)
    turn.look(now, there ? problem("KW_AUDIT_OFF") : []);
  assert.equal(turn.signal.aborted, false);
});

test("Turn: the next one knows when the log told of something last", () => {
  const { turn, counters } = turnOf();
  turn.begin("audit-log", undefined, true);
  const startMs = Date.now();
  counters.events_read += 1;
  turn.look(0, []);
  const { sinceMs } = turnOf({ before: turn }).turn;
  assert.ok(sinceMs !== undefined && sinceMs >= startMs && sinceMs <= Date.now());
});

test("Turn: another source's: a problem where somebody relied on the log, else not", () => {
  const relied = turnOf();
  relied.turn.begin("tracefs", "nothing came", true);
  assert.equal(relied.turn.problem?.code, "KW_AUDIT_LOG_REPLACED");
  assert.match(relied.turn.problem?.message ?? "", /^tracefs stands in for the audit log: nothing came\. /);
  const bare = turnOf();
  bare.turn.begin("procfs", "nothing came", false);
  assert.equal(bare.turn.problem, undefined);
  assert.match(bare.said[0] ?? "", /^not the audit log: nothing came; .*check tells what to do$/);
});

test("Turn: another source's is over when executions reach the log again; that is tried where the log has changed, and now and then", async () => {
  const { turn, probes, probe, said } = turnOf();
  turn.begin("procfs", "there was none", true);
  const look = async (now: number) => {
    turn.look(now, []);
    await setImmediate();
    return probes.length;
  };
  assert.equal(await look(0), 0, "there is no log");
  writeFileSync(audit_log, "one\n");
  assert.equal(await look(5_000), 0, "not all the time");
  assert.equal(await look(10_000), 1);
  assert.equal(await look(20_000), 1, "nothing was written");
  writeFileSync(audit_log, "one\ntwo\n");
  assert.equal(await look(30_000), 2);
  assert.equal(await look(80_000), 2);
  assert.equal(await look(90_000), 3);
  assert.equal(turn.signal.aborted, false);
  writeFileSync(audit_log, "one\ntwo\nthree\n");
  probe.reason = undefined;
  assert.equal(await look(100_000), 4);
  assert.equal(turn.signal.aborted, true);
  assert.match(said.at(-1) ?? "", /^executions reach .*audit\.log: it is followed from here on$/);
});

test("Turn: who wants /proc gets nothing else", async () => {
  const { turn, probes } = turnOf({ type: "procfs" });
  turn.begin("procfs", undefined, true);
  turn.look(60_000, []);
  await setImmediate();
  assert.deepEqual(probes, []);
});

test("Turn: all is over at a stop", () => {
  const { turn, stop } = turnOf();
  stop.abort();
  assert.equal(turn.signal.aborted, true);
});
