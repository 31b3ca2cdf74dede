import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readRules } from "../../agent/rules/rule-file.ts";
import type { RuleRemark } from "../../agent/rules/rule-mistakes.ts";
import { fileOf, goodRule, read } from "../helpers/rules.ts";

/** The good file with one piece of it replaced. */
function changed(piece: string, by: string): string {
  assert.equal(goodRule.split(piece).length, 2, `${piece} stands there once`);
  return goodRule.replace(piece, () => by);
}

test("readRules(): all that a file says is in its rule", () => {
  const { rules, mistakes, warnings } = read(
    `${goodRule}\n[kinwatch]\non = "outcome"\nrelated_rule = "x-1"\n`,
  );
  assert.deepEqual([mistakes, warnings], [[], []]);
  const [{ tree, ...rule } = assert.fail("it was refused")] = rules;
  assert.equal(tree.kind, "and");
  assert.deepEqual(rule, {
    id: "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11",
    version: "1",
    name: "Tool run by an unusual parent",
    description: "Somebody ran a tool.\n",
    severity: "low",
    riskScore: 21,
    tags: ["OS: Linux"],
    references: ["https://example.org/tool"],
    falsePositives: [],
    author: ["A person"],
    license: "Elastic License v2",
    note: "## Guide\n\nAsk who did it.\n",
    setup: undefined,
    threat: [
      {
        framework: "MITRE ATT&CK",
        tactic: { id: "TA0003", name: "Persistence", reference: "https://attack.mitre.org/tactics/TA0003/" },
        techniques: [
          {
            id: "T1546",
            name: "Event Triggered Execution",
            reference: "https://attack.mitre.org/techniques/T1546/",
            subtechniques: [
              {
                id: "T1546.016",
                name: "Installer Packages",
                reference: "https://attack.mitre.org/techniques/T1546/016/",
              },
            ],
          },
        ],
      },
    ],
    maxSignals: 100,
    intervalMs: 300_000,
    query: 'process.name:rpm and process.args:("-i" or "--install")\n',
    newTerms: { fields: ["process.parent.name"], historyMs: 5 * 86_400_000 },
    on: "outcome",
    relatedRule: "x-1",
    source: { file: "0.toml", builtIn: false },
  });
});

const taken: {
  why: string;
  toml: string;
  want: (rule: ReturnType<typeof read>["rules"][number]) => unknown;
  is: unknown;
}[] = [
  {
    why: "what was seen once is known for ever",
    toml: changed('"now-5d"', '"never"'),
    want: (rule) => rule.newTerms.historyMs,
    is: Number.POSITIVE_INFINITY,
  },
  {
    why: "a history of weeks",
    toml: changed('"now-5d"', '"now-2w"'),
    want: (rule) => rule.newTerms.historyMs,
    is: 14 * 86_400_000,
  },
  {
    why: "a history of seconds",
    toml: changed('"now-5d"', '"now-541s"'),
    want: (rule) => rule.newTerms.historyMs,
    is: 541_000,
  },
  {
    why: "three fields",
    toml: changed('["process.parent.name"]', '["process.parent.name", "process.name", "process.args"]'),
    want: (rule) => rule.newTerms.fields,
    is: ["process.parent.name", "process.name", "process.args"],
  },
  {
    why: "an interval and a limit of its own",
    toml: changed('type = "new', 'interval = "1h"\nmax_signals = 7\ntype = "new'),
    want: (rule) => [rule.intervalMs, rule.maxSignals],
    is: [3_600_000, 7],
  },
  {
    why: "no language is kuery",
    toml: changed('language = "kuery"\n', ""),
    want: (rule) => rule.on,
    is: "process",
  },
  {
    why: "no [metadata]",
    toml: goodRule.slice(goodRule.indexOf("[rule]")),
    want: (rule) => rule.severity,
    is: "low",
  },
  {
    why: "Windows line ends",
    toml: goodRule.replaceAll("\n", "\r\n"),
    want: (rule) => rule.tree.kind,
    is: "and",
  },
  { why: "a byte order mark", toml: `\ufeff${goodRule}`, want: (rule) => rule.tree.kind, is: "and" },
  {
    why: "what Elastic's files have and kinwatch does not need",
    toml: changed(
      "[[rule.threat]]\n",
      `[rule.investigation_fields]\nfield_names = ["process.args"]\n[[rule.related_integrations]]\npackage = "endpoint"\nversion = "^9.0.0"\n[[rule.required_fields]]\nname = "process.name"\necs = true\n[[transform.osquery]]\nlabel = "x"\n[[rule.threat]]\n`,
    ),
    want: (rule) => rule.id.length,
    is: 36,
  },
];
for (const { why, toml, want, is } of taken) {
  test(`readRules(): takes ${why}`, () => {
    const { rules, mistakes, warnings } = read(toml);
    assert.deepEqual([mistakes, warnings], [[], []]);
    assert.deepEqual(rules.map(want), [is]);
  });
}

