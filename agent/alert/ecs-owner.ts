/** Which packages the tool and its ancestors belong to, as a part of a document. ECS's package.* is what was installed. */
import { entityOf } from "../lineage/entity-id.ts";
import { type ProcessImage, previousImages } from "../lineage/process-image.ts";
import type { ReadOwners } from "../packages/image-owners.ts";
import type { Owner } from "../packages/owner-answer.ts";
import type {
  AncestorDocument,
  ExecutionDocument,
  OwnersDocument,
  PackageOwnerDocument,
} from "./alert-document.ts";
import { keyword } from "./ecs-process.ts";

/** Nothing where nobody asked, as of stored logs. */
export function ownersPart(image: ProcessImage, readOwners: ReadOwners | undefined): OwnersDocument {
  const owner = readOwners?.(image);
  if (owner === undefined) return {};
  const { executable, script, hasOtherOptions } = owner;
  return {
    package_owner: ownerDocument(executable),
    ...(script === undefined ? {} : { script_package_owner: ownerDocument(script) }),
    ...(script === undefined || !hasOtherOptions ? {} : { script_options_changed: true as const }),
  };
}

/** A document that was made before all answers were there, with those that are there now. */
export function withOwners<D extends ExecutionDocument>(
  document: D,
  image: ProcessImage,
  ancestors: readonly ProcessImage[],
  readOwners: ReadOwners | undefined,
): D {
  if (readOwners === undefined) return document;
  const images = new Map([...ancestors, ...previousImages(image)].map((one) => [entityOf(one), one]));
  const owned = (ancestor: AncestorDocument): AncestorDocument => {
    const found = images.get(ancestor.entity_id);
    return found === undefined ? ancestor : { ...ancestor, ...ownersPart(found, readOwners) };
  };
  const { ancestry, previous_images: previous } = document.kinwatch;
  return {
    ...document,
    kinwatch: {
      ...document.kinwatch,
      ...ownersPart(image, readOwners),
      ancestry: ancestry.map(owned),
      previous_images: previous.map(owned),
    },
  };
}

function ownerDocument(owner: Owner): PackageOwnerDocument {
  if (owner.result === "none") return { result: "none" };
  if (owner.result === "unknown") return { result: "unknown", reason: keyword(owner.reason) };
  const { result, type, name, version, architecture, nevra } = owner;
  return {
    result,
    type,
    name: keyword(name),
    version: keyword(version),
    architecture: keyword(architecture),
    ...(nevra === undefined ? {} : { nevra: keyword(nevra) }),
  };
}
