/** What a rule found becomes one ECS document. */
import { type Counters, lossNames } from "../counters.ts";
import type { SoftwareUpdate } from "../events/exec-event.ts";
import type { ProcessImage } from "../lineage/process-image.ts";
import type { Installation } from "../packages/installation.ts";
import { constants } from "../rules/event-fields.ts";
import { type Match, newParentRule, toldParent } from "../rules/new-parent.ts";
import type { Rule, Threat } from "../rules/rule.ts";
import type { Asked, RuleMatch } from "../rules/rule-engine.ts";
import type { Term } from "../rules/term.ts";
import type { AlertDocument, PrevalenceDocument, ThreatDocument } from "./alert-document.ts";
import { timedId } from "./alert-id.ts";
import { type DocumentContext, executionPart, lineagePart, rpmPart } from "./ecs-execution.ts";
import {
  type OutcomePart,
  outcomePart,
  outcomeSentence,
  pendingPart,
  withOutcomePart,
} from "./ecs-outcome.ts";
import { commandLine, keyword } from "./ecs-process.ts";

export interface AlertContext extends DocumentContext {
  readonly counters: Counters;
}

const COMMAND_MAX = 512; // of the message; process.command_line has more
const DAY_MS = 86_400_000;
const severities: Readonly<Record<Rule["severity"], AlertDocument["event"]["severity"]>> = {
  low: 21,
  medium: 47,
  high: 73,
  critical: 99,
};

/** Of what names the first event of an installation, whatever else is known of it by then: the same whenever it is read. */
export function installationId(
  { image, timeMs, serial }: Installation,
  rule: string = newParentRule.id,
): string {
  return timedId(timeMs, rule, image.exec.node, image.exec.pid, serial);
}

export function ruleAlertId({ kind, image, installation }: Asked, rule: string): string {
  if (installation !== undefined && kind === "installation") return installationId(installation, rule);
  const { timeMs, serial } = installation ?? image.exec;
  return timedId(timeMs, rule, image.exec.node, image.exec.pid, serial, kind);
}

/** @param match with the terms that are new only */
export function ecsAlert(installation: Installation, match: Match, context: AlertContext): AlertDocument {
  const { id, uuid, name, description, version, severity, riskScore: risk_score } = newParentRule;
  const document = alertDocument(
    {
      id: installationId(installation),
      kind: "installation",
      image: installation.image,
      installation,
      name,
      severity,
      risk_score,
      reason: reasonOf(installation, match),
      terms: match.terms,
      outcome: pendingPart(installation),
    },
    context,
  );
  return {
    ...document,
    rule: { id, uuid, name, description, ruleset: "kinwatch", version },
    threat,
    kinwatch: {
      ...document.kinwatch,
      ...(match.unresolved === undefined ? {} : { parent_unresolved_reason: match.unresolved }),
      related_rule: "8cc72fa3-70ae-4ea1-bee2-8e6aaf3c1fcf",
    },
  };
}

/** @param match with the terms that are new only */
export function ecsRuleAlert(
  subject: Asked,
  { rule, terms }: Pick<RuleMatch, "rule" | "terms">,
  context: AlertContext,
): AlertDocument {
  const { id, name, description, version, severity, riskScore: risk_score, tags, relatedRule, source } = rule;
  const threatened = threatDocument(rule.threat);
  const document = alertDocument(
    {
      ...subject,
      id: ruleAlertId(subject, id),
      name,
      severity: severities[severity],
      risk_score,
      reason: `${newsOf(rule, terms)}: ${description}`,
      terms,
      outcome: outcomeOfSubject(subject),
    },
    context,
  );
  return {
    ...document,
    ...(tags.length === 0 ? {} : { tags: tags.map((tag) => keyword(tag)) }),
    rule: {
      id: keyword(id),
      uuid: keyword(id),
      name: keyword(name),
      description: keyword(description),
      ruleset: source.builtIn ? "kinwatch" : "custom",
      version: keyword(version),
    },
    ...(threatened === undefined ? {} : { threat: threatened }),
    kinwatch: {
      ...document.kinwatch,
      ...(relatedRule === undefined ? {} : { related_rule: keyword(relatedRule) }),
    },
  };
}

