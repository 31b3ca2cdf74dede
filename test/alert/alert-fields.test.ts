import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import type { Owner } from "../../agent/packages/owner-answer.ts";
import { completedAlert, raisedAlert, rpmImage, ruleAlert, summaryOf } from "../helpers/alerts.ts";
import { updateOf } from "../helpers/images.ts";

const page = readFileSync(new URL("../../docs/alert-fields.md", import.meta.url), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| `"));
const documented = new Set(
  rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map((m) => m[1])),
);

/** Alerts that have all there can be between them. */
const full = {
  auid: 1_000,
  ses: 3,
  userName: "root",
  loginName: "admin",
  node: "web-01",
  deleted: true,
  script: "/a.sh",
  workingDirectory: "/root",
  tty: "pts0",
  args: ["rpm", "-i", "x", "--root", "/r", "--dbpath", "/d"],
};
const before = rpmImage(full);
const details = {
  gid: 0,
  session: 700,
  processGroup: 900,
  environment: ["LD_PRELOAD=/tmp/a.so"],
  effectiveCapabilities: ["CAP_SETUID"],
  permittedCapabilities: ["CAP_SETUID"],
};
const owned: Owner = {
  result: "owned",
  type: "rpm",
  name: "kw",
  version: "1-1",
  architecture: "noarch",
  nevra: "kw-1-1.noarch",
};
const unknown: Owner = { result: "unknown", reason: "it was not asked" };
const alerts = [
  completedAlert(rpmImage(full, { parent: before, previous: before }), [updateOf()]),
  raisedAlert(rpmImage({}, { parent: undefined, unresolved: "orphaned" }), {
    counters: { ...newCounters(), logs_lost: 1 },
    ancestors: [before],
  }),
  raisedAlert(rpmImage(full, { parent: before }), { readDetails: () => details }),
  ...[owned, unknown].map((owner) =>
    raisedAlert(rpmImage(full, { parent: before, previous: before }), {
      readOwners: () => ({ executable: owner, script: owner, hasOtherOptions: true }),
    }),
  ),
  raisedAlert(rpmImage(full), {
    readContainer: () => ({ id: "ab", runtime: "docker", name: "web", image: "web:1", reason: "none" }),
  }),
  { ...ruleAlert(), kinwatch: { ...ruleAlert().kinwatch, held: true } },
  summaryOf(ruleAlert()),
];

/** Of a process that has the fields of a parent: written once in the page. */
function writtenAs(field: string): string {
  const [, leader = "", name = ""] = /^(process\.\w+_leader\.)(.+)/.exec(field) ?? [];
  const [, owner = "", about = ""] = /^(.*package_owner\.)(.+)/.exec(field) ?? [];
  if (documented.has(`${owner}*`) && documented.has(`kinwatch.package_owner.${about}`)) return `${owner}*`;
  const isLikeParent = documented.has(`${leader}*`) && documented.has(`process.parent.${name}`);
  return isLikeParent ? `${leader}*` : field;
}

function fieldsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((element) => fieldsOf(element, path));
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) => {
    if (path === "kinwatch.coverage") return ["kinwatch.coverage.*"];
    return fieldsOf(inner, path === "" ? name : `${path}.${name}`);
  });
}

test("docs/alert-fields.md: has each field of an alert, and none besides", () => {
  const fields = new Set(alerts.flatMap((alert) => fieldsOf(JSON.parse(JSON.stringify(alert)), "")));
  const written = new Set([...fields].map(writtenAs));
  const headings = ["kinwatch.ancestry.*", "kinwatch.previous_images.*", "kinwatch.software_update.*"];
  assert.deepEqual([...written].filter((field) => !documented.has(field)).sort(), [], "in alerts only");
  assert.deepEqual(
    [...documented].filter((field) => !written.has(field ?? "") && !headings.includes(field ?? "")),
    [],
    "in the page only",
  );
});