/** A piece of the good file, and what stands in its place with « where the mistake is; at: what stands where it is told. */
const broken: { why: string; piece: string; by: string; at?: string; code: string; want: RegExp }[] = [
  {
    why: "an unknown key",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«severty = "low"',
    code: "KW_RULE_KEY_UNKNOWN",
    want: /rule\.severty: no such key; did you mean rule\.severity\?/,
  },
  {
    why: "an unknown key that is near to none",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«colour = "red"',
    code: "KW_RULE_KEY_UNKNOWN",
    want: /rule\.colour: .*listed in docs\/rules\.md/,
  },
  {
    why: "an unknown table",
    piece: "[metadata]",
    by: "[«metdata]",
    code: "KW_RULE_KEY_UNKNOWN",
    want: /metdata: .*did you mean metadata\?/,
  },
  {
    why: "an unknown key of a technique",
    piece: 'id = "T1546"\n',
    by: 'id = "T1546"\n«nme = "x"\n',
    code: "KW_RULE_KEY_UNKNOWN",
    want: /rule\.threat\.0\.technique\.0\.nme: .*did you mean rule\.threat\.technique\.name\?/,
  },
  {
    why: "an unknown key of the memory",
    piece: 'field = "new_terms_fields"',
    by: 'field = "new_terms_fields"\n«fields = 1',
    code: "KW_RULE_KEY_UNKNOWN",
    want: /did you mean rule\.new_terms\.field\?/,
  },
  {
    why: "a key of kinwatch's below [rule]",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«on = "process"',
    code: "KW_RULE_KEY_UNKNOWN",
    want: /rule\.on: .*did you mean kinwatch\.on\?/,
  },
  {
    why: "an unknown key of kinwatch's",
    piece: "[metadata]",
    by: "[kinwatch]\n«of = 1\n[metadata]",
    code: "KW_RULE_KEY_UNKNOWN",
    want: /kinwatch\.of: no such key/,
  },
  {
    why: "no id",
    piece: 'rule_id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"\n',
    by: "",
    at: "rule]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.rule_id: missing; expected 1 to 128 letters/,
  },
  {
    why: "an empty id",
    piece: 'rule_id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"',
    by: '«rule_id = ""',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.rule_id: expected .* came ""/,
  },
  {
    why: "an id with a blank",
    piece: 'rule_id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"',
    by: '«rule_id = "a b"',
    code: "KW_RULE_VALUE_INVALID",
    want: /came "a b"/,
  },
  {
    why: "an id that moves the cursor",
    piece: 'rule_id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"',
    by: '«rule_id = "\\u001b[2J"',
    code: "KW_RULE_VALUE_INVALID",
    want: /came "\\x1b\[2J"/,
  },
  {
    why: "an id that is a number",
    piece: 'rule_id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"',
    by: "«rule_id = 1",
    code: "KW_RULE_VALUE_INVALID",
    want: /came 1$/,
  },
  {
    why: "an id without end",
    piece: 'rule_id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"',
    by: `«rule_id = "${"x".repeat(129)}"`,
    code: "KW_RULE_VALUE_INVALID",
    want: /49 more characters/,
  },
  {
    why: "the id of the rule that is code",
    piece: 'rule_id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"',
    by: '«rule_id = "package-installed-by-new-parent"',
    code: "KW_RULE_DUPLICATE",
    want: /is the id of kinwatch itself already/,
  },
  {
    why: "no name",
    piece: 'name = "Tool run by an unusual parent"\n',
    by: "",
    at: "rule]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.name: missing; expected a text/,
  },
  {
    why: "a name of blanks",
    piece: 'name = "Tool run by an unusual parent"',
    by: '«name = " "',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.name: expected a text, came " "/,
  },
  {
    why: "no description",
    piece: 'description = """\nSomebody ran a tool.\n"""\n',
    by: "",
    at: "rule]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.description: missing/,
  },
  {
    why: "no severity",
    piece: 'severity = "low"\n',
    by: "",
    at: "rule]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.severity: missing; expected "low", "medium"/,
  },
  {
    why: "a severity that is none",
    piece: 'severity = "low"',
    by: '«severity = "hgh"',
    code: "KW_RULE_VALUE_INVALID",
    want: /"high" or "critical", came "hgh"/,
  },
  {
    why: "no score",
    piece: "risk_score = 21\n",
    by: "",
    at: "rule]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.risk_score: missing/,
  },
  {
    why: "a score beyond its bound",
    piece: "risk_score = 21",
    by: "«risk_score = 101",
    code: "KW_RULE_VALUE_INVALID",
    want: /from 0 to 100, came 101/,
  },
  {
    why: "a score in quotes",
    piece: "risk_score = 21",
    by: '«risk_score = "21"',
    code: "KW_RULE_VALUE_INVALID",
    want: /came "21"/,
  },
  {
    why: "a fraction of a score",
    piece: "risk_score = 21",
    by: "«risk_score = 21.5",
    code: "KW_RULE_VALUE_INVALID",
    want: /came 21\.5/,
  },
  {
    why: "one tag without its list",
    piece: 'tags = ["OS: Linux"]',
    by: '«tags = "OS: Linux"',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.tags: expected a list of texts, came "OS: Linux"/,
  },
  {
    why: "a number among the tags",
    piece: 'tags = ["OS: Linux"]',
    by: 'tags = ["OS: Linux", «7]',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.tags\.1: expected a list of texts, came 7/,
  },
  {
    why: "a guide that is a list",
    piece: 'references = ["https://example.org/tool"]',
    by: '«setup = ["a"]',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.setup: expected a text in Markdown, came an array of 1/,
  },
  {
    why: "a date for a version",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«version = 2026-01-31',
    code: "KW_RULE_VALUE_INVALID",
    want: /came the date 2026-01-31/,
  },
  {
    why: "a rule that is off",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«enabled = false',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.enabled: .*take its file away.* came false/,
  },
  {
    why: "a limit of nothing",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«max_signals = 0',
    code: "KW_RULE_VALUE_INVALID",
    want: /from 1 to 10000, came 0/,
  },
  {
    why: "an interval without its unit",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«interval = "5"',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.interval: expected a duration, such as "5m".* came "5"/,
  },
  {
    why: "an interval of nothing",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«interval = "0m"',
    code: "KW_RULE_VALUE_INVALID",
    want: /came "0m"/,
  },
  {
    why: "a look back into the future",
    piece: 'from = "now-9m"',
    by: '«from = "now+9m"',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.from: expected "now-9m" or the like.* came "now\+9m"/,
  },
  {
    why: "an end that is not now",
    piece: 'from = "now-9m"',
    by: '«to = "now-1m"',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.to: expected "now", came "now-1m"/,
  },
  {
    why: "a type that is not served",
    piece: 'type = "new_terms"',
    by: '«type = "eql"',
    code: "KW_RULE_UNSERVED",
    want: /rule\.type: "eql" is not served, only "new_terms" is/,
  },
  {
    why: "a type of kinwatch's own making",
    piece: 'type = "new_terms"',
    by: '«type = "query"',
    code: "KW_RULE_UNSERVED",
    want: /"query" is not served/,
  },
  {
    why: "no type",
    piece: 'type = "new_terms"\n',
    by: "",
    at: "rule]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.type: missing; expected "new_terms"/,
  },
  {
    why: "a type that is no text",
    piece: 'type = "new_terms"',
    by: "«type = 1",
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.type: expected "new_terms", came 1/,
  },
  {
    why: "another language",
    piece: 'language = "kuery"',
    by: '«language = "lucene"',
    code: "KW_RULE_UNSERVED",
    want: /rule\.language: expected "kuery", came "lucene"/,
  },
  {
    why: "filters beside the query",
    piece: "[[rule.threat]]\n",
    by: "[[rule.«filters]]\n[[rule.threat]]\n",
    code: "KW_RULE_UNSERVED",
    want: /rule\.filters: not served\. .*into the query/,
  },
  {
    why: "lists of exceptions",
    piece: "[[rule.threat]]\n",
    by: "[[rule.«exceptions_list]]\n[[rule.threat]]\n",
    code: "KW_RULE_UNSERVED",
    want: /kept in Kibana/,
  },
  {
    why: "a key of another type",
    piece: "[[rule.threat]]\n",
    by: "[rule.«threshold]\nvalue = 5\n[[rule.threat]]\n",
    code: "KW_RULE_UNSERVED",
    want: /another type/,
  },
  {
    why: "fields as Kibana's interface has them",
    piece: "[[rule.threat]]\n",
    by: '«new_terms_fields = ["process.name"]\n[[rule.threat]]\n',
    code: "KW_RULE_UNSERVED",
    want: /in a file it is \[rule\.new_terms\]/,
  },
  {
    why: "a suppression out of shape",
    piece: "[[rule.threat]]\n",
    by: '[rule.alert_suppression]\ngroup_by = ["a"]\n«missing_fields_strategy = "x"\n[[rule.threat]]\n',
    code: "KW_RULE_VALUE_INVALID",
    want: /"suppress" or "doNotSuppress", came "x"/,
  },
  {
    why: "no query",
    piece: `query = '''\nprocess.name:rpm and process.args:("-i" or "--install")\n'''\n`,
    by: "",
    at: "rule]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.query: missing; expected a KQL query/,
  },
  {
    why: "an empty query",
    piece: `'''\nprocess.name:rpm and process.args:("-i" or "--install")\n'''`,
    by: "'''\n \n«'''",
    code: "KW_RULE_UNSERVED",
    want: /The query is empty/,
  },
  {
    why: "a query that is a list",
    piece: `query = '''\nprocess.name:rpm and process.args:("-i" or "--install")\n'''`,
    by: '«query = ["a:b"]',
    code: "KW_RULE_VALUE_INVALID",
    want: /rule\.query: expected a KQL query, came an array of 1/,
  },
  {
    why: "a parenthesis that is not closed",
    piece: '("-i" or "--install")',
    by: '«("-i" or "--install"',
    code: "KW_RULE_QUERY_INVALID",
    want: /This "\(" is never closed/,
  },
  {
    why: "a keyword without its condition",
    piece: ' and process.args:("-i" or "--install")\n',
    by: " and\n«",
    code: "KW_RULE_QUERY_INVALID",
    want: /Expected a field and its value, and the query ends/,
  },
  {
    why: "a nested query",
    piece: 'process.args:("-i" or "--install")',
    by: "«process.args:{ a:b }",
    code: "KW_RULE_UNSERVED",
    want: /Nested objects are not served/,
  },
  {
    why: "text without a field",
    piece: 'process.args:("-i" or "--install")',
    by: "«install",
    code: "KW_RULE_UNSERVED",
    want: /"install" has no field/,
  },
  {
    why: "a wildcard in a field's name",
    piece: "process.args:",
    by: "«process.*:",
    code: "KW_RULE_UNSERVED",
    want: /A wildcard in the name of a field/,
  },
  {
    why: "parentheses too deep",
    piece: '("-i" or "--install")',
    by: `${"(".repeat(100)}«(`,
    code: "KW_RULE_QUERY_INVALID",
    want: /more than 100 deep/,
  },
  {
    why: "a field that no event has",
    piece: "process.args:",
    by: "«process.argz:",
    code: "KW_RULE_FIELD_UNUSABLE",
    want: /No event has a field "process\.argz"\. Did you mean process\.args\?/,
  },
  {
    why: "a field of another kind of event",
    piece: "process.args:",
    by: "«kinwatch.outcome:",
    code: "KW_RULE_FIELD_UNUSABLE",
    want: /"kinwatch\.outcome"/,
  },
  {
    why: "a value that the field cannot have",
    piece: 'process.args:("-i" or "--install")',
    by: "process.args_count >= «many",
    code: "KW_RULE_FIELD_UNUSABLE",
    want: /is a number, and "many" is none/,
  },
  {
    why: "a query that contradicts itself",
    piece: "process.name:rpm and",
    by: "«process.name:rpm and process.name:dnf and",
    code: "KW_RULE_QUERY_INVALID",
    want: /No program can satisfy it/,
  },
  {
    why: "a query for events that are not there",
    piece: "process.name:rpm and",
    by: "«event.action:fork and",
    code: "KW_RULE_UNSERVED",
    want: /No event can satisfy it .* actions are "exec" and "uid_change" here/,
  },
  {
    why: "a field of Elastic's that is not read here",
    piece: "process.args:",
    by: "«auditd.data.a2:",
    code: "KW_RULE_FIELD_UNUSABLE",
    want: /No event has "auditd\.data\.a2": kinwatch reads executions/,
  },
  {
    why: "a mistake behind an escape",
    piece: `'''\nprocess.name:rpm and process.args:("-i" or "--install")\n'''`,
    by: '"process.name:\\u0022rpm\\u0022 \\tand «process.argz:x"',
    code: "KW_RULE_FIELD_UNUSABLE",
    want: /argz/,
  },
  {
    why: "a mistake behind lines that a backslash ends",
    piece: `'''\nprocess.name:rpm and process.args:("-i" or "--install")\n'''`,
    by: '"""\\\n  process.name:rpm \\\n\n  and «process.argz:x"""',
    code: "KW_RULE_FIELD_UNUSABLE",
    want: /argz/,
  },
  {
    why: "a mistake behind a sign of two units",
    piece: "process.name:rpm",
    by: "process.name:\u{1f4e6} and «process.argz:x",
    code: "KW_RULE_FIELD_UNUSABLE",
    want: /argz/,
  },
  {
    why: "no memory",
    piece:
      '[rule.new_terms]\nfield = "new_terms_fields"\nvalue = ["process.parent.name"]\n\n[[rule.new_terms.history_window_start]]\nfield = "history_window_start"\nvalue = "now-5d"\n',
    by: "",
    at: "rule]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.new_terms: missing; expected the table \[rule\.new_terms\]/,
  },
  {
    why: "no fields",
    piece: 'value = ["process.parent.name"]',
    by: "«value = []",
    code: "KW_RULE_VALUE_INVALID",
    want: /one to three names of fields, came an array of 0/,
  },
  {
    why: "four fields",
    piece: 'value = ["process.parent.name"]',
    by: '«value = ["process.name", "process.args", "process.executable", "process.start"]',
    code: "KW_RULE_VALUE_INVALID",
    want: /one to three names of fields, came an array of 4/,
  },
  {
    why: "one field without its list",
    piece: 'value = ["process.parent.name"]',
    by: '«value = "process.parent.name"',
    code: "KW_RULE_VALUE_INVALID",
    want: /one to three names of fields, came "process/,
  },
  {
    why: "a term that no event has",
    piece: '["process.parent.name"]',
    by: '["process.name", «"process.parent.nme"]',
    code: "KW_RULE_FIELD_UNUSABLE",
    want: /rule\.new_terms\.value: No event has a field "process\.parent\.nme"/,
  },
  {
    why: "a memory of another name",
    piece: 'field = "new_terms_fields"',
    by: '«field = "new_terms"',
    code: "KW_RULE_VALUE_INVALID",
    want: /expected "new_terms_fields", came "new_terms"/,
  },
  {
    why: "a history without a unit",
    piece: 'value = "now-5d"',
    by: '«value = "now-5"',
    code: "KW_RULE_VALUE_INVALID",
    want: /expected "now-5d" or the like .*"never", came "now-5"/,
  },
  {
    why: "a history in months, which are of no certain length",
    piece: 'value = "now-5d"',
    by: '«value = "now-1M"',
    code: "KW_RULE_VALUE_INVALID",
    want: /units s, m, h, d, w.* came "now-1M"/,
  },
  {
    why: "a history in milliseconds",
    piece: 'value = "now-5d"',
    by: '«value = "now-5000ms"',
    code: "KW_RULE_VALUE_INVALID",
    want: /came "now-5000ms"/,
  },
  {
    why: "a history that is rounded",
    piece: 'value = "now-5d"',
    by: '«value = "now-5d/d"',
    code: "KW_RULE_VALUE_INVALID",
    want: /came "now-5d\/d"/,
  },
  {
    why: "a history that is a date",
    piece: 'value = "now-5d"',
    by: '«value = "2026-01-31"',
    code: "KW_RULE_VALUE_INVALID",
    want: /came "2026-01-31"/,
  },
  {
    why: "a history no longer than the look back",
    piece: 'value = "now-5d"',
    by: '«value = "now-9m"',
    code: "KW_RULE_VALUE_INVALID",
    want: /"now-9m" reaches no further than rule\.from, "now-9m"/,
  },
  {
    why: "a history that is one table",
    piece: "[[rule.new_terms.history_window_start]]",
    by: "[rule.new_terms.«history_window_start]",
    code: "KW_RULE_VALUE_INVALID",
    want: /one table \[\[rule\.new_terms\.history_window_start\]\], came a table/,
  },
  {
    why: "two histories",
    piece: "[[rule.new_terms.history_window_start]]",
    by: '[[rule.new_terms.«history_window_start]]\nfield = "history_window_start"\nvalue = "now-7d"\n[[rule.new_terms.history_window_start]]',
    code: "KW_RULE_VALUE_INVALID",
    want: /one table .* came an array of 2/,
  },
  {
    why: "a tactic without an id",
    piece: 'id = "TA0003"\n',
    by: "",
    at: "tactic]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.threat\.0\.tactic\.id: missing; expected an id, such as "TA0003"/,
  },
  {
    why: "a threat without its tactic",
    piece:
      '[rule.threat.tactic]\nid = "TA0003"\nname = "Persistence"\nreference = "https://attack.mitre.org/tactics/TA0003/"\n',
    by: "",
    at: "threat]]",
    code: "KW_RULE_KEY_MISSING",
    want: /rule\.threat\.0\.tactic: missing; expected the table \[rule\.threat\.tactic\]/,
  },
  {
    why: "one threat without its array",
    piece: "[[rule.threat]]\n",
    by: "[rule.«threat]\n",
    code: "KW_RULE_VALUE_INVALID",
    want: /tables \[\[rule\.threat\]\], came a table/,
  },
  {
    why: "a subject that is none",
    piece: "[metadata]",
    by: '[kinwatch]\n«on = "file"\n[metadata]',
    code: "KW_RULE_VALUE_INVALID",
    want: /kinwatch\.on: expected "process", "installation" or "outcome", came "file"/,
  },
  {
    why: "a value for [kinwatch]",
    piece: "[metadata]",
    by: "«kinwatch = 1\n[metadata]",
    code: "KW_RULE_VALUE_INVALID",
    want: /kinwatch: expected the table \[kinwatch\], came 1/,
  },
  {
    why: "what is not TOML",
    piece: 'severity = "low"',
    by: "severity = «low",
    code: "KW_RULE_NOT_TOML",
    want: /not TOML: invalid value/,
  },
  {
    why: "a string without its end",
    piece: 'name = "Tool run by an unusual parent"',
    by: 'name = "Tool«',
    code: "KW_RULE_NOT_TOML",
    want: /not TOML: /,
  },
  {
    why: "a key given twice",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«severity = "low"',
    code: "KW_RULE_NOT_TOML",
    want: /not TOML: trying to redefine/,
  },
  {
    why: "a key that is JavaScript's",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«__proto__ = 1',
    code: "KW_RULE_NOT_TOML",
    want: /not TOML: .*unsafe/,
  },
];

