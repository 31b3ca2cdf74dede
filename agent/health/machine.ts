/**
 * What kind of machine this is, for people. systeminformation starts some 30 programs to find out, which audit logs as ours, so
 * it is asked by `kinwatch check` only; what an alert says of the host comes from host-facts.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";

const MS_MAX = 2_000; // it takes 0.3 s; dmidecode may hang on odd firmware

/** @returns such as "Linux 6.12.0, x64, KVM"; undefined where it cannot be told in time */
export async function describeMachine(): Promise<string | undefined> {
  return await Promise.race([ask().catch(() => undefined), sleep(MS_MAX, undefined, { ref: false })]);
}

async function ask(): Promise<string> {
  const { osInfo, system } = await import("systeminformation");
  const [os, machine] = await Promise.all([osInfo(), system()]);
  const model = [machine.manufacturer, machine.model].filter(Boolean).join(" ");
  const kind = machine.virtual ? machine.virtualHost || "virtual" : model;
  return [`Linux ${os.kernel}`, os.arch, kind].filter(Boolean).join(", ");
}
