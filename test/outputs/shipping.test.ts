/** The delivery against a server that misbehaves at will: nothing is lost, nothing is told twice, and each mishap has its word. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultConfig, type ElasticsearchConfig } from "../../agent/config.ts";
import { newCounters } from "../../agent/counters.ts";
import { KinwatchError } from "../../agent/errors.ts";
import { ElasticsearchConnection } from "../../agent/outputs/elasticsearch-connection.ts";
import { readApiKey } from "../../agent/outputs/elasticsearch-key.ts";
import { Shipping } from "../../agent/outputs/shipping.ts";
import { readShippingState } from "../../agent/outputs/shipping-state.ts";
import type { Stream } from "../../agent/store/shipments.ts";
import { Store } from "../../agent/store/store.ts";
import { answer, FakeElasticsearch } from "../helpers/fake-elasticsearch.ts";

const key = "aHVzaC1pZDpodXNoLWtleQ=="; // hush-id:hush-key

class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-shipping-"));
  readonly keyFile = join(this.folder, "api_key");
  readonly counters = newCounters();
  readonly store = new Store(undefined, { counters: this.counters });
  readonly reports: string[] = [];
  readonly clock = { nowMs: 1_000 };
  readonly server: FakeElasticsearch;
  config: Partial<ElasticsearchConfig>;
  readonly shipping = new Shipping({
    store: this.store,
    counters: this.counters,
    connect: () => {
      const config = { ...defaultConfig.output.elasticsearch, api_key_file: this.keyFile, ...this.config };
      return new ElasticsearchConnection(config, readApiKey(this.keyFile, "api_key"), () => this.clock.nowMs);
    },
    report: (error) => {
      assert.ok(error instanceof KinwatchError, String(error));
      assert.doesNotMatch(error.message, /hush|aHVzaC/, "a message tells the key");
      this.reports.push(error.code);
    },
    nowMs: () => this.clock.nowMs,
    random: () => 1,
  });

  constructor(server: FakeElasticsearch) {
    this.server = server;
    this.config = { urls: [server.url], timeout: 1_000 };
    writeFileSync(this.keyFile, `${key}\n`, { mode: 0o600 });
  }

  add(stream: Stream, ...ids: readonly string[]): void {
    for (const id of ids)
      this.store.shipments.add(
        stream,
        `logs-kinwatch.${stream}-default`,
        id,
        JSON.stringify({ event: { id } }),
      );
  }

  /** Lets `ms` pass on the clock, then tries until nothing waits any more or a report came. */
  async ship(ms = 0, limitMs = 10_000): Promise<void> {
    this.clock.nowMs += ms;
    const before = this.reports.length;
    this.shipping.begin(true);
    const endMs = performance.now() + limitMs;
    while (this.store.shipments.isWaiting() && this.reports.length === before && performance.now() < endMs)
      await sleep(2);
    await sleep(5);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shipping.finish(100);
    await this.server[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }
}

const start = async () => new World(await FakeElasticsearch.start());
const names = (count: number) =>
  Array.from({ length: count }, (_, index) => `d${String(index).padStart(5, "0")}`);

test("Shipping: brings alerts first, each to its stream under its id, with the key", async () => {
  await using world = await start();
  const { server, counters } = world;
  world.add("events", "e1");
  world.add("alerts", "a1", "a2");
  await world.ship(2_000);
  assert.deepEqual(
    [...server.stored.keys()],
    ["logs-kinwatch.alerts-default a1", "logs-kinwatch.alerts-default a2", "logs-kinwatch.events-default e1"],
  );
  assert.deepEqual(server.stored.get("logs-kinwatch.alerts-default a1"), { event: { id: "a1" } });
  assert.equal(server.requests[0]?.authorization, `ApiKey ${key}`);
  assert.match(server.requests[0]?.path ?? "", /^\/_bulk\?filter_path=\S+&require_data_stream=true$/);
  assert.equal(counters.shipments_delivered, 3);
  assert.equal(world.store.shipments.totals().waiting.documents, 0);
});