for (const { why, piece, by, at, code, want } of broken) {
  test(`readRules(): refuses ${why}`, () => {
    const marked = changed(piece, by);
    const before = marked.slice(0, marked.indexOf(at ?? "«")).split("\n");
    const position = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    const { rules, mistakes } = read(marked.replace("«", ""));
    assert.equal(rules.length, 0);
    assert.match(mistakes[0]?.text ?? "", want);
    assert.deepEqual(mistakes, [{ file: "0.toml", position, code, text: mistakes[0]?.text }]);
    assert.doesNotMatch(mistakes[0]?.text ?? "", /\p{Cc}/u);
  });
}

for (const [why, text] of [
  ["brackets too deep", `x = ${"[".repeat(50_000)}${"]".repeat(50_000)}\n`],
  ["tables too deep", `x = ${"{a=".repeat(50_000)}1${"}".repeat(50_000)}\n`],
  ["a character that there is not", '"\\uzzzz" = 1\n'],
] as const) {
  test(`readRules(): refuses ${why}, which cannot be walked for places`, () => {
    const codes = read(text).mistakes.map(({ code }) => code);
    assert.deepEqual(codes, ["KW_RULE_NOT_TOML"]);
  });
}

test("readRules(): refuses bytes that are no text, and says in which line", () => {
  const { mistakes } = read(Buffer.concat([Buffer.from("[rule]\n# "), Buffer.from([0xff])]));
  assert.deepEqual(mistakes, [
    {
      file: "0.toml",
      position: { line: 2, column: 1 },
      code: "KW_RULE_NOT_TOML",
      text: "not UTF-8: save the file in that encoding",
    },
  ]);
});

