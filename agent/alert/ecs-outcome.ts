/** What came of an installation, from rpm's own records. rpm, plugins/audit.c, audit_tsm_post(). */
import type { SoftwareUpdate } from "../events/exec-event.ts";
import type { Installation } from "../packages/installation.ts";
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
export function pendingPart({ begun, image, updates }: Installation): OutcomePart {
  const outcome = begun === "execution" && image.exec.source === "procfs" ? "unavailable" : "pending";
  const part = outcomePart(updates, false);
  return { ...part, eventOutcome: "unknown", outcome: { ...part.outcome, outcome } };
}

/** @param available whether the source has outcome records at all */
export function outcomePart(updates: readonly SoftwareUpdate[], available: boolean): OutcomePart {
  // Removals are what an upgrade replaces: their signature is not checked, and they are not what was installed.
  const installs = updates.filter(({ operation }) => operation !== "remove");
  const judged = installs.length > 0 ? installs : updates;
  const good = judged.filter(({ success }) => success === true).length;
  const bad = judged.filter(({ success }) => success === false).length;
  const [first] = judged;
  return {
    ...(first === undefined ? {} : { package: packageDocument(first) }),
    eventOutcome: bad > 0 ? "failure" : good > 0 ? "success" : "unknown",
    outcome: {
      outcome:
        first === undefined
          ? available
            ? "none"
            : "unavailable"
          : bad === 0
            ? "installed"
            : good === 0
              ? "failed"
              : "partly",
      signature: signatureOf(judged.map(({ signatureVerified }) => signatureVerified)),
      package_count: installs.length,
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

/**
 * name-[epoch:]version-release.arch, as rpm writes it (lib/rpmte.c, rpmteNEVRA()). Neither version nor release may hold "-",
 * nor an architecture "." or "-"; a name may hold all of them. What is not of this form is a name.
 */
export function splitNevra(nevra: string): { name: string; version: string; architecture: string } {
  const [, name = nevra, version = "", architecture = ""] =
    /^(.+)-([^-]+-[^-]+)\.([^.-]+)$/su.exec(nevra) ?? [];
  return { name, version, architecture };
}

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

function signatureOf(verified: readonly (boolean | undefined)[]): OutcomeDocument["signature"] {
  const good = verified.filter((one) => one === true).length;
  const bad = verified.filter((one) => one === false).length;
  if (bad > 0) return good > 0 ? "partly" : "not verified";
  return good > 0 ? "verified" : "unknown";
}
