/** Alerts to the journal, by libsystemd's own call: Node has no datagram sockets of the unix kind. sd_journal_sendv(3) */
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import type { AlertDocument, ProcessDocument } from "../alert/alert-document.ts";
import { KinwatchError } from "../errors.ts";
import { loadKoffi } from "../native.ts";
import { printable } from "../printable.ts";
import { ownerWords, shortChain } from "./alert-text.ts";
import type { Output } from "./output.ts";

/** `journalctl MESSAGE_ID=…` lists all alerts. Never changes. */
export const alertMessageId = "6b0f5e0c8d6a4f5bb3c1f27a9e54d2c8";

const SOCKET = "/run/systemd/journal/socket";
const MESSAGE_MAX = 2_048;
const VALUE_MAX = 4_096;
const PACKAGES_MAX = 64;
const DOCUMENT_MAX = 48 * 1_024; // below the 64 KiB at which journald's readers begin to leave fields out
const priorities: Readonly<Record<number, number>> = { 99: 2, 73: 3, 47: 4, 21: 5 }; // crit, err, warning, notice: syslog(3)

type Stage = "raised" | "completed";

/** @throws KW_JOURNALD_UNAVAILABLE: there is no journal here; the calls do too, when it has gone or refuses */
export function journaldOutput(): Output {
  const send = openJournal();
  return {
    name: "journald",
    raised: (alert) => send(alertFields(alert, "raised")),
    completed: (alert) => send(alertFields(alert, "completed")),
  };
}

/** Name and value of each field of an entry; a name may occur more than once. systemd.journal-fields(7) */
export function alertFields(alert: AlertDocument, stage: Stage): [name: string, value: string][] {
  const { kinwatch, process, event, rule, user, container } = alert;
  const parent = kinwatch.ancestry[0];
  const packages = kinwatch.software_update.filter(({ operation }) => operation !== "remove");
  const fields: [string, string | number | undefined][] = [
    ["KINWATCH_STAGE", stage],
    ["KINWATCH_RULE_ID", rule.id],
    ["KINWATCH_ALERT_ID", event.id],
    ["KINWATCH_COMMAND", process.command_line],
    ["KINWATCH_USER", user?.name ?? user?.id],
    ["KINWATCH_LOGIN_USER", kinwatch.login_user?.name ?? kinwatch.login_user?.id],
    ["KINWATCH_PARENT_PID", process.parent?.pid],
    ["KINWATCH_PARENT_EXECUTABLE", parent?.executable],
    ["KINWATCH_PARENT_SCRIPT", parent?.script],
    ["KINWATCH_PARENT_PACKAGE", parent?.package_owner && ownerWords(parent.package_owner)],
    [
      "KINWATCH_PARENT_SCRIPT_PACKAGE",
      parent?.script_package_owner && ownerWords(parent.script_package_owner),
    ],
    ["KINWATCH_PARENT_PROVENANCE", kinwatch.parent_provenance],
    ["KINWATCH_CONTAINER_ID", container?.id],
    ["KINWATCH_CONTAINER_IMAGE", container?.image?.name],
    ["KINWATCH_ANCESTRY", shortChain(kinwatch.ancestry)],
    ["KINWATCH_OUTCOME", kinwatch.outcome],
    ["KINWATCH_SIGNATURE", kinwatch.signature],
    ...packages.slice(0, PACKAGES_MAX).map(({ nevra }): [string, string] => ["KINWATCH_PACKAGE", nevra]),
  ];
  const known = fields.flatMap(([name, value]): [string, string][] =>
    value === undefined || value === "" ? [] : [[name, printable(String(value), VALUE_MAX)]],
  );
  const document = boundedDocument(alert);
  return [
    ["MESSAGE", printable(alert.message, MESSAGE_MAX)],
    ["MESSAGE_ID", alertMessageId],
    ["PRIORITY", String(priorities[event.severity] ?? 4)],
    ["SYSLOG_IDENTIFIER", "kinwatch"],
    ...known,
    ...(document === undefined ? [] : [["KINWATCH_DOCUMENT", document] satisfies [string, string]]),
  ];
}

/** The document; without its longest parts when it is too long for an entry, and then it says so. The store has it whole. */
function boundedDocument(alert: AlertDocument): string | undefined {
  const { process, kinwatch } = alert;
  const { rpm: _, ...others } = kinwatch;
  const { parent, entry_leader: entry } = process;
  const shortened = {
    ...alert,
    tags: ["shortened"],
    process: {
      ...shorter(process),
      parent: parent && shorter(parent),
      entry_leader: entry && shorter(entry),
      session_leader: undefined,
      group_leader: undefined,
      previous: undefined,
    },
    kinwatch: {
      ...others,
      ancestry: kinwatch.ancestry.slice(0, 8).map(({ command_line: __, ...image }) => image),
      previous_images: [],
      software_update: kinwatch.software_update.slice(0, 8),
    },
  };
  return [alert, shortened]
    .map((document) => JSON.stringify(document))
    .find((json) => Buffer.byteLength(json) <= DOCUMENT_MAX);
}

function shorter({ args: _, command_line, ...process }: Partial<ProcessDocument>): Partial<ProcessDocument> {
  return {
    ...process,
    ...(command_line === undefined ? {} : { command_line: command_line.slice(0, 1_024).toWellFormed() }),
  };
}

function openJournal(): (fields: readonly [string, string][]) => Promise<void> {
  const remedy = "Set output.journald.enabled to false on a host without systemd";
  if (!existsSync(SOCKET)) throw unavailable(`there is no ${SOCKET}`, remedy);
  let sendv: (vectors: unknown, count: number) => Promise<number>;
  try {
    const koffi = loadKoffi();
    const vector = koffi.struct({ base: "uint8_t *", length: "size_t" }); // iovec(3type)
    const call = koffi
      .load("libsystemd.so.0")
      .func("sd_journal_sendv", "int", [koffi.pointer(vector), "int"]);
    sendv = promisify(call.async) as typeof sendv; // on a thread: it waits while journald's queue is full
  } catch (cause) {
    throw unavailable("libsystemd.so.0 cannot be loaded", remedy, { cause });
  }
  return async (fields) => {
    // Without the socket libsystemd drops the entry and reports success. systemd, src/libsystemd/sd-journal/journal-send.c
    if (!existsSync(SOCKET)) throw unavailable(`${SOCKET} has gone`, "See systemctl status systemd-journald");
    const vectors = fields.map(([name, value]) => {
      const base = Buffer.from(`${name}=${value}`);
      return { base, length: base.length };
    });
    const result = await sendv(vectors, vectors.length);
    if (result < 0) {
      throw unavailable(`it refused an alert: errno ${-result}`, "See systemctl status systemd-journald");
    }
  };
}

function unavailable(why: string, remedy: string, options?: ErrorOptions): KinwatchError {
  return new KinwatchError("KW_JOURNALD_UNAVAILABLE", `Cannot write to the journal: ${why}`, remedy, options);
}
