/**
 * The rule "package installed by a new parent". A parent is its executable and, behind an interpreter, its script. A
 * process that became the package tool without a fork (exec rpm …) is named by the scripts it was before as well.
 * A parent that nobody knows is never learned: it raises each time.
 */
import type { Installation } from "../packages/installation.ts";

export const newParentRule = {
  id: "package-installed-by-new-parent",
  name: "Package installed by a new parent",
  description:
    "A package was installed by a parent process that had not installed packages on this host before.",
  version: "1",
  severity: 47,
  riskScore: 47,
} as const;

export interface Term {
  readonly field: "process.parent" | "process.previous";
  readonly value: readonly [executable: string, script: string];
}

export interface Match {
  readonly terms: readonly Term[];
  readonly unresolved: string | undefined; // why the parent is not known
}

const UNRESOLVED: Readonly<Record<string, string>> = {
  "not seen": "no record of its parent, and it was gone when it was looked for",
  "pid reused": "the pid of its parent has gone to another process since",
  orphaned: "its parent died before, and the process that took it over is named instead",
  "let go": "its parent was pushed out of the full process table",
  none: "it has no parent",
};

export function matchNewParent({ image }: Installation): Match {
  const terms: Term[] = [];
  const { parent } = image;
  if (parent !== undefined) {
    terms.push({ field: "process.parent", value: [parent.exec.executable, parent.exec.script ?? ""] });
  }
  for (let at = image.previous; at !== undefined; at = at.previous) {
    const { executable, script } = at.exec;
    if (script !== undefined) terms.push({ field: "process.previous", value: [executable, script] });
  }
  const unresolved = parent === undefined ? UNRESOLVED[image.unresolved ?? "not seen"] : undefined;
  return { terms, unresolved };
}
