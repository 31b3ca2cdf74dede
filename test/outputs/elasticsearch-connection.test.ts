/** Whom a connection trusts, to whom it says who we are, and by which way: against servers of our own, with real certificates. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { defaultConfig, type ElasticsearchConfig } from "../../agent/config.ts";
import { KinwatchError } from "../../agent/errors.ts";
import { ElasticsearchConnection } from "../../agent/outputs/elasticsearch-connection.ts";
import { readApiKey } from "../../agent/outputs/elasticsearch-key.ts";
import { chainFile, makeCertificate } from "../helpers/certificates.ts";
import { startConnectProxy } from "../helpers/connect-proxy.ts";
import { FakeElasticsearch } from "../helpers/fake-elasticsearch.ts";
import { needs } from "../helpers/real-parts.ts";

const skip = needs("openssl");
const folder = mkdtempSync(join(tmpdir(), "kinwatch-tls-"));
after(() => rmSync(folder, { recursive: true }));
const keyFile = join(folder, "api_key");
writeFileSync(keyFile, "id:key", { mode: 0o600 });

const names = "IP:127.0.0.1,DNS:server.test";
const made = skip ? undefined : certificates();

function certificates() {
  const root = makeCertificate(folder, "root", { isAuthority: true });
  const middle = makeCertificate(folder, "middle", { isAuthority: true, issuer: root });
  const other = makeCertificate(folder, "other", { isAuthority: true });
  const server = makeCertificate(folder, "server", { issuer: root, names });
  const below = makeCertificate(folder, "below", { issuer: middle, names });
  const stranger = makeCertificate(folder, "stranger", { issuer: root, names: "DNS:elsewhere.test" });
  const client = makeCertificate(folder, "client", { issuer: other });
  return { root, middle, other, server, below, stranger, client };
}

type Made = NonNullable<typeof made>;

/** What a server with such a certificate says to who asks with such a configuration: a status, or the code of the error. */
async function ask(
  tls: { readonly chain: readonly (keyof Made)[]; readonly asksFor?: keyof Made },
  config: (all: Made) => Partial<ElasticsearchConfig>,
): Promise<string> {
  assert.ok(made);
  const own = made[tls.chain[0] ?? "server"];
  const client = tls.asksFor && made[tls.asksFor];
  await using server = await FakeElasticsearch.start({
    cert: tls.chain.map((name) => made[name].certificate).join(""),
    key: own.key,
    ...(client === undefined ? {} : { ca: client.certificate, requestCert: true, rejectUnauthorized: true }),
  });
  const urls = [`https://127.0.0.1:${server.port}`];
  return await outcome({ urls, ...config(made) });
}

async function outcome(config: Partial<ElasticsearchConfig>): Promise<string> {
  const all = { ...defaultConfig.output.elasticsearch, api_key_file: keyFile, timeout: 5_000, ...config };
  try {
    using connection = new ElasticsearchConnection(all, readApiKey(keyFile, "api_key", undefined));
    const { status } = await connection.ask({ method: "GET", path: "/" });
    return `${status}`;
  } catch (error) {
    assert.ok(error instanceof KinwatchError, String(error));
    return `${error.code}: ${error.message}`;
  }
}

const rows: readonly {
  why: string;
  tls: Parameters<typeof ask>[0];
  config: Parameters<typeof ask>[1];
  want: RegExp;
}[] = [
  {
    why: "an authority that nobody named is not trusted",
    tls: { chain: ["server", "root"] },
    config: () => ({}),
    want: /^KW_ELASTICSEARCH_UNTRUSTED: .*self-signed certificate/,
  },
  {
    why: "the authority of ca_file is",
    tls: { chain: ["server"] },
    config: ({ root }) => ({ ca_file: root.certificateFile }),
    want: /^200$/,
  },
  {
    why: "another authority of ca_file is not",
    tls: { chain: ["server", "root"] },
    config: ({ other }) => ({ ca_file: other.certificateFile }),
    want: /^KW_ELASTICSEARCH_UNTRUSTED/,
  },
  {
    why: "the authority with the fingerprint is, if the server shows it",
    tls: { chain: ["server", "root"] },
    config: ({ root }) => ({ ca_trusted_fingerprint: root.fingerprint }),
    want: /^200$/,
  },
  {
    why: "colons and capitals mean the same",
    tls: { chain: ["server", "root"] },
    config: ({ root }) => ({
      ca_trusted_fingerprint: root.fingerprint.toUpperCase().replace(/..(?!$)/g, "$&:"),
    }),
    want: /^200$/,
  },
  {
    why: "an authority below the root, too",
    tls: { chain: ["below", "middle"] },
    config: ({ middle }) => ({ ca_trusted_fingerprint: middle.fingerprint }),
    want: /^200$/,
  },
  {
    why: "a fingerprint that is not in the chain is told with those that are",
    tls: { chain: ["server", "root"] },
    config: ({ other }) => ({ ca_trusted_fingerprint: other.fingerprint }),
    want: /^KW_ELASTICSEARCH_UNTRUSTED: No certificate that .* it shows [\da-f]{64}, [\da-f]{64}\./,
  },
  {
    why: "a fingerprint does not make up for a wrong name",
    tls: { chain: ["stranger", "root"] },
    config: ({ root }) => ({ ca_trusted_fingerprint: root.fingerprint }),
    want: /^KW_ELASTICSEARCH_UNTRUSTED: .*altnames/,
  },
  {
    why: "nor for a certificate that another authority signed",
    tls: { chain: ["client", "root"] },
    config: ({ root }) => ({ ca_trusted_fingerprint: root.fingerprint }),
    want: /^KW_ELASTICSEARCH_/,
  },
  {
    why: "a server that wants to know who asks is told",
    tls: { chain: ["server"], asksFor: "other" },
    config: ({ root, client }) => ({
      ca_file: root.certificateFile,
      client_certificate_file: client.certificateFile,
      client_key_file: client.keyFile,
    }),
    want: /^200$/,
  },
  {
    why: "and refuses who does not say",
    tls: { chain: ["server"], asksFor: "other" },
    config: ({ root }) => ({ ca_file: root.certificateFile }),
    want: /^KW_ELASTICSEARCH_UNREACHABLE/,
  },
  {
    why: "a ca_file that is none is told before anything is said",
    tls: { chain: ["server"] },
    config: () => ({ ca_file: keyFile }),
    want: /^KW_ELASTICSEARCH_TLS_FILE: .*holds no certificate in PEM/,
  },
];
for (const { why, tls, config, want } of rows) {
  test(`ElasticsearchConnection: ${why}`, { skip }, async () => assert.match(await ask(tls, config), want));
}

