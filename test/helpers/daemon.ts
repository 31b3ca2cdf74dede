/** A daemon of a test's own: its configuration, and what it writes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { rulesOff } from "./rules-off.ts";

export interface DaemonOptions {
  readonly auditLog: string;
  readonly source?: "auto" | "audit-log" | "tracefs" | "procfs"; // default: auto
  readonly tracefs?: boolean; // default: true
  readonly journald?: boolean; // default: false
}

/** Alerts of new parents alone, as NDJSON; the state is in "state" beside it. @param folder is made. @returns the file */
export function daemonConfig(
  folder: string,
  { auditLog, source = "auto", tracefs = true, journald = false }: DaemonOptions,
): string {
  const file = join(folder, "kinwatch.toml");
  const text = `${rulesOff}
[source]
type = "${source}"
audit_log = "${auditLog}"
tracefs = ${tracefs}
[state]
directory = "state"
[output.journald]
enabled = ${journald}
[output.stdout]
enabled = true
format = "ndjson"
`;
  mkdirSync(folder, { mode: 0o700, recursive: true });
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** The alerts written so far. @param text of standard output */
export function alertsOf(text: string): AlertDocument[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AlertDocument);
}
