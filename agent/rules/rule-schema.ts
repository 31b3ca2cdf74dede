/**
 * The keys of a rule file: Elastic's public format for rules of the type new_terms, and kinwatch's own under [kinwatch]. A key
 * that Elastic's format has and that says nothing here is taken and ignored; any other is a mistake. docs/rules.md lists them,
 * and test/rules/rule-schema.test.ts compares.
 */
import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { keyFacts, keysOf } from "../toml-schema.ts";

const spanMsMin = 1_000;
const spanMsMax = 3_650 * 86_400_000;
const spanForm = /^\d+[smhdw]$/; // Elasticsearch's date mathematics know no milliseconds

/** @returns milliseconds; undefined where the text is no duration, or out of bounds */
function readSpan(text: string): number | undefined {
  const ms = spanForm.test(text) ? parseDuration(text) : undefined;
  return ms !== undefined && spanMsMin <= ms && ms <= spanMsMax ? ms : undefined;
}

/** "now-5d": how far back. */
export function readLookBack(text: string): number | undefined {
  return text.startsWith("now-") ? readSpan(text.slice(4)) : undefined;
}

/** `never`, which Kibana does not have: what was seen once is known for ever. */
export function readHistory(text: string): number | undefined {
  return text === "never" ? Number.POSITIVE_INFINITY : readLookBack(text);
}

function key<S extends z.ZodType>(schema: S, expects: string, purpose: string): S {
  keyFacts.add(schema, { expects, purpose });
  return schema;
}

const words = () => z.string().regex(/\S/);
const milliseconds = (read: (text: string) => number | undefined) =>
  z.string().transform((text, context) => {
    const ms = read(text);
    if (ms === undefined) context.addIssue("no such span of time");
    return ms ?? z.NEVER;
  });
const list = () => z.array(z.string()).prefault([]);
const anything = () => z.unknown().optional();

const spans = "units s, m, h, d, w; from 1s to 3650d";
const ignored = "anything";

const technique = (what: string, id: string) => ({
  id: key(words(), `an id, such as "${id}"`, `Id of the ${what}.`),
  name: key(words(), "a text", `Name of the ${what}.`),
  reference: key(words().optional(), "a link", "The page about it."),
});

const threat = z.strictObject({
  framework: key(words(), '"MITRE ATT&CK" or another', "Whose names these are."),
  tactic: z.strictObject(technique("tactic", "TA0003")),
  technique: key(
    z
      .array(
        z.strictObject({
          ...technique("technique", "T1546"),
          subtechnique: key(
            z.array(z.strictObject(technique("subtechnique", "T1546.016"))).prefault([]),
            "tables [[rule.threat.technique.subtechnique]]",
            "Its subtechniques.",
          ),
        }),
      )
      .prefault([]),
    "tables [[rule.threat.technique]]",
    "Techniques of this tactic.",
  ),
});

const newTerms = z.strictObject({
  field: key(z.literal("new_terms_fields"), '"new_terms_fields"', "Says what value is."),
  value: key(
    z.array(words()).min(1).max(3),
    "one to three names of fields",
    "An alert is raised when their values, all together, are new.",
  ),
  history_window_start: key(
    z
      .array(
        z.strictObject({
          field: key(z.literal("history_window_start"), '"history_window_start"', "Says what value is."),
          value: key(
            milliseconds(readHistory),
            `"now-5d" or the like (${spans}), or "never"`,
            'How far back a value is known. "never" is kinwatch\'s own: once seen, known for ever.',
          ),
        }),
      )
      .length(1),
    "one table [[rule.new_terms.history_window_start]]",
    "How long the memory is.",
  ),
});

const suppression = z.strictObject({
  group_by: key(z.array(words()).min(1).max(3), "one to three names of fields", "Not done."),
  duration: z
    .strictObject({
      value: key(z.int().min(1), "a whole number above 0", "Not done."),
      unit: key(z.enum(["s", "m", "h"]), '"s", "m" or "h"', "Not done."),
    })
    .optional(),
  missing_fields_strategy: key(
    z.enum(["suppress", "doNotSuppress"]).optional(),
    '"suppress" or "doNotSuppress"',
    "Not done.",
  ),
});

