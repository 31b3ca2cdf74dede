/** A term as the store keeps it, and the id by which people name it. */
import { hashOf } from "../lineage/entity-id.ts";
import type { Term } from "../rules/term.ts";

export interface StoredTerm extends Term {
  readonly rule: string;
  readonly scope: string; // the host that the log names, "" for this one, and the container: scope.ts
  readonly firstSeenMs: number;
  readonly lastSeenMs: number; // at least: of a rule that remembers for ever it is not kept up to date
  readonly learned: boolean; // taken for granted, never alerted
}

/** The same on each host, now and later. 16 hex digits: among 100,000 terms the chance that two share one is below 10⁻⁹. */
export function termId({ rule, scope, field, value }: StoredTerm): string {
  return hashOf([rule, scope, field, ...value]).slice(0, 16);
}
