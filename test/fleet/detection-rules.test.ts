/** Kibana refuses a rule with a property that it does not know, so each has only those of 8.9; its queries find our documents. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DetectionRule, detectionRules } from "../../agent/fleet/detection-rules.ts";
import { fields } from "../../agent/fleet/fields.ts";
import { ndjson } from "../../agent/fleet/saved-object.ts";
import { fullAlerts, fullEvents } from "../helpers/full-documents.ts";
import { readNdjson } from "../helpers/kibana.ts";
import { assertKql, kqlMatcher } from "../helpers/kibana-kql.ts";

const rules = readNdjson<DetectionRule>(ndjson(detectionRules));

/** Of rules of each type (security_solution, rule_schemas of Kibana 8.9). */
const required = ["name", "description", "risk_score", "severity", "type", "rule_id"];
const optional =
  "actions author enabled exceptions_list false_positives from immutable interval license max_signals note references " +
  "risk_score_mapping rule_name_override severity_mapping tags threat timestamp_override to version " +
  "index language query";
const ofType: Readonly<Record<string, readonly string[]>> = {
  query: [],
  new_terms: ["new_terms_fields", "history_window_start"],
  threshold: ["threshold"],
};

interface Named {
  readonly id: string;
  readonly name: string;
  readonly reference: string;
}
interface Threat {
  readonly tactic: Named;
  readonly technique: readonly [Named & { readonly subtechnique: readonly [Named] }];
}

function ruleOf(name: RegExp): DetectionRule {
  const found = rules.find((rule) => name.test(rule.name));
  assert.ok(found, String(name));
  return found;
}

function minutesOf(ago: unknown): number {
  const [, count, unit = ""] = /^now-(\d+)([mhd])$/.exec(String(ago)) ?? [];
  return Number(count) * { m: 1, h: 60, d: 1_440 }[unit as "m" | "h" | "d"];
}

