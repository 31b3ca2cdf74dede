/** What a person and a script are told of the delivery, beside the daemon and without one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import { writeShippingState } from "../../agent/outputs/shipping-state.ts";
import { textWidth } from "../../agent/outputs/text-width.ts";
import { Store } from "../../agent/store/store.ts";
import { kinwatch } from "../helpers/kinwatch.ts";

class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-status-"));
  readonly state = join(this.folder, "state");
  readonly config = join(this.folder, "kinwatch.toml");

  constructor(enabled = true) {
    const text = `state.directory = "${this.state}"\noutput.elasticsearch.enabled = ${enabled}\n`;
    writeFileSync(this.config, text, { mode: 0o600 });
  }

  /** Does something in the state, as the daemon would. */
  within(work: (store: Store) => void): void {
    using store = new Store(this.state, { counters: newCounters() });
    store.transaction(() => work(store));
  }

  run(...args: readonly string[]) {
    return kinwatch([...args, "--config", this.config]);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

const message = "https://es.example.org:9200 does not answer: \u001b[31mno\u001b[0m";

test("status: tells the last success and failure, what waits and what was set aside, in 80 columns", async () => {
  using world = new World();
  world.within((store) => {
    const [atMs, retryAtMs] = [Date.now() - 120_000, Date.now() + 1_800_000];
    const failed = { code: "KW_ELASTICSEARCH_UNREACHABLE", message, atMs, retryAtMs };
    writeShippingState(store, { succeededMs: Date.now() - 7_200_000, failed });
    for (const id of ["a", "b", "c"]) store.shipments.add("alerts", "logs-kinwatch.alerts-default", id, "{}");
    const [a] = store.shipments.next(1, 1_000);
    store.shipments.refuse([{ sequence: a?.sequence ?? 0, reason: "400 no" }]);
  });
  const { status, stdout } = await world.run("status", "--format", "pretty");
  assert.equal(status, 1);
  assert.deepEqual(
    stdout.split("\n").filter((line) => textWidth(line) > 80),
    [],
  );
  assert.ok(!stdout.includes("\u001b"), "what a server says is escaped");
  assert.match(stdout, /^kinwatch +does not run$/m);
  assert.match(stdout, /^ {2}last success +2 hours ago, at \d{4}-/m);
  assert.match(
    stdout,
    /^ {2}last failure +2 minutes ago: https:\/\/es\.example\.org:9200 does not answer:$/m,
  );
  assert.doesNotMatch(stdout, /next try/, "nobody will");
  assert.match(stdout, /^ {2}waiting +2 documents, 1 kB$/m);
  assert.match(stdout, /^ {2}set aside +1 document: .*outbox list$/m);
});

test("status: where Elasticsearch is not wanted it says so, and a state that is not there is told", async () => {
  using world = new World(false);
  const none = await world.run("status");
  assert.equal(none.status, 2);
  assert.match(none.stderr, /KW_STATE_UNUSABLE/);
  world.within(() => {});
  const { stdout } = await world.run("status", "--format", "pretty");
  assert.match(stdout, /^elasticsearch +is not enabled$/m);
});

test("outbox: retry and discard take ids or --all, and nothing else", async () => {
  using world = new World();
  world.within((store) => {
    for (const id of ["aa1", "aa2", "b"]) store.shipments.add("events", "s", id, `{"id":"${id}"}`);
    const refused = store.shipments
      .next(9, 9_999)
      .map(({ sequence }) => ({ sequence, reason: "400 \u0007no" }));
    store.shipments.refuse(refused);
  });
  const listed = await world.run("outbox", "list", "--format", "pretty");
  assert.equal(listed.stdout.split("\n").length, 4);
  assert.ok(!listed.stdout.includes("\u0007"));
  for (const args of [[], ["aa1", "--all"]]) {
    const { status, stderr } = await world.run("outbox", "retry", ...args);
    assert.equal(status, 2);
    assert.match(stderr, /KW_ARGUMENT_INVALID/);
  }
  assert.match((await world.run("outbox", "discard", "x")).stderr, /KW_OUTBOX_UNKNOWN/);
  assert.match(
    (await world.run("outbox", "retry", "aa")).stderr,
    /^kinwatch: 2 documents will be sent again/,
  );
  assert.match((await world.run("outbox", "discard", "--all")).stderr, /^kinwatch: 1 document let go of/);
  world.within((store) => {
    assert.deepEqual(
      store.shipments.next(9, 9_999).map(({ id }) => id),
      ["aa1", "aa2"],
    );
  });
});
