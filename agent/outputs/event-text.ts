/** Executions and installations for a person, a line each: `kinwatch events`. */
import type { ExecutionDocument } from "../alert/alert-document.ts";
import { outcomeSentence } from "../alert/ecs-outcome.ts";
import { printable } from "../printable.ts";
import { shortChain, type TextOptions } from "./alert-text.ts";
import { fit, textWidth } from "./text-width.ts";

const CHAIN_SHARE = 0.3; // of the line, at most

/** Time (UTC), host where the log names one, pid, user, what; and by whom: "< update.sh < bash < sshd < systemd". */
export function eventLine(event: ExecutionDocument, { width }: TextOptions): string {
  const { process, user, host, kinwatch } = event;
  const { software_update: updates, outcome, signature, package_count } = kinwatch;
  const command = process.command_line ?? process.executable ?? "?";
  const what =
    updates === undefined || outcome === undefined || signature === undefined || package_count === undefined
      ? command
      : `${command}: ${outcomeSentence({ software_update: updates, outcome, signature, package_count })}`;
  const chain =
    kinwatch.ancestry.length === 0
      ? (kinwatch.parent_unresolved_reason ?? "")
      : shortChain(kinwatch.ancestry);
  const by = fit(printable(`< ${chain}`, width), Math.trunc(width * CHAIN_SHARE));
  const when = event["@timestamp"].slice(0, 19).replace("T", " ");
  const who = [host?.name, process.pid, user?.name ?? user?.id]
    .filter((part) => part !== undefined)
    .join(" ");
  const left = printable(`${when}Z  ${who}  ${what}`, 2 * width);
  return `${fit(left, width - textWidth(by) - 2)}  ${by}`;
}
