/**
 * Rules of Kibana's detection engine over our documents, as `POST /api/detection_engine/rules/_import` takes them: only
 * properties that 8.9 knows, for it refuses a rule with others. A host knows what is new to itself; these know what is new to
 * the fleet, and bring our alerts among Kibana's, where people work on them.
 *
 * They are switched off until somebody switches them on. No rule can tell of a host that is silent, for there is no document
 * then: the dashboard does.
 */
import { notAllSeen } from "./saved-searches.ts";

export interface DetectionRule {
  readonly rule_id: string; // ours, made once, of random bytes: an import over an older one replaces it
  readonly name: string;
  readonly [property: string]: unknown;
}

/**
 * Documents that waited on a host while Elasticsearch was away have the time of what they tell, not of their arrival. Looked at
 * again and again as they are, each raises once: Kibana knows a document by its id.
 */
const withLateOnes = "now-25h";
const history = "now-90d";

const common = {
  version: 1,
  enabled: false,
  immutable: false,
  author: ["kinwatch"],
  license: "Apache-2.0",
  interval: "5m",
  to: "now",
  false_positives: [],
  references: [],
  actions: [],
  exceptions_list: [],
} as const;

const attack = "https://attack.mitre.org";

/** As an alert of our own rule on new parents has it (alert/ecs-alert.ts). */
const threat = [
  threatOf(["TA0003", "Persistence"], ["T1546", "Event Triggered Execution"], ["016", "Installer Packages"]),
  threatOf(
    ["TA0001", "Initial Access"],
    ["T1195", "Supply Chain Compromise"],
    ["002", "Compromise Software Supply Chain"],
  ),
];

const alert: DetectionRule = {
  ...common,
  threat: [], // each alert has its own
  rule_id: "94d21d54-dae6-422a-a5ef-b7f70562294d",
  name: "kinwatch alert",
  description:
    "Brings each alert of kinwatch among Kibana's own, under the name, severity and score of the rule that raised it on its host.",
  note:
    "The alert holds what its host knew: the chain of parents (kinwatch.ancestry), what came of it (kinwatch.outcome), and " +
    "whether signatures were verified (kinwatch.signature). On the host, `kinwatch alerts show ID` tells it in full, and " +
    "`kinwatch exceptions add` makes an exception of it for that host.\n\n" +
    "Elastic's rule for external alerts takes the same documents: leave one of the two switched off.",
  tags: ["kinwatch", "OS: Linux"],
  type: "query",
  language: "kuery",
  index: ["logs-kinwatch.alerts-*"],
  query: "event.kind:alert and data_stream.dataset:kinwatch.alerts",
  from: withLateOnes,
  max_signals: 1_000, // the most that Kibana's own limit lets a rule raise in a run
  risk_score: 47,
  risk_score_mapping: [{ field: "event.risk_score", operator: "equals", value: "" }],
  severity: "medium",
  severity_mapping: [
    { field: "event.severity", operator: "equals", value: "21", severity: "low" },
    { field: "event.severity", operator: "equals", value: "47", severity: "medium" },
    { field: "event.severity", operator: "equals", value: "73", severity: "high" },
    { field: "event.severity", operator: "equals", value: "99", severity: "critical" },
  ],
  rule_name_override: "rule.name",
};

const newInFleet = {
  ...common,
  threat,
  tags: ["kinwatch", "OS: Linux", "Use Case: Threat Detection"],
  type: "new_terms",
  language: "kuery",
  index: ["logs-kinwatch.events-*"],
  from: withLateOnes,
  history_window_start: history,
  max_signals: 100,
  risk_score: 47,
  risk_score_mapping: [],
  severity: "medium",
  severity_mapping: [],
} as const;

const parent: DetectionRule = {
  ...newInFleet,
  rule_id: "8512d31d-200d-419a-b0f7-2344b1ce11bd",
  name: "Package installed by a parent new to the fleet",
  description:
    "On no host has this program installed packages within 90 days. A parent that is new to one host and common on others is " +
    "likely to be administration; one that is new everywhere is worth a look.",
  note:
    "Who runs the program, and where did it come from? kinwatch.ancestry has the chain of parents up to pid 1, " +
    "process.entry_leader the way onto the host. Interpreters are no news as parents: the rule on scripts looks behind them.",
  query: "event.type:installation and process.parent.executable:*",
  new_terms_fields: ["process.parent.executable"],
};

const script: DetectionRule = {
  ...newInFleet,
  rule_id: "8b2c573e-7631-4531-ad8e-67ca9fc4da61",
  name: "Package installed by a script new to the fleet",
  description:
    "On no host has this script stood behind an installation within 90 days, as the parent or further up. An interpreter is a " +
    "parent that the fleet knows; its script tells who it was.",
  note:
    "The alert's new term is the script. Scripts with random names (of configuration management, below /tmp or /var/tmp) raise " +
    "each time: make an exception of their folder, not of their interpreter.",
  query: "event.type:installation and kinwatch.ancestry.script:*",
  new_terms_fields: ["kinwatch.ancestry.script"],
};

const health: DetectionRule = {
  ...common,
  threat: [],
  rule_id: "e0b86ac4-f962-4bb1-88ff-a2296450f48c",
  name: "kinwatch does not see all of a host",
  description:
    "Something keeps a host's kinwatch from seeing all (audit is off, auditd stopped, its log missing), it lost records, or it reads " +
    "more than a minute late: an installation may be missing there. One alert an hour and host.",
  note: "`kinwatch check` on the host names the cause and its cure; docs/counters.md explains each counter.",
  tags: ["kinwatch", "OS: Linux"],
  type: "threshold",
  language: "kuery",
  index: ["logs-kinwatch.health-*"],
  query: `data_stream.dataset:kinwatch.health and (${notAllSeen})`,
  threshold: { field: ["host.id", "host.name"], value: 1, cardinality: [] }, // of the documents the alert has only these
  interval: "1h",
  from: "now-65m", // an hour, and what is late by a few minutes
  max_signals: 100,
  risk_score: 21,
  risk_score_mapping: [],
  severity: "low",
  severity_mapping: [],
};

export const detectionRules: readonly DetectionRule[] = [alert, parent, script, health];

/**
 * A rule that is there already keeps what people gave it: whether it is on, whom it tells, its exceptions.
 * @param there the rule as Kibana has it, of any content
 */
export function withWhatPeopleGave(
  rule: DetectionRule,
  there: Readonly<Record<string, unknown>>,
): DetectionRule {
  const { enabled, actions, exceptions_list, throttle } = there;
  return {
    ...rule,
    enabled: enabled === true,
    actions: Array.isArray(actions) ? actions : [],
    exceptions_list: Array.isArray(exceptions_list) ? exceptions_list : [],
    ...(typeof throttle === "string" ? { throttle } : {}),
  };
}

type Named = readonly [id: string, name: string];

function threatOf(
  [tactic, tacticName]: Named,
  [technique, techniqueName]: Named,
  [sub, subName]: Named,
): object {
  const reference = `${attack}/techniques/${technique}/`;
  const subtechnique = [{ id: `${technique}.${sub}`, name: subName, reference: `${reference}${sub}/` }];
  return {
    framework: "MITRE ATT&CK",
    tactic: { id: tactic, name: tacticName, reference: `${attack}/tactics/${tactic}/` },
    technique: [{ id: technique, name: techniqueName, reference, subtechnique }],
  };
}
