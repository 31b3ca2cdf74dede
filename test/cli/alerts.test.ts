/** What people ask the store: after a replay that kept its state, as after a daemon. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { newCounters } from "../../agent/counters.ts";
import { Store } from "../../agent/store/store.ts";
import { kinwatch, startKinwatch } from "../helpers/kinwatch.ts";
import { takers } from "../helpers/takers.ts";
import { writeTruthLog } from "../helpers/truth-log.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-alerts-"));
const state = join(folder, "state");
let raised: AlertDocument[] = [];

const parse = (text: string): AlertDocument[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AlertDocument);

before(async () => {
  const { files } = writeTruthLog({ folder: join(folder, "log"), bytes: 1e6, seed: 7 });
  const { stdout, status } = await kinwatch(["replay", "--state", state, "--format", "ndjson", ...files]);
  assert.equal(status, 0);
  raised = parse(stdout);
  assert.ok(raised.length > 3);
});
after(() => rmSync(folder, { recursive: true }));

const ids = (alerts: readonly AlertDocument[]) => alerts.map(({ event }) => event.id);

test("kinwatch alerts list: all, the oldest first, as they were raised", async () => {
  const { stdout, status } = await kinwatch(["alerts", "list", "--state", state, "--format", "ndjson"]);
  assert.equal(status, 0);
  const listed = parse(stdout);
  assert.deepEqual(ids(listed), ids(raised).sort());
  const byId = new Map(raised.map((alert) => [alert.event.id, alert]));
  for (const alert of listed) assert.deepEqual(alert, byId.get(alert.event.id));
});

test("kinwatch alerts: without a word more it lists, a line each of at most 80 columns", async () => {
  const { stdout } = await kinwatch(["alerts", "list", "--state", state, "--format", "pretty"]);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, raised.length);
  for (const line of lines) assert.ok(line.length <= 80, line);
});

test("kinwatch alerts list: needs little memory for a store of any size, and a slow reader gets all of it", {
  timeout: 60_000,
}, async () => {
  const full = join(folder, "full");
  {
    using store = new Store(full, { counters: newCounters() });
    const document = JSON.stringify({ text: "x".repeat(65_536) });
    store.transaction(() => {
      for (let id = 10_000; id < 11_500; id += 1) store.addAlert(String(id), document, takers());
    });
  }
  const args = ["alerts", "list", "--state", full, "--format", "ndjson"];
  const { child, ended } = startKinwatch(args, { env: { NODE_OPTIONS: "--max-old-space-size=48" } });
  child.stdout?.pause();
  setTimeout(() => child.stdout?.resume(), 1_000);
  const { status, stdout } = await ended;
  assert.equal(status, 0);
  assert.equal(stdout.split("\n").length, 1_501);
});

test("kinwatch alerts show: one by its id or the beginning of it; an unknown or ambiguous one is refused", async () => {
  const [first] = raised;
  assert.ok(first);
  for (const id of [first.event.id, first.event.id.slice(0, -4)]) {
    const { stdout } = await kinwatch(["alerts", "show", id, "--state", state, "--format", "ndjson"]);
    assert.deepEqual(parse(stdout), [first]);
  }
  const pretty = await kinwatch(["alerts", "show", first.event.id, "--state", state, "--format", "pretty"]);
  assert.match(pretty.stdout, /^● MEDIUM {2}Package installed by a new parent\n/);
  for (const [id, why] of [
    ["ffff", /No alert has an id/],
    ["01", /More than one alert/],
  ] as const) {
    const { status, stderr } = await kinwatch(["alerts", "show", id, "--state", state]);
    assert.equal(status, 2);
    assert.match(stderr, why);
    assert.match(stderr, /See npm run -s kinwatch -- alerts list\. \(KW_ALERT_UNKNOWN\)/);
  }
});

test("kinwatch alerts follow: tells what comes from then on", async () => {
  const followed = join(folder, "followed");
  await kinwatch(["replay", "--state", followed, "--format", "ndjson", "/dev/null"]);
  await using follow = startKinwatch(["alerts", "follow", "--state", followed, "--format", "ndjson"]);
  await follow.until("stderr", /following/);
  const { files } = writeTruthLog({ folder: join(folder, "more"), bytes: 1e5, seed: 8 });
  const { stdout } = await kinwatch(["replay", "--state", followed, "--format", "ndjson", ...files]);
  const want = new Set(ids(parse(stdout)));
  assert.ok(want.size > 0);
  const last = [...want].at(-1) ?? "";
  await follow.until("stdout", new RegExp(`"${last}"[^\n]*"outcome":"(?!pending)[^\n]*\n`));
  assert.deepEqual(new Set(ids(parse(follow.stdout))), want);
  const { status } = await follow.kill("SIGINT");
  assert.equal(status, 0);
});

test("kinwatch baseline list: each parent once, and whether it was learned", async () => {
  const { stdout } = await kinwatch(["baseline", "list", "--state", state, "--format", "ndjson"]);
  const terms = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { field: string; value: string[]; learned: boolean });
  assert.equal(new Set(terms.map(({ field, value }) => JSON.stringify([field, value]))).size, terms.length);
  const alerted = new Set(
    raised.flatMap(({ kinwatch: { new_terms } }) => new_terms.map((term) => JSON.stringify(term))),
  );
  assert.equal(terms.length, alerted.size);
  assert.ok(terms.every(({ learned }) => !learned));
});

test("kinwatch replay --learn: what is learned raises nothing, and what comes later does", async () => {
  const base = join(folder, "base");
  const { files } = writeTruthLog({ folder: join(folder, "old"), bytes: 1e6, seed: 9 });
  const first = await kinwatch([
    "replay",
    "--state",
    base,
    "--learn",
    "history",
    "--format",
    "ndjson",
    ...files,
  ]);
  assert.equal(first.stdout, "");
  const listed = await kinwatch(["baseline", "--state", base, "--format", "ndjson"]);
  assert.match(listed.stdout, /"learned":true/);
  const whole = await kinwatch(["replay", "--format", "ndjson", ...files]);
  const again = await kinwatch(["replay", "--state", base, "--format", "ndjson", ...files]);
  assert.ok(parse(whole.stdout).length > 0);
  assert.equal(again.stdout, "", "the same logs are not judged twice");
});

test("kinwatch: a state that is not there, and one that is no database, are told as such", async () => {
  const nothing = await kinwatch(["alerts", "list", "--state", join(folder, "nothing")]);
  assert.equal(nothing.status, 2);
  assert.match(nothing.stderr, /KW_STATE_UNUSABLE/);
  const broken = mkdtempSync(join(folder, "broken-"));
  writeFileSync(
    join(broken, "kinwatch.db"),
    "no database at all, but long enough to be looked at".repeat(100),
  );
  const { status, stderr } = await kinwatch(["alerts", "list", "--state", broken]);
  assert.equal(status, 2);
  assert.match(stderr, /KW_STATE_CORRUPT/);
});
