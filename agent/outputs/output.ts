import type { AlertDocument } from "../alert/alert-document.ts";

/**
 * Where alerts go. The store is the truth: an output may be handed the same alert again after a crash, with the same id.
 * Both calls throw a KinwatchError when the alert could not be handed over; the caller keeps it and tries again.
 */
export interface Output {
  readonly name: "journald" | "terminal" | "ndjson";
  /** The alert as it is known at the execution, at once; outcome unknown as yet. Left out: it takes none before that is known. */
  raised?(alert: AlertDocument): Promise<void> | void;
  /** The same alert, complete: its outcome came, or its time was up. */
  completed(alert: AlertDocument): Promise<void> | void;
}
