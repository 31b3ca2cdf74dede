/** Our templates in a real Elasticsearch: installed by the command, filled with documents as the code makes them, and asked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AlertDocument, ExecutionDocument } from "../../agent/alert/alert-document.ts";
import { withOutcome } from "../../agent/alert/ecs-alert.ts";
import { ecsInstallation } from "../../agent/alert/ecs-event.ts";
import { withOutcomePart } from "../../agent/alert/ecs-outcome.ts";
import { defaultConfig } from "../../agent/config.ts";
import { ElasticsearchConnection } from "../../agent/outputs/elasticsearch-connection.ts";
import { Prevalence } from "../../agent/outputs/prevalence.ts";
import {
  completedAlert,
  contextOf,
  host,
  installationOf,
  raisedAlert,
  rpmImage,
  ruleAlert,
} from "../helpers/alerts.ts";
import { needsElasticsearch, startElasticsearch } from "../helpers/elasticsearch.ts";
import { fullAlerts, fullEvents } from "../helpers/full-documents.ts";
import { scriptImage, updateOf } from "../helpers/images.ts";
import { kinwatch } from "../helpers/kinwatch.ts";
import { beforeSmall, smaller } from "../helpers/small-elasticsearch.ts";

const lacks = await needsElasticsearch();
type Table = Record<string, unknown>;

/** Of another host, parent, package and time than what the helpers make. */
const elsewhere = rpmImage({ node: "db-07" }, { parent: scriptImage("/tmp/.x/stage2.sh") });
const other = withOutcome(raisedAlert(elsewhere), [updateOf({ nevra: "evil-agent-2:6.6-1.x86_64" })]);
const { threat: _, ...nothingKnown } = other;
const late: AlertDocument = {
  ...nothingKnown,
  "@timestamp": "2026-12-24T18:00:00.000Z",
  event: { ...other.event, id: "late" },
};
const alerts: readonly AlertDocument[] = [...fullAlerts, completedAlert(), ruleAlert(), other, late];

