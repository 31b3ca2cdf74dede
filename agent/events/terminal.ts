/** The controlling terminal of a process, by the name that audit gives it ("pts0"). */
import type { ExecEvent } from "./exec-event.ts";
import { PPID_UNKNOWN } from "./unseen-exec.ts";

export interface Device {
  readonly major: number;
  readonly minor: number;
}

/** Device numbers of terminals: Linux, Documentation/admin-guide/devices.txt. */
export function deviceOf(tty: string): Device | undefined {
  const [, kind = "", number = ""] = /^(pts|tty|ttyS)(\d{1,7})$/.exec(tty) ?? [];
  if (kind === "pts") return { major: 136, minor: Number(number) };
  if (kind === "tty") return { major: 4, minor: Number(number) };
  return kind === "ttyS" ? { major: 4, minor: 64 + Number(number) } : undefined;
}

/** Whether it has one. undefined: known by a record that does not say */
export function isInteractive({ tty, ppid }: ExecEvent): boolean | undefined {
  return ppid === PPID_UNKNOWN ? undefined : tty !== undefined;
}
