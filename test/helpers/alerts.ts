/** Alerts as the code makes them, for tests of what shows, stores and sends them. */
import type { AlertDocument, HostDocument } from "../../agent/alert/alert-document.ts";
import {
  type AlertContext,
  ecsAlert,
  ecsRuleAlert,
  summaryAlert,
  withOutcome,
} from "../../agent/alert/ecs-alert.ts";
import { builtInRules } from "../../agent/cli/rule-folders.ts";
import { newCounters } from "../../agent/counters.ts";
import type { ExecEvent, SoftwareUpdate } from "../../agent/events/exec-event.ts";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";
import type { Installation } from "../../agent/packages/installation.ts";
import { rpmCommandOf } from "../../agent/packages/installation.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { matchNewParent } from "../../agent/rules/new-parent.ts";
import type { Rule } from "../../agent/rules/rule.ts";
import { readRules } from "../../agent/rules/rule-file.ts";
import { ancestorsOf, atMs, imageOf, scriptImage, updateOf } from "./images.ts";

export const host: HostDocument = {
  id: "8f0d5d7f3b0e4c1aa5a9e6d1c2b3a495",
  name: "web-01",
  hostname: "web-01",
  architecture: "x86_64",
  ip: ["192.0.2.17"],
  mac: ["52-54-00-12-34-56"],
  os: {
    type: "linux",
    platform: "rhel",
    name: "Red Hat Enterprise Linux",
    version: "9.6",
    kernel: "5.14.0",
    full: "Red Hat Enterprise Linux 9.6",
  },
};

/** As the daemon has it; `replay` is what stored logs have. */
export function contextOf(image: ProcessImage, given: Partial<AlertContext> = {}): AlertContext {
  return {
    host,
    agent: { id: "3c2f5f4e-6d9b-4b8e-8d53-6f0b6a1c9f10", type: "kinwatch", version: "0.1.0" },
    nameUser: () => undefined,
    provider: "audit-log",
    nowMs: atMs + 8,
    ancestors: ancestorsOf(image),
    counters: newCounters(),
    ...given,
  };
}
export const replay: Partial<AlertContext> = {
  host: undefined,
  agent: { type: "kinwatch", version: "0.1.0" },
  provider: "files",
  nowMs: undefined,
};

/** An rpm that a person's script ran: sshd, bash, update.sh. */
export function rpmImage(given: Partial<ExecEvent> = {}, links: Partial<ProcessImage> = {}): ProcessImage {
  const exec = { workingDirectory: "/root", auid: 1_000, ses: 3, tty: "pts0", ...given };
  return imageOf(exec, { parent: scriptImage(), ...links });
}

export function installationOf(image: ProcessImage, updates: SoftwareUpdate[] = []): Installation {
  const command = rpmCommandOf(image.exec, shippedAliases);
  const { timeMs, serial } = updates[0] ?? image.exec;
  return { image, command, begun: updates.length > 0 ? "record" : "execution", timeMs, serial, updates };
}

export function raisedAlert(image = rpmImage(), given: Partial<AlertContext> = {}): AlertDocument {
  const installation = installationOf(image);
  return ecsAlert(installation, matchNewParent(installation), contextOf(image, given));
}

export function completedAlert(
  image = rpmImage(),
  updates: readonly SoftwareUpdate[] = [updateOf()],
): AlertDocument {
  return withOutcome(raisedAlert(image), updates);
}

/** The rule that asks as Elastic's does. */
export const fileRule = readRules(builtInRules()).rules.find(({ relatedRule }) => relatedRule) as Rule;

/** Of a rule in a file, about an execution. */
export function ruleAlert(image = rpmImage(), given: Partial<AlertContext> = {}): AlertDocument {
  const terms = [{ field: fileRule.newTerms.fields.join(), value: ["/usr/bin/bash"] }];
  const asked = { kind: "exec", image, installation: undefined } as const;
  return ecsRuleAlert(asked, { rule: fileRule, terms }, contextOf(image, given));
}

export function summaryOf(alert: AlertDocument, held = 5): AlertDocument {
  const first: AlertDocument = { ...alert, kinwatch: { ...alert.kinwatch, held: true } };
  const fromMs = Math.floor(atMs / 300_000) * 300_000;
  const sample = [alert.event.id];
  return summaryAlert(first, { rule: alert.rule.id, fromMs, untilMs: fromMs + 300_000, held, sample });
}
