import assert from "node:assert/strict";
import { test } from "node:test";
import { absolute } from "../../agent/events/audit-exec.ts";

for (const { why, path, folder, want } of [
  { why: "a relative path begins at the working directory", path: "a.sh", folder: "/opt", want: "/opt/a.sh" },
  { why: "./ means nothing", path: "././/a.sh", folder: "/opt", want: "/opt/a.sh" },
  { why: "nor does it in the middle", path: "/opt/./x/.//a.sh", folder: "/", want: "/opt/x/a.sh" },
  { why: "nor do more slashes", path: "//opt///a.sh", folder: "/", want: "/opt/a.sh" },
  { why: "at the root too", path: "a.sh", folder: "/", want: "/a.sh" },
  { why: "a link may stand before ..", path: "x/../a.sh", folder: "/opt", want: "/opt/x/../a.sh" },
  { why: "hidden files keep their dot", path: ".a/..b/.c", folder: "/opt", want: "/opt/.a/..b/.c" },
  { why: "without a working directory it stays as typed", path: "./a.sh", folder: undefined, want: "./a.sh" },
]) {
  test(`absolute(): ${why}`, () => {
    assert.equal(absolute(path, folder), want);
  });
}