test("readRules(): an empty file is told what it lacks", () => {
  const { mistakes } = read("");
  assert.deepEqual(
    mistakes.map(({ position, text }) => [position, text]),
    [[{ line: 1, column: 1 }, "rule: missing; expected the table [rule]"]],
  );
});

test("readRules(): tells all mistakes of a file at once, in its order", () => {
  const toml = `${changed('"--install"', "(x").replace('severity = "low"', 'severity = "x"').replace("process.parent.name", "no.such")}zzz = 1\n`;
  const { mistakes } = read(toml);
  assert.deepEqual(
    mistakes.map(({ code }) => code),
    ["KW_RULE_VALUE_INVALID", "KW_RULE_QUERY_INVALID", "KW_RULE_FIELD_UNUSABLE", "KW_RULE_KEY_UNKNOWN"],
  );
});

test("readRules(): names each unknown field of a query once, also in front of a list", () => {
  const { mistakes } = read(changed("process.args:", "a.b:x or a.b:y or process.argz:"));
  assert.deepEqual(
    mistakes.map(({ position }) => position?.column),
    [22, 31, 40],
  );
});

test("readRules(): of a rule of another type nothing else is told", () => {
  const toml = changed('type = "new_terms"', 'type = "eql"').replace("process.name:rpm and", "process where");
  assert.deepEqual(
    read(toml).mistakes.map(({ code }) => code),
    ["KW_RULE_UNSERVED"],
  );
});

