/**
 * What the dashboard asks, asked of a real Elasticsearch with our templates and a small fleet's documents: a panel that Elasticsearch
 * refuses, or that answers another question than its title says, is found here and not in somebody's Kibana.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fleetDashboard } from "../../agent/fleet/fleet-dashboard.ts";
import { kibanaObjects } from "../../agent/fleet/kibana-objects.ts";
import { ndjson } from "../../agent/fleet/saved-object.ts";
import { needsElasticsearch, startElasticsearch } from "../helpers/elasticsearch.ts";
import { fullAlerts, fullEvents } from "../helpers/full-documents.ts";
import { panelsOf, type ReadLens, type ReadObject, readNdjson, searchSourceOf } from "../helpers/kibana.ts";
import { kinwatch } from "../helpers/kinwatch.ts";
import { type Row, rowsIn, searchOf } from "../helpers/lens-elasticsearch.ts";
import { beforeSmall } from "../helpers/small-elasticsearch.ts";

const lacks = await needsElasticsearch();
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const nowMs = Date.now();

type Table = Record<string, unknown>;

/** A document as the code makes it, at another time and on another host. */
function moved(document: object, agoMs: number, host: string, id: string): Table {
  const copy = JSON.parse(JSON.stringify(document));
  copy["@timestamp"] = new Date(nowMs - agoMs).toISOString();
  copy.event.id = id;
  copy.host = { ...copy.host, id: `id-${host}`, name: host };
  return copy;
}

function health(agoMs: number, host: string, own: object = {}): Table {
  const reason = "a minute has passed";
  const document = {
    message: "Health",
    event: { kind: "metric", module: "kinwatch", dataset: "kinwatch.health", reason },
    data_stream: { type: "logs", dataset: "kinwatch.health", namespace: "default" },
    agent: { version: "0.1.0" },
    kinwatch: {
      health: { source: "audit-log", lost: 0, lag_ms: 15, outbox: { waiting: 0, set_aside: 0 }, ...own },
    },
  };
  return moved(document, agoMs, host, `health-${host}-${agoMs}`);
}

const [alert] = fullAlerts;
const [event] = fullEvents;
assert.ok(alert && event);
const rare = structuredClone(event) as unknown as {
  process: { parent: { executable: string } };
  kinwatch: { ancestry: { script?: string }[] };
};
rare.process.parent.executable = "/usr/local/bin/never-seen";
rare.kinwatch.ancestry = [{ script: "/tmp/.x/stage2.sh" }];

const severities = [21, 47, 73, 99] as const;
const documents: readonly Table[] = [
  ...severities.map((severity, index) => {
    const copy = moved(alert, (index + 1) * hour, `web-0${(index % 2) + 1}`, `alert-${severity}`);
    (copy["event"] as Table)["severity"] = severity;
    return copy;
  }),
  moved(alert, 3 * day, "web-01", "alert-old"), // not of the last 24 hours
  moved(event, 20 * day, "web-01", "event-long-ago"),
  moved(event, 2 * hour, "web-01", "event-today"),
  moved(event, 3 * hour, "web-02", "event-elsewhere"),
  moved(rare, hour, "web-02", "event-rare"),
  health(minute, "web-01"),
  health(5 * hour, "web-01", { lost: 40, lag_ms: 9_000 }),
  health(2 * minute, "web-02", { outbox: { waiting: 3, set_aside: 2 } }),
  health(6 * day, "db-07", { lost: 1 }), // silent since
];

