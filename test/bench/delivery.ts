/**
 * How fast the daemon empties an outbox into a real Elasticsearch on the same machine, and what memory that takes:
 * `npm run bench:delivery -- --documents 100000`. The outbox is filled as the daemon does, with alerts and installations that
 * all differ; then the daemon is started on it, and its own counters and the kernel tell.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { timedId } from "../../agent/alert/alert-id.ts";
import { ecsInstallation } from "../../agent/alert/ecs-event.ts";
import { withOutcomePart } from "../../agent/alert/ecs-outcome.ts";
import { newCounters } from "../../agent/counters.ts";
import { openStoreToRead, Store } from "../../agent/store/store.ts";
import { completedAlert, contextOf, installationOf, rpmImage } from "../helpers/alerts.ts";
import { needsElasticsearch, startElasticsearch } from "../helpers/elasticsearch.ts";
import { updateOf } from "../helpers/images.ts";
import { kinwatch, startKinwatch } from "../helpers/kinwatch.ts";
import { beforeSmall } from "../helpers/small-elasticsearch.ts";

const { values } = parseArgs({ options: { documents: { type: "string", default: "100000" } } });
const documents = Number(values.documents);
const lacks = await needsElasticsearch();
if (lacks) throw new Error(lacks);

const folder = mkdtempSync(join(tmpdir(), "kinwatch-bench-"));
const state = join(folder, "state");
const image = rpmImage();
const event = ecsInstallation(installationOf(image), contextOf(image));
const [alertText, eventText] = [completedAlert(), withOutcomePart(event, [updateOf()])].map((document) =>
  JSON.stringify(document),
) as [string, string];

/** Of its own script, host and time. */
function varied(text: string, index: number, timeMs: number): { id: string; json: string } {
  const id = timedId(timeMs, "bench", index);
  const json = text
    .replace(/"id":"01[\da-f]{10}-[\da-f]{20}"/, `"id":"${id}"`)
    .replaceAll("/opt/deploy/update.sh", `/opt/deploy-${index % 977}/update-${index}.sh`)
    .replace(/^\{"@timestamp":"[^"]+"/, `{"@timestamp":"${new Date(timeMs).toISOString()}"`);
  return { id, json };
}

function fill(): void {
  using store = new Store(state, { counters: newCounters() });
  const beganMs = Date.parse("2026-11-01T00:00:00Z");
  for (let index = 0; index < documents; ) {
    store.transaction(() => {
      for (let of = 0; of < 10 && index < documents; of += 1, index += 1) {
        const stream = index % 10 === 0 ? "alerts" : "events";
        const { id, json } = varied(
          stream === "alerts" ? alertText : eventText,
          index,
          beganMs + index * 100,
        );
        store.shipments.add(stream, `logs-kinwatch.${stream}-default`, id, json);
      }
    });
  }
}

function rssOf(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_000;
}

try {
  await using server = await startElasticsearch();
  await using proxy = await beforeSmall(server);
  await kinwatch(["setup", "elasticsearch", "--url", `http://127.0.0.1:${proxy.port}`]);
  const begunMs = performance.now();
  const before = process.memoryUsage.rss();
  fill();
  const grown = (process.memoryUsage.rss() - before) / 1e6;
  const bytes = statSync(join(state, "kinwatch.db")).size;
  console.log(
    `${documents} documents were put into the outbox at ${Math.round(documents / ((performance.now() - begunMs) / 1_000))} a second, ${Math.round(bytes / documents)} bytes each on disk; that took ${grown.toFixed(0)} MB of memory more than before`,
  );
  const [log, config, key] = ["audit.log", "kinwatch.toml", "api_key"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(log, "");
  writeFileSync(key, "id:key", { mode: 0o600 });
  const lines = [
    `source = { type = "audit-log", audit_log = "${log}" }`,
    `state.directory = "${state}"`,
    `rules.directories = ["${folder}/rules.d"]`,
    "output.journald.enabled = false",
    `output.elasticsearch = { enabled = true, urls = ["${server.url}"], api_key_file = "${key}" }`,
  ];
  writeFileSync(config, `${lines.join("\n")}\n`, { mode: 0o600 });
  const env = { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" }; // as npm start has it
  await using running = startKinwatch(["run", "--config", config], { env });
  await running.until("stderr", /ready after/, { timeoutMs: 120_000 });
  const { pid } = running.child;
  const atRest = rssOf(pid);
  const sendingMs = performance.now();
  let [peak, left] = [0, documents];
  using store = openStoreToRead(state);
  let mixed = false; // more events than in two batches were gone while an alert waited
  while (left > 0) {
    await sleep(100);
    left = store.shipments.totals().waiting.documents;
    mixed ||= store.shipments.isWaiting("alerts") && left < 0.9 * documents - 1_000;
    peak = Math.max(peak, rssOf(pid));
  }
  const seconds = (performance.now() - sendingMs) / 1_000;
  const cpu = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ").slice(13, 15).map(Number);
  console.log(
    `sent ${Math.round(documents / seconds)} documents a second (${seconds.toFixed(1)} s); the daemon took ${((cpu[0] ?? 0) + (cpu[1] ?? 0)) / 100} s of CPU, ${atRest.toFixed(0)} MB at rest and ${peak.toFixed(0)} MB at most; alerts ${mixed ? "did not go" : "went"} first`,
  );
  const counts = await Promise.all(
    ["alerts", "events"].map(async (stream) => {
      await fetch(`${server.url}/logs-kinwatch.${stream}-default/_refresh`, { method: "POST" });
      const answer = await fetch(`${server.url}/logs-kinwatch.${stream}-default/_count`);
      return ((await answer.json()) as { count: number }).count;
    }),
  );
  console.log(`the server has ${counts[0]} alerts and ${counts[1]} events`);
  await running.kill("SIGTERM");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