test("detectionRules: have what Kibana 8.9 asks for and nothing that it does not know, and ids of their own", () => {
  for (const rule of rules) {
    const own = ofType[String(rule["type"])];
    assert.ok(own, `${rule.name}: type ${rule["type"]}`);
    const allowed = [...required, ...optional.split(" "), ...own];
    assert.deepEqual(
      Object.keys(rule).filter((key) => !allowed.includes(key)),
      [],
      rule.name,
    );
    assert.deepEqual(
      [...required, ...own].filter((key) => !(key in rule)),
      [],
      rule.name,
    );
    assert.match(rule.rule_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(rule["enabled"], false, `${rule.name}: a person switches it on`);
  }
  assert.equal(new Set(rules.map(({ rule_id }) => rule_id)).size, rules.length);
  assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
});

test("detectionRules: ask in KQL for fields of the stream that they look at", () => {
  for (const rule of rules) {
    const [pattern = "", ...others] = rule["index"] as string[];
    const stream = /^logs-kinwatch\.(alerts|events|health)-\*$/.exec(pattern)?.[1];
    assert.ok(stream && others.length === 0, `${rule.name}: ${pattern}`);
    assert.equal(rule["language"], "kuery");
    assertKql(String(rule["query"]), [stream]);
    const { field = [] } = (rule["threshold"] ?? {}) as { readonly field?: string[] };
    const grouped = [...((rule["new_terms_fields"] ?? []) as string[]), ...field];
    for (const name of grouped) {
      const known = fields.find((one) => one.name === name);
      assert.ok(
        known?.type === "keyword" && known.streams.includes(stream as "health"),
        `${rule.name}: ${name}`,
      );
    }
  }
});

test("detectionRules: look back further than they pause, and at what comes late", () => {
  for (const rule of rules) {
    const interval = minutesOf(`now-${rule["interval"]}`);
    assert.ok(minutesOf(rule["from"]) > interval, `${rule.name}: leaves no gap`);
    if (rule["history_window_start"] !== undefined)
      assert.ok(
        minutesOf(rule["history_window_start"]) > minutesOf(rule["from"]),
        `${rule.name}: has a history`,
      );
    if (rule["type"] !== "threshold")
      assert.ok(minutesOf(rule["from"]) > 1_440, `${rule.name}: sees what waited for a day`);
  }
});

test("detectionRules: the one on alerts takes each, with the name, severity and score that it came with", () => {
  const rule = ruleOf(/^kinwatch alert$/);
  const matches = kqlMatcher(String(rule["query"]));
  for (const alert of fullAlerts) assert.equal(matches(alert), true, alert.message);
  for (const event of fullEvents) assert.equal(matches(event), false);
  assert.equal(rule["rule_name_override"], "rule.name");
  const levels = rule["severity_mapping"] as { readonly value: string; readonly severity: string }[];
  assert.deepEqual(
    levels.map(({ value, severity }) => `${value} ${severity}`),
    ["21 low", "47 medium", "73 high", "99 critical"],
  );
  for (const { event } of fullAlerts)
    assert.ok(
      levels.some(({ value }) => value === String(event.severity)),
      `severity ${event.severity}`,
    );
  assert.deepEqual(rule["risk_score_mapping"], [
    { field: "event.risk_score", operator: "equals", value: "" },
  ]);
});

test("detectionRules: those on the fleet's news take installations, not alerts of them", () => {
  for (const name of [/parent new to the fleet$/, /script new to the fleet$/]) {
    const rule = ruleOf(name);
    assert.deepEqual(rule["index"], ["logs-kinwatch.events-*"], "every installation is there, once");
    const [field = ""] = rule["new_terms_fields"] as string[];
    const matches = kqlMatcher(String(rule["query"]));
    const has = kqlMatcher(`${field}: *`);
    assert.ok(fullEvents.some(matches) && !fullEvents.every(matches), `${rule.name}: takes some`);
    for (const event of fullEvents) {
      const isInstallation = event.event.type.includes("installation");
      assert.equal(matches(event), isInstallation && has(event), `${rule.name}: all that have the field`);
    }
  }
});

test("detectionRules: those on the fleet's news have the tactics and techniques of an alert on a new parent", () => {
  const { threat } = fullAlerts[0] ?? {};
  const listed = (ruleOf(/parent new to the fleet$/)["threat"] as Threat[]).toSorted((a, b) =>
    a.technique[0].id < b.technique[0].id ? -1 : 1,
  );
  const techniques = listed.map(({ technique: [one] }) => one);
  const subtechniques = techniques.map(({ subtechnique: [one] }) => one);
  for (const key of ["id", "name", "reference"] as const) {
    assert.deepEqual(listed.map(({ tactic }) => tactic[key]).toSorted(), threat?.tactic[key].toSorted());
    assert.deepEqual(
      techniques.map((one) => one[key]),
      threat?.technique?.[key],
    );
    assert.deepEqual(
      subtechniques.map((one) => one[key]),
      threat?.technique?.subtechnique?.[key],
    );
  }
});

test("detectionRules: the one on health takes a document that tells of loss, and leaves one that does not", () => {
  const matches = kqlMatcher(String(ruleOf(/^kinwatch does not see/)["query"]));
  const healthy = { lost: 0, lag_ms: 20, outbox: { waiting: 3, bytes: 900, set_aside: 0 } };
  const document = (health: object) => ({
    data_stream: { dataset: "kinwatch.health" },
    kinwatch: { health: { ...healthy, ...health } },
  });
  assert.equal(matches(document({})), false);
  assert.equal(matches(document({ problems: [] })), false);
  assert.equal(matches(document({ problems: ["KW_AUDIT_OFF"] })), true);
  assert.equal(matches(document({ lost: 1 })), true);
  assert.equal(matches(document({ lag_ms: 60_000 })), true);
  const refused = document({ outbox: { waiting: 0, bytes: 0, set_aside: 1 } });
  assert.equal(matches(refused), false, "it would be told each hour until somebody deals with it");
});