test("Shipping: alerts go at once, other documents are gathered for a second", async () => {
  await using world = await start();
  world.add("events", "e1");
  await world.ship(2_000);
  world.add("events", "e2");
  world.shipping.begin(true);
  await sleep(50);
  assert.deepEqual(world.server.ids, ["e1"]);
  world.add("alerts", "a1");
  await world.ship();
  assert.deepEqual(world.server.ids, ["e1", "a1", "e2"], "and take along what waits");
});

test("Shipping: what is there already is delivered", async () => {
  await using world = await start();
  world.server.stored.set("logs-kinwatch.alerts-default a1", {});
  world.add("alerts", "a1");
  await world.ship();
  assert.equal(world.counters.shipments_delivered, 1);
  assert.equal(world.counters.shipments_refused, 0);
});

test("Shipping: what the server will never take is set aside with its reason, the rest goes on", async () => {
  await using world = await start();
  world.server.refuses = (id) =>
    id === "a2" ? { status: 400, type: "document_parsing_exception" } : undefined;
  world.add("alerts", "a1", "a2", "a3");
  await world.ship();
  assert.deepEqual(world.server.ids, ["a1", "a3"]);
  const refused = [...world.store.shipments.refused()];
  assert.deepEqual(
    refused.map(({ id, reason }) => [id, reason]),
    [["a2", "400 document_parsing_exception: of document_parsing_exception"]],
  );
  assert.deepEqual(world.reports, ["KW_ELASTICSEARCH_DOCUMENT_REFUSED"]);
  world.server.refuses = () => undefined;
  world.store.shipments.retry(refused.map(({ sequence }) => sequence));
  await world.ship(1_000);
  assert.deepEqual(world.server.ids, ["a1", "a3", "a2"]);
});

const kept = [
  {
    why: "too many requests",
    status: 429,
    type: "es_rejected_execution_exception",
    code: "KW_ELASTICSEARCH_BUSY",
  },
  { why: "a failed shard", status: 503, type: "unavailable_shards_exception", code: "KW_ELASTICSEARCH_BUSY" },
  { why: "a full disk there", status: 403, type: "cluster_block_exception", code: "KW_ELASTICSEARCH_BUSY" },
  {
    why: "a key for other streams",
    status: 403,
    type: "security_exception",
    code: "KW_ELASTICSEARCH_REFUSED",
  },
  {
    why: "no template",
    status: 404,
    type: "index_not_found_exception",
    code: "KW_ELASTICSEARCH_STREAM_MISSING",
  },
];
for (const { why, status, type, code } of kept) {
  test(`Shipping: documents that are not taken for ${why} wait, the others are delivered`, async () => {
    await using world = await start();
    world.server.refuses = (id) => (id === "a1" ? { status, type } : undefined);
    world.add("alerts", "a1", "a2");
    await world.ship();
    assert.deepEqual(world.server.ids, ["a2"]);
    assert.deepEqual(world.reports, [code]);
    assert.match(readShippingState(world.store).failed?.message ?? "", new RegExp(type));
    world.server.refuses = () => undefined;
    await world.ship(60_000);
    assert.deepEqual(world.server.ids, ["a2", "a1"]);
    assert.equal(readShippingState(world.store).failed, undefined);
    assert.equal(world.counters.shipments_refused, 0);
  });
}