interface AlertPart extends Asked {
  readonly id: string;
  readonly name: string;
  readonly severity: AlertDocument["event"]["severity"];
  readonly risk_score: number;
  readonly reason: string;
  readonly terms: readonly Term[];
  readonly outcome: OutcomePart;
}

function alertDocument(part: AlertPart, context: AlertContext): Omit<AlertDocument, "rule"> {
  const { kind, image, installation, outcome } = part;
  const timestamp = new Date(installation?.timeMs ?? image.exec.timeMs).toISOString();
  const constant = constants[kind];
  return {
    "@timestamp": timestamp,
    message: `${keyword(part.name)}: ${whatHappened(image, installation)}`,
    ...executionPart(image, context),
    ...(outcome.package === undefined ? {} : { package: outcome.package }),
    event: {
      kind: "alert",
      category: constant["event.category"] ?? [],
      type: constant["event.type"] ?? [],
      action: constant["event.action"]?.[0] ?? "",
      outcome: outcome.eventOutcome,
      id: part.id,
      module: "kinwatch",
      dataset: "kinwatch.alerts",
      provider: context.provider,
      severity: part.severity,
      risk_score: part.risk_score,
      reason: keyword(part.reason),
      created: context.nowMs === undefined ? timestamp : new Date(context.nowMs).toISOString(),
    },
    data_stream: { type: "logs", dataset: "kinwatch.alerts", namespace: context.namespace ?? "default" },
    kinwatch: {
      ...lineagePart(image, context),
      ...rpmPart(installation?.command),
      ...outcome.outcome,
      new_terms: part.terms.map(({ field, value }) => ({ field, value: value.map((word) => keyword(word)) })),
      first_seen: timestamp,
      coverage: Object.fromEntries(
        lossNames.flatMap((name) => (context.counters[name] > 0 ? [[name, context.counters[name]]] : [])),
      ),
    },
  };
}

/** Nothing was installed, or as much as is known of what was. */
function outcomeOfSubject({ kind, installation }: Asked): OutcomePart {
  if (installation === undefined) {
    const outcome = {
      outcome: "not applicable",
      signature: "unknown",
      package_count: 0,
      software_update: [],
    } as const;
    return { eventOutcome: "unknown", outcome };
  }
  const pending = pendingPart(installation);
  return kind === "outcome"
    ? outcomePart(installation.updates, pending.outcome.outcome !== "unavailable")
    : pending;
}

function newsOf({ newTerms }: Rule, terms: readonly Term[]): string {
  const { fields, historyMs } = newTerms;
  const words = terms.map(({ value }) =>
    value.map((word, index) => `${fields[index]} ${word}`).join(" with "),
  );
  const since = historyMs === Number.POSITIVE_INFINITY ? "before" : `in the ${spanText(historyMs)} before`;
  return `Not seen here ${since}: ${words.join("; ")}`;
}

function spanText(ms: number): string {
  return ms % DAY_MS === 0 ? `${ms / DAY_MS} days` : `${Math.round(ms / 60_000)} minutes`;
}

/** ECS has one object for what a rule lists by tactic. */
function threatDocument(threats: readonly Threat[]): AlertDocument["threat"] {
  const [first] = threats;
  if (first === undefined) return undefined;
  const techniques = threats.flatMap(({ techniques: all }) => all);
  const listed = (all: readonly { id: string; name: string; reference: string | undefined }[]) => {
    const each = [...new Map(all.map((one) => [one.id, one])).values()];
    return {
      id: each.map(({ id }) => keyword(id)),
      name: each.map(({ name }) => keyword(name)),
      reference: each.flatMap(({ reference }) => (reference === undefined ? [] : [keyword(reference)])),
    };
  };
  const below = techniques.flatMap(({ subtechniques }) => subtechniques);
  return {
    framework: keyword(first.framework),
    tactic: listed(threats.map(({ tactic }) => tactic)),
    ...(techniques.length === 0
      ? {}
      : {
          technique: {
            ...listed(techniques),
            ...(below.length === 0 ? {} : { subtechnique: listed(below) }),
          },
        }),
  };
}

