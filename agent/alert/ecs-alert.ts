/** An installation by a new parent becomes one ECS document. ECS 9.4: test/samples/ecs-fields.json. */
import type { Counters } from "../counters.ts";
import type { SoftwareUpdate } from "../events/exec-event.ts";
import type { ProcessImage } from "../lineage/process-table.ts";
import type { Installation } from "../packages/installation.ts";
import { type Match, newParentRule } from "../rules/new-parent.ts";
import type { AgentDocument, AlertDocument, HostDocument, SoftwareUpdateDocument } from "./alert-document.ts";
import { timedId } from "./alert-id.ts";
import { ancestorDocument, keyword, processDocument, userPart } from "./ecs-process.ts";

export interface AlertContext {
  readonly host: HostDocument;
  readonly agent: AgentDocument;
  readonly provider: string; // the source's name
  readonly nowMs: number | undefined; // undefined: a stored log, decided when it happened
  readonly ancestors: readonly ProcessImage[]; // of the installing process, its parent first
  readonly counters: Counters;
}

const OPERANDS_MAX = 256;
const PACKAGES_MAX = 512; // a system upgrade; the rest is counted in the message

/** Counters that say that something was not seen. */
const losses = [
  "records_malformed",
  "records_oversized",
  "events_incomplete",
  "logs_lost",
  "processes_evicted",
  "processes_missed",
] as const;

export function installationId({ image, timeMs, serial }: Installation): string {
  return timedId(
    timeMs,
    newParentRule.id,
    image.exec.node,
    image.exec.pid,
    serial,
    image.exec.args.join("\0"),
  );
}

export function ecsAlert(installation: Installation, match: Match, context: AlertContext): AlertDocument {
  const { image, command, timeMs } = installation;
  const { exec, parent } = image;
  const timestamp = new Date(timeMs).toISOString();
  const host =
    exec.node === undefined ? context.host : { name: keyword(exec.node), hostname: keyword(exec.node) };
  const process = processDocument(image);
  const who = parent === undefined ? `an unknown parent (pid ${exec.ppid})` : nameOf(parent);
  const did =
    command === undefined
      ? `${nameOf(image)} installed packages`
      : `ran ${process.command_line ?? exec.executable}`;
  const reason =
    parent === undefined
      ? `The parent of ${nameOf(image)} (pid ${exec.pid}) is not known: ${match.unresolved ?? ""}`
      : `${nameOf(parent)} (${parent.exec.executable}, pid ${parent.exec.pid}) has not installed packages on this host before`;
  const users = [exec.userName, exec.loginName, numeral(exec.uid), numeral(exec.auid)];
  return {
    "@timestamp": timestamp,
    ecs: { version: "9.4.0" },
    message: keyword(`${newParentRule.name}: ${command === undefined ? did : `${who} ${did}`}`),
    event: {
      kind: "alert",
      category: ["package", "process"],
      type: ["installation", "start"],
      action: "package-installed",
      outcome: "unknown",
      id: installationId(installation),
      module: "kinwatch",
      dataset: "kinwatch.alerts",
      provider: context.provider,
      severity: newParentRule.severity,
      risk_score: newParentRule.riskScore,
      reason: keyword(reason),
      created: context.nowMs === undefined ? timestamp : new Date(context.nowMs).toISOString(),
    },
    data_stream: { type: "logs", dataset: "kinwatch.alerts", namespace: "default" },
    rule: {
      id: newParentRule.id,
      name: newParentRule.name,
      description: newParentRule.description,
      ruleset: "kinwatch",
      version: newParentRule.version,
    },
    threat,
    tags: [],
    process: parent === undefined ? process : { ...process, parent: processDocument(parent) },
    ...userPart(exec.uid, exec.userName),
    host,
    agent: context.agent,
    related: { user: [...new Set(users.filter((user) => user !== undefined))], hosts: [host.name] },
    kinwatch: {
      new_terms: match.terms.map(({ field, value }) => ({
        field,
        value: value.map((word) => keyword(word)),
      })),
      first_seen: timestamp,
      parent_provenance: parent === undefined ? "unresolved" : parent.provenance,
      ...(match.unresolved === undefined ? {} : { parent_unresolved_reason: match.unresolved }),
      ...(exec.auid === undefined ? {} : { login_user: exec.loginName ?? String(exec.auid) }),
      ancestry: context.ancestors.map(ancestorDocument),
      previous_images: previousOf(image).map(ancestorDocument),
      ...(command === undefined
        ? {}
        : {
            rpm: {
              mode: command.mode,
              flags: command.flags,
              operands: command.packages.slice(0, OPERANDS_MAX).map((word) => keyword(word)),
              ...(command.root === null ? {} : { root: keyword(command.root) }),
              ...(command.dbpath === null ? {} : { dbpath: keyword(command.dbpath) }),
              certainty: command.certainty,
            },
          }),
      software_update: [],
      outcome: exec.source === "procfs" ? "unavailable" : "pending",
      coverage: Object.fromEntries(
        losses.flatMap((name) => (context.counters[name] > 0 ? [[name, context.counters[name]]] : [])),
      ),
    },
  };
}

