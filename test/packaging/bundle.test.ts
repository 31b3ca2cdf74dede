/** The bundle does what the sources do: each way by which a part of it is found is gone once, out of a folder of its own. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bundle } from "../../packaging/bundle.ts";
import { program } from "../helpers/kinwatch.ts";
import { rulesOff } from "../helpers/rules-off.ts";
import { writeTruthLog } from "../helpers/truth-log.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-bundle-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const installed = join(folder, "lib/kinwatch");
const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));
const config = join(folder, "kinwatch.toml");
before(async () => {
  await bundle(installed, { modules, arch: process.arch });
  writeFileSync(config, rulesOff, { mode: 0o600 });
});

async function run(file: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args], {
    maxBuffer: 64e6,
    timeout: 60_000,
    env: { ...process.env, NO_COLOR: "1", COLUMNS: "80" },
  });
  return stdout;
}

async function sameAsSources(args: readonly string[]): Promise<string> {
  const [fromBundle, fromSources] = await Promise.all([
    run(join(installed, "kinwatch.js"), args),
    run(program, args),
  ]);
  assert.equal(fromBundle, fromSources);
  return fromBundle;
}

test("bundle: reads the files that lie beside it", async () => {
  assert.match(await sameAsSources(["rules", "list", "--config", config]), /dpkg asked to install/);
  assert.match(
    await sameAsSources(["rules", "show", "--config", config, "package-installed-by-new-parent"]),
    /\n/,
  );
});

test("bundle: replays a large log with its second thread, into a database", async () => {
  const { files } = writeTruthLog({ folder: join(folder, "log"), bytes: 70e6, seed: 2, fileBytes: 70e6 });
  const alerts = await sameAsSources(["replay", "--config", config, "--format", "ndjson", ...files]);
  assert.match(alerts, /^\{"@timestamp"/);
  const state = ["--state", join(folder, "state"), "--config", config];
  await run(join(installed, "kinwatch.js"), ["replay", ...state, ...files]);
  assert.match(await run(program, ["baseline", "list", ...state]), /\n/);
});

test("bundle: an installed kinwatch names itself as people type it, and loads native code", async () => {
  const help = await run(join(installed, "kinwatch.js"), ["--help"]);
  assert.doesNotMatch(help, /npm run/);
  const koffi = join(installed, "node_modules/koffi");
  const version = `process.stdout.write(require(${JSON.stringify(koffi)}).version)`;
  assert.match(await run("-e", [version]), /^\d+\.\d+\.\d+$/);
});

test("bundle: the same bytes from the same sources, with no path of the machine that made it", async () => {
  const again = join(folder, "again");
  await bundle(again, { modules, arch: process.arch });
  const names = globSync("**/*.{js,cjs,sql,ndjson,toml,md,json}", { cwd: installed }).sort();
  assert.deepEqual(globSync("**/*.{js,cjs,sql,ndjson,toml,md,json}", { cwd: again }).sort(), names);
  assert.ok(names.length > 40);
  const root = fileURLToPath(new URL("../..", import.meta.url));
  for (const name of names) {
    const bytes = readFileSync(join(installed, name));
    assert.ok(bytes.equals(readFileSync(join(again, name))), name);
    assert.ok(!bytes.includes(root) && !bytes.includes(folder), name);
  }
});
