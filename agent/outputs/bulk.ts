/**
 * A batch of documents as a bulk request, and what the answer says of each of them. Only `create` with an id of our own: what is
 * sent again is there already, and harms nothing. elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
 */
import { printable } from "../printable.ts";
import type { Refusal, Shipment } from "../store/shipments.ts";
import { causeOf } from "./elasticsearch-errors.ts";

export interface BulkResult {
  readonly taken: readonly number[]; // sequences: they are there, now or before
  readonly failureStored: number; // of these: there, but in the failure store
  readonly refused: readonly Refusal[]; // never, as they are
  readonly kept: readonly Kept[]; // not now
}

/** Why documents are not taken now: the server is busy, the key may not, or there is no such data stream. */
export interface Kept {
  readonly why: "busy" | "unauthorized" | "missing";
  readonly cause: string;
}

const reasonMax = 500;

/** Where to send it. @param requiresDataStream a plain index of that name must not come about; servers know this since 8.13 */
export function bulkPath(requiresDataStream: boolean): string {
  const fields = "took,errors,items.*.status,items.*.error,items.*.failure_store";
  return `/_bulk?filter_path=${fields}${requiresDataStream ? "&require_data_stream=true" : ""}`;
}

/**
 * @param memory where it is written, if it fits: what is left outside of the heap batch by batch would be collected late
 * @returns the body, uncompressed
 */
export function bulkBody(shipments: readonly Shipment[], memory = Buffer.alloc(0)): Buffer {
  const actions = shipments.map(
    ({ id, stream }) => `{"create":{"_index":${JSON.stringify(stream)},"_id":${JSON.stringify(id)}}}\n`,
  );
  const bytes = shipments.reduce(
    (sum, { document }) => sum + document.length + 1,
    actions.join("").length * 3,
  );
  const body = bytes <= memory.length ? memory : Buffer.alloc(bytes); // a character is three bytes at most
  let at = 0;
  for (const [index, { document }] of shipments.entries()) {
    at += body.write(actions[index] ?? "", at);
    at += document.copy(body, at);
    at += body.write("\n", at);
  }
  return body.subarray(0, at);
}

/** @returns undefined: it is no answer to these, or not the whole of it, so that nothing is known of any of them */
export function readBulkAnswer(shipments: readonly Shipment[], answer: unknown): BulkResult | undefined {
  const items = (answer as { items?: unknown } | undefined)?.items;
  if (!Array.isArray(items) || items.length !== shipments.length) return undefined;
  const [taken, refused, kept]: [number[], Refusal[], Kept[]] = [[], [], []];
  let failureStored = 0;
  for (const [index, { sequence }] of shipments.entries()) {
    const item = items[index]?.create as { status?: unknown; failure_store?: unknown } | undefined;
    const status = item?.status;
    if (typeof status !== "number") return undefined;
    const cause = printable(`${status} ${causeOf(item)}`.trim(), reasonMax);
    const why = keptBecause(status, cause);
    if (status < 300 || status === 409) {
      taken.push(sequence);
      if (item?.failure_store === "used") failureStored += 1;
    } else if (why === undefined) refused.push({ sequence, reason: cause });
    else kept.push({ why, cause });
  }
  return { taken, failureStored, refused, kept };
}

function keptBecause(status: number, cause: string): Kept["why"] | undefined {
  if (status === 429 || status >= 500) return "busy";
  if (status === 403 && cause.includes("cluster_block_exception")) return "busy"; // a full disk, a maintenance
  if (status === 401 || status === 403) return "unauthorized";
  if (status === 404) return "missing";
  return undefined;
}
