/** An installation by a new parent becomes one ECS document. */
import { type Counters, lossNames } from "../counters.ts";
import type { SoftwareUpdate } from "../events/exec-event.ts";
import type { ProcessImage } from "../lineage/process-image.ts";
import type { Installation } from "../packages/installation.ts";
import { type Match, newParentRule, toldParent } from "../rules/new-parent.ts";
import type { AlertDocument } from "./alert-document.ts";
import { timedId } from "./alert-id.ts";
import { type DocumentContext, executionPart, lineagePart, rpmPart } from "./ecs-execution.ts";
import { outcomeSentence, pendingPart, withOutcomePart } from "./ecs-outcome.ts";
import { commandLine, keyword } from "./ecs-process.ts";

export interface AlertContext extends DocumentContext {
  readonly counters: Counters;
}

const COMMAND_MAX = 512; // of the message; process.command_line has more

/** Of what names the first event of an installation, whatever else is known of it by then: the same whenever it is read. */
export function installationId({ image, timeMs, serial }: Installation): string {
  return timedId(timeMs, newParentRule.id, image.exec.node, image.exec.pid, serial);
}

/** @param match with the terms that are new only */
export function ecsAlert(installation: Installation, match: Match, context: AlertContext): AlertDocument {
  const { image, timeMs } = installation;
  const timestamp = new Date(timeMs).toISOString();
  const pending = pendingPart(installation);
  return {
    "@timestamp": timestamp,
    message: `${newParentRule.name}: ${whatHappened(installation)}`,
    ...executionPart(image, context),
    ...(pending.package === undefined ? {} : { package: pending.package }),
    event: {
      kind: "alert",
      category: ["package", "process"],
      type: ["installation", "start"],
      action: "package-installed",
      outcome: pending.eventOutcome,
      id: installationId(installation),
      module: "kinwatch",
      dataset: "kinwatch.alerts",
      provider: context.provider,
      severity: newParentRule.severity,
      risk_score: newParentRule.riskScore,
      reason: keyword(reasonOf(installation, match)),
      created: context.nowMs === undefined ? timestamp : new Date(context.nowMs).toISOString(),
    },
    data_stream: { type: "logs", dataset: "kinwatch.alerts", namespace: "default" },
    rule: {
      id: newParentRule.id,
      uuid: newParentRule.uuid,
      name: newParentRule.name,
      description: newParentRule.description,
      ruleset: "kinwatch",
      version: newParentRule.version,
    },
    threat,
    kinwatch: {
      ...lineagePart(image, context),
      ...(match.unresolved === undefined ? {} : { parent_unresolved_reason: match.unresolved }),
      ...rpmPart(installation.command),
      ...pending.outcome,
      related_rule: "8cc72fa3-70ae-4ea1-bee2-8e6aaf3c1fcf",
      new_terms: match.terms.map(({ field, value }) => ({
        field,
        value: value.map((word) => keyword(word)),
      })),
      first_seen: timestamp,
      coverage: Object.fromEntries(
        lossNames.flatMap((name) => (context.counters[name] > 0 ? [[name, context.counters[name]]] : [])),
      ),
    },
  };
}

/** The same alert with what came of it, or the word that nothing did. Once: its message tells it too. */
export function withOutcome(alert: AlertDocument, updates: readonly SoftwareUpdate[]): AlertDocument {
  const document = withOutcomePart(alert, updates);
  return { ...document, message: `${alert.message}: ${outcomeSentence(document.kinwatch)}` };
}

function whatHappened({ image, command }: Installation): string {
  const { exec } = image;
  const parent = toldParent(image);
  const nobody = exec.ppid === 0 ? "no parent" : `an unknown parent (pid ${exec.ppid})`;
  const who = parent === undefined ? nobody : nameOf(parent);
  if (command === undefined) return keyword(`${nameOf(image)} installed packages for ${who}`, COMMAND_MAX);
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
const threat: AlertDocument["threat"] = {
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