test("readRules(): a file full of mistakes gives a list that can be read", () => {
  const keys = Array.from({ length: 50_000 }, (_, index) => `key_${index} = 1`);
  const { mistakes } = read(`${goodRule}${keys.join("\n")}`);
  assert.equal(mistakes.length, 101);
  assert.match(mistakes.at(-1)?.text ?? "", /key_100: no such key.* \(and 49899 more\)$/);
});

const warned: { why: string; piece: string; by: string; want: RegExp }[] = [
  {
    why: "suppression",
    piece: "[[rule.threat]]\n",
    by: '[rule.«alert_suppression]\ngroup_by = ["host.id"]\nmissing_fields_strategy = "suppress"\n[rule.alert_suppression.duration]\nunit = "h"\nvalue = 5\n[[rule.threat]]\n',
    want: /rule\.alert_suppression: not done, each new term raises its alert/,
  },
  {
    why: "another severity by a field's value",
    piece: "[[rule.threat]]\n",
    by: '[[rule.«severity_mapping]]\nfield = "event.severity"\n[[rule.threat]]\n',
    want: /rule\.severity holds/,
  },
  {
    why: "a building block",
    piece: 'severity = "low"',
    by: 'severity = "low"\n«building_block_type = "default"',
    want: /alerts like others/,
  },
  {
    why: "a rule in development",
    piece: 'maturity = "production"',
    by: '«maturity = "development"',
    want: /metadata\.maturity: "development" makes no difference, the rule is on/,
  },
];
for (const { why, piece, by, want } of warned) {
  test(`readRules(): takes ${why}, and warns of it`, () => {
    const marked = changed(piece, by);
    const before = marked.slice(0, marked.indexOf("«")).split("\n");
    const position = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    const { rules, mistakes, warnings } = read(marked.replace("«", ""));
    assert.deepEqual([rules.length, mistakes], [1, []]);
    assert.match(warnings[0]?.text ?? "", want);
    assert.deepEqual(warnings, [
      { file: "0.toml", position, code: "KW_RULE_IGNORED", text: warnings[0]?.text },
    ]);
  });
}

