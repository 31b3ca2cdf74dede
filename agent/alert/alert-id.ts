/** Ids that are the same whenever the same log is read: a restart repeats an alert, and everybody can tell. */
import { createHash } from "node:crypto";

/** Begins with the time in ms, as 12 hex digits, so that ids sort by time and a store appends them. */
export function timedId(timeMs: number, ...parts: readonly (string | number | undefined)[]): string {
  return `${Math.trunc(timeMs).toString(16).padStart(12, "0")}-${hash(parts).slice(0, 20)}`;
}

/** Names a process image on a host. ECS: process.entity_id. */
export function entityId(...parts: readonly (string | number | undefined)[]): string {
  return hash(parts).slice(0, 16);
}

function hash(parts: readonly (string | number | undefined)[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
