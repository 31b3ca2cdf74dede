import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseUserNames, UserNames } from "../../agent/health/user-names.ts";

const rows = [
  { why: "a user", text: "admin:x:1000:1000:A:/home/admin:/bin/sh\n", want: [[1000, "admin"]] },
  {
    why: "the last one, though it lacks its newline",
    text: "a:x:1:1\nb:x:2:2",
    want: [
      [1, "a"],
      [2, "b"],
    ],
  },
  {
    why: "the first of two names of one number",
    text: "root:x:0:0::/:\ntoor:x:0:0::/:\n",
    want: [[0, "root"]],
  },
  {
    why: "no reference to NIS, and nothing that is no user",
    text: "+::::::\n-a:x:8:8:\nb:x:y:1:\n\nc:x\n",
    want: [],
  },
] as const;
for (const { why, text, want } of rows) {
  test(`parseUserNames(): ${why}`, () => {
    assert.deepEqual([...parseUserNames(text)], want);
  });
}

test("UserNames: this host's, and as they are after a change", (t) => {
  const host = new UserNames();
  assert.equal(host.of(0), /^([^:]*):[^:]*:0:/m.exec(readFileSync("/etc/passwd", "utf8"))?.[1]);
  assert.equal(host.of(4_294_967_294), undefined);
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-passwd-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "passwd");
  const names = new UserNames(path);
  assert.equal(names.of(1), undefined, "no such file");
  writeFileSync(path, "one:x:1:1:::\n");
  assert.equal(names.of(1), "one");
  writeFileSync(`${path}+`, "two:x:1:1:::\n"); // as useradd(8) does
  renameSync(`${path}+`, path);
  assert.equal(names.of(1), "two");
  rmSync(path);
  assert.equal(names.of(1), "two", "gone for a moment");
});
