/** The Elasticsearch that other tests stand on: it is whole, it answers, and it goes without a trace, even when its test is killed. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { needsElasticsearch, startElasticsearch, zip } from "../helpers/elasticsearch.ts";

const lacks = await needsElasticsearch();
const helper = new URL("../helpers/elasticsearch.ts", import.meta.url).href;

/** A temporary folder for anybody, which is the place of all temporary files while it is there. */
class Temporary implements Disposable {
  readonly #before = process.env["TMPDIR"];
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-es-test-"));

  constructor() {
    chmodSync(this.folder, 0o1777);
    process.env["TMPDIR"] = this.folder;
  }

  [Symbol.dispose](): void {
    if (this.#before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = this.#before;
    rmSync(this.folder, { recursive: true });
  }
}

/** @throws what the last try threw, when none succeeds in time */
async function eventually(succeed: () => void | Promise<void>): Promise<void> {
  for (const endMs = performance.now() + 10_000; ; await sleep(20)) {
    try {
      return await succeed();
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
  }
}

test("startElasticsearch(): answers on the loopback, with the settings given, and leaves nothing", {
  skip: lacks,
}, async () => {
  using temporary = new Temporary();
  let url: string;
  {
    await using server = await startElasticsearch({ settings: { "cluster.name": "kw #1" } });
    url = server.url;
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const health = await (await fetch(`${url}/_cluster/health`)).json();
    assert.equal((health as { readonly cluster_name: string }).cluster_name, "kw #1");
    const [home = ""] = readdirSync(temporary.folder);
    assert.notEqual(statSync(join(temporary.folder, home)).uid, 0, "Elasticsearch refuses to be root");
  }
  assert.deepEqual(readdirSync(temporary.folder), []);
  await assert.rejects(fetch(url), "somebody listens");
});

test("startElasticsearch(): tells what the server says against a setting, and leaves nothing", {
  skip: lacks,
}, async () => {
  using temporary = new Temporary();
  await assert.rejects(startElasticsearch({ settings: { "no.such.setting": "1" } }), /no\.such\.setting/);
  assert.deepEqual(readdirSync(temporary.folder), []);
});

test("startElasticsearch(): a killed test leaves nothing", { skip: lacks }, async () => {
  using temporary = new Temporary();
  const start = `import { startElasticsearch } from ${JSON.stringify(helper)};
    console.log((await startElasticsearch()).url);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", start], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [url] = await once(child.stdout, "data");
  assert.ok((await fetch(`${String(url).trim()}/_cluster/health`)).ok);
  child.kill("SIGKILL");
  await eventually(() => assert.deepEqual(readdirSync(temporary.folder), []));
  await eventually(() => assert.rejects(fetch(String(url).trim()), "somebody listens"));
});

/** A Maven whose fetched file is the one given, over a cache that holds half a file. */
class FakeMaven implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-maven-"));
  readonly cache = join(this.folder, "kinwatch-test");
  readonly #environment: NodeJS.ProcessEnv;

  constructor(fetched: string) {
    mkdirSync(this.cache);
    writeFileSync(join(this.cache, basename(zip)), "PK half");
    const mvn = `#!/bin/sh
for word; do case $word in -DoutputDirectory=*) exec cp "${fetched}" "\${word#*=}/${basename(zip)}" ;; esac; done`;
    writeFileSync(join(this.folder, "mvn"), mvn, { mode: 0o755 });
    const PATH = `${this.folder}:${process.env["PATH"]}`;
    this.#environment = { ...process.env, PATH, XDG_CACHE_HOME: this.folder };
  }

  /** What needsElasticsearch() gives with it. */
  needs(requireReal: "0" | "1"): unknown {
    const code = `import { needsElasticsearch } from ${JSON.stringify(helper)};
      console.log(JSON.stringify(await needsElasticsearch()));`;
    const args = ["--input-type=module-typescript", "--eval", code];
    const env = { ...this.#environment, KINWATCH_REQUIRE_REAL: requireReal };
    return JSON.parse(execFileSync(process.execPath, args, { env, encoding: "utf8", stdio: "pipe" }));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

test("needsElasticsearch(): half a file in the cache is fetched again", { skip: lacks }, () => {
  using maven = new FakeMaven(zip);
  assert.equal(maven.needs("1"), false);
  assert.equal(statSync(join(maven.cache, basename(zip))).size, statSync(zip).size);
  assert.deepEqual(readdirSync(maven.cache), [basename(zip)]);
});

test("needsElasticsearch(): another file is not taken, and fails where the real one is required", {
  skip: lacks,
}, () => {
  using maven = new FakeMaven("/etc/passwd");
  assert.match(String(maven.needs("0")), /^cannot fetch Elasticsearch: .*has the SHA-512 /);
  assert.throws(() => maven.needs("1"), /has the SHA-512 /);
  assert.deepEqual(readdirSync(maven.cache), [basename(zip)]);
});