/** The same alert with what came of it: from rpm's own records, or the word that none came. */
export function withOutcome(alert: AlertDocument, updates: readonly SoftwareUpdate[]): AlertDocument {
  const distinct = new Map(updates.map((update) => [`${update.timeMs} ${update.serial}`, update]));
  const packages = [...distinct.values()].slice(0, PACKAGES_MAX).map(updateDocument);
  const first = packages.find(({ operation }) => operation !== "remove") ?? packages[0];
  const good = packages.filter(({ outcome }) => outcome === "success").length;
  const bad = packages.filter(({ outcome }) => outcome === "failure").length;
  const known =
    packages.length === 0 ? (alert.kinwatch.outcome === "unavailable" ? "unavailable" : "none") : undefined;
  return {
    ...alert,
    event: { ...alert.event, outcome: bad > 0 ? "failure" : good > 0 ? "success" : "unknown" },
    ...(first === undefined
      ? {}
      : {
          package: {
            name: first.name,
            version: first.version,
            ...(first.architecture === "" ? {} : { architecture: first.architecture }),
            type: "rpm" as const,
          },
        }),
    kinwatch: {
      ...alert.kinwatch,
      software_update: packages,
      outcome: known ?? (bad === 0 ? "installed" : good === 0 ? "failed" : "partly"),
    },
  };
}

function updateDocument(update: SoftwareUpdate): SoftwareUpdateDocument {
  const { name, version, architecture } = splitNevra(update.nevra);
  const { signatureVerified, signatureRequired, success } = update;
  return {
    operation: update.operation,
    nevra: keyword(update.nevra),
    name: keyword(name),
    version: keyword(version),
    architecture: keyword(architecture),
    signature: signatureVerified === undefined ? "unknown" : signatureVerified ? "verified" : "not verified",
    ...(signatureRequired === undefined ? {} : { signature_required: signatureRequired }),
    root: keyword(update.root),
    outcome: success === undefined ? "unknown" : success ? "success" : "failure",
  };
}

/** name-[epoch:]version-release.arch: neither version, release nor architecture may hold a "-" or "." at its bound. */
export function splitNevra(nevra: string): { name: string; version: string; architecture: string } {
  const parts = /^(.+)-([^-]+-[^-]+)\.([^.-]+)$/.exec(nevra);
  const [, name = nevra, version = "", architecture = ""] = parts ?? [];
  return { name, version, architecture };
}

function nameOf({ exec }: ProcessImage): string {
  return exec.script ?? (exec.executable || `pid ${exec.pid}`);
}

function numeral(id: number | undefined): string | undefined {
  return id === undefined ? undefined : String(id);
}

function previousOf(image: ProcessImage): ProcessImage[] {
  const images: ProcessImage[] = [];
  for (let at = image.previous; at !== undefined; at = at.previous) images.push(at);
  return images;
}

const attack = "https://attack.mitre.org";
const threat: AlertDocument["threat"] = {
  framework: "MITRE ATT&CK",
  tactic: {
    id: ["TA0002", "TA0003"],
    name: ["Execution", "Persistence"],
    reference: [`${attack}/tactics/TA0002/`, `${attack}/tactics/TA0003/`],
  },
  technique: {
    id: ["T1546"],
    name: ["Event Triggered Execution"],
    reference: [`${attack}/techniques/T1546/`],
    subtechnique: {
      id: ["T1546.016"],
      name: ["Installer Packages"],
      reference: [`${attack}/techniques/T1546/016/`],
    },
  },
};
