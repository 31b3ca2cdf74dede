/** What a fleet is asked about an installation: who has installed this, and by whom. */
import type { Installation } from "../packages/installation.ts";
import { splitNevra } from "../packages/outcome.ts";
import { toldParent } from "../rules/new-parent.ts";
import { keyword } from "./ecs-process.ts";

export interface PrevalenceQuestion {
  readonly executable: string; // the parent's
  readonly script: string | undefined;
  readonly packages: readonly string[]; // names, as far as they are known; empty: any
}

const PACKAGES_MAX = 16; // any of them will do

/** By what was known when it was found, so that asking and answering mean the same. undefined: the parent is not known */
export function prevalenceQuestion({ image, command }: Installation): PrevalenceQuestion | undefined {
  const parent = toldParent(image)?.exec;
  if (parent === undefined || parent.executable === "") return undefined;
  const files = (command?.packages ?? [])
    .slice(0, PACKAGES_MAX)
    .map((file) => file.slice(file.lastIndexOf("/") + 1));
  return {
    executable: keyword(parent.executable),
    script: parent.script === undefined ? undefined : keyword(parent.script),
    packages: files.map((file) => keyword(splitNevra(file.replace(/\.rpm$/, "")).name)),
  };
}
