import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { defaultRetention, templates } from "../../agent/fleet/templates.ts";
import { kinwatch, type RunOptions } from "../helpers/kinwatch.ts";
import { findProgram } from "../helpers/real-parts.ts";
import { type Answer, type Asked, serve } from "../helpers/server.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-setup-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const secret = "tOpS3cretTopS3cret";
const keyFile = file("admin.key", `admin-id:${secret}\n`);
const usual = templates({ retention: defaultRetention, serverless: false, failureStore: true });

/** Remembers templates as Elasticsearch does, and makes a key. */
class Cluster {
  readonly templates = new Map<string, unknown>();
  readonly answer = ({ method, path, body }: Asked): Answer => {
    if (path === "/") return { status: 200, body: { version: { build_flavor: "default" } } };
    if (path === "/_index_template/_simulate") return { status: 200, body: {} };
    if (path.startsWith("/_resolve/")) return { status: 200, body: { data_streams: this.streams } };
    if (path === "/_security/api_key") return this.key;
    if (method === "GET") return this.#read(path);
    if (method === "PUT") this.templates.set(path, JSON.parse(body));
    return { status: 200, body: { acknowledged: true } };
  };
  streams: readonly unknown[] = [];
  key: Answer = {
    status: 200,
    body: { id: "k1", name: "kinwatch-web-01", api_key: secret, encoded: "azE6c2VjcmV0" },
  };

  #read(path: string): Answer {
    const kind = path.split("/")[1]?.slice(1) ?? "";
    const body = this.templates.get(path);
    if (body === undefined) return { status: 404, body: { error: "missing", status: 404 } };
    return { status: 200, body: { [`${kind}s`]: [{ name: "", [kind]: body }] } };
  }
}

const setup = (args: readonly string[], options?: RunOptions) =>
  kinwatch(["setup", "elasticsearch", ...args], options);
const to = (port: number) => ["--url", `http://127.0.0.1:${port}`];

test("setup elasticsearch: a dry run shows and changes nothing, the first run installs, the second has nothing to do", async () => {
  const cluster = new Cluster();
  await using server = await serve(cluster.answer);
  const args = [...to(server.port), "--admin-key-file", keyFile];

  const dry = await setup([...args, "--dry-run"]);
  assert.equal(dry.status, 1, dry.stderr);
  assert.equal(dry.stdout.match(/is not there and would be made\n/g)?.length, usual.length);
  assert.equal(cluster.templates.size, 0);

  const first = await setup(args);
  assert.deepEqual([first.status, first.stdout], [0, ""], first.stderr);
  assert.equal(first.stderr.match(/^kinwatch: made (component|index) template /gm)?.length, usual.length);
  assert.deepEqual(
    [...cluster.templates.keys()],
    usual.map(({ kind, name }) => `/_${kind}/${name}`),
  );

  const writes = () => server.asked.filter(({ method }) => method === "PUT").length;
  const before = writes();
  const second = await setup(args);
  assert.deepEqual([second.status, second.stdout], [0, ""]);
  assert.match(second.stderr, /nothing to do/);
  assert.equal(writes(), before);
  assert.equal((await setup([...args, "--dry-run"])).status, 0);

  assert.ok(
    server.asked.every(({ headers }) => headers.authorization === `ApiKey ${btoa(`admin-id:${secret}`)}`),
  );
  for (const { stdout, stderr } of [dry, first, second])
    assert.doesNotMatch(stdout + stderr, new RegExp(secret));
});

test("setup elasticsearch: a change by hand is shown value by value, escaped, and taken back", async () => {
  const cluster = new Cluster();
  await using server = await serve(cluster.answer);
  const args = to(server.port);
  await setup(args);
  const path = "/_component_template/kinwatch@alerts";
  const own = cluster.templates.get(path);
  const changed = JSON.parse(JSON.stringify(own));
  changed.template.mappings.dynamic = "\u001b[2Jtrue";
  changed.template.mappings.properties.evil = { type: "keyword" };
  cluster.templates.set(path, changed);

  const { status, stdout } = await setup([...args, "--dry-run"]);
  assert.equal(status, 1);
  assert.equal(
    stdout,
    `component template kinwatch@alerts would change:
  - template.mappings.dynamic: \\x1b[2Jtrue
  + template.mappings.dynamic: false
  - template.mappings.properties.evil.type: keyword
`,
  );
  assert.match((await setup(args)).stderr, /changed component template kinwatch@alerts\n/);
  assert.deepEqual(cluster.templates.get(path), own);
});

test("setup elasticsearch: another template of that name is shown in part", async () => {
  const cluster = new Cluster();
  await using server = await serve(cluster.answer);
  const template = { mappings: { properties: {} }, lifecycle: { enabled: true } };
  cluster.templates.set("/_component_template/kinwatch@alerts", { template });
  const { stdout } = await setup([...to(server.port), "--dry-run"]);
  assert.match(stdout, / {4}and \d{3} more\n/);
  assert.ok(stdout.split("\n").length < 60);
});

