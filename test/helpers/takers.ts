import type { Outputs } from "../../agent/store/store.ts";

/** Outputs that take each alert when it is raised, and when it is complete. */
export function takers(...names: readonly string[]): Outputs {
  return { raised: names, completed: names };
}
