/**
 * The aliases that a host's rpm knows beside its own options: those that came with it, and those that a person wrote.
 */
import type { PoptAlias } from "./popt.ts";

export interface RpmAliases {
  readonly rpmVersion: string | undefined; // "4.18.0", of the name of rpm's own alias file; undefined: not known
  readonly shipped: readonly PoptAlias[]; // rpm's own: whoever runs rpm has them
  readonly host: readonly PoptAlias[]; // of /etc/popt, /etc/popt.d and ~/.popt; rpm reads them after its own
}

/** Whether version `a` is older than `b`, both as in "4.18.0"; what is no number counts as 0. */
export function olderThan(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) =>
    version.split(".").map((part) => Number.parseInt(part, 10) || 0),
  );
  for (let index = 0; index < 3; index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
