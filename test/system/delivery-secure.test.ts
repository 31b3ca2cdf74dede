/**
 * The daemon and a real server that speaks TLS and wants to know who asks: what it takes, what each mistake says, and that a
 * cure needs no restart.
 */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { openStoreToRead } from "../../agent/store/store.ts";
import { type Certificate, makeCertificate } from "../helpers/certificates.ts";
import {
  admin,
  type Elasticsearch,
  needsElasticsearch,
  startElasticsearch,
} from "../helpers/elasticsearch.ts";
import { scriptedInstallation } from "../helpers/installations-log.ts";
import { kinwatch, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { needs } from "../helpers/real-parts.ts";

const skip = (await needsElasticsearch()) || needs("openssl");
const folder = mkdtempSync(join(tmpdir(), "kinwatch-secure-"));
let server: Elasticsearch;
let root: Certificate;
let other: Certificate;

before(
  async () => {
    if (skip) return;
    root = makeCertificate(folder, "root", { isAuthority: true });
    other = makeCertificate(folder, "other", { isAuthority: true });
    const { certificate, key } = makeCertificate(folder, "server", { issuer: root, names: "IP:127.0.0.1" });
    server = await startElasticsearch({ secure: { certificate: certificate + root.certificate, key } });
    const keywords = { keywords: { match_mapping_type: "string", mapping: { type: "keyword" } } };
    const template = {
      index_patterns: ["logs-kinwatch.*-*"],
      data_stream: {},
      priority: 250,
      template: { settings: { number_of_replicas: 0 }, mappings: { dynamic_templates: [keywords] } },
    };
    await asAdmin("PUT", "/_index_template/kinwatch", template);
  },
  { timeout: 180_000 },
);
after(async () => {
  await server?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function asAdmin(
  method: "GET" | "PUT" | "POST" | "DELETE",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const dispatcher = new Agent({ connect: { ca: root.certificate } });
  const authorization = `Basic ${Buffer.from(`${admin.user}:${admin.password}`).toString("base64")}`;
  const answer = await request(server.url + path, {
    method,
    dispatcher,
    headers: { authorization, "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const json = (await answer.body.json()) as unknown;
  assert.ok(answer.statusCode < 300, JSON.stringify(json));
  await dispatcher.close();
  return json;
}

interface ApiKey {
  readonly id: string;
  readonly encoded: string;
}

/** With as little as running takes, unless more is said. */
async function makeKey(
  given: Readonly<Record<string, unknown>> = {},
  names = ["logs-kinwatch.*-*"],
): Promise<ApiKey> {
  const index = [{ names, privileges: ["auto_configure", "create_doc"] }];
  return (await asAdmin("POST", "/_security/api_key", {
    name: "host",
    role_descriptors: { kinwatch: { index } },
    ...given,
  })) as ApiKey;
}

let serial = 100;

/** A host with a log and a configuration, and the daemon on it. */
class Host implements AsyncDisposable {
  readonly folder = mkdtempSync(join(folder, "host-"));
  readonly log = join(this.folder, "audit.log");
  readonly config = join(this.folder, "kinwatch.toml");
  readonly state = join(this.folder, "state");
  readonly keyFile = join(this.folder, "api_key");
  readonly namespace: string;
  running: Running | undefined;

  constructor(namespace: string) {
    this.namespace = namespace;
    writeFileSync(this.log, "");
    mkdirSync(join(this.folder, "rules.d"));
  }

  configure(more: string): void {
    const lines = [
      `source = { type = "audit-log", audit_log = "${this.log}" }`,
      `state.directory = "${this.state}"`,
      'learn.from = "none"',
      'rules.directories = ["rules.d"]',
      "output.journald.enabled = false",
      "[output.elasticsearch]",
      `enabled = true\nurls = ["${server.url}"]\napi_key_file = "${this.keyFile}"\nnamespace = "${this.namespace}"`,
      more,
    ];
    writeFileSync(this.config, `${lines.join("\n")}\n`, { mode: 0o600 });
  }

  key({ encoded }: Pick<ApiKey, "encoded">): void {
    writeFileSync(this.keyFile, `${encoded}\n`, { mode: 0o600 });
  }

  start(): Running {
    this.running = startKinwatch(["run", "--config", this.config]);
    return this.running;
  }

  install(name: string): void {
    serial += 2;
    const script = `/opt/${name}.sh`;
    const args = ["rpm", "-i", "a.rpm"];
    const text = scriptedInstallation({
      script,
      timeMs: Date.now(),
      pid: 3_000_000 + serial,
      serial,
      args,
    });
    appendFileSync(this.log, text);
  }

  /** Until the server has an alert about the script, and an event. */
  async untilArrived(name: string): Promise<void> {
    for (const stream of ["alerts", "events"] as const) await this.untilFound(stream, name);
  }

  async untilFound(stream: "alerts" | "events", name: string): Promise<void> {
    const index = `logs-kinwatch.${stream}-${this.namespace}`;
    const query = { term: { "process.parent.args": `/opt/${name}.sh` } };
    for (const endMs = performance.now() + 60_000; performance.now() < endMs; await sleep(300)) {
      try {
        await asAdmin("POST", `/${index}*/_refresh`);
        const { hits } = (await asAdmin("POST", `/${index}*/_search`, { query })) as {
          hits: { hits: unknown[] };
        };
        if (hits.hits.length > 0) return;
      } catch {
        // Its stream has just been made, and has no shard yet.
      }
    }
    assert.fail(`${name} did not arrive in ${index}: ${this.running?.stderr}`);
  }

  get left(): number {
    using store = openStoreToRead(this.state);
    return store.shipments.totals().waiting.documents;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running?.[Symbol.asyncDispose]();
  }
}

test("run: a minimal key and a fingerprint suffice, and nobody else learns the key", {
  skip,
  timeout: 120_000,
}, async () => {
  await using host = new Host("minimal");
  host.configure(`ca_trusted_fingerprint = "${root.fingerprint}"`);
  const key = await makeKey();
  host.key(key);
  const running = host.start();
  await running.until("stderr", /ready after/);
  host.install("first");
  await host.untilArrived("first");
  const process = `/proc/${running.child.pid}`;
  const secret = Buffer.from(key.encoded, "base64").toString().split(":")[1] ?? "";
  for (const file of ["environ", "cmdline"])
    assert.ok(!readFileSync(`${process}/${file}`, "latin1").includes(secret));
  const status = await kinwatch(["status", "--config", host.config, "--format", "pretty"]);
  assert.doesNotMatch(status.stdout, /last failure/); // of a log that no audit writes it has other complaints
  assert.match(status.stdout, /^kinwatch +runs as process \d+$/m);
  assert.match(status.stdout, /^ {2}waiting +0 documents$/m);
  const { status: code, stderr } = await running.kill("SIGTERM");
  assert.equal(code, 0);
  for (const text of [secret, key.encoded]) assert.ok(!`${stderr}${status.stdout}`.includes(text));
});

const mistakes: readonly {
  why: string;
  says: RegExp;
  makes: (host: Host) => Promise<void>;
}[] = [
  {
    why: "a wrong fingerprint",
    says: /KW_ELASTICSEARCH_UNTRUSTED/,
    async makes(host) {
      host.configure(`ca_trusted_fingerprint = "${other.fingerprint}"`);
    },
  },
  {
    why: "a wrong authority",
    says: /KW_ELASTICSEARCH_UNTRUSTED/,
    async makes(host) {
      host.configure(`ca_file = "${other.certificateFile}"`);
    },
  },
  {
    why: "no key",
    says: /KW_ELASTICSEARCH_KEY_UNREADABLE/,
    async makes(host) {
      rmSync(host.keyFile);
    },
  },
  {
    why: "a wrong key",
    says: /KW_ELASTICSEARCH_REFUSED.*HTTP 401|HTTP 401.*KW_ELASTICSEARCH_REFUSED/,
    async makes(host) {
      host.key({ encoded: Buffer.from("VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw").toString("base64") });
    },
  },
  {
    why: "a key whose time is over",
    says: /KW_ELASTICSEARCH_REFUSED/,
    async makes(host) {
      host.key(await makeKey({ expiration: "1ms" }));
    },
  },
  {
    why: "a key for other streams",
    says: /security_exception.*KW_ELASTICSEARCH_REFUSED|KW_ELASTICSEARCH_REFUSED.*security_exception/,
    async makes(host) {
      host.key(await makeKey({}, ["logs-other-*"]));
    },
  },
];

test("run: a mistake in the access is told, costs nothing, and its cure needs no restart", {
  skip,
  timeout: 300_000,
}, async (t) => {
  const good = await makeKey();
  await Promise.all(
    mistakes.map(({ why, says, makes }, index) =>
      t.test(why, async () => {
        await using host = new Host(`mistake${index}`);
        const cure = () => {
          host.configure(`ca_file = "${root.certificateFile}"`);
          host.key(good);
        };
        cure();
        await makes(host);
        const running = host.start();
        await running.until("stderr", /ready after/, { timeoutMs: 60_000 });
        host.install(`m${index}`);
        await running.until("stderr", says, { timeoutMs: 60_000 });
        const status = await kinwatch(["status", "--config", host.config, "--format", "ndjson"]);
        assert.equal(status.status, 1, "scripts are told");
        assert.match(JSON.parse(status.stdout).elasticsearch.failed.code, /^KW_ELASTICSEARCH_/);
        assert.ok(host.left >= 2);
        cure();
        await host.untilArrived(`m${index}`);
      }),
    ),
  );
});

test("run: what a mapping refuses is set aside, told, and sent again when that is cured", {
  skip,
  timeout: 120_000,
}, async () => {
  const stream = "logs-kinwatch.alerts-strict";
  await asAdmin("PUT", "/_index_template/kinwatch-strict", {
    index_patterns: [stream],
    data_stream: {},
    priority: 300,
    template: { settings: { number_of_replicas: 0 }, mappings: { dynamic: "strict" } },
  });
  await using host = new Host("strict");
  host.configure(`ca_file = "${root.certificateFile}"`);
  host.key(await makeKey());
  const running = host.start();
  await running.until("stderr", /ready after/);
  host.install("refused");
  await running.until("stderr", /KW_ELASTICSEARCH_DOCUMENT_REFUSED/, { timeoutMs: 60_000 });
  const list = await kinwatch(["outbox", "list", "--config", host.config, "--format", "ndjson"]);
  const [refused] = list.stdout.split("\n").map((line) => JSON.parse(line || "{}"));
  assert.match(refused.reason, /^400 strict_dynamic_mapping_exception/);
  assert.equal(refused.document.event.id, refused.id);
  const pretty = await kinwatch(["outbox", "list", "--config", host.config, "--format", "pretty"]);
  assert.ok(
    pretty.stdout.split("\n").every((line) => line.length <= 80),
    pretty.stdout,
  );
  await asAdmin("PUT", `/${stream}/_mapping`, { dynamic: true });
  const retry = await kinwatch(["outbox", "retry", "--all", "--config", host.config]);
  assert.match(retry.stderr, /^kinwatch: \d documents? will be sent again/);
  for (const endMs = performance.now() + 30_000; ; await sleep(200)) {
    const status = await kinwatch(["status", "--config", host.config, "--format", "ndjson"]);
    const { waiting, refused: left } = JSON.parse(status.stdout).elasticsearch;
    if (waiting.documents === 0 && left.documents === 0) break;
    assert.ok(performance.now() < endMs, status.stdout);
  }
  await asAdmin("POST", `/${stream}/_refresh`);
  const { hits } = (await asAdmin("POST", `/${stream}/_search`, {
    query: { ids: { values: [refused.id] } },
  })) as {
    hits: { hits: unknown[] };
  };
  assert.equal(hits.hits.length, 1);
});

test("run: the fleet is asked with a key of its own, and its answer is in the alert", {
  skip,
  timeout: 120_000,
}, async () => {
  await using host = new Host("asking");
  const keyFile = join(host.folder, "prevalence_api_key");
  const index = [{ names: ["logs-kinwatch.events-*"], privileges: ["read"] }];
  const { encoded } = await makeKey({ role_descriptors: { kinwatch: { index } } });
  writeFileSync(keyFile, encoded, { mode: 0o600 });
  host.configure(
    `ca_file = "${root.certificateFile}"\nprevalence = { enabled = true, api_key_file = "${keyFile}", days = 7 }`,
  );
  host.key(await makeKey());
  await host.start().until("stderr", /ready after/);
  host.install("asked");
  await host.untilArrived("asked");
  for (const endMs = performance.now() + 30_000; ; await sleep(300)) {
    const { stdout } = await kinwatch(["alerts", "list", "--config", host.config, "--format", "ndjson"]);
    const alerts = stdout.split("\n").map((line) => JSON.parse(line || "{}"));
    const told = alerts.find((alert) => alert.kinwatch?.prevalence !== undefined); // that of an installation, when it is complete
    if (told !== undefined) {
      assert.deepEqual(told.kinwatch.prevalence, { status: "known", days: 7, hosts: 0, fleet_hosts: 0 });
      break;
    }
    assert.ok(performance.now() < endMs, stdout);
  }
});

test("run: a full outbox lets the oldest go, says so, and delivers what is left", {
  skip,
  timeout: 180_000,
}, async () => {
  await using host = new Host("full");
  host.key(await makeKey());
  const small = "outbox_bytes_max = 1048576";
  host.configure(`ca_file = "${other.certificateFile}"\n${small}`);
  for (let index = 0; index < 2_500; index += 1) host.install(`many${index}`);
  const running = host.start();
  await running.until("stderr", /KW_OUTBOX_FULL/, { timeoutMs: 60_000 });
  await running.until("stderr", /ready after/, { timeoutMs: 60_000 });
  host.install("last");
  host.configure(`ca_file = "${root.certificateFile}"\n${small}`);
  await host.untilFound("events", "last"); // its alert is held back with others, above the limit of the rule
  const status = await kinwatch(["status", "--config", host.config]);
  const { elasticsearch } = JSON.parse(status.stdout);
  assert.deepEqual([elasticsearch.failed, elasticsearch.refused.documents], [undefined, 0]);
});
