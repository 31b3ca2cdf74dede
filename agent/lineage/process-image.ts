/** What the process table tells of a process, for each program that it ran. */
import type { ExecEvent } from "../events/exec-event.ts";

/** inferred: ppid names pid 1 or a service manager, which started it or took it over; no record tells which. */
export type Provenance = "recorded" | "procfs" | "inferred" | "unresolved";

/** One process image. Links are cut when it falls out of the table; `parent` may be found when ancestors() asks for it. */
export interface ProcessImage {
  readonly exec: ExecEvent;
  readonly provenance: Provenance; // how this image is known
  readonly parent: ProcessImage | undefined;
  readonly unresolved: UnresolvedReason | undefined; // why there is no parent
  readonly adopter: ProcessImage | undefined; // orphaned: who takes over processes whose parent died, and may have started this one
  readonly previous: ProcessImage | undefined; // the image that this process had before: exec without fork
}

/** What the process was before, the latest first. */
export function previousImages(image: ProcessImage): ProcessImage[] {
  const images: ProcessImage[] = [];
  for (let at = image.previous; at !== undefined; at = at.previous) images.push(at);
  return images;
}

/**
 * pid reused: the parent's pid may have gone to another process. orphaned: ppid names one that takes over processes whose
 * parent died. let go: pushed out by newer ones. none: pid 1 and the kernel's own.
 */
export type UnresolvedReason = "not seen" | "pid reused" | "orphaned" | "let go" | "none";