export const ruleFileSchema = z.strictObject({
  rule: z.strictObject({
    rule_id: key(
      z.string().regex(/^[a-z\d][\w.-]{0,127}$/i),
      "1 to 128 letters, digits, dots, hyphens and underscores, best a UUID",
      "Names the rule's history and its alerts; no two rules have the same.",
    ),
    name: key(words(), "a text", "What an alert is called."),
    description: key(words(), "a text", "What it means, in a sentence or two."),
    type: key(z.literal("new_terms"), '"new_terms"', "The only type that is served."),
    language: key(z.literal("kuery").default("kuery"), '"kuery"', "The only language that is served."),
    query: key(z.string(), "a KQL query", "Which events the rule is about."),
    new_terms: newTerms,
    severity: key(
      z.enum(["low", "medium", "high", "critical"]),
      '"low", "medium", "high" or "critical"',
      "How bad it is when it is no false alarm.",
    ),
    risk_score: key(
      z.int().min(0).max(100),
      "a whole number from 0 to 100",
      "The same as a number: 21, 47, 73 and 99 are usual.",
    ),
    interval: key(
      milliseconds(readSpan).prefault("5m"),
      `a duration, such as "5m" (${spans})`,
      "max_signals counts alerts in so long a time. Rules are asked at each event, not at intervals.",
    ),
    from: key(
      milliseconds(readLookBack).optional(),
      `"now-9m" or the like (${spans})`,
      "How far Kibana looks back; the history must reach further. No event is late here.",
    ),
    to: key(z.literal("now").default("now"), '"now"', "Kibana's other end of the same."),
    max_signals: key(
      z.int().min(1).max(10_000).default(100),
      "a whole number from 1 to 10000",
      "So many alerts in an interval; what is above it is summarised, not dropped.",
    ),
    version: key(z.int().min(1).default(1), "a whole number above 0", "Told in the alerts."),
    tags: key(list(), "a list of texts", "Told in the alerts."),
    author: key(list(), "a list of texts", "Shown by rules show."),
    license: key(words().optional(), "a text", "Shown by rules show."),
    note: key(words().optional(), "a text in Markdown", "The guide: what to ask, what to do."),
    setup: key(words().optional(), "a text in Markdown", "What the rule needs to work."),
    false_positives: key(list(), "a list of texts", "What alerts without being bad."),
    references: key(list(), "a list of links", "Where to read more."),
    threat: key(z.array(threat).prefault([]), "tables [[rule.threat]]", "One for each tactic of ATT&CK."),
    enabled: key(
      z.literal(true).optional(),
      "true; to turn a rule off, take its file away or give it another ending than .toml",
      "Each rule that is there is on.",
    ),
    alert_suppression: suppression.optional(),
    actions: key(anything(), ignored, "Not done: kinwatch's outputs tell of alerts."),
    building_block_type: key(anything(), ignored, "Not done: its alerts are alerts like others."),
    data_view_id: key(anything(), ignored, "Ignored: kinwatch reads its own events."),
    index: key(anything(), ignored, "Ignored: kinwatch reads its own events."),
    investigation_fields: key(anything(), ignored, "Ignored: which fields Kibana shows first."),
    meta: key(anything(), ignored, "Ignored: notes of Kibana's."),
    namespace: key(anything(), ignored, "Ignored: where Kibana writes alerts."),
    output_index: key(anything(), ignored, "Ignored: where Kibana writes alerts."),
    related_integrations: key(
      anything(),
      ignored,
      "Ignored: which of Elastic's integrations it was made for.",
    ),
    required_fields: key(anything(), ignored, "Ignored: the query says which fields it reads."),
    response_actions: key(anything(), ignored, "Not done: kinwatch does nothing on its own."),
    risk_score_mapping: key(anything(), ignored, "Not done: risk_score holds."),
    rule_name_override: key(anything(), ignored, "Not done: name holds."),
    severity_mapping: key(anything(), ignored, "Not done: severity holds."),
    throttle: key(anything(), ignored, "Ignored: how often Kibana does actions."),
    timeline_id: key(anything(), ignored, "Ignored: a view of Kibana's."),
    timeline_title: key(anything(), ignored, "Ignored: a view of Kibana's."),
    timestamp_override: key(anything(), ignored, "Ignored: an event's own time counts."),
    timestamp_override_fallback_disabled: key(anything(), ignored, "Ignored: an event's own time counts."),
  }),
  kinwatch: z
    .strictObject({
      on: key(
        z.enum(["process", "installation", "outcome"]).default("process"),
        '"process", "installation" or "outcome"',
        "What it is asked about: executions, packages being installed, or what came of that.",
      ),
      related_rule: key(words().optional(), "a rule_id", "Somebody else's rule that asks the same."),
    })
    .prefault({}),
  metadata: key(z.looseObject({}).optional(), "a table", "Ignored: whose rule it is, and since when."),
  transform: key(anything(), ignored, "Ignored: what Kibana puts into the guide."),
});

export type RuleData = z.output<typeof ruleFileSchema>;
export const ruleKeys = keysOf(ruleFileSchema);
