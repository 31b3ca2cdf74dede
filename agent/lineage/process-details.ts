/** What /proc tells of the process of an image, for as long as it lives. */
import type { ExecEvent } from "../events/exec-event.ts";
import type { ProcessDetails } from "../sources/source.ts";
import type { ProcessImage } from "./process-image.ts";

/** undefined: it is gone, runs another program by now, or is of another host or time. */
export type ReadDetails = (image: ProcessImage) => ProcessDetails | undefined;

/** Asks once for each image: all rules are told the same of it. */
export function readOnce(read: (exec: ExecEvent) => ProcessDetails | undefined): ReadDetails {
  const known = new WeakMap<ExecEvent, { readonly details: ProcessDetails | undefined }>();
  return ({ exec }) => {
    const found = known.get(exec) ?? { details: read(exec) };
    known.set(exec, found);
    return found.details;
  };
}

/** The one of that pid among a process and its ancestors: whoever leads a session or a group has the pid as long as that lasts. */
export function leaderAmong(
  pid: number | undefined,
  image: ProcessImage,
  ancestors: readonly ProcessImage[],
): ProcessImage | undefined {
  return image.exec.pid === pid ? image : ancestors.find(({ exec }) => exec.pid === pid);
}
