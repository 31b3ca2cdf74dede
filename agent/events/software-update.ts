/**
 * A SOFTWARE_UPDATE record becomes a SoftwareUpdate. rpm, plugins/audit.c, audit_tsm_post(): one record for each package
 * of a transaction, after all of its scriptlets; libaudit adds comm, exe and res (audit_log_user_comm_message(3)).
 * RHEL 7's record has no op and may be cut inside its quotes (linux-audit/audit-userspace#359).
 */
import { fieldOf, numberOf, untrusted, withoutTrailer } from "./audit-text.ts";
import type { SoftwareUpdate } from "./exec-event.ts";

/** @param record the text after "audit(…): ", as latin1; undefined when it names no package or no process */
export function readSoftwareUpdate(
  record: string,
  at: { node: string | undefined; timeMs: number; serial: number },
): SoftwareUpdate | undefined {
  const raw = withoutTrailer(record);
  const wrapped = raw.indexOf("msg='");
  const outer = wrapped === -1 ? raw : raw.slice(0, wrapped);
  const inner = wrapped === -1 ? raw : raw.slice(wrapped + 5);
  const pid = numberOf(fieldOf(outer, "pid"));
  const nevra = textIn(inner, "sw");
  if (pid === undefined || nevra === "") return undefined;
  const operation = textIn(inner, "op");
  const result = fieldOf(inner, "res");
  return {
    kind: "software-update",
    ...at,
    pid,
    uid: numberOf(fieldOf(outer, "uid")),
    auid: numberOf(fieldOf(outer, "auid")),
    ses: numberOf(fieldOf(outer, "ses")),
    operation:
      operation === "install" || operation === "update" || operation === "remove" ? operation : "unknown",
    nevra,
    type: textIn(inner, "sw_type") || "rpm",
    signatureRequired: bit(fieldOf(inner, "key_enforce")),
    signatureVerified: bit(fieldOf(inner, "gpg_res")),
    root: textIn(inner, "root_dir") || "/",
    comm: textIn(inner, "comm"),
    executable: textIn(inner, "exe"),
    success: result === "success" || result === "1" ? true : result === undefined ? undefined : false,
  };
}

/** A text with a blank is hex, so one in quotes that has a blank lacks its end: `root_dir="/ comm="yum"`. */
function textIn(record: string, field: string): string {
  const value = fieldOf(record, field);
  const isCut = value?.startsWith('"') && !/^"[^ "]*"$/.test(value);
  return untrusted(isCut ? value?.split(" ", 1)[0]?.replace(/'$/, "") : value);
}

function bit(value: string | undefined): boolean | undefined {
  return value === "1" ? true : value === "0" ? false : undefined;
}