const mishaps: readonly { why: string; does: FakeElasticsearch["misbehaves"]; code: string }[] = [
  { why: "HTTP 429", does: (_, to) => answer(to, 429, {}), code: "KW_ELASTICSEARCH_BUSY" },
  { why: "HTTP 503", does: (_, to) => answer(to, 503, "<html>"), code: "KW_ELASTICSEARCH_BUSY" },
  { why: "HTTP 401", does: (_, to) => answer(to, 401, { error: {} }), code: "KW_ELASTICSEARCH_REFUSED" },
  { why: "HTTP 403", does: (_, to) => answer(to, 403, "no"), code: "KW_ELASTICSEARCH_REFUSED" },
  {
    why: "a page of a portal",
    does: (_, to) => answer(to, 200, "<html>Log in"),
    code: "KW_ELASTICSEARCH_ANSWER_INVALID",
  },
  { why: "HTTP 404", does: (_, to) => answer(to, 404, {}), code: "KW_ELASTICSEARCH_ANSWER_INVALID" },
  {
    why: "a redirection",
    does: (_, to) => answer(to, 302, "", { location: "/" }),
    code: "KW_ELASTICSEARCH_ANSWER_INVALID",
  },
  {
    why: "too few items",
    does: (_, to) => answer(to, 200, { items: [] }),
    code: "KW_ELASTICSEARCH_ANSWER_INVALID",
  },
  {
    why: "items of another kind",
    does: ({ documents }, to) =>
      answer(to, 200, { items: documents.map(() => ({ index: { status: 201 } })) }),
    code: "KW_ELASTICSEARCH_ANSWER_INVALID",
  },
  {
    why: "half an answer",
    does: (_, to) => {
      to.writeHead(200, { "content-length": "1000" });
      to.write('{"items":[');
      setTimeout(() => to.destroy(), 20);
      return true;
    },
    code: "KW_ELASTICSEARCH_UNREACHABLE",
  },
  { why: "a reset", does: (_, to) => to.destroy() && true, code: "KW_ELASTICSEARCH_UNREACHABLE" },
  { why: "no answer in time", does: () => true, code: "KW_ELASTICSEARCH_UNREACHABLE" },
  {
    why: "an answer without end",
    does: async (_, to) => {
      to.writeHead(200);
      const part = Buffer.alloc(1_048_576, " ");
      for (let sent = 0; sent < 20 && !to.destroyed; sent += 1)
        await new Promise((done) => to.write(part, done));
      return true;
    },
    code: "KW_ELASTICSEARCH_ANSWER_INVALID",
  },
];
for (const { why, does, code } of mishaps) {
  test(`Shipping: ${why}: all is kept, told, and sent again`, async () => {
    await using world = await start();
    world.server.misbehaves = does;
    world.add("alerts", "a1", "a2");
    await world.ship();
    assert.deepEqual(world.reports, [code]);
    assert.equal(world.store.shipments.totals().waiting.documents, 2);
    assert.equal(world.counters.shipments_refused, 0);
    world.server.misbehaves = () => false;
    await world.ship(100, 50);
    assert.equal(world.server.stored.size, 0, "not at once");
    await world.ship(60_000);
    assert.deepEqual(world.server.ids, ["a1", "a2"]);
  });
}

test("Shipping: stored, but the answer was lost: sent again, and there once", async () => {
  await using world = await start();
  let lost = false;
  world.server.misbehaves = ({ documents }, response) => {
    if (lost) return false;
    lost = true;
    for (const { index, id, document } of documents) world.server.stored.set(`${index} ${id}`, document);
    response.destroy();
    return true;
  };
  world.add("alerts", "a1", "a2");
  await world.ship();
  await world.ship(60_000);
  assert.deepEqual(world.server.ids, ["a1", "a2"]);
  assert.equal(world.counters.shipments_delivered, 2);
  assert.equal(world.store.shipments.isWaiting(), false);
});

test("Shipping: later each time, and when the server says", async () => {
  await using world = await start();
  world.add("alerts", "a1");
  world.server.misbehaves = (_, to) => answer(to, 503, {});
  const triedAtMs: number[] = [];
  const begunMs = world.clock.nowMs;
  for (; world.clock.nowMs < begunMs + 130_000; world.clock.nowMs += 500) {
    const before = world.reports.length;
    world.shipping.begin(true);
    if (
      world.clock.nowMs - begunMs in
      { 0: 1, 1000: 1, 3000: 1, 7000: 1, 15000: 1, 31000: 1, 63000: 1, 123000: 1 }
    )
      await sleep(60);
    if (world.reports.length > before) triedAtMs.push(world.clock.nowMs - begunMs);
  }
  assert.deepEqual(triedAtMs, [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000]);
  world.server.misbehaves = (_, to) => answer(to, 429, {}, { "retry-after": "200" });
  await world.ship(60_000);
  world.server.misbehaves = () => false;
  await world.ship(199_000, 50);
  assert.equal(world.server.stored.size, 0, "not before");
  await world.ship(1_000);
  assert.deepEqual(world.server.ids, ["a1"]);
});

