/** What a server's answer means where it does not take what it was sent, and what to do. */
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { jsonOf } from "./answer-body.ts";
import { retryAfterMs } from "./backoff.ts";
import type { Answer } from "./elasticsearch-node.ts";

const causeMax = 300;

/** It cannot now, and will later. */
export class BusyError extends KinwatchError {
  readonly retryAfterMs: number; // 0: it did not say

  constructor(cause: string, retryAfter: number) {
    super(
      "KW_ELASTICSEARCH_BUSY",
      `Elasticsearch does not take documents now: ${cause}`,
      "They wait here and are sent later. If it lasts, see its health: GET _cluster/health",
    );
    this.retryAfterMs = retryAfter;
  }
}

/** @throws an error by the status; returns where the answer is worth reading */
export function refuseStatus(answer: Answer): void {
  const { status, headers } = answer;
  if (status === 401 || status === 403) throw unauthorized(causeIn(answer));
  if (status === 429 || status >= 500)
    throw new BusyError(causeIn(answer), retryAfterMs(headers["retry-after"], Date.now()));
}

export function unauthorized(cause: string): KinwatchError {
  return new KinwatchError(
    "KW_ELASTICSEARCH_REFUSED",
    `Elasticsearch refuses the API key: ${cause}`,
    "Make a key with auto_configure and create_doc on logs-kinwatch.*-*, and put it where the old one is: it is read again at each try",
  );
}

export function streamMissing(cause: string): KinwatchError {
  return new KinwatchError(
    "KW_ELASTICSEARCH_STREAM_MISSING",
    `Elasticsearch has no data stream for a document, nor a template to make one: ${cause}`,
    "Run kinwatch setup elasticsearch, or put back the template logs that Elasticsearch brings along",
  );
}

export function notElasticsearch(answer: Answer): KinwatchError {
  return new KinwatchError(
    "KW_ELASTICSEARCH_ANSWER_INVALID",
    `An answer that is none of Elasticsearch, or not the whole of it: ${causeIn(answer)}`,
    "See what answers at output.elasticsearch.urls. What was sent is sent again",
  );
}

/** The status, and what an error of the server says of itself, in a line; of something else its beginning. */
export function causeIn(answer: Answer): string {
  const json = jsonOf(answer.body);
  const said = json === undefined ? answer.body.toString("utf8").slice(0, causeMax) : causeOf(json);
  return printable(`HTTP ${answer.status} ${said}`.trim(), causeMax);
}

export function causeOf(body: unknown): string {
  const error = (body as { error?: unknown } | undefined)?.error;
  if (typeof error === "string") return error;
  const { type, reason } = (error ?? {}) as { type?: unknown; reason?: unknown };
  return [type, reason].filter((part) => typeof part === "string").join(": ");
}