test("setup elasticsearch, with a real server", { skip: lacks }, async (t) => {
  await using server = await startElasticsearch();
  await using proxy = await beforeSmall(server);
  const setup = (...args: readonly string[]) =>
    kinwatch(["setup", "elasticsearch", "--url", `http://127.0.0.1:${proxy.port}`, ...args]);

  async function ask(method: string, path: string, body?: unknown, status = 200): Promise<Table> {
    const isLines = typeof body === "string";
    const response = await fetch(server.url + path, {
      method,
      headers: { "content-type": isLines ? "application/x-ndjson" : "application/json" },
      ...(body === undefined ? {} : { body: isLines ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.equal(response.status, status, text);
    return JSON.parse(text);
  }

  /** @returns the status of each */
  async function create(documents: readonly (Table | ExecutionDocument)[]): Promise<number[]> {
    const lines = documents.flatMap((document) => {
      const { data_stream: stream, event } = document as ExecutionDocument;
      const _index = `${stream.type}-${stream.dataset}-${stream.namespace}`;
      return [{ create: { _index, _id: event.id } }, document];
    });
    const path = "/_bulk?require_data_stream=true&refresh=true";
    const { items } = await ask("POST", path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return (items as { create: { status: number } }[]).map((item) => item.create.status);
  }

  /** @returns ids, for a query as an analyst has it */
  async function find(stream: string, ...filter: readonly Table[]): Promise<string[]> {
    const body = { size: 100, query: { bool: { filter } }, sort: ["event.id"] };
    const { hits } = await ask("POST", `/logs-kinwatch.${stream}-*/_search`, body);
    return (hits as { hits: { _id: string }[] }).hits.map(({ _id }) => _id);
  }
  const idsOf = (documents: readonly ExecutionDocument[]): string[] =>
    [...new Set(documents.map(({ event }) => event.id))].sort();

  await t.test("a second time there is nothing to do", async () => {
    assert.equal((await setup("--dry-run")).status, 1);
    const first = await setup();
    assert.equal(first.status, 0, first.stderr);
    assert.equal(first.stderr.match(/made /g)?.length, 6);
    const second = await setup();
    assert.match(second.stderr, /nothing to do/);
    assert.deepEqual(await setup("--dry-run"), { status: 0, stdout: "", stderr: second.stderr });
  });

  await t.test("a change by hand is shown, and taken back", async () => {
    const path = "/_index_template/logs-kinwatch.alerts";
    const [{ index_template: template }] = (await ask("GET", path))["index_templates"] as [
      { index_template: Table },
    ];
    const { created_date_millis: _, modified_date_millis: __, ...own } = template;
    await ask("PUT", path, { ...own, priority: 300, template: { settings: { number_of_replicas: 0 } } });
    const { status, stdout } = await setup("--dry-run");
    assert.equal(status, 1);
    assert.equal(
      stdout,
      `index template logs-kinwatch.alerts would change:
  - priority: 300
  + priority: 250
  - template.settings.index.number_of_replicas: 0
`,
    );
    assert.match((await setup()).stderr, /changed index template logs-kinwatch\.alerts\n/);
    assert.match((await setup()).stderr, /nothing to do/);
  });

  await t.test(
    "documents make their data streams, and are there once however often they are sent",
    async () => {
      const documents = [...alerts, ...fullEvents];
      const statuses = await create(documents);
      const ids = documents.map(({ event, data_stream: { dataset } }) => `${dataset} ${event.id}`);
      assert.deepEqual(
        statuses,
        ids.map((id, index) => (ids.indexOf(id) === index ? 201 : 409)),
      );
      assert.ok((await create(documents)).every((status) => status === 409));
      const { data_streams: made } = await ask("GET", "/_resolve/index/logs-kinwatch.*");
      assert.deepEqual(
        (made as { name: string }[]).map(({ name }) => name),
        ["logs-kinwatch.alerts-default", "logs-kinwatch.events-default"],
      );
    },
  );

  const since = { range: { "@timestamp": { gte: "2026-12-01", lt: "2027-01-01" } } };
  const questions: readonly { why: string; filter: Table[]; is: (alert: AlertDocument) => boolean }[] = [
    { why: "host", filter: [{ term: { "host.name": "db-07" } }], is: ({ host }) => host?.name === "db-07" },
    {
      why: "parent",
      filter: [{ term: { "process.parent.executable": "/usr/bin/bash" } }],
      is: ({ process }) => process.parent?.executable === "/usr/bin/bash",
    },
    {
      why: "a word of the parent's command line",
      filter: [{ match: { "process.parent.command_line.text": "stage2.sh" } }],
      is: ({ process }) => process.parent?.command_line?.includes("stage2.sh") === true,
    },
    {
      why: "script anywhere in the chain",
      filter: [{ term: { "kinwatch.ancestry.script": "/tmp/.x/stage2.sh" } }],
      is: ({ kinwatch: { ancestry } }) => ancestry.some(({ script }) => script === "/tmp/.x/stage2.sh"),
    },
    {
      why: "package",
      filter: [{ term: { "package.name": "evil-agent" } }],
      is: (alert) => alert.package?.name === "evil-agent",
    },
    {
      why: "any of the packages, by prefix",
      filter: [{ prefix: { "kinwatch.software_update.nevra": "kw-a-" } }],
      is: ({ kinwatch: { software_update: all } }) => all.some(({ nevra }) => nevra.startsWith("kw-a-")),
    },
    {
      why: "technique",
      filter: [{ term: { "threat.technique.subtechnique.id": "T1546.016" } }],
      is: ({ threat }) => threat?.technique?.subtechnique?.id.includes("T1546.016") === true,
    },
    { why: "time", filter: [since], is: (alert) => alert === late },
    {
      why: "severity and outcome",
      filter: [{ range: { "event.severity": { gte: 47 } } }, { term: { "kinwatch.outcome": "installed" } }],
      is: ({ event, kinwatch: { outcome } }) => event.severity >= 47 && outcome === "installed",
    },
    {
      why: "address of the host",
      filter: [{ term: { "host.ip": "192.0.2.0/24" } }],
      is: ({ host }) => host?.ip?.some((ip) => ip.startsWith("192.0.2.")) === true,
    },
    {
      why: "what was lost meanwhile",
      filter: [{ range: { "kinwatch.coverage.logs_lost": { gte: 1 } } }],
      is: ({ kinwatch: { coverage } }) => (coverage["logs_lost"] ?? 0) > 0,
    },
    {
      why: "a word of the message",
      filter: [{ match: { message: "evil" } }],
      is: ({ message }) => /\bevil\b/.test(message),
    },
  ];
  const stored = alerts.filter(
    ({ event }, index) => alerts.findIndex((one) => one.event.id === event.id) === index,
  );
  for (const { why, filter, is } of questions) {
    await t.test(`an analyst finds alerts by ${why}`, async () => {
      const want = idsOf(stored.filter(is));
      assert.ok(want.length > 0 && want.length < stored.length);
      assert.deepEqual(await find("alerts", ...filter), want);
    });
  }

  await t.test("an analyst sees who installs on how many hosts", async () => {
    const hosts = { cardinality: { field: "host.name" } };
    const parents = { terms: { field: "process.parent.executable" }, aggs: { hosts } };
    const body = { size: 0, aggs: { parents } };
    const { aggregations } = await ask("POST", "/logs-kinwatch.events-*/_search", body);
    const [bucket] = (aggregations as { parents: { buckets: { key: string }[] } }).parents.buckets;
    assert.ok(bucket && fullEvents.some(({ process }) => process.parent?.executable === bucket.key));
  });

  await t.test("whoever has a host's key cannot fill the mapping, and what he writes is kept", async () => {
    const path = "/logs-kinwatch.alerts-default/_mapping";
    const before = await ask("GET", path);
    const names = Array.from({ length: 3_000 }, (_, index) => [
      `evil_${index}`,
      { [`deep_${index}`]: index },
    ]);
    const evil = Object.fromEntries(names);
    const [document] = fullAlerts;
    assert.ok(document);
    const hostile = {
      ...document,
      ...evil,
      event: { ...document.event, id: "hostile", ...evil },
      kinwatch: { ...document.kinwatch, ...evil, coverage: { ...evil }, "2026-01-01": "2026-01-01" },
    };
    assert.deepEqual(await create([hostile]), [201]);
    assert.deepEqual(await ask("GET", path), before);
    const { hits } = await ask("POST", "/logs-kinwatch.alerts-*/_search", {
      query: { term: { "event.id": "hostile" } },
    });
    const [hit] = (hits as { hits: { _source: Table }[] }).hits;
    assert.deepEqual(hit?._source, JSON.parse(JSON.stringify(hostile)));
  });

  await t.test("what contradicts a type is not among the alerts, by itself", async () => {
    const [document] = fullAlerts;
    assert.ok(document);
    const wrong = { ...document, event: { ...document.event, id: "wrong", severity: "high" } };
    const right = { ...document, event: { ...document.event, id: "right" } };
    // The small server takes the option of a failure store and has none: elsewhere it is 201, and goes there.
    assert.deepEqual(await create([wrong, right]), [400, 201]);
    assert.deepEqual(await find("alerts", { terms: { "event.id": ["wrong", "right"] } }), ["right"]);
  });

  await t.test(
    "--existing gives data streams that are there a backing index with the mapping of now",
    async () => {
      assert.equal((await setup("--existing")).status, 0);
      const { data_streams: found } = await ask("GET", "/_resolve/index/logs-kinwatch.*");
      for (const { backing_indices: indices } of found as { backing_indices: string[] }[])
        assert.equal(indices.filter((name) => name.startsWith(".ds-")).length, 2);
    },
  );

  await t.test(
    "the operator's component has the last word over ours, and ours over the stock ones",
    async () => {
      const stock = { settings: { "index.lifecycle.prefer_ilm": true, "index.codec": "best_compression" } };
      await ask("PUT", "/_component_template/logs@settings", { template: stock });
      const custom = {
        mappings: { dynamic: true, properties: { site: { type: "keyword" } } },
        lifecycle: { data_retention: "9d" },
      };
      await ask("PUT", "/_component_template/kinwatch@custom", { template: custom });
      const { template } = await ask("POST", "/_index_template/_simulate_index/logs-kinwatch.alerts-else");
      const { settings, mappings, lifecycle } = template as {
        settings: { index: { codec: string; lifecycle: { prefer_ilm: string } } };
        mappings: { dynamic: string; properties: Table };
        lifecycle: Table;
      };
      assert.deepEqual(
        [
          settings.index.codec,
          settings.index.lifecycle.prefer_ilm,
          mappings.dynamic,
          lifecycle["data_retention"],
        ],
        ["best_compression", "false", "true", "9d"],
      );
      assert.ok(mappings.properties["site"] && mappings.properties["process"]);
      assert.match((await setup()).stderr, /nothing to do/);
    },
  );

  await t.test("types that the small server lacks stand in our templates all the same", async () => {
    const all = JSON.parse((await setup("--print", "-")).stdout);
    assert.notDeepEqual(smaller(all), all);
    for (const type of ["constant_keyword", "wildcard", "match_only_text"])
      assert.match(JSON.stringify(all), new RegExp(`"type":"${type}"`));
  });

  await t.test("the fleet tells on how many other hosts a parent has installed a package", async () => {
    const of = (id: string, script: string, nevra: string): ExecutionDocument => {
      const image = rpmImage({}, { parent: scriptImage(script) });
      const event = ecsInstallation(
        installationOf(image),
        contextOf(image, { host: { ...host, id }, namespace: "fleet" }),
      );
      return {
        ...withOutcomePart(event, [updateOf({ nevra })]),
        event: { ...event.event, id: `${id} ${script} ${nevra}` },
      };
    };
    const statuses = await create([
      ...["a", "b", "c", "here"].map((id) => of(id, "/opt/deploy.sh", "kw-a-1-1.noarch")),
      of("a", "/opt/deploy.sh", "kw-b-1-1.noarch"),
      of("d", "/opt/other.sh", "kw-a-1-1.noarch"),
    ]);
    assert.ok(statuses.every((status) => status === 201));
    const config = { ...defaultConfig.output.elasticsearch, urls: [server.url] };
    using prevalence = new Prevalence({
      connect: () => new ElasticsearchConnection(config, undefined),
      namespace: "fleet",
      days: 365,
      hostId: () => "here",
      report: (error) => assert.fail(String(error)),
    });
    const question = (script: string, ...packages: readonly string[]) => ({
      executable: "/usr/bin/bash",
      script,
      packages,
    });
    const rows = [
      [question("/opt/deploy.sh", "kw-a"), 3],
      [question("/opt/deploy.sh", "kw-b"), 1],
      [question("/opt/deploy.sh"), 3],
      [question("/opt/never.sh", "kw-a"), 0],
    ] as const;
    for (const [asked] of rows) prevalence.ask(asked);
    assert.equal(prevalence.answer(question("/opt/deploy.sh")).status, "no answer in time");
    const known = () => rows.every(([asked]) => prevalence.answer(asked).status === "known");
    for (const endMs = performance.now() + 5_000; !known() && performance.now() < endMs; ) await sleep(20);
    for (const [asked, hosts] of rows)
      assert.deepEqual(prevalence.answer(asked), { status: "known", days: 365, hosts, fleet_hosts: 4 });
  });
});
