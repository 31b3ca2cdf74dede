/**
 * Columns of Kibana's Lens: what is asked of Elasticsearch for a panel. Each is an operation on a field of our list, in the form
 * that Lens 8.9 keeps (x-pack/plugins/lens, form_based/operations/definitions). Labels are ours: Lens's own name the field.
 */
import assert from "node:assert/strict";
import type { FieldType } from "./field.ts";
import { fields } from "./fields.ts";

export interface Kql {
  readonly query: string;
  readonly language: "kuery";
}

export interface LensColumn {
  readonly label: string;
  readonly customLabel: true;
  readonly operationType:
    | "terms"
    | "date_histogram"
    | "count"
    | "unique_count"
    | "last_value"
    | "max"
    | "sum";
  readonly sourceField: string;
  readonly dataType: "string" | "number" | "date" | "boolean" | "ip";
  readonly isBucketed: boolean; // the panel's rows, or else a value of each row
  readonly scale: "ordinal" | "interval" | "ratio";
  readonly params: Readonly<Record<string, unknown>>;
  readonly filter?: Kql;
  readonly reducedTimeRange?: string; // only the last of the panel's time, such as "10m"
}

interface Only {
  readonly filter?: string; // KQL
  readonly lately?: string; // as reducedTimeRange
}

const documents = "___records___"; // what Lens calls the documents themselves

export function count(label: string, only: Only = {}): LensColumn {
  return { ...metric(label, "count", documents, only), params: { emptyAsNull: false } };
}

export function uniqueCount(label: string, field: string, only: Only = {}): LensColumn {
  typeOf(field);
  return { ...metric(label, "unique_count", field, only), params: { emptyAsNull: false } };
}

export function sum(label: string, field: string, only: Only = {}): LensColumn {
  assert.equal(typeOf(field), "number", field);
  return { ...metric(label, "sum", field, only), params: { emptyAsNull: false } };
}

export function max(label: string, field: string, only: Only = {}): LensColumn {
  assert.equal(typeOf(field), "number", field);
  return { ...metric(label, "max", field, only), params: { emptyAsNull: true } };
}

/** Of the latest document that has the field. */
export function lastValue(label: string, field: string): LensColumn {
  const dataType = typeOf(field);
  const scale = dataType === "number" || dataType === "date" ? "ratio" : "ordinal";
  return {
    ...metric(label, "last_value", field, { filter: `${field}: *` }),
    dataType,
    scale,
    params: { sortField: "@timestamp", showArrayValues: false },
  };
}

export function overTime(label = "When"): LensColumn {
  return {
    label,
    customLabel: true,
    operationType: "date_histogram",
    sourceField: "@timestamp",
    dataType: "date",
    isBucketed: true,
    scale: "interval",
    params: { interval: "auto", includeEmptyRows: true, dropPartials: false },
  };
}

/** @param by the column whose greatest values come first; without one the terms are in their own order */
export function terms(label: string, field: string, size: number, by?: string): LensColumn {
  const orderBy =
    by === undefined ? { type: "alphabetical", fallback: false } : { type: "column", columnId: by };
  return {
    label,
    customLabel: true,
    operationType: "terms",
    sourceField: field,
    dataType: typeOf(field),
    isBucketed: true,
    scale: "ordinal",
    params: {
      size,
      orderBy,
      orderDirection: by === undefined ? "asc" : "desc",
      otherBucket: false,
      missingBucket: false,
      parentFormat: { id: "terms" },
      include: [],
      exclude: [],
      includeIsRegex: false,
      excludeIsRegex: false,
      secondaryFields: [],
    },
  };
}

function metric(
  label: string,
  operationType: LensColumn["operationType"],
  sourceField: string,
  { filter, lately }: Only,
): LensColumn {
  return {
    label,
    customLabel: true,
    operationType,
    sourceField,
    dataType: "number",
    isBucketed: false,
    scale: "ratio",
    params: {},
    ...(filter === undefined ? {} : { filter: { query: filter, language: "kuery" } }),
    ...(lately === undefined ? {} : { reducedTimeRange: lately }),
  };
}

const typesInKibana: Readonly<Partial<Record<FieldType, LensColumn["dataType"]>>> = {
  keyword: "string",
  constant_keyword: "string",
  wildcard: "string",
  long: "number",
  float: "number",
  boolean: "boolean",
  date: "date",
  ip: "ip",
};

/** Of a field that Elasticsearch can aggregate on; a text field it cannot. */
function typeOf(field: string): LensColumn["dataType"] {
  const type = fields.find(({ name }) => name === field)?.type;
  const found = type && typesInKibana[type];
  assert.ok(found, `${field}: ${type ?? "no such field"}`);
  return found;
}
