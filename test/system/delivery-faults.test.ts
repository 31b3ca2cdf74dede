/**
 * All that was decided arrives once: through a network that breaks, with a real server that is restarted, by a daemon that is
 * killed, compared by id with what the same log holds.
 */
import assert from "node:assert/strict";
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openStoreToRead } from "../../agent/store/store.ts";
import { needsElasticsearch, startElasticsearch } from "../helpers/elasticsearch.ts";
import { FaultProxy, faults } from "../helpers/fault-proxy.ts";
import { writeInstallations } from "../helpers/installations-log.ts";
import { kinwatch, startKinwatch } from "../helpers/kinwatch.ts";
import { seededRandom } from "../helpers/seeded-random.ts";
import { idsIn } from "../helpers/stream-ids.ts";

const skip = await needsElasticsearch();
const installations = 50_000; // an alert and an event each
const kills = 20;
const restarts = 3; // of the server
const timeout = 900_000;

class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-faults-"));
  readonly log = join(this.folder, "audit.log");
  readonly state = join(this.folder, "state");
  readonly config = join(this.folder, "kinwatch.toml");
  readonly data = mkdtempSync(join(tmpdir(), "kinwatch-faults-data-"));
  readonly proxy = new FaultProxy({ seed: 7, share: 0.15, bytesMax: 60_000, stallMs: 5_000 });
  #server: Awaited<ReturnType<typeof startElasticsearch>> | undefined;

  async start(): Promise<void> {
    const url = await this.proxy.start();
    const key = join(this.folder, "api_key");
    writeFileSync(key, "id:key", { mode: 0o600 });
    mkdirSync(join(this.folder, "rules.d"));
    const lines = [
      `source = { type = "audit-log", audit_log = "${this.log}" }`,
      `state.directory = "${this.state}"`,
      'learn.from = "none"',
      'rules.directories = ["rules.d"]',
      "output.journald.enabled = false",
      `output.elasticsearch = { enabled = true, urls = ["${url}"], api_key_file = "${key}", timeout = "2s" }`,
    ];
    writeFileSync(this.config, `${lines.join("\n")}\n`, { mode: 0o600 });
    const nobody = 65_534;
    if (process.geteuid?.() === 0) chownSync(this.data, nobody, nobody);
    await this.startServer();
    const template = {
      index_patterns: ["logs-kinwatch.*-*"],
      data_stream: {},
      template: { settings: { number_of_replicas: 0 }, mappings: { dynamic: false } },
    };
    const answer = await fetch(`${this.proxy.upstream}/_index_template/kinwatch`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(template),
    });
    assert.equal(answer.status, 200, await answer.text());
  }

  async startServer(): Promise<void> {
    this.#server = await startElasticsearch({ settings: { "path.data": this.data } });
    this.proxy.upstream = this.#server.url;
  }

  async stopServer(): Promise<void> {
    this.proxy.upstream = undefined;
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  /** What the outbox still has, and how much of the log is decided. */
  get left(): { readonly waiting: number; readonly offset: number } {
    using store = openStoreToRead(this.state);
    const { waiting, refused } = store.shipments.totals();
    return { waiting: waiting.documents + refused.documents, offset: store.cursor()?.offset ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServer();
    await this.proxy[Symbol.asyncDispose]();
    for (const folder of [this.folder, this.data]) rmSync(folder, { recursive: true, force: true });
  }
}

async function idsOf(command: readonly string[]): Promise<string[]> {
  const { status, stdout, stderr } = await kinwatch([...command], { timeoutMs: 300_000 });
  assert.equal(status, 0, stderr);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => (JSON.parse(line) as { event: { id: string } }).event.id).sort();
}

test("run: 100,000 documents arrive once, whatever the network, the server and the daemon do", {
  skip,
  timeout,
}, async (t) => {
  await using world = new World();
  writeInstallations(world.log, installations, Date.parse("2026-11-01T00:00:00Z"));
  await world.start();
  const random = seededRandom(11);
  const size = statSync(world.log).size;
  const begunMs = performance.now();
  let [killed, restarted] = [0, 0];
  for (let isDone = false; !isDone; ) {
    await using running = startKinwatch(["run", "--config", world.config]);
    await running.until("stderr", /watching/);
    const untilMs = performance.now() + 2_000 + 4_000 * random();
    for (;;) {
      await sleep(200);
      const isLast = killed >= kills && restarted >= restarts;
      if (killed < kills && performance.now() > untilMs) {
        await running.kill("SIGKILL");
        killed += 1;
        break;
      }
      if (killed >= (restarted + 1) * 5 && restarted < restarts) {
        restarted += 1;
        await world.stopServer();
        await sleep(1_000);
        await world.startServer();
      }
      const { waiting, offset } = world.left;
      if (isLast && waiting === 0 && offset === size) {
        assert.equal((await running.kill("SIGTERM")).status, 0);
        isDone = true;
        break;
      }
      assert.equal(running.child.exitCode, null, running.stderr);
    }
  }
  t.diagnostic(
    `${((performance.now() - begunMs) / 1_000).toFixed(0)} s; ${JSON.stringify(world.proxy.happened)}`,
  );
  for (const fault of [...faults, "413", "away"] as const)
    assert.ok(world.proxy.happened[fault], `${fault} came about`);
  assert.deepEqual([killed, restarted], [kills, restarts]);
  const [alerts, events] = await Promise.all([
    idsOf(["replay", "--config", world.config, "--format", "ndjson", world.log]),
    idsOf(["events", "--config", world.config, "--format", "ndjson", world.log]),
  ]);
  assert.ok(alerts.length >= installations);
  assert.equal(events.length, installations);
  const url = world.proxy.upstream ?? "";
  assert.deepEqual(await idsIn(url, "logs-kinwatch.alerts-default"), alerts, "each alert once");
  assert.deepEqual(await idsIn(url, "logs-kinwatch.events-default"), events, "each event once");
});
