/** Alerts to the journal, by libsystemd's own call: Node has no datagram sockets of the unix kind. sd_journal_sendv(3) */
import { existsSync } from "node:fs";
import koffi from "koffi";
import type { AlertDocument } from "../alert/alert-document.ts";
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import type { Output } from "./output.ts";

/** `journalctl MESSAGE_ID=…` lists all alerts. Never changes. */
export const alertMessageId = "6b0f5e0c8d6a4f5bb3c1f27a9e54d2c8";

const SOCKET = "/run/systemd/journal/socket";
const DOCUMENT_MAX = 48 * 1_024; // below the 64 KiB at which journald's readers begin to leave fields out
const priorities: Readonly<Record<number, number>> = { 99: 2, 73: 3, 47: 4, 21: 5 }; // crit, err, warning, notice: syslog(3)

export function journaldOutput(): Output {
  const send = openJournal();
  return {
    name: "journald",
    raised: (alert) => send(alertFields(alert, "raised")),
    completed: (alert) => send(alertFields(alert, "completed")),
  };
}

/** Name and value of each field of an entry; a name may occur more than once. systemd.journal-fields(7) */
export function alertFields(
  alert: AlertDocument,
  stage: "raised" | "completed",
): [name: string, value: string][] {
  const { kinwatch, process } = alert;
  const parent = kinwatch.ancestry[0];
  const outcome = stage === "completed" ? ` (${kinwatch.outcome})` : "";
  return [
    ["MESSAGE", printable(alert.message, 2_048) + outcome],
    ["MESSAGE_ID", alertMessageId],
    ["PRIORITY", String(priorities[alert.event.severity] ?? 4)],
    ["SYSLOG_IDENTIFIER", "kinwatch"],
    ["KINWATCH_STAGE", stage],
    ["KINWATCH_RULE_ID", alert.rule.id],
    ["KINWATCH_ALERT_ID", alert.event.id],
    ["KINWATCH_OUTCOME", kinwatch.outcome],
    ["KINWATCH_PARENT_PID", String(process.parent?.pid ?? "")],
    ["KINWATCH_PARENT_EXECUTABLE", parent?.executable ?? ""],
    ["KINWATCH_PARENT_SCRIPT", parent?.script ?? ""],
    ...kinwatch.software_update.map(({ nevra }): [string, string] => ["KINWATCH_PACKAGE", nevra]),
    ["KINWATCH_DOCUMENT", boundedDocument(alert)],
  ];
}

/** The document, without its longest parts when it is too long for an entry; the store has it whole. */
function boundedDocument(alert: AlertDocument): string {
  const whole = JSON.stringify(alert);
  if (Buffer.byteLength(whole) <= DOCUMENT_MAX) return whole;
  const { args: _, command_line, ...process } = alert.process;
  const shorter = {
    ...alert,
    process: { ...process, command_line: command_line?.slice(0, 1_024) },
    tags: [...alert.tags, "shortened"],
    kinwatch: {
      ...alert.kinwatch,
      ancestry: alert.kinwatch.ancestry.slice(0, 8),
      software_update: alert.kinwatch.software_update.slice(0, 32),
      rpm: undefined,
    },
  };
  return JSON.stringify(shorter);
}

function openJournal(): (fields: readonly [string, string][]) => void {
  const remedy = "Set output.journald.enabled to false on a host without systemd";
  if (!existsSync(SOCKET)) {
    throw new KinwatchError("KW_JOURNALD_UNAVAILABLE", `There is no journal: ${SOCKET} is missing`, remedy);
  }
  let sendv: (vectors: unknown, count: number) => number;
  try {
    const library = koffi.load("libsystemd.so.0");
    const vector = koffi.struct({ base: "uint8_t *", length: "size_t" });
    sendv = library.func("sd_journal_sendv", "int", [koffi.pointer(vector), "int"]);
  } catch (cause) {
    throw new KinwatchError("KW_JOURNALD_UNAVAILABLE", "Cannot load libsystemd.so.0", remedy, { cause });
  }
  return (fields) => {
    const vectors = fields.map(([name, value]) => {
      const base = Buffer.from(`${name}=${value}`);
      return { base, length: base.length };
    });
    const result = sendv(vectors, vectors.length);
    if (result < 0) {
      throw new KinwatchError(
        "KW_JOURNALD_UNAVAILABLE",
        `The journal refused an alert: errno ${-result}`,
        "See systemctl status systemd-journald; the alert is kept and sent again",
      );
    }
  };
}
