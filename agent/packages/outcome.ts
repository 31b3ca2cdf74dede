/** What came of an installation, from rpm's own records. rpm, plugins/audit.c, audit_tsm_post(). */
import type { SoftwareUpdate } from "../events/exec-event.ts";
import type { Installation } from "./installation.ts";

export interface Outcome {
  readonly eventOutcome: "success" | "failure" | "unknown";
  readonly outcome: "pending" | "installed" | "failed" | "partly" | "none" | "unavailable";
  // none: no record came in time; unavailable: this source has no outcome records
  readonly signature: Signature; // of all that was installed
  readonly packageCount: number; // installed or updated; 0 until the outcome is known
  readonly first: SoftwareUpdate | undefined;
}

export type Signature = "verified" | "not verified" | "partly" | "unknown";

/** As it is known when it is first seen: a record may have told of it. */
export function pendingOutcome({ begun, image, updates }: Installation): Outcome {
  const outcome = begun === "execution" && image.exec.source !== "audit-log" ? "unavailable" : "pending";
  return { ...outcomeOf(updates, false), eventOutcome: "unknown", outcome };
}

/** @param available whether the source has outcome records at all */
export function outcomeOf(updates: readonly SoftwareUpdate[], available: boolean): Outcome {
  // Removals are what an upgrade replaces: their signature is not checked, and they are not what was installed.
  const installs = updates.filter(({ operation }) => operation !== "remove");
  const judged = installs.length > 0 ? installs : updates;
  const good = judged.filter(({ success }) => success === true).length;
  const bad = judged.filter(({ success }) => success === false).length;
  const [first] = judged;
  return {
    eventOutcome: bad > 0 ? "failure" : good > 0 ? "success" : "unknown",
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
    packageCount: installs.length,
    first,
  };
}

export function signatureOf(verified: readonly (boolean | undefined)[]): Signature {
  const good = verified.filter((one) => one === true).length;
  const bad = verified.filter((one) => one === false).length;
  if (bad > 0) return good > 0 ? "partly" : "not verified";
  return good > 0 ? "verified" : "unknown";
}

/**
 * name-[epoch:]version-release.arch, as rpm writes it (lib/rpmte.c, rpmteNEVRA()). Neither version nor release may hold "-",
 * nor an architecture "." or "-"; a name may hold all of them. What is not of this form is a name.
 */
export function splitNevra(nevra: string): { name: string; version: string; architecture: string } {
  const [, name = nevra, version = "", architecture = ""] =
    /^(.+)-([^-]+-[^-]+)\.([^.-]+)$/su.exec(nevra) ?? [];
  return { name, version, architecture };
}