test("Shipping: a request that is too long is halved, down to one document, which is set aside", async () => {
  await using world = await start();
  const { server } = world;
  server.misbehaves = ({ bytes }, to) => bytes > 20_000 && answer(to, 413, "");
  world.add("alerts", ...names(300));
  world.store.shipments.add("alerts", "s", "long", JSON.stringify({ text: "x".repeat(30_000) }));
  world.add("alerts", "last");
  await world.ship();
  assert.equal(server.stored.size, 301);
  assert.deepEqual(new Set(server.ids).has("long"), false);
  const [refused, ...others] = [...world.store.shipments.refused()];
  assert.equal(others.length, 0);
  assert.match(refused?.reason ?? "", /^30\d+ bytes are more than the server takes: HTTP 413/);
  assert.ok(server.requests.length < 25, `in ${server.requests.length} requests`);
});

test("Shipping: a batch that fails before the one that was begun first costs neither", async () => {
  await using world = await start();
  const { server } = world;
  let hasFailed = false;
  server.misbehaves = async ({ documents }, to) => {
    if (documents.length === 400 && !hasFailed) {
      hasFailed = true;
      return answer(to, 503, {});
    }
    await sleep(100); // whichever of the two comes first
    return false;
  };
  world.add("alerts", ...names(900));
  await world.ship();
  assert.deepEqual(world.reports, ["KW_ELASTICSEARCH_BUSY"]);
  assert.equal(server.stored.size, 500);
  await world.ship(60_000);
  assert.deepEqual(server.ids.sort(), names(900));
  assert.equal(world.counters.shipments_delivered, 900);
});

test("Shipping: an alert that comes while others are sent does not wait for all of those", async () => {
  await using world = await start();
  const { server } = world;
  world.add("events", ...names(5_000));
  server.misbehaves = () => {
    if (server.requests.length === 2) world.add("alerts", "late");
    return false;
  };
  await world.ship(2_000);
  const place = server.requests.findIndex(({ documents }) => documents.some(({ id }) => id === "late"));
  assert.ok(place <= 5, `in request ${place} of ${server.requests.length}`);
  assert.equal(server.stored.size, 5_001);
});

test("Shipping: what one stream cannot take holds up no other", async () => {
  await using world = await start();
  const { server } = world;
  server.refuses = (id) =>
    id.startsWith("d") ? { status: 404, type: "index_not_found_exception" } : undefined;
  world.add("health", ...names(1_500));
  world.add("events", "e1", "e2");
  await world.ship(2_000);
  assert.deepEqual(server.ids, ["e1", "e2"]);
  assert.deepEqual(world.reports, ["KW_ELASTICSEARCH_STREAM_MISSING"]);
  server.refuses = () => undefined;
  await world.ship(60_000);
  assert.equal(server.stored.size, 1_502);
});

test("Shipping: a wrong address that was corrected counts without a restart", async () => {
  await using world = await start();
  const good = world.config;
  world.config = { urls: ["http://127.0.0.1:1"], timeout: 1_000 };
  world.add("alerts", "a1");
  await world.ship();
  assert.deepEqual(world.reports, ["KW_ELASTICSEARCH_UNREACHABLE"]);
  world.config = good;
  await world.ship(60_000);
  assert.deepEqual(world.server.ids, ["a1"]);
});

test("Shipping: a document that the disk has damaged is set aside, and costs no other one", async () => {
  await using world = await start();
  world.add("alerts", "a1");
  world.store.shipments.add("alerts", "logs-kinwatch.alerts-default", "damaged", "");
  world.add("alerts", "a2");
  await world.ship();
  assert.deepEqual(world.server.ids, ["a1", "a2"]);
  assert.deepEqual(
    [...world.store.shipments.refused()].map(({ id }) => id),
    ["damaged"],
  );
});

test("Shipping.finish(): does not wait for a server that is silent before it has shown who it is", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const world = await start();
  const { port } = silent.address() as AddressInfo;
  world.config = { urls: [`https://127.0.0.1:${port}`], ca_trusted_fingerprint: "ab".repeat(32) };
  world.add("alerts", "a1");
  const begunMs = performance.now();
  await world.shipping.finish(200);
  assert.ok(performance.now() - begunMs < 2_000);
  silent.close();
  await world[Symbol.asyncDispose]();
});

