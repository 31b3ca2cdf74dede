/** Alerts and events that have all that there can be, between them: for what must know every field. */
import type { AlertDocument, ExecutionDocument } from "../../agent/alert/alert-document.ts";
import { withOutcome } from "../../agent/alert/ecs-alert.ts";
import { ecsEvent, ecsInstallation } from "../../agent/alert/ecs-event.ts";
import { withOutcomePart } from "../../agent/alert/ecs-outcome.ts";
import { lossNames, newCounters } from "../../agent/counters.ts";
import type { Owner } from "../../agent/packages/owner-answer.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { contextOf, installationOf, raisedAlert, rpmImage, ruleAlert, summaryOf } from "./alerts.ts";
import { imageOf, scriptImage, updateOf } from "./images.ts";

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
const image = rpmImage(full, { parent: before, previous: before });
const sshd = scriptImage().parent?.parent;
const shell = imageOf({ ...full, pid: 700, ppid: 690, executable: "/usr/bin/bash" }, { parent: sshd });
const loggedIn = rpmImage(full, { parent: shell });
const unresolved = rpmImage({}, { parent: undefined, unresolved: "orphaned" });
const details = {
  gid: 0,
  session: 700,
  processGroup: 900,
  environment: ["LD_PRELOAD=/tmp/a.so"],
  effectiveCapabilities: ["CAP_SETUID"],
  permittedCapabilities: ["CAP_SETUID"],
};
const agent = {
  id: "3c2f5f4e-6d9b-4b8e-8d53-6f0b6a1c9f10",
  type: "kinwatch",
  version: "0.1.0",
  ephemeral_id: "7c1d3f60-1a52-4df0-9d3b-2f1a4a1f6f11",
} as const;
const owned: Owner = {
  result: "owned",
  type: "rpm",
  name: "kw",
  version: "1-1",
  architecture: "noarch",
  nevra: "kw-1-1.noarch",
};
const unknown: Owner = { result: "unknown", reason: "it was not asked" };
const ownedBy = (owner: Owner) => ({
  readOwners: () => ({ executable: owner, script: owner, hasOtherOptions: true }),
});
const inContainer = {
  readContainer: () => ({ id: "ab", runtime: "docker", name: "web", image: "web:1", reason: "none" }),
};
const context = { agent, readDetails: () => details, ...ownedBy(owned) };
const counters = {
  ...newCounters(),
  ...Object.fromEntries(lossNames.map((name, index) => [name, index + 1])),
};

export const fullAlerts: readonly AlertDocument[] = [
  withOutcome(raisedAlert(image), [updateOf()], { status: "known", days: 30, hosts: 2, fleet_hosts: 140 }),
  raisedAlert(unresolved, { counters, ancestors: [before] }),
  raisedAlert(loggedIn, context),
  raisedAlert(image, ownedBy(unknown)),
  raisedAlert(image, { ...ownedBy(owned), ...inContainer }),
  { ...ruleAlert(), kinwatch: { ...ruleAlert().kinwatch, held: true } },
  summaryOf(ruleAlert()),
];

export const fullEvents: readonly ExecutionDocument[] = [
  withOutcomePart(ecsInstallation(installationOf(image), contextOf(image, context)), [updateOf()]),
  ecsInstallation(installationOf(unresolved), contextOf(unresolved, { ancestors: [before] })),
  ecsInstallation(installationOf(image), contextOf(image, { ...ownedBy(unknown), ...inContainer })),
  ecsEvent(loggedIn, { ...contextOf(loggedIn, context), aliases: shippedAliases }),
];

/** What a document holds, each with its name in full; of a list its elements. */
export function fieldValues(document: unknown, path = ""): [name: string, value: unknown][] {
  if (Array.isArray(document)) return document.flatMap((element) => fieldValues(element, path));
  if (typeof document !== "object" || document === null) return [[path, document]];
  return Object.entries(document).flatMap(([name, inner]) =>
    fieldValues(inner, path === "" ? name : `${path}.${name}`),
  );
}
