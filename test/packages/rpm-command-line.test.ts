import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parsePoptFile } from "../../agent/packages/popt.ts";
import { explainRpm } from "../../agent/packages/rpm-command-line.ts";

const aliases = parsePoptFile(
  `rpm alias --setperms --restore
rpm alias --setugids --restore
rpm alias --info --qf 'x'
rpm alias --last --qf 'x' --pipe "sort"
rpm alias --trace --eval '%trace'
rpm exec --checksig rpmkeys --checksig
rpm exec -K rpmkeys --checksig
rpm exec --import rpmkeys --import
rpm exec --initdb rpmdb --initdb
rpm exec --rebuilddb rpmdb --rebuilddb`,
  "rpm",
);
const lines = readFileSync(new URL("../samples/rpm-command-lines.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n");

for (const line of lines) {
  const want = JSON.parse(line) as Record<string, unknown> & { argv: string[] };
  test(`explainRpm(): ${want.argv.join(" ")}`, () => {
    const { mode, installs, test: dryRun, root, dbpath } = explainRpm(want.argv, aliases);
    const expected = { mode: want["mode"], installs: want["installs"], test: want["test"] };
    assert.deepEqual({ mode, installs, test: dryRun }, expected);
    if (mode !== "rejected")
      assert.deepEqual({ root, dbpath }, { root: want["root"], dbpath: want["dbpath"] });
  });
}
