/**
 * Fields of documents as JSON has them, ECS's or kinwatch's own: nested objects, names with dots, lists of objects, all of which
 * mean the same to Elasticsearch. Their types are those of its mappings for ECS, as far as a query can ask for them.
 */
import { eventFields, UNNAMED } from "./event-fields.ts";
import type { KqlFields } from "./kql-match.ts";
import type { KqlType, KqlValue } from "./kql-value.ts";

/** By the last part of a name, wherever it stands. What is not here is a keyword. */
const typesByEnd: Readonly<Record<Exclude<KqlType, "keyword"> | "none", string>> = {
  wildcard: "command_line content message_id stack_trace strings text",
  long:
    "args_count bytes chi2 columns count duration entropy entrypoint exit_code go_imports_names_entropy " +
    "go_imports_names_var_entropy imports_names_entropy imports_names_var_entropy input_tokens length line major " +
    "max_tokens minor number offset output_tokens packets physical_size pid port priority public_key_exponent " +
    "public_key_size rows scanner_stats seed sequence sightings size status_code total_bytes_captured " +
    "total_bytes_skipped ttl uptime var_entropy virtual_address virtual_size vpid",
  boolean:
    "coldstart established exists go_stripped interactive managed max_bytes_per_process_exceeded mfa_enabled " +
    "privileged removable resumed same_as_process trusted valid writable",
  date:
    "@timestamp accessed created creation_date ctime delivery_timestamp end first_seen ingested installed " +
    "last_activity last_seen last_seen_timestamp modified_at mtime not_after not_before occurred " +
    "origination_timestamp start timestamp",
  // Addresses, fractions, places, words of a text, and objects: kinwatch compares none of them.
  none:
    "answers attachments base behavior bytes_skipped calculated_score calculated_score_norm egress encoding_formats " +
    "enrichments environmental exports finish_reasons forwarded_ip frequency_penalty go_imports imports indicator " +
    "ingress inner io ip labels location message metrics presence_penalty raw resolved_ip risk_score risk_score_norm " +
    "segments static_score static_score_norm stop_sequences structured_data syslog temperature temporal top_k top_p " +
    "tty usage",
};

const typeOfEnd: ReadonlyMap<string, KqlType | "none"> = new Map(
  Object.entries(typesByEnd).flatMap(([type, ends]) =>
    ends.split(" ").map((end) => [end, type as KqlType | "none"] as const),
  ),
);

const exceptions: readonly (readonly [fields: RegExp, type: KqlType | "none"])[] = [
  [/^process\.(?:parent\.)?thread\.id$|^log\.syslog\.\w+\.code$|^event\.severity$/, "long"],
  [
    /^kinwatch\.(?:coverage|health\.counters|health\.kernel|health\.outbox)\.|^kinwatch\.prevalence\.(?:hosts|fleet_hosts|days)$/,
    "long",
  ],
  [
    /^kinwatch\.health\.(?:uptime_ms|memory_bytes|cpu_ms|rules|lag_ms|lost)$|^kinwatch\.summary\.held$/,
    "long",
  ],
  [/^kinwatch\.summary\.(?:from|until)$/, "date"],
  [/^kinwatch\.held$|\.script_options_changed$/, "boolean"],
  [/\bregistry\.data\.bytes$|\.segments\.sections$/, "keyword"],
  [/\burl\.(?:full|original|path)$/, "wildcard"],
  [/\.sections$/, "none"],
];

export const documentFields: KqlFields<unknown> = (name) => {
  const type = typeOf(name);
  if (type === "none") return undefined;
  return { type, read: name === "host.id" ? hostIdsOf : reader(name) };
};

function reader(name: string): (document: unknown) => KqlValue[] {
  const parts = name.split(".");
  return (document) => valuesAt(document, parts);
}

const idsOf = reader("host.id");
const namesOf = reader("host.name");
const modulesOf = reader("event.module");

/** Of an event of kinwatch's own out of a stored log what its rules are told: the document does not make one up. */
function hostIdsOf(document: unknown): KqlValue[] {
  const ids = idsOf(document);
  if (ids.length > 0 || !modulesOf(document).includes("kinwatch")) return ids;
  const names = namesOf(document);
  return names.length > 0 ? names : [UNNAMED];
}

function typeOf(name: string): KqlType | "none" {
  return (
    eventFields(name)?.type ??
    exceptions.find(([fields]) => fields.test(name))?.[1] ??
    typeOfEnd.get(name.slice(name.lastIndexOf(".") + 1)) ??
    "keyword"
  );
}

/** In the order of the document, lists within lists flat. null is no value, and neither is an object. */
function valuesAt(document: unknown, parts: readonly string[]): KqlValue[] {
  const values: KqlValue[] = [];
  const open: (readonly [value: unknown, at: number])[] = [[document, 0]]; // no recursion: it may be deep
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, at] = next;
    if (Array.isArray(value)) {
      for (let index = value.length - 1; index >= 0; index -= 1) open.push([value[index], at]);
    } else if (typeof value === "object" && value !== null) {
      for (let end = parts.length; end > at; end -= 1) {
        const key = parts.slice(at, end).join(".");
        if (Object.hasOwn(value, key)) open.push([(value as Record<string, unknown>)[key], end]);
      }
    } else if (at === parts.length && isValue(value)) values.push(value);
  }
  return values;
}

function isValue(value: unknown): value is KqlValue {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