/** Instead of alerts that were held back: the first of them, and how many there are. */
export function summaryAlert(
  first: AlertDocument,
  { rule, fromMs, untilMs, held, sample }: HeldAlerts,
): AlertDocument {
  const [from, until] = [fromMs, untilMs].map((ms) => new Date(ms).toISOString()) as [string, string];
  const { held: _, ...kinwatch } = first.kinwatch;
  return {
    ...first,
    message: `${held} more alerts between ${from} and ${until}, the first of them: ${first.message}`,
    event: { ...first.event, id: timedId(fromMs, rule, "summary", untilMs, sample[0]) },
    kinwatch: { ...kinwatch, summary: { held, from, until, alerts: sample } },
  };
}

export interface HeldAlerts {
  readonly rule: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly held: number;
  readonly sample: readonly string[];
}

/** The same alert with what came of it, or the word that nothing did. Once: its message tells it too. */
export function withOutcome(
  alert: AlertDocument,
  updates: readonly SoftwareUpdate[],
  prevalence?: PrevalenceDocument,
): AlertDocument {
  const { kinwatch, ...document } = withOutcomePart(alert, updates);
  return {
    ...document,
    message: `${alert.message}: ${outcomeSentence(kinwatch)}`,
    kinwatch: { ...kinwatch, ...(prevalence === undefined ? {} : { prevalence }) },
  };
}

function whatHappened(image: ProcessImage, installation: Installation | undefined): string {
  const { exec } = image;
  const parent = toldParent(image);
  const nobody = exec.ppid === 0 ? "no parent" : `an unknown parent (pid ${exec.ppid})`;
  const who = parent === undefined ? nobody : nameOf(parent);
  if (installation !== undefined && installation.command === undefined)
    return keyword(`${nameOf(image)} installed packages for ${who}`, COMMAND_MAX);
  return keyword(
    `${who} ran ${exec.args.length === 0 ? exec.executable : commandLine(exec.args)}`,
    COMMAND_MAX,
  );
}

function reasonOf({ image }: Installation, { terms, unresolved }: Match): string {
  const { exec } = image;
  if (unresolved !== undefined) {
    return `The parent of ${nameOf(image)} (pid ${exec.pid}) is not known: ${unresolved}`;
  }
  const sentences = terms.map(({ field, value: [executable, script] }) => {
    const who = script === "" ? executable || "A process without a parent" : `${script} (${executable})`;
    const became =
      field === "process.previous"
        ? `, which became ${nameOf(image)} itself,`
        : field === "process.service"
          ? ", a service,"
          : "";
    return `${who}${became} has not installed packages on this host before`;
  });
  return sentences.join("; ");
}

function nameOf({ exec }: ProcessImage): string {
  return exec.script ?? (exec.executable || `pid ${exec.pid}`);
}

/**
 * What the alert itself shows: a package put in by somebody unusual, whose scriptlets run as root (T1546.016) and whose content
 * did not come the usual way (T1195.002). What such a package may do next (T1543, T1574) it does not show.
 */
const attack = "https://attack.mitre.org";
const threat: ThreatDocument = {
  framework: "MITRE ATT&CK",
  tactic: {
    id: ["TA0001", "TA0003"],
    name: ["Initial Access", "Persistence"],
    reference: [`${attack}/tactics/TA0001/`, `${attack}/tactics/TA0003/`],
  },
  technique: {
    id: ["T1195", "T1546"],
    name: ["Supply Chain Compromise", "Event Triggered Execution"],
    reference: [`${attack}/techniques/T1195/`, `${attack}/techniques/T1546/`],
    subtechnique: {
      id: ["T1195.002", "T1546.016"],
      name: ["Compromise Software Supply Chain", "Installer Packages"],
      reference: [`${attack}/techniques/T1195/002/`, `${attack}/techniques/T1546/016/`],
    },
  },
};