test("setup elasticsearch --keep-…: sets a retention, and leaves it alone from then on", async () => {
  const cluster = new Cluster();
  await using server = await serve(cluster.answer);
  const lifecycle = (stream: string) =>
    (cluster.templates.get(`/_component_template/kinwatch@${stream}`) as { template: { lifecycle: unknown } })
      .template.lifecycle;
  await setup([...to(server.port), "--keep-alerts", "730d", "--keep-health", "forever"]);
  await setup(to(server.port));
  assert.deepEqual(lifecycle("alerts"), { enabled: true, data_retention: "730d" });
  assert.deepEqual(lifecycle("events"), { enabled: true, data_retention: "180d" });
  assert.deepEqual(lifecycle("health"), { enabled: true });
  const refused = await setup([...to(server.port), "--keep-alerts", "2 years"]);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /No retention: 2 years\. .*KW_ARGUMENT_INVALID/);
});

test("setup elasticsearch: says what existing data streams lack, and --existing gives it to them", async () => {
  const cluster = new Cluster();
  cluster.streams = [{ name: "logs-kinwatch.health-default" }, { name: "logs-kinwatch.else-default" }];
  await using server = await serve(cluster.answer);
  const first = await setup(to(server.port));
  assert.match(first.stderr, / {2}POST \/logs-kinwatch\.health-default\/_rollover\n/);
  assert.match(
    first.stderr,
    / {2}PUT \/_data_stream\/logs-kinwatch\.health-default\/_lifecycle \{"data_retention":"30d"\}\n/,
  );
  assert.ok(!server.asked.some(({ path }) => path.endsWith("/_rollover")));
  assert.equal((await setup([...to(server.port), "--existing"])).status, 0);
  const asked = server.asked.map(({ method, path }) => `${method} ${path}`);
  for (const end of [
    "POST /logs-kinwatch.health-default/_rollover",
    "PUT /_data_stream/logs-kinwatch.health-default/_options",
  ])
    assert.ok(asked.includes(end), end);
  assert.doesNotMatch(asked.join("\n"), /else/);
});

test("setup elasticsearch --create-key: prints the key alone, with no right but to add documents", async () => {
  const cluster = new Cluster();
  await using server = await serve(cluster.answer);
  const userFile = file("admin.user", `elastic:${secret}`);
  const { status, stdout, stderr } = await setup([
    ...to(server.port),
    "--admin-user-file",
    userFile,
    "--create-key",
    "web-01",
  ]);
  assert.deepEqual([status, stdout], [0, "azE6c2VjcmV0\n"], stderr);
  assert.match(stderr, /made the key k1 of web-01/);
  assert.doesNotMatch(stderr, /azE6c2VjcmV0|tOpS3cret/);
  const asked = server.asked.find(({ path }) => path === "/_security/api_key");
  assert.equal(asked?.headers.authorization, `Basic ${btoa(`elastic:${secret}`)}`);
  assert.deepEqual(JSON.parse(asked?.body ?? ""), {
    name: "kinwatch-web-01",
    role_descriptors: {
      kinwatch: {
        cluster: [],
        indices: [{ names: ["logs-kinwatch.*-*"], privileges: ["auto_configure", "create_doc"] }],
      },
    },
    metadata: { managed_by: "kinwatch", host: "web-01" },
  });
});

for (const { why, key } of [
  { why: "is refused", key: { status: 400, body: { error: { reason: "derived api keys" } } } },
  { why: "comes in another form", key: { status: 200, body: { id: "k1", api_key: secret } } },
  { why: "is text", key: { status: 200, body: `<html>${secret}` } },
]) {
  test(`setup elasticsearch --create-key: a key that ${why} is an error that shows no secret`, async () => {
    const cluster = new Cluster();
    cluster.key = key;
    await using server = await serve(cluster.answer);
    const { status, stdout, stderr } = await setup([...to(server.port), "--create-key", "web-01"]);
    assert.deepEqual([status, stdout], [2, ""]);
    if (key.status !== 200) assert.match(stderr, /derived api keys\. .*--admin-user-file/);
    assert.match(stderr, /POST \/_security\/api_key: .*\(KW_SETUP_(REFUSED|NOT_ELASTICSEARCH)\)/);
    assert.doesNotMatch(stderr, new RegExp(secret));
  });
}

test("setup elasticsearch --print: writes what would be sent, and asks nobody", async () => {
  const all = JSON.parse((await setup(["--print", "-"])).stdout);
  assert.deepEqual(Object.keys(all), [
    ...usual.map(({ kind, name }) => `PUT /_${kind}/${name}`),
    "POST /_security/api_key",
  ]);
  const { status, stderr } = await setup([
    "--print",
    join(folder, "a/b"),
    "--serverless",
    "--keep-alerts",
    "90d",
  ]);
  assert.equal(status, 0, stderr);
  const [body] = templates({
    retention: { ...defaultRetention, alerts: "90d" },
    serverless: true,
    failureStore: true,
  }).map((asset) => asset.body);
  const path = join(folder, "a/b/_component_template/kinwatch@alerts.json");
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), body);
  assert.ok(existsSync(join(folder, "a/b/_security/api_key.json")));
  const refused = await setup(["--print", join(keyFile, "x")]);
  assert.match(refused.stderr, /ENOTDIR.*\(KW_SETUP_UNWRITABLE\)/);
});

