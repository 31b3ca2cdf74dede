/**
 * The hard cases of who started whom, on the real kernel: a launcher makes each, and writes what is true; the daemon's alerts are compared
 * with it, by source. The table of docs/sources.md is of such a run:
 *
 *     KINWATCH_TRUTH_TABLE=1 node --test test/system/lineage-truth.test.ts
 */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { alertsOf, daemonConfig } from "../helpers/daemon.ts";
import { startKinwatch } from "../helpers/kinwatch.ts";
import { lineageCases } from "../helpers/lineage-cases.ts";
import { type Judged, LineageRun } from "../helpers/lineage-run.ts";
import { needs } from "../helpers/real-parts.ts";
import { ScratchRpm } from "../helpers/scratch-rpm.ts";

/** Rows of docs/sources.md. */
const page = readFileSync(new URL("../../docs/sources.md", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.slice(2, -2).split(" | "));

const skip = needs("root", "rpm", "rpmbuild");
const table = new Map<string, Map<string, Judged>>(); // by source, by case

/** The columns of the table. */
const columns = ["audit-log with tracefs", "audit-log", "tracefs", "procfs"] as const;

async function judged(
  t: TestContext,
  column: (typeof columns)[number],
  auditLog = "none",
): Promise<Judged[]> {
  const source = column === "audit-log with tracefs" ? "audit-log" : column;
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-lineage-"));
  chmodSync(folder, 0o755);
  try {
    using rpm = new ScratchRpm();
    const run = new LineageRun(folder, rpm);
    if (process.env["KINWATCH_REQUIRE_REAL"] === "1") assert.deepEqual(run.lacking, []);
    else if (run.lacking.length > 0) t.diagnostic(`not to be had here: ${run.lacking.join(", ")}`);
    const config = daemonConfig(join(folder, "kinwatch"), {
      auditLog,
      source,
      tracefs: column.endsWith("tracefs"),
    });
    await using running = startKinwatch(["run", "--config", config]);
    await running.until("stderr", /ready after/);
    for (const one of run.cases) await run.run(one);
    const seen = new Set(
      run.cases.filter((one) => source === "audit-log" || !one.byRecord).map(({ name }) => name),
    );
    for (let left = 30; left > 0 && run.missing(running.stdout).some((id) => seen.has(id)); left -= 1)
      await sleep(500);
    await running.kill("SIGTERM");
    const all = run.judge(alertsOf(running.stdout));
    for (const { name, verdict, from, detail } of all)
      t.diagnostic(`${name}: ${verdict}, ${from} (${detail})`);
    table.set(column, new Map(all.map((one) => [one.name, one])));
    for (const one of all) {
      const what = run.cases.find(({ name }) => name === one.name)?.what ?? "";
      const row = page.find((cells) => cells[0] === what);
      assert.equal(row?.[1 + columns.indexOf(column)], cellOf(one), `docs/sources.md, ${what}`);
    }
    return all;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function namesOf(all: readonly Judged[], verdict: Judged["verdict"]): string[] {
  return all.filter((one) => one.verdict === verdict).map(({ name }) => name);
}

/** Whose parent is dead when rpm is executed. */
const orphans = lineageCases.filter(({ orphan }) => orphan).map(({ name }) => name);

test("run: audit-log: each installation alerts, with its true parent or the word that it is not known", {
  skip: skip || needsAuditHost(),
  timeout: 300_000,
}, async (t) => {
  await using host = await startAuditHost();
  const all = await judged(t, "audit-log", host.logFile);
  assert.deepEqual(namesOf(all, "missed"), []);
  assert.deepEqual(namesOf(all, "wrong"), []);
  assert.deepEqual(namesOf(all, "unresolved"), orphans);
});

test("run: audit-log with tracefs: each installation alerts, with its true parent", {
  skip: skip || needsAuditHost() || needs("tracefs"),
  timeout: 300_000,
}, async (t) => {
  await using host = await startAuditHost();
  const all = await judged(t, "audit-log with tracefs", host.logFile);
  for (const bad of ["missed", "wrong", "unresolved"] as const) assert.deepEqual(namesOf(all, bad), [], bad);
});

test("run: tracefs: each that executes rpm under its name alerts, with its true parent", {
  skip: skip || needs("tracefs"),
  timeout: 300_000,
}, async (t) => {
  const all = await judged(t, "tracefs");
  const byRecord = lineageCases.filter((one) => one.byRecord).map(({ name }) => name);
  assert.deepEqual(namesOf(all, "missed"), byRecord);
  for (const bad of ["wrong", "unresolved"] as const) assert.deepEqual(namesOf(all, bad), [], bad);
});

test("run: procfs: no parent is a wrong one, and what installs for 100 ms is seen", {
  skip,
  timeout: 300_000,
}, async (t) => {
  const all = await judged(t, "procfs");
  assert.deepEqual(namesOf(all, "wrong"), []);
  const byRecord = lineageCases.filter((one) => one.byRecord).map(({ name }) => name);
  assert.deepEqual(namesOf(all, "missed"), byRecord);
  assert.deepEqual(namesOf(all, "unresolved"), orphans);
});

/** As docs/sources.md says it. */
function cellOf({ verdict, from }: Judged): string {
  return {
    true: `the true one, ${from}`,
    unresolved: "unknown, and said",
    wrong: "a wrong one",
    missed: "not seen",
  }[verdict];
}

after(() => {
  if (process.env["KINWATCH_TRUTH_TABLE"] !== "1") return;
  const cells = lineageCases.map(({ name, what }) => {
    const told = columns.map((column) => table.get(column)?.get(name));
    return [what, ...told.map((one) => (one === undefined ? "" : cellOf(one)))];
  });
  process.stdout.write(`${cells.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`);
});