test("readRules(): a bad file does not stop the others, and of two with the same id the first is taken", () => {
  const other = goodRule.replace("0d3f2f8e", "1d3f2f8e");
  const { rules, mistakes } = read(goodRule, "bad", goodRule, other);
  assert.deepEqual(
    rules.map(({ source }) => source.file),
    ["0.toml", "3.toml"],
  );
  assert.deepEqual(
    mistakes.map(({ file, code, position }) => [file, code, position?.line]),
    [
      ["1.toml", "KW_RULE_NOT_TOML", 1],
      [
        "2.toml",
        "KW_RULE_DUPLICATE",
        goodRule.split("\n").findIndex((line) => line.startsWith("rule_id")) + 1,
      ],
    ],
  );
  assert.match(
    mistakes[1]?.text ?? "",
    /"0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11" is the id of 0\.toml already/,
  );
});

test("readRules(): a file that is refused does not take the id from another", () => {
  const { rules } = read(changed('severity = "low"', "severity = 1"), goodRule);
  assert.deepEqual(
    rules.map(({ source }) => source.file),
    ["1.toml"],
  );
});

test("readRules(): any bytes are a rule or its mistakes, each with a place in the file", () => {
  const lines = goodRule.split("\n");
  const line = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...lines) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'query = """',
        '"""',
        "[kinwatch]",
        "[rule]",
        "rule = 1",
        'on = "outcome"',
        "query = 'a:b'",
      ),
    },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
  );
  const shuffled = fc.array(line, { maxLength: 40 }).map((some) => Buffer.from(some.join("\n")));
  const damaged = fc
    .tuple(fc.nat(goodRule.length - 1), fc.nat(20), fc.uint8Array({ maxLength: 6 }))
    .map(([at, length, bytes]) =>
      Buffer.concat([Buffer.from(goodRule.slice(0, at)), bytes, Buffer.from(goodRule.slice(at + length))]),
    );
  const anything = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  const property = fc.property(fc.oneof(shuffled, damaged, anything), (bytes) => {
    const { rules, mistakes } = readRules([fileOf(bytes)]);
    assert.equal(rules.length, mistakes.length === 0 ? 1 : 0);
    const length = bytes.toString().split("\n").length;
    for (const { position, text } of mistakes as RuleRemark[]) {
      assert.ok(
        position !== undefined && position.line >= 1 && position.line <= length && position.column >= 1,
        text,
      );
      assert.doesNotMatch(text, /[\p{Cc}\p{Cs}]/u);
    }
  });
  fc.assert(property, { numRuns: 1_500 });
});