const port9 = ["--url", "https://127.0.0.1:9"]; // discard: nobody listens
const refusals: readonly { why: string; args: readonly string[]; want: RegExp }[] = [
  {
    why: "plain HTTP to another host",
    args: ["--url", "http://localhost.example:9200"],
    want: /KW_SETUP_PLAIN_HTTP/,
  },
  {
    why: "plain HTTP to another host, after one that is this",
    args: ["--url", "http://localhost:9", "--url", "http://127.0.0.1.example:9"],
    want: /KW_SETUP_PLAIN_HTTP/,
  },
  {
    why: "a password in an address",
    args: ["--url", `https://elastic:${secret}@es.example:9200`],
    want: /names a user.*KW_ARGUMENT_INVALID/,
  },
  { why: "no address", args: ["--url", "es.example"], want: /KW_ARGUMENT_INVALID/ },
  { why: "another scheme", args: ["--url", "ftp://es.example"], want: /KW_ARGUMENT_INVALID/ },
  {
    why: "nobody there",
    args: port9,
    want: /https:\/\/127\.0\.0\.1:9 does not answer: .*ECONNREFUSED.*KW_ELASTICSEARCH_UNREACHABLE/,
  },
  {
    why: "a key that others may read",
    args: [...port9, "--admin-key-file", file("open.key", `id:${secret}`, 0o640)],
    want: /others may read it \(mode 0640\).*KW_SETUP_CREDENTIAL_UNUSABLE/,
  },
  {
    why: "no key file",
    args: [...port9, "--admin-key-file", join(folder, "none")],
    want: /ENOENT.*UNUSABLE/,
  },
  { why: "a folder", args: [...port9, "--admin-key-file", folder], want: /not a regular file.*UNUSABLE/ },
  {
    why: "an empty file",
    args: [...port9, "--admin-key-file", file("empty.key", "\n")],
    want: /not one line/,
  },
  {
    why: "two lines",
    args: [...port9, "--admin-key-file", file("two.key", `a:${secret}\nb:${secret}\n`)],
    want: /not one line/,
  },
  {
    why: "a key without an id",
    args: [...port9, "--admin-key-file", file("bare.key", secret)],
    want: /neither id:key nor its encoded form.*UNUSABLE/,
  },
  {
    why: "two administrators",
    args: [...port9, "--admin-key-file", keyFile, "--admin-user-file", keyFile],
    want: /KW_ARGUMENT_INVALID/,
  },
  {
    why: "a CA file without a certificate",
    args: [...port9, "--ca-file", file("ca.pem", "no")],
    want: /holds no certificate.*KW_ELASTICSEARCH_TLS_FILE/,
  },
  { why: "a host that is none", args: [...port9, "--create-key", "-rf /"], want: /No name of a host/ },
];
for (const { why, args, want } of refusals) {
  test(`setup elasticsearch: ${why} is refused, and no secret is shown`, async () => {
    const { status, stdout, stderr } = await setup(args);
    assert.deepEqual([status, stdout], [2, ""], stderr);
    assert.match(stderr, want);
    assert.doesNotMatch(stderr, new RegExp(secret));
  });
}

test("setup elasticsearch: takes the encoded form of a key, from standard input", async () => {
  await using server = await serve(new Cluster().answer);
  const encoded = btoa(`admin-id:${secret}`);
  const args = [...to(server.port), "--dry-run", "--admin-key-file", "-"];
  assert.equal((await setup(args, { input: `${encoded}\n` })).status, 1);
  assert.equal(server.asked[0]?.headers.authorization, `ApiKey ${encoded}`);
});

test("setup elasticsearch: asks the next address where one does not answer", async () => {
  await using server = await serve(new Cluster().answer);
  const { status, stderr } = await setup(["--url", "http://127.0.0.1:9", ...to(server.port), "--dry-run"]);
  assert.equal(status, 1, stderr);
});

test("setup elasticsearch: believes a certificate of the CA that it is told of, and no other", {
  skip: findProgram("openssl") ? false : "lacks openssl",
}, async () => {
  const [key, cert] = [join(folder, "tls.key"), join(folder, "tls.pem")];
  const ask = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "1",
  ];
  const names = ["-subj", "/CN=kw", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert];
  execFileSync(findProgram("openssl") ?? "", [...ask, ...names], { stdio: "ignore" });
  const tls = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  await using server = await serve(new Cluster().answer, tls);
  const args = ["--url", `https://127.0.0.1:${server.port}`, "--dry-run", "--admin-key-file", keyFile];
  const refused = await setup(args);
  assert.match(refused.stderr, /self-signed certificate.*KW_ELASTICSEARCH_UNTRUSTED/);
  assert.equal(server.asked.length, 0);
  assert.equal((await setup([...args, "--ca-file", cert])).status, 1);
});
