import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LatestRows } from "../../agent/lineage/latest-rows.ts";
import { NONE } from "../../agent/lineage/row-image.ts";

const host = fc.nat({ max: 3 });
const pid = fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 2 ** 22 - 40, max: 2 ** 22 }), fc.constant(-1));
const row = fc.nat({ max: 1_000 });
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("set" as const), host, pid, row }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("delete" as const), host, pid, row }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("deleteHost" as const), host }) },
);

test("LatestRows: holds what a Map would, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2_000, size: "max" }), (steps) => {
      const latest = new LatestRows();
      const truth = new Map<string, number>();
      const keyOf = (at: { readonly host: number; readonly pid: number }) => `${at.host} ${at.pid}`;
      for (const at of steps) {
        if (at.kind === "set") {
          latest.set(at.host, at.pid, at.row);
          truth.set(keyOf(at), at.row);
        } else if (at.kind === "delete") {
          // Every other time the row that is there.
          const known = truth.get(keyOf(at));
          const asked = at.row % 2 === 0 ? (known ?? at.row) : at.row;
          assert.equal(latest.delete(at.host, at.pid, asked), known === asked);
          if (known === asked) truth.delete(keyOf(at));
        } else {
          latest.deleteHost(at.host);
          for (const key of truth.keys()) if (key.startsWith(`${at.host} `)) truth.delete(key);
        }
        assert.equal(latest.size, truth.size);
      }
      for (const [key, known] of truth) {
        const [knownHost, knownPid] = key.split(" ").map(Number) as [number, number];
        assert.equal(latest.get(knownHost, knownPid), known);
      }
      assert.equal(latest.get(9, 9), NONE);
      latest.clear();
      assert.equal(latest.size, 0);
      for (const at of steps) if (at.kind === "set") assert.equal(latest.get(at.host, at.pid), NONE);
    }),
    { numRuns: 200 },
  );
});

test("LatestRows: a full round of pids that come one after another, and go in the same order", () => {
  const latest = new LatestRows();
  const live = 10_000;
  for (let next = 1; next <= 100_000; next += 1) {
    latest.set(0, next, next);
    if (next > live) assert.ok(latest.delete(0, next - live, next - live));
  }
  assert.equal(latest.size, live);
  for (let next = 90_001; next <= 100_000; next += 1) assert.equal(latest.get(0, next), next);
  assert.equal(latest.get(0, 90_000), NONE);
});
