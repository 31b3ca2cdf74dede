/**
 * The rule "package installed by a new parent". A parent is its executable and, behind an interpreter, its script. What the
 * package tool's own process was before (exec without fork) is asked as well: a script that ends in `exec rpm -i x`, or a
 * program that execs it, is the real installer, and the recorded parent is only who started that.
 *
 * A service whose manager left no trace of having started it (systemd before 255) is named by itself: dnf-automatic is one such
 * program, PackageKit another. rpm is no service: without a parent of its own it is somebody's orphan.
 *
 * A parent that nobody knows is never learned: it raises each time.
 */
import type { ProcessImage, Provenance } from "../lineage/process-image.ts";
import type { Installation } from "../packages/installation.ts";
import type { Term } from "./term.ts";

export const newParentRule = {
  id: "package-installed-by-new-parent",
  uuid: "b4998522-57bd-44b3-a278-99297daa7714", // made once, of random bytes
  name: "Package installed by a new parent",
  description:
    "A package was installed by a parent process that had not installed packages on this host before.",
  version: "1",
  severity: 47,
  riskScore: 47,
  maxSignals: 100,
  intervalMs: 300_000,
} as const;

type ParentField = "process.parent" | "process.previous" | "process.service"; // service: the tool itself

export interface Match {
  readonly terms: readonly Term[]; // all must be known, or it is an alert
  readonly unresolved: string | undefined; // why the parent is not known: an alert in any case
}

const UNRESOLVED: Readonly<Record<string, string>> = {
  "not seen": "no record of its parent, and it was gone when it was looked for",
  "pid reused": "the pid of its parent may have gone to another process since",
  orphaned: "its parent died before, and its record names only who took it over",
  "let go": "its parent was pushed out of the full process table",
};
const ADOPTED = "pid 1 or a service manager started it, or took it over when its parent died";
const UNREADABLE = "its parent is there, but which program it runs may not be read";
const NAMELESS = "its script came through a file descriptor, and has no name that tells it from others";
const DESCRIPTOR = /^\/(?:dev|proc\/[^/]+)\/(?:fd\/|stdin$)/; // as of bash <(…), and of fexecve(3)

export function matchNewParent({ image, command }: Installation): Match {
  const { parent } = image;
  const previous = new Map<string, Term>();
  let isNameless = parent !== undefined && hasNamelessScript(parent);
  for (let at = image.previous; at !== undefined; at = at.previous) {
    const term = termOf("process.previous", at);
    if (term !== undefined) previous.set(JSON.stringify(term), term);
    isNameless ||= hasNamelessScript(at);
  }
  // No parent at all, of which there is no doubt: the first process of a container, or one that came from outside of it.
  const none: Term = { field: "process.parent", value: ["", ""] };
  const isNone = parent === undefined && image.unresolved === "none";
  const service = isService(image);
  const term = isNone
    ? none
    : service && command === undefined
      ? termOf("process.service", image)
      : parent && termOf("process.parent", parent);
  return {
    terms: [...(term === undefined ? [] : [term]), ...previous.values()],
    unresolved:
      unresolvedReason(image) ??
      (service && command !== undefined ? ADOPTED : undefined) ??
      (isNameless ? NAMELESS : undefined),
  };
}

/** Its ppid is a service manager's, and no login stands behind it: most likely one of its services. */
export function isService({ adopter, exec }: ProcessImage): boolean {
  return adopter !== undefined && exec.ses === undefined;
}

/** The parent that a person is told of: of a service its manager. */
export function toldParent(image: ProcessImage): ProcessImage | undefined {
  return image.parent ?? (isService(image) ? image.adopter : undefined);
}

/** How it is known who started this one. */
export function parentProvenance(image: ProcessImage): Provenance {
  if (unresolvedReason(image) !== undefined) return "unresolved";
  return isService(image) ? "inferred" : (image.parent ?? image).provenance;
}

/** Why nobody can say which program started this one; undefined: it is known or most likely, or there is none. */
export function unresolvedReason(image: ProcessImage): string | undefined {
  if (isService(image)) return undefined;
  const { parent, unresolved } = image;
  if (parent !== undefined) return parent.exec.executable === "" ? UNREADABLE : undefined;
  return unresolved === "none" ? undefined : UNRESOLVED[unresolved ?? "not seen"];
}

function hasNamelessScript({ exec: { script } }: ProcessImage): boolean {
  return script !== undefined && DESCRIPTOR.test(script);
}

/** What has no name is no term: all of it would be one, and known after the first. */
function termOf(field: ParentField, image: ProcessImage): Term | undefined {
  const { executable, script } = image.exec;
  if (executable === "" || hasNamelessScript(image)) return undefined;
  return { field, value: [executable, script ?? ""] };
}
