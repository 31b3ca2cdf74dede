/** Of a checkout, as these tests are. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSettings } from "../../agent/cli/settings.ts";
import { defaultConfig } from "../../agent/config.ts";

test("readSettings(): a checkout keeps its state and rules to itself, and shows alerts on the terminal", () => {
  const { state, rules, exceptions, output, source } = readSettings({});
  assert.equal(state.directory, fileURLToPath(new URL("../../.kinwatch", import.meta.url)));
  assert.deepEqual(rules.directories, [join(state.directory, "rules.d")]);
  assert.equal(exceptions.directory, join(state.directory, "exceptions.d"));
  assert.equal(output.stdout.enabled, true);
  assert.equal(output.journald.enabled, existsSync("/run/systemd/journal/socket"));
  assert.deepEqual(source, defaultConfig.source, "and nothing of /etc/kinwatch");
});

test("readSettings(): with a file, though it is empty, the defaults of the configuration hold", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-settings-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, "empty.toml");
  writeFileSync(config, "", { mode: 0o600 });
  assert.deepEqual(readSettings({ config }), defaultConfig);
  assert.equal(readSettings({ config, state: "/elsewhere" }).state.directory, "/elsewhere");
});
