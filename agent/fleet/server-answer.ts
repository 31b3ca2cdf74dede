/** What servers answer, of any content: what was asked for, or an error that says what to do. */
import { KinwatchError } from "../errors.ts";
import type { ServerAnswer, ServerRequest } from "../outputs/elasticsearch-request.ts";
import { printable } from "../printable.ts";

const REASON_MAX = 400; // characters

export type Table = Readonly<Record<string, unknown>>;

export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @returns the answer's table
 * @throws KW_SETUP_UNAUTHORIZED, KW_SETUP_REFUSED, KW_SETUP_NOT_ELASTICSEARCH
 */
export function granted(request: ServerRequest, { status, body }: ServerAnswer): Table {
  if (status === 401 || status === 403) throw unauthorized(request, status, body);
  if (status < 200 || status > 299) throw refused(request, status, body);
  if (!isTable(body)) throw unexpected(request, body);
  return body;
}

/** Of a request that changes the server. */
export function acknowledged(request: ServerRequest, answer: ServerAnswer): void {
  if (granted(request, answer)["acknowledged"] !== true) throw unexpected(request, answer.body);
}

/** Of what was asked about keys nothing is quoted: it may hold one. */
export function unexpected(request: ServerRequest, body: unknown): KinwatchError {
  const said = isOfKeys(request) ? "it is not shown" : typeof body === "string" ? body : JSON.stringify(body);
  return new KinwatchError(
    "KW_SETUP_NOT_ELASTICSEARCH",
    `${asked(request)}: no answer of Elasticsearch: ${printable(said ?? "nothing", 200)}`,
    "Name the address of Elasticsearch itself; Kibana and proxies answer otherwise",
  );
}

const forKeys =
  "A user with the cluster privilege manage_own_api_key, given by --admin-user-file, may make keys; a key may not";
const forTemplates =
  "Give --admin-key-file or --admin-user-file of one with the cluster privilege manage_index_templates, and on logs-kinwatch.*-* the privileges view_index_metadata and manage";

function unauthorized(request: ServerRequest, status: number, body: unknown): KinwatchError {
  const remedy = isOfKeys(request) ? forKeys : forTemplates;
  return new KinwatchError(
    "KW_SETUP_UNAUTHORIZED",
    `${asked(request)}: HTTP ${status}: ${reasonIn(body)}`,
    remedy,
  );
}

function refused(request: ServerRequest, status: number, body: unknown): KinwatchError {
  const isLater = status === 429 || status >= 500;
  const forNow = isOfKeys(request)
    ? forKeys
    : "Put right what it says; Elasticsearch 8.11 or later is needed";
  return new KinwatchError(
    "KW_SETUP_REFUSED",
    `${asked(request)}: HTTP ${status}: ${reasonIn(body)}`,
    isLater ? "Try again when the server is well" : forNow,
  );
}

function isOfKeys({ path }: ServerRequest): boolean {
  return path.startsWith("/_security/");
}

function asked({ method, path }: ServerRequest): string {
  return `${method} ${printable(path, 200)}`;
}

/** The innermost cause, which is the one that says something; else what came. */
export function reasonIn(body: unknown): string {
  let error = isTable(body) ? body["error"] : undefined;
  for (let depth = 0; depth < 10 && isTable(error) && isTable(error["caused_by"]); depth += 1)
    error = error["caused_by"];
  const reason = isTable(error) ? (error["reason"] ?? error["type"]) : error;
  const text = typeof reason === "string" ? reason : typeof body === "string" ? body : JSON.stringify(body);
  return printable(text ?? "no reason", REASON_MAX);
}
