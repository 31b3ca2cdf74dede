import assert from "node:assert/strict";
import { test } from "node:test";
import { alertText } from "../../agent/outputs/alert-text.ts";
import { alertFields } from "../../agent/outputs/journald.ts";
import { fileRule, rpmImage, ruleAlert, summaryOf } from "../helpers/alerts.ts";
import { ecsMistakes } from "../helpers/ecs.ts";

const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

test("ecsRuleAlert(): keeps to ECS, also as a summary", () => {
  for (const alert of [ruleAlert(), summaryOf(ruleAlert())]) assert.deepEqual(ecsMistakes(asJson(alert)), []);
});

test("ecsRuleAlert(): says whose rule it was, and all of its tactics and techniques, each once", () => {
  const { rule, threat, tags, event, kinwatch } = ruleAlert();
  assert.deepEqual(
    [rule.id, rule.uuid, rule.ruleset, rule.version],
    [fileRule.id, fileRule.id, "kinwatch", "1"],
  );
  assert.deepEqual(threat?.tactic.id, ["TA0003", "TA0001"]);
  assert.deepEqual(threat?.technique?.id, ["T1543", "T1546", "T1574", "T1195"]);
  assert.deepEqual(threat?.technique?.subtechnique?.id, ["T1546.016", "T1195.002"]);
  assert.deepEqual(tags, fileRule.tags);
  assert.deepEqual([event.severity, event.risk_score, event.outcome], [21, 21, "unknown"]);
  assert.equal(kinwatch.related_rule, "8cc72fa3-70ae-4ea1-bee2-8e6aaf3c1fcf");
});

test("ecsRuleAlert(): the same event and rule have the same id, others another", () => {
  assert.equal(ruleAlert().event.id, ruleAlert().event.id);
  assert.notEqual(ruleAlert().event.id, ruleAlert(rpmImage({ serial: 99 })).event.id);
});

test("alertText(): a rule's alert names what is new by its fields, and no outcome", () => {
  const text = alertText(ruleAlert(), { width: 80, colour: false });
  assert.match(text, /^● LOW {2}rpm asked to install by an unusual parent$/m);
  assert.match(text, /^ +new {2}process\.parent\.executable {2}\/usr\/bin\/bash$/m);
  assert.doesNotMatch(text, /outcome|rpm was not run|new parent/);
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
});

test("alertText(): a summary says how many were held back, and until when", () => {
  const text = alertText(summaryOf(ruleAlert()), { width: 80, colour: false }).replace(/\n +/g, " ");
  assert.match(
    text,
    /held {2}5 more alerts of this rule between .* were stored and not shown one by one; this is the first/,
  );
});

test("alertFields(): a rule's alert in the journal names it, and a summary says what it is", () => {
  const fields = new Map(alertFields(summaryOf(ruleAlert()), "raised"));
  assert.equal(fields.get("KINWATCH_RULE_ID"), fileRule.id);
  assert.match(
    fields.get("MESSAGE") ?? "",
    /^5 more alerts between .*rpm asked to install by an unusual parent/,
  );
});
