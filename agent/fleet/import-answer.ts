/**
 * What Kibana answers to an import, object by object: `_import` of saved objects and of detection rules report in different
 * words. A server's answer may hold anything: what is not understood is told as it came, never taken for success.
 */
import { printable } from "../printable.ts";
import { isTable, type Table } from "./server-answer.ts";

export interface ImportedObject {
  readonly kind: string; // "dashboard", "rule"
  readonly id: string;
  readonly name: string; // what a person knows it by
  readonly failure?: string; // why it is not there, or not as it should be
  readonly otherId?: string; // Kibana gave it another id: its own is taken in another space
}

/** What was sent, to tell what of it came to what. */
export interface Sent {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
}

const REASON_MAX = 400; // characters
const ID_MAX = 200;

/** @returns an object each that was sent; undefined: this is no answer to an import of saved objects */
export function importedObjects(body: unknown, sent: readonly Sent[]): ImportedObject[] | undefined {
  if (!isTable(body) || typeof body["success"] !== "boolean") return undefined;
  const done = listIn(body, "successResults");
  const failed = listIn(body, "errors");
  return sent.map((object) => {
    const isIt = (one: Table) => one["type"] === object.kind && one["id"] === object.id;
    const failure = failed.find(isIt);
    if (failure !== undefined) return { ...object, failure: objectFailure(failure["error"]) };
    const result = done.find(isIt);
    if (result === undefined) return { ...object, failure: "the answer does not name it" };
    const { destinationId } = result;
    return typeof destinationId === "string"
      ? { ...object, otherId: printable(destinationId, ID_MAX) }
      : object;
  });
}

/** Of rules only the failed ones are named; a failure that names none of ours is everybody's. */
export function importedRules(body: unknown, sent: readonly Sent[]): ImportedObject[] | undefined {
  if (!isTable(body) || typeof body["success"] !== "boolean") return undefined;
  const failed = listIn(body, "errors");
  const nameless = failed.find((one) => !sent.some(({ id }) => one["rule_id"] === id));
  const failedCount = sent.filter(({ id }) => failed.some((one) => one["rule_id"] === id)).length;
  const isShort = body["success_count"] !== sent.length - failedCount;
  return sent.map((rule) => {
    const failure = failed.find((one) => one["rule_id"] === rule.id) ?? nameless;
    if (failure !== undefined) return { ...rule, failure: ruleFailure(failure["error"]) };
    return isShort
      ? { ...rule, failure: `of ${sent.length} rules ${shown(body["success_count"])} came in` }
      : rule;
  });
}

/** The reason in the answer to a refused request; else what came, as text. */
export function reasonIn(body: unknown): string {
  const reason = isTable(body) ? (body["message"] ?? body["error"]) : body;
  return shown(reason ?? body);
}

function objectFailure(error: unknown): string {
  if (!isTable(error)) return shown(error);
  const { type, message, references } = error;
  if (type === "missing_references" && Array.isArray(references)) {
    const names = references.filter(isTable).map((one) => `${shown(one["type"])} ${shown(one["id"])}`);
    return printable(`what it refers to is not there: ${names.join(", ")}`, REASON_MAX);
  }
  if (type === "unsupported_type") return "this Kibana does not know its type";
  if (type === "conflict" || type === "ambiguous_conflict")
    return "Kibana has several that it could replace, or one of that id in another space";
  return typeof message === "string" ? printable(message, REASON_MAX) : shown(error);
}

function ruleFailure(error: unknown): string {
  return isTable(error) && typeof error["message"] === "string"
    ? printable(error["message"], REASON_MAX)
    : shown(error);
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text === undefined || text === "" ? "no reason given" : printable(text, REASON_MAX);
}

function listIn(body: Table, name: string): Table[] {
  const list = body[name];
  return Array.isArray(list) ? list.filter(isTable) : [];
}
