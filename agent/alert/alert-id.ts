/** Ids of documents: the same whenever the same log is read. */
import { hashOf } from "../lineage/entity-id.ts";

/** Begins with the time in ms, as 12 hex digits, so that ids sort by time and a store appends them. */
export function timedId(timeMs: number, ...parts: readonly (string | number | undefined)[]): string {
  return `${Math.trunc(timeMs).toString(16).padStart(12, "0")}-${hashOf(parts).slice(0, 20)}`;
}