const wanted: Readonly<Record<string, (rows: readonly Row[]) => void>> = {
  alerts: (rows) => assert.deepEqual(rows, [{ alerts: 4, grave: 2 }]),
  installations: (rows) => assert.equal(rows[0]?.["installations"], 3),
  "hosts-reporting": (rows) => assert.deepEqual(rows, [{ reporting: 2, known: 3 }]),
  "hosts-with-loss": (rows) => assert.deepEqual(rows, [{ hosts: 1, lost: 40 }]),
  refused: (rows) => assert.deepEqual(rows, [{ refused: 2 }]),
  "severity-over-time": (rows) => {
    const sum = (id: string) => rows.reduce((all, row) => all + Number(row[id]), 0);
    assert.deepEqual(["low", "medium", "high", "critical"].map(sum), [1, 1, 1, 1]);
  },
  "alerts-by-rule": (rows) => assert.deepEqual(rows, [{ rule: alert.rule.name, alerts: 4 }]),
  "alerts-by-parent": (rows) => {
    const [first] = rows;
    assert.deepEqual(
      [first?.["parent"], first?.["alerts"], first?.["hosts"]],
      [alert.process.parent?.executable, 4, 2],
    );
    assert.equal(Date.parse(String(first?.["last"])), nowMs - hour);
  },
  "alerts-by-package": (rows) =>
    assert.deepEqual(rows, [{ package: alert.package?.name, alerts: 4, hosts: 2 }]),
  "alerts-by-outcome": (rows) => assert.deepEqual(rows, [{ outcome: alert.kinwatch.outcome, alerts: 4 }]),
  parents: (rows) => {
    const fresh = rows.filter(({ installations, lately }) => installations === lately);
    assert.deepEqual(
      fresh.map(({ who, hosts }) => [who, hosts]),
      [["/usr/local/bin/never-seen", 1]],
    );
    assert.equal(rows.length, 2);
  },
  scripts: (rows) => {
    const fresh = rows.filter(({ installations, lately }) => installations === lately);
    assert.deepEqual(
      fresh.map(({ who }) => who),
      ["/tmp/.x/stage2.sh"],
    );
  },
  hosts: (rows) => {
    const silentFirst = rows.toSorted((a, b) => (String(a["last"]) < String(b["last"]) ? -1 : 1));
    assert.deepEqual(
      silentFirst.map(({ host, lost, lag, waiting, refused, source, version }) => [
        host,
        lost,
        lag,
        waiting,
        refused,
        source,
        version,
      ]),
      [
        ["db-07", 1, 15, 0, 0, "audit-log", "0.1.0"],
        ["web-02", 0, 15, 3, 2, "audit-log", "0.1.0"],
        ["web-01", 40, 15, 0, 0, "audit-log", "0.1.0"],
      ],
    );
  },
  "loss-over-time": (rows) =>
    assert.deepEqual(
      rows.map(({ host, lost }) => [host, lost]),
      [["web-01", 40]],
    ),
  "lag-over-time": (rows) => {
    assert.equal(rows[0]?.["host"], "web-01", "the one that is most behind");
    assert.equal(Math.max(...rows.map(({ lag }) => Number(lag))), 9_000);
  },
};

test("the dashboard, asked of a real server", { skip: lacks }, async (t) => {
  await using server = await startElasticsearch();
  await using proxy = await beforeSmall(server);
  const { status, stderr } = await kinwatch([
    "setup",
    "elasticsearch",
    "--url",
    `http://127.0.0.1:${proxy.port}`,
  ]);
  assert.equal(status, 0, stderr);

  async function post(path: string, body: string): Promise<Table> {
    const headers = {
      "content-type": path.startsWith("/_bulk") ? "application/x-ndjson" : "application/json",
    };
    const response = await fetch(server.url + path, { method: "POST", body, headers });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text);
  }
  const lines = documents.flatMap((document) => {
    const { type, dataset, namespace } = document["data_stream"] as Record<string, string>;
    return [{ create: { _index: `${type}-${dataset}-${namespace}` } }, document];
  });
  const { errors, items } = await post("/_bulk?refresh=true", ndjson(lines));
  assert.equal(errors, false, JSON.stringify(items));

  const objects = readNdjson<ReadObject>(ndjson(kibanaObjects()));
  const dashboard = objects.find(({ type }) => type === "dashboard");
  assert.ok(dashboard);
  const filters = searchSourceOf(dashboard).filter.map(({ query }) => query);
  const panels = panelsOf(dashboard).filter(({ type }) => type === "lens");
  assert.deepEqual(
    panels.map(({ panelIndex }) => panelIndex),
    Object.keys(wanted),
    "each has an answer",
  );

  for (const { title, panelIndex, embeddableConfig } of panels) {
    await t.test(`${title}: answers what it says`, async () => {
      const lens = embeddableConfig.attributes as ReadLens;
      const view = lens.references[0]?.id;
      const pattern = objects.find(({ id }) => id === view)?.attributes["title"];
      const search = searchOf(lens, embeddableConfig.timeRange?.from ?? fleetDashboard.since, filters);
      const { aggregations } = await post(`/${pattern}/_search`, JSON.stringify(search));
      wanted[panelIndex]?.(rowsIn(lens, aggregations as Table));
    });
  }

  for (const search of objects.filter(({ type }) => type === "search")) {
    await t.test(
      `${search.attributes["title"]}: finds documents, and each column has a value in one of them`,
      async () => {
        const view = search.references.find(({ type }) => type === "index-pattern")?.id;
        const pattern = objects.find(({ id }) => id === view)?.attributes["title"];
        const { query } = searchOf(
          {
            state: { query: searchSourceOf(search).query, datasourceStates: { formBased: { layers: {} } } },
          } as ReadLens,
          "now-30d",
          [],
        );
        const fields = search.attributes["columns"] as string[];
        const { hits } = await post(
          `/${pattern}/_search`,
          JSON.stringify({ size: 100, query, fields, sort: [{ "@timestamp": "desc" }] }),
        );
        const found = (hits as { hits: { fields?: Table }[] }).hits;
        assert.ok(found.length > 0 && found.length < documents.length);
        const shown = new Set(found.flatMap((hit) => Object.keys(hit.fields ?? {})));
        assert.deepEqual(
          fields.filter((field) => !shown.has(field)),
          [],
        );
      },
    );
  }
});
