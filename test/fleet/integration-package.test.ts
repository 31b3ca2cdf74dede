import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { parse } from "yaml";
import { detectionRules } from "../../agent/fleet/detection-rules.ts";
import { streams } from "../../agent/fleet/field.ts";
import { fields } from "../../agent/fleet/fields.ts";
import { kibanaObjects } from "../../agent/fleet/kibana-objects.ts";
import packageFile from "../../package.json" with { type: "json" };
import { fieldValues, fullAlerts, fullEvents } from "../helpers/full-documents.ts";
import { findProgram, needs } from "../helpers/real-parts.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "kinwatch-package-"));
after(() => rmSync(folder, { recursive: true }));

const source = (path: string) =>
  fileURLToPath(new URL(`../../packaging/integration/${path}`, import.meta.url));
const name = `kinwatch-${packageFile.version}`;
const unpacked = join(folder, name);
await run(process.execPath, [source("build.ts"), folder]);

function textOf(path: string): string {
  return readFileSync(join(unpacked, path), "utf8");
}

test("npm run package:integration: the zip file holds what is beside it, and is the same each time", async () => {
  const zip = readFileSync(join(folder, `${name}.zip`));
  const packed = unzipSync(zip);
  const files = globSync("**", { cwd: unpacked, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.equal(Object.keys(packed).length, files.length);
  for (const { parentPath, name: file } of files) {
    const path = join(parentPath, file);
    assert.deepEqual(Buffer.from(packed[path.slice(folder.length + 1)] ?? []), readFileSync(path), path);
  }
  const again = join(folder, "again");
  await run(process.execPath, [source("build.ts"), again], { env: { ...process.env, TZ: "Asia/Tokyo" } });
  assert.deepEqual(readFileSync(join(again, `${name}.zip`)), zip);
});

test("packageFiles(): brings every saved object and rule that setup kibana imports", () => {
  const objects = globSync("kibana/*/*.json", { cwd: unpacked })
    .map((path) => JSON.parse(textOf(path)))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const own = objects.filter(({ type }) => type !== "security-rule");
  const sorted = JSON.parse(JSON.stringify(kibanaObjects().toSorted((a, b) => (a.id < b.id ? -1 : 1))));
  assert.deepEqual(own, sorted);
  const rules = objects.filter(({ type }) => type === "security-rule");
  assert.equal(rules.length, detectionRules.length);
  for (const { attributes } of rules) {
    const rule = detectionRules.find(({ rule_id }) => rule_id === attributes.rule_id);
    assert.deepEqual({ ...rule, ...attributes }, { ...rule });
    for (const key of ["query", "index", "version", "severity"]) assert.ok(key in attributes, key);
    for (const key of ["enabled", "actions", "exceptions_list", "immutable"])
      assert.ok(!(key in attributes), key);
  }
});

for (const stream of streams) {
  test(`packageFiles(): data stream ${stream} has its fields, and its sample no other`, () => {
    const own = fields.filter((field) => field.streams.includes(stream)).map((field) => field.name);
    const list = parse(textOf(`data_stream/${stream}/fields/fields.yml`)) as { name: string; type: string }[];
    assert.deepEqual(list.map((field) => field.name).toSorted(), own.toSorted());
    for (const { name: field, type } of list)
      assert.equal(type, fields.find((one) => one.name === field)?.type, field);
    const sample = fieldValues(JSON.parse(textOf(`data_stream/${stream}/sample_event.json`)));
    const others = sample.map(([field]) => field).filter((field) => !own.includes(field));
    assert.deepEqual(others, []);
    const table = textOf("docs/README.md").split(`### kinwatch ${stream}\n`)[1]?.split("\n###")[0] ?? "";
    for (const field of own) assert.ok(table.includes(`| ${field} | `), field);
  });
}

test("packaging/integration/samples: are documents that kinwatch makes", () => {
  const made = { alerts: fullAlerts[0], events: fullEvents[0] };
  for (const [stream, document] of Object.entries(made)) {
    const sample = JSON.parse(readFileSync(source(`samples/${stream}.json`), "utf8"));
    assert.deepEqual(
      sample,
      JSON.parse(JSON.stringify(document)),
      `it should be ${JSON.stringify(document)}`,
    );
  }
});

test("the integration package: passes the validator of the published specification", {
  skip: needs("go"),
  timeout: 500_000, // the first time it is fetched and compiled
}, async (t) => {
  const cwd = fileURLToPath(new URL("../helpers/package-validator", import.meta.url));
  const validator = join(folder, "validator");
  const build = run(findProgram("go") ?? "go", ["build", "-mod=readonly", "-o", validator, "."], { cwd });
  const refusal = await build.then(
    () => undefined,
    (error: { readonly stderr: string }) => error.stderr,
  );
  if (refusal !== undefined && process.env["KINWATCH_REQUIRE_REAL"] !== "1")
    return t.skip(`cannot build the validator: ${refusal.slice(0, 300)}`);
  assert.equal(refusal, undefined);
  for (const path of [unpacked, `${unpacked}.zip`]) {
    const { stdout } = await run(validator, [path]).catch((error: { stdout: string }) => error);
    assert.equal(stdout, "", path);
  }
  // That it can fail: a field without which no data stream is one.
  const manifest = join(unpacked, "data_stream/health/fields/fields.yml");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace('"@timestamp"', "timestamp"));
  const failed = await run(validator, [unpacked]).catch((error: { stdout: string }) => error);
  assert.match(
    failed.stdout,
    /expected field "@timestamp" with type "date" not found in datastream "health"/,
  );
});

test("the integration package: has no input, so that nothing is asked of an Elastic Agent", () => {
  for (const stream of streams) assert.ok(!existsSync(join(unpacked, `data_stream/${stream}/agent`)));
  assert.equal("policy_templates" in parse(textOf("manifest.yml")), false);
});
