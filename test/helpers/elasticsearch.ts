/**
 * A real Elasticsearch of our own on the loopback, with its data in a temporary folder. Elastic publishes a small one for tests
 * at Maven Central; Maven fetches it once into a cache outside the checkout. It ends with the test, however the test ends.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, existsSync, globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, open, rename, rm } from "node:fs/promises";
import { get } from "node:https";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { asPlainUser, findProgram } from "./real-parts.ts";

const version = "9.2.0"; // none newer is published
const artifact = `org.elasticsearch.distribution.integ-test-zip:elasticsearch:${version}:zip`;
const sha512 =
  "2c624e913bb8712fb1698fc1ab3a241c868228183f089ff3cde17ad7bc7b5a9663454c2af939c65e075663826371e3d4344dca43a55a8aab9594f9a64b01d2c7";
const maven = ["-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"];
const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "kinwatch-test");
export const zip = join(cache, `elasticsearch-${version}.zip`);
const javaMin = 21;
const fetchMsMax = 300_000; // 99 MB
const startMsMax = 120_000; // takes about 10 s
const saidMax = 10_000; // characters, for the error

const defaults = {
  "network.host": "127.0.0.1",
  "http.port": "0",
  "transport.port": "0",
  "node.portsfile": "true",
  "discovery.type": "single-node",
  "cluster.routing.allocation.disk.watermark.low": "1b", // however full the disk is
  "cluster.routing.allocation.disk.watermark.high": "1b",
  "cluster.routing.allocation.disk.watermark.flood_stage": "1b",
  "xpack.security.enabled": "false",
} as const;

/**
 * $1 is elasticsearch.yml, file 3 the zip, which a plain user could not open below /root. It says the server's address, and ends
 * with the server or with its standard input, which ends even with a killed test. Nobody reads what the shell says of its jobs
 * then: a broken pipe must not end it before the server. Each job is a process group (bash(1), set -m), the server's is its
 * launcher and itself.
 */
const script = `set -eum
trap '' PIPE
folder=$(mktemp -d -t kinwatch-elasticsearch-XXXXXX)
trap 'until rm -rf "$folder"; do sleep 0.1; done' EXIT
cd "$folder"
"$ES_JAVA_HOME/bin/jar" x <&3
exec 3<&-
cd elasticsearch-*
printf %s "$1" >config/elasticsearch.yml
mkdir tmp
if [ -n "\${HTTP_KEY-}" ]; then
  printf %s "$HTTP_KEY" >config/http.key
  printf %s "$HTTP_CERTIFICATE" >config/http.crt
  mkdir plugins/analysis-parts
  printf %s "$ANALYSIS_PARTS" >tmp/AnalysisParts.java
  "$ES_JAVA_HOME/bin/javac" --release 21 -cp "lib/*" -d tmp/classes tmp/AnalysisParts.java >&2
  "$ES_JAVA_HOME/bin/jar" cf plugins/analysis-parts/parts.jar -C tmp/classes .
  printf '%s\n' description=parts version=1 name=analysis-parts classname=AnalysisParts java.version=21 \
    "elasticsearch.version=$ES_VERSION" >plugins/analysis-parts/plugin-descriptor.properties
  bash bin/elasticsearch-users useradd "$ADMIN" -p "$ADMIN_PASSWORD" -r superuser >&2
fi
export ES_TMPDIR="$PWD/tmp" CLI_JAVA_OPTS="-Djava.io.tmpdir=$PWD/tmp"
bash bin/elasticsearch </dev/null >&2 & server=$!
until [ -e logs/http.ports ]; do sleep 0.1; done && cat logs/http.ports & ports=$!
cat & input=$!
wait -n $server $input || true
kill -KILL -- -$server -$ports -$input 2>/dev/null || true`;

export interface ElasticsearchOptions {
  readonly settings?: Readonly<Record<string, string>>; // of elasticsearch.yml, over the defaults
  /** It speaks TLS with this certificate, and wants to know who asks. PEM */
  readonly secure?: { readonly certificate: string; readonly key: string };
}

export interface Elasticsearch extends AsyncDisposable {
  readonly url: string; // without a slash at its end
}

/** Who may do anything on a secure one. */
export const admin = { user: "admin", password: "of the tests" };

const secureSettings = {
  "xpack.security.enabled": "true",
  "xpack.security.autoconfiguration.enabled": "false",
  "xpack.security.http.ssl.enabled": "true",
  "xpack.security.http.ssl.key": "http.key",
  "xpack.security.http.ssl.certificate": "http.crt",
  "xpack.security.authc.api_key.enabled": "true",
};

