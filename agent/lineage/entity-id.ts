/** Ids that are the same whenever the same log is read: a restart repeats an alert, and everybody can tell. */
import { hash } from "node:crypto";
import type { ProcessImage } from "./process-image.ts";

/** Names a process image on a host, the same wherever it is named: as the process, a parent or an ancestor. ECS: process.entity_id. */
export function entityOf({ exec: { node, pid, timeMs, serial } }: ProcessImage): string {
  return hashOf([node, pid, timeMs, serial]).slice(0, 16);
}

/** In hex. */
export function hashOf(parts: readonly (string | number | undefined)[]): string {
  return hash("sha256", JSON.stringify(parts));
}
