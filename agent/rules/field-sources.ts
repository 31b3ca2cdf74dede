/**
 * What keeps a rule from seeing what it asks for: fields that nobody gives, so that it is refused, and such that the source
 * that is watched gives never or at times, of which its user is told. A rule that loads and cannot match would be a trap.
 */
import { environmentNames, type Source } from "../sources/source.ts";
import { eventFields } from "./event-fields.ts";
import { type KqlLeaf, type KqlText, leavesOf } from "./kql-tree.ts";
import type { Rule, Subject } from "./rule.ts";

export type SourceName = Source["name"];

export interface FieldGap {
  readonly field: string;
  readonly at: KqlText | undefined; // where the query names it; undefined: it is one of the terms
  readonly given: "never" | "at times";
  readonly reason: string; // goes behind "FIELD is never given by SOURCE: "
}

/** Fields of Elastic's events that no source here gives. */
const refused: readonly (readonly [fields: RegExp, reason: string])[] = [
  [/^auditd\./, "kinwatch reads executions, no other system calls"],
  [/\.(?:hash|code_signature|elf|pe|macho)\./, "the content of programs is not read"],
  [/\.(?:real|saved)_(?:user|group)\./, "of users and groups the effective ones are kept alone"],
  [/\.(?:supplemental|attested)_\w+\./, "of users and groups the effective ones are kept alone"],
  [/(?:^|\.)group\.(?!id$)\w+$/, "names of groups are not read, process.group.id is"],
  [/^(?:user|group)\./, "of who runs it there are user.id, user.name and process.group.id"],
  [/^process\.Ext\.ancestry$/, "kinwatch.ancestry.entity_id says the same"],
  [/^process\.(?:.+\.)?Ext\./, "it is private to Elastic's sensor"],
  [/^process\.(?:.+\.)?(?:end|exit_code|uptime)$/, "the end of a process is not seen"],
  [/^process\.thread\.(?:id|name)$/, "threads are not told apart"],
  [/^host\.ip$/, "addresses would have to be compared by their networks, which kinwatch does not do"],
  [
    /^(?:container|orchestrator|cloud)\./,
    "of containers there are container.id, container.name, container.runtime and container.image.name",
  ],
  [
    /^(?:file|dll|registry|network|source|destination|client|server|dns|http|tls|url)\./,
    "only executions are watched",
  ],
  [/^(?:message$|rule\.|threat\.|data_stream\.|agent\.|ecs\.)/, "it is written when rules have been asked"],
  [/^event\.(?:id|created|ingested|reason|severity|risk_score)$/, "it is written when rules have been asked"],
  [
    /^kinwatch\.(?:ancestry\.|previous_images\.)?(?:(?:script_)?package_owner\b|script_options_changed$)/,
    "whose package it is is found out when a rule has matched, for exceptions: package_owner",
  ],
  [
    /^kinwatch\.(?:related_rule$|new_terms\.|first_seen$|coverage\.)/,
    "it is written when rules have been asked",
  ],
];

const LIVE =
  "only /proc has it, as long as the process runs that program; a short one is gone before it is asked";
const STORED = "a stored log does not have it";
const NAMES =
  "a stored log has names of users only where auditd enriches it, and then of package tools alone";
const NO_OUTCOME = "only audit tells what came of an installation";

type Gap = readonly [fields: RegExp, given: FieldGap["given"], reason: string];
const live =
  /^process\.(?:env_vars$|thread\.capabilities\.|session_leader\.|group_leader\.|(?:\w+\.)?group\.id$)/;
const container = /^(?:container\.|kinwatch\.container_)/;
const CONTAINER =
  "it is read while a process of the container lives, and off the files of runtimes that keep them where they usually do";
const outcome =
  /^(?:package\.|event\.outcome$|kinwatch\.(?:outcome|signature|package_count|software_update)\b)/;
const unaudited: readonly Gap[] = [
  [live, "at times", LIVE],
  [container, "at times", CONTAINER],
  [outcome, "never", NO_OUTCOME],
  [/^kinwatch\.audit\./, "never", "it has no audit records"],
];
const gaps: Readonly<Record<SourceName, readonly Gap[]>> = {
  "audit-log": [
    [live, "at times", LIVE],
    [container, "at times", CONTAINER],
  ],
  tracefs: unaudited,
  procfs: unaudited,
  files: [
    [live, "never", STORED],
    [container, "never", STORED],
    [/(?:^|[._])user\.name$/, "at times", NAMES],
    [
      /^host\.(?:name|hostname)$|^related\.hosts$/,
      "at times",
      "records name their host only where auditd is told to",
    ],
    [/^host\.(?!id$|os\.type$)/, "never", STORED],
  ],
};

/** A rule is asked too early for these. */
const tooEarly: readonly (readonly [fields: RegExp, on: Subject, reason: string])[] = [
  [
    outcome,
    "process",
    'an execution has no outcome, a rule with [kinwatch] on = "outcome" is asked when there is one',
  ],
  [
    /^(?:kinwatch|event)\.outcome$/,
    "installation",
    'it is not known at the beginning, a rule with [kinwatch] on = "outcome" is asked when it is',
  ],
];

/** Why the events of a rule do not have this field, although others' do. undefined: they do, or nobody knows such a field */
export function refusalOf(name: string, on: Subject): string | undefined {
  if (eventFields(name) === undefined) return refused.find(([fields]) => fields.test(name))?.[1];
  return tooEarly.find(([fields, subject]) => subject === on && fields.test(name))?.[2];
}

/** @param rule one that loads: all its fields are such that its events can have them */
export function gapsOf(
  { tree, newTerms, on }: Pick<Rule, "tree" | "newTerms" | "on">,
  source: SourceName,
): FieldGap[] {
  const all = [
    ...leavesOf(tree).map((leaf) => gapOfValue(leaf) ?? gapOf(leaf.field.text, leaf.field, on, source)),
    ...newTerms.fields.map((term) => gapOf(term, undefined, on, source)),
  ];
  const found = all.filter((gap) => gap !== undefined);
  return [...new Map(found.map((gap) => [`${gap.field}: ${gap.reason}`, gap])).values()];
}

function gapOf(
  field: string,
  at: KqlText | undefined,
  on: Subject,
  source: SourceName,
): FieldGap | undefined {
  const gap = gaps[source].find(([fields]) => fields.test(field));
  if (gap !== undefined) return { field, at, given: gap[1], reason: gap[2] };
  if (on !== "installation" || !outcome.test(field)) return undefined;
  return {
    field,
    at,
    given: "at times",
    reason: "of rpm it is known at the end only, of dnf and the like at the beginning too",
  };
}

/** Fields that are given, but not with every value. */
function gapOfValue(leaf: KqlLeaf): FieldGap | undefined {
  const field = leaf.field.text;
  const at = leaf.field;
  if (leaf.kind !== "equals" && leaf.kind !== "wildcard") return undefined;
  const begins = leaf.kind === "equals" ? leaf.value.text : (leaf.pieces[0] ?? "");
  if (field === "event.action" && begins === "uid_change") {
    return {
      field,
      at,
      given: "at times",
      reason: "a change of user is seen when the process executes a program next",
    };
  }
  const isRead = environmentNames.some(
    (name) => begins.startsWith(`${name}=`) || (leaf.kind === "wildcard" && `${name}=`.startsWith(begins)),
  );
  if (field !== "process.env_vars" || isRead) return undefined;
  return {
    field,
    at,
    given: "never",
    reason: `of the environment only ${environmentNames.join(", ")} are read`,
  };
}
