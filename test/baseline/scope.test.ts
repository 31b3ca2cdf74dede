import assert from "node:assert/strict";
import { test } from "node:test";
import { imageName, joinScope, scopeOf, splitScope } from "../../agent/baseline/scope.ts";

const id = "ab".repeat(32);
const rows = [
  { why: "the host that is watched", host: undefined, contained: undefined, want: "" },
  { why: "the host that the log names", host: "web-01", contained: undefined, want: "web-01" },
  { why: "an image here", host: undefined, contained: { id, image: "kw/a:1" }, want: " image:kw/a" },
  { why: "an image there", host: "web-01", contained: { id, image: "kw/a" }, want: "web-01 image:kw/a" },
  {
    why: "an image that nobody knows",
    host: undefined,
    contained: { id, image: undefined },
    want: ` container:${id}`,
  },
  {
    why: "a container that nobody knows",
    host: undefined,
    contained: { id: undefined, image: undefined },
    want: " container:unknown",
  },
] as const;
for (const { why, host, contained, want } of rows)
  test(`scopeOf(): ${why}`, () => {
    const scope = scopeOf(host, contained);
    assert.equal(scope, want);
    assert.equal(splitScope(scope).host, host ?? "");
    assert.equal(joinScope(splitScope(scope)), scope);
  });

test("splitScope(): a host's name is no container's, whatever it is", () => {
  for (const scope of ["web 01", "image:a", " image:", "a b image:c"])
    assert.deepEqual(splitScope(scope), { host: scope, container: undefined });
});

const names = [
  ["docker.io/library/nginx:1.25", "docker.io/library/nginx"],
  ["registry:5000/a/b", "registry:5000/a/b"],
  ["registry:5000/a/b:2", "registry:5000/a/b"],
  [`a/b:1@sha256:${id}`, "a/b"],
  [`a/b@sha256:${id}`, "a/b"],
  [`sha256:${id}`, `sha256:${id}`],
  ["f076080dd6fd", "f076080dd6fd"],
  ["nginx", "nginx"],
] as const;
for (const [reference, want] of names)
  test(`imageName(): of ${reference.slice(0, 40)}`, () => assert.equal(imageName(reference), want));