test("Shipping: another node is asked where one does not answer, and the one that did is asked first", async () => {
  await using world = await start();
  await using other = await FakeElasticsearch.start();
  const { server } = world;
  world.config = { urls: ["http://127.0.0.1:1", other.url, server.url], timeout: 1_000 };
  other.misbehaves = (_, to) => answer(to, 503, {});
  world.add("alerts", "a1");
  await world.ship();
  assert.deepEqual(server.ids, ["a1"]);
  world.add("alerts", "a2");
  await world.ship(5_000);
  assert.deepEqual([server.ids, other.requests.length, world.reports], [["a1", "a2"], 1, []]);
  other.misbehaves = () => false;
  server.misbehaves = (_, to) => answer(to, 502, "");
  world.add("alerts", "a3");
  await world.ship(5_000);
  assert.deepEqual([other.ids, world.reports], [["a3"], []]);
});

test("Shipping: a key that is missing, open to others or wrong is told, and read again without a restart", async () => {
  await using world = await start();
  world.add("alerts", "a1");
  rmSync(world.keyFile);
  await world.ship();
  writeFileSync(world.keyFile, key, { mode: 0o644 });
  await world.ship(60_000);
  rmSync(world.keyFile);
  writeFileSync(world.keyFile, "hush-key", { mode: 0o600 });
  await world.ship(60_000);
  world.server.misbehaves = ({ authorization }, to) =>
    authorization !== `ApiKey ${key}` && answer(to, 401, {});
  writeFileSync(world.keyFile, "hush-other:hush-key");
  await world.ship(60_000);
  writeFileSync(world.keyFile, "hush-id:hush-key\n");
  await world.ship(60_000);
  assert.deepEqual(world.server.ids, ["a1"]);
  assert.deepEqual(world.reports, [
    "KW_ELASTICSEARCH_KEY_UNREADABLE",
    "KW_ELASTICSEARCH_KEY_INSECURE",
    "KW_ELASTICSEARCH_KEY_INVALID",
    "KW_ELASTICSEARCH_REFUSED",
  ]);
});

test("Shipping: a server that does not know require_data_stream is asked without it", async () => {
  await using world = await start();
  const reason = "request [/_bulk] contains unrecognized parameter: [require_data_stream]";
  world.server.misbehaves = ({ path }, to) =>
    path.includes("require_data_stream") &&
    answer(to, 400, { error: { type: "illegal_argument_exception", reason } });
  world.add("alerts", "a1");
  await world.ship();
  world.add("alerts", "a2");
  await world.ship(2_000);
  assert.deepEqual(world.server.ids, ["a1", "a2"]);
  assert.equal(world.server.requests.length, 3, "it is remembered");
});

test("Shipping: what was put into the failure store is delivered, and counted apart", async () => {
  await using world = await start();
  world.server.misbehaves = ({ documents }, to) =>
    answer(to, 200, { items: documents.map(() => ({ create: { status: 201, failure_store: "used" } })) });
  world.add("alerts", "a1");
  await world.ship();
  assert.deepEqual([world.counters.shipments_delivered, world.counters.shipments_failure_stored], [1, 1]);
  assert.deepEqual(world.reports, ["KW_ELASTICSEARCH_FAILURE_STORE"]);
});

test("Shipping.finish(): sends what waits, and gives up in time", async () => {
  const world = await start();
  world.add("events", ...names(1_200));
  await world.shipping.finish(5_000);
  assert.equal(world.server.stored.size, 1_200);
  await world[Symbol.asyncDispose]();

  const stuck = await start();
  stuck.server.misbehaves = () => true;
  stuck.config = { ...stuck.config, timeout: 60_000 };
  stuck.add("alerts", "a1");
  const begunMs = performance.now();
  await stuck.shipping.finish(200);
  assert.ok(performance.now() - begunMs < 2_000);
  assert.equal(stuck.store.shipments.totals().waiting.documents, 1);
  assert.deepEqual(stuck.reports, [], "a stop is no failure");
  await stuck[Symbol.asyncDispose]();
});

test("Shipping: what the full outbox let go of is told", async () => {
  await using world = await start();
  world.counters.shipments_events_let_go += 2;
  await world.ship(1_000);
  await world.ship(1_000);
  assert.deepEqual(world.reports, ["KW_OUTBOX_FULL"]);
});