/**
 * For node:test's `skip` option; fetches what is not in the cache yet.
 * @returns what is missing, or false. A machine has Java and Maven or has not: their lack alone never fails a test
 */
export async function needsElasticsearch(): Promise<string | false> {
  if (!findJava()) return `lacks a JDK of Java ${javaMin} or later`;
  if (!findProgram("mvn")) return "lacks Maven";
  try {
    await fetchZip();
    return false;
  } catch (error) {
    if (process.env["KINWATCH_REQUIRE_REAL"] === "1") throw error;
    return `cannot fetch Elasticsearch: ${error}`;
  }
}

export async function startElasticsearch({
  settings,
  secure,
}: ElasticsearchOptions = {}): Promise<Elasticsearch> {
  await using file = await open(zip);
  const lines = Object.entries({ ...defaults, ...(secure && secureSettings), ...settings }).map(
    ([key, value]) => `${key}: ${JSON.stringify(value)}\n`,
  );
  const command = ["bash", "-c", script, "bash", lines.join("")];
  const [program = "", ...args] = process.geteuid?.() === 0 ? (asPlainUser(command) ?? []) : command;
  assert.ok(program, "root must become nobody for it");
  const child = spawn(program, args, {
    detached: true, // else a ^C would end the script before it has cleaned up
    stdio: ["pipe", "pipe", "pipe", file.fd],
    env: {
      PATH: process.env["PATH"],
      TMPDIR: process.env["TMPDIR"],
      ES_JAVA_HOME: findJava(),
      ES_JAVA_OPTS: "-Xms512m -Xmx512m",
      ...(secure && {
        ES_VERSION: version,
        HTTP_KEY: secure.key,
        HTTP_CERTIFICATE: secure.certificate,
        ANALYSIS_PARTS: readFileSync(new URL("AnalysisParts.java", import.meta.url), "utf8"),
        ADMIN: admin.user,
        ADMIN_PASSWORD: admin.password,
      }),
    },
  });
  assert.ok(child.stdin && child.stdout && child.stderr);
  const { stdin, stdout, stderr } = child;
  let said = "";
  stderr.setEncoding("utf8").on("data", (text) => {
    said = (said + text).slice(-saidMax);
  });
  const closed = once(child, "close");
  async function stop(): Promise<void> {
    stdin.destroy();
    await closed;
  }

  const limit = AbortSignal.timeout(startMsMax);
  try {
    const ended = closed.then(([code]) => Promise.reject(new Error(`exit code ${code}`)));
    const [address] = await Promise.race([once(stdout, "data", { signal: limit }), ended]);
    const url = `${secure ? "https" : "http"}://${String(address).trim()}`;
    const health = `${url}/_cluster/health?wait_for_status=green`;
    if (secure === undefined) await fetch(health, { signal: limit });
    else await once(get(health, { rejectUnauthorized: false, signal: limit }), "response"); // that it answers is enough
    return { url, [Symbol.asyncDispose]: stop };
  } catch (cause) {
    await stop();
    throw new Error(`Elasticsearch did not start: ${said}`, { cause });
  }
}

/** The one that the environment names, else the oldest that serves: a server knows no Java that came after it. */
function findJava(): string | undefined {
  const named = [process.env["ES_JAVA_HOME"], process.env["JAVA_HOME"]].filter((home) => home !== undefined);
  const installed = globSync("/usr/lib/jvm/*").sort((a, b) => jdkMajor(a) - jdkMajor(b));
  return [...named, ...installed].find((home) => jdkMajor(home) >= javaMin);
}

/** @returns 0 where there is no JDK */
function jdkMajor(home: string): number {
  const release = join(home, "release");
  if (!existsSync(release) || !existsSync(join(home, "bin", "jar"))) return 0;
  return Number(/^JAVA_VERSION="(\d+)/m.exec(readFileSync(release, "utf8"))?.[1] ?? 0);
}

/** Under its name in the cache once it is whole; processes that fetch it at once do not meet before that. */
async function fetchZip(): Promise<void> {
  if ((await digest(zip)) === sha512) return;
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "fetching-"));
  try {
    const fetched = join(folder, basename(zip));
    const args = [`-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`, `-Dmaven.repo.local=${folder}`];
    await promisify(execFile)(findProgram("mvn") ?? "", [...maven, ...args], { timeout: fetchMsMax });
    const got = await digest(fetched);
    if (got !== sha512) throw new Error(`${artifact} has the SHA-512 ${got}, not ${sha512}`);
    await rename(fetched, zip);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function digest(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  const hash = createHash("sha512");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