test("ElasticsearchConnection: by the proxy that the environment names, with a fingerprint too, and past it where NO_PROXY says", {
  skip,
}, async () => {
  assert.ok(made);
  const chain = [made.server, made.root];
  const cert = chain.map(({ certificate }) => certificate).join("");
  await using server = await FakeElasticsearch.start({ cert, key: made.server.key });
  await using proxy = await startConnectProxy();
  const before = { ...process.env };
  process.env["HTTPS_PROXY"] = `http://user:pa%20ss@${proxy.url}`;
  try {
    const url = `https://server.test:${server.port}`; // which only the proxy can find
    const by = `server.test:${server.port} Basic ${Buffer.from("user:pa ss").toString("base64")}`;
    assert.equal(await outcome({ urls: [url], ca_file: made.root.certificateFile }), "200");
    assert.deepEqual(proxy.tunnels, [by]);
    assert.equal(await outcome({ urls: [url], ca_trusted_fingerprint: made.root.fingerprint }), "200");
    assert.deepEqual(proxy.tunnels, [by, by, by]);
    process.env["NO_PROXY"] = "127.0.0.1";
    const near = `https://127.0.0.1:${server.port}`;
    assert.equal(await outcome({ urls: [near], ca_trusted_fingerprint: made.root.fingerprint }), "200");
    assert.equal(proxy.tunnels.length, 3);
    process.env["HTTPS_PROXY"] = "http://user:hush@127.0.0.1:1";
    assert.match(await outcome({ urls: [url] }), /^KW_ELASTICSEARCH_UNREACHABLE: (?!.*hush)/);
  } finally {
    for (const name of ["HTTPS_PROXY", "NO_PROXY"]) delete process.env[name];
    Object.assign(process.env, before);
  }
});

test("ElasticsearchConnection: a certificate that was renewed by another authority is trusted when ca_file is renewed", {
  skip,
}, async () => {
  assert.ok(made);
  const file = chainFile(folder, "ca.crt", [made.other]);
  const config = { ca_file: file };
  await using server = await FakeElasticsearch.start({ cert: made.server.certificate, key: made.server.key });
  const urls = [`https://127.0.0.1:${server.port}`];
  assert.match(await outcome({ urls, ...config }), /^KW_ELASTICSEARCH_UNTRUSTED/);
  chainFile(folder, "ca.crt", [made.other, made.root]);
  assert.equal(await outcome({ urls, ...config }), "200");
});

const encoded = Buffer.from("id:key").toString("base64");
const keys = [
  { why: "id and key", text: "id:key\n", want: `ApiKey ${encoded}` },
  { why: "both encoded", text: `  ${encoded}\r\n`, want: `ApiKey ${encoded}` },
  { why: "nothing", text: "\n", want: "KW_ELASTICSEARCH_KEY_INVALID" },
  { why: "the id alone", text: "VuaCfGcBCdbkQm-e5aOx", want: "KW_ELASTICSEARCH_KEY_INVALID" },
  {
    why: "the server's whole answer",
    text: `{"id":"a","encoded":"${encoded}"}`,
    want: "KW_ELASTICSEARCH_KEY_INVALID",
  },
  { why: "two lines", text: "id:key\nid:key", want: "KW_ELASTICSEARCH_KEY_INVALID" },
  { why: "what would end the header", text: "id:key\r\nx: y", want: "KW_ELASTICSEARCH_KEY_INVALID" },
];
for (const { why, text, want } of keys) {
  test(`readApiKey(): ${why}`, () => {
    writeFileSync(keyFile, text, { mode: 0o600 });
    try {
      assert.equal(readApiKey(keyFile, "api_key", undefined), want);
    } catch (error) {
      assert.ok(error instanceof KinwatchError);
      assert.equal(error.code, want);
      assert.ok(!error.message.includes(encoded), "the message tells it");
    } finally {
      writeFileSync(keyFile, "id:key");
    }
  });
}

test("readApiKey(): systemd's credential goes before the file, if it is there", () => {
  const credentials = join(folder, "credentials");
  mkdirSync(credentials);
  assert.equal(readApiKey(keyFile, "api_key", credentials), `ApiKey ${encoded}`);
  writeFileSync(join(credentials, "api_key"), "other:key", { mode: 0o440 });
  assert.equal(
    readApiKey(keyFile, "api_key", credentials),
    `ApiKey ${Buffer.from("other:key").toString("base64")}`,
  );
});
