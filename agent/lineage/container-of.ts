/**
 * In which container an image's process is. Package tools are over soon: the nearest ancestor that still lives is in the same
 * container, unless it is the program that starts containers, who is outside of all.
 */
import type { ExecEvent } from "../events/exec-event.ts";
import type { Container } from "../sources/source.ts";
import { isContainerServer } from "./entry-leader.ts";
import type { ProcessImage } from "./process-image.ts";

/** Fields that are undefined are not known. */
export interface ImageContainer extends Omit<Container, "id"> {
  readonly id: string | undefined; // undefined: it is in one, and nobody can tell any more in which
  readonly from: "process" | "ancestor" | "nobody"; // whose control group told
}

/** "none": a process of the host; undefined: it is over. */
export type ReadContainer = (image: ProcessImage) => Container | "none" | undefined;

/** @returns undefined: in none, as far as is known */
export function containerOf(
  image: ProcessImage,
  ancestors: readonly ProcessImage[],
  readContainer: ReadContainer | undefined,
): ImageContainer | undefined {
  if (readContainer === undefined) return undefined;
  for (const one of [image, ...ancestors]) {
    if (one !== image && isContainerServer(one)) return lost;
    const container = readContainer(one);
    if (container === "none") return undefined;
    if (container !== undefined) return { ...container, from: one === image ? "process" : "ancestor" };
  }
  return undefined;
}

const lost: ImageContainer = {
  id: undefined,
  runtime: undefined,
  name: undefined,
  image: undefined,
  reason: "all of its processes were over before they were asked",
  from: "nobody",
};

/** Asks once for each image: all are told the same of it. */
export function readContainerOnce(read: (exec: ExecEvent) => Container | "none" | undefined): ReadContainer {
  const known = new WeakMap<ExecEvent, { readonly container: Container | "none" | undefined }>();
  return ({ exec }) => {
    const found = known.get(exec) ?? { container: read(exec) };
    known.set(exec, found);
    return found.container;
  };
}
