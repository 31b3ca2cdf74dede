/** What came of an installation, as a part of its document. */
import type { SoftwareUpdate } from "../events/exec-event.ts";
import type { Installation } from "../packages/installation.ts";
import { type Outcome, outcomeOf, pendingOutcome, signatureOf, splitNevra } from "../packages/outcome.ts";
import type {
  AlertDocument,
  ExecutionDocument,
  OutcomeDocument,
  PackageDocument,
  SoftwareUpdateDocument,
} from "./alert-document.ts";
import { keyword } from "./ecs-process.ts";

const PACKAGES_MAX = 512; // a system upgrade has more; whether all went well is told of all

export interface OutcomePart {
  readonly package?: PackageDocument;
  readonly eventOutcome: AlertDocument["event"]["outcome"];
  readonly outcome: OutcomeDocument;
}

/** As it is known when it is first seen: a record may have told of it. */
export function pendingPart(installation: Installation): OutcomePart {
  return partOf(pendingOutcome(installation), installation.updates);
}

/** @param available whether the source has outcome records at all */
export function outcomePart(updates: readonly SoftwareUpdate[], available: boolean): OutcomePart {
  return partOf(outcomeOf(updates, available), updates);
}

function partOf(
  { first, eventOutcome, outcome, signature, packageCount }: Outcome,
  updates: readonly SoftwareUpdate[],
): OutcomePart {
  return {
    ...(first === undefined ? {} : { package: packageDocument(first) }),
    eventOutcome,
    outcome: {
      outcome,
      signature,
      package_count: packageCount,
      software_update: updates.slice(0, PACKAGES_MAX).map(updateDocument),
    },
  };
}

/** The same document with what came of it, or the word that nothing did. */
export function withOutcomePart<
  D extends ExecutionDocument & { readonly kinwatch: Partial<OutcomeDocument> },
>(document: D, updates: readonly SoftwareUpdate[]): D {
  const part = outcomePart(updates, document.kinwatch.outcome !== "unavailable");
  const { package: _, ...rest } = document; // wherever it stood: the same bytes, however the log was cut when it was read
  return {
    ...rest,
    event: { ...document.event, outcome: part.eventOutcome },
    kinwatch: { ...document.kinwatch, ...part.outcome },
    ...(part.package === undefined ? {} : { package: part.package }),
  } as D;
}

/** What came of it, in a few words: "kw-a-1.0-1.noarch installed, no verified signature". */
export function outcomeSentence(document: OutcomeDocument): string {
  const { outcome, signature, software_update: updates, package_count: count } = document;
  if (outcome === "not applicable") return "nothing was installed";
  if (outcome === "none") return "no record came of what became of it";
  if (outcome === "unavailable") return "this source does not tell what became of it";
  const first = updates.find(({ operation }) => operation !== "remove") ?? updates[0];
  if (first === undefined) return "outcome not known yet";
  const more = count > 1 ? ` and ${count - 1} more` : "";
  const did = {
    installed: "installed",
    failed: "failed",
    partly: "installed in part",
    pending: "being installed",
  };
  return `${first.nevra}${more} ${did[outcome]}, ${signatureWords[signature]}`;
}

export const signatureWords: Readonly<Record<OutcomeDocument["signature"], string>> = {
  verified: "signature verified",
  "not verified": "no verified signature",
  partly: "not all signatures verified",
  unknown: "signature unknown",
};

function packageDocument({ nevra, success, timeMs }: SoftwareUpdate): PackageDocument {
  const { name, version, architecture } = splitNevra(nevra);
  return {
    name: keyword(name),
    ...(version === "" ? {} : { version: keyword(version) }),
    ...(architecture === "" ? {} : { architecture: keyword(architecture) }),
    type: "rpm",
    ...(success === true ? { installed: new Date(timeMs).toISOString() } : {}),
  };
}

function updateDocument(update: SoftwareUpdate): SoftwareUpdateDocument {
  const { name, version, architecture } = splitNevra(update.nevra);
  const { operation, signatureVerified, signatureRequired, success } = update;
  return {
    operation,
    nevra: keyword(update.nevra),
    name: keyword(name),
    version: keyword(version),
    architecture: keyword(architecture),
    signature: signatureOf([signatureVerified]) as SoftwareUpdateDocument["signature"],
    ...(signatureRequired === undefined ? {} : { signature_required: signatureRequired }),
    root: keyword(update.root),
    outcome: success === undefined ? "unknown" : success ? "success" : "failure",
  };
}
