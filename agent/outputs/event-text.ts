/** An event for a person, one line: when, which process, and the chain that led to it. */
import type { ExecutionDocument } from "../alert/alert-document.ts";
import { printable } from "../printable.ts";

const COMMAND_MAX = 200; // characters; the document has all
const PARENTS_SHOWN = 3;

export function eventLine({
  "@timestamp": time,
  process,
  kinwatch,
  event,
  package: first,
}: ExecutionDocument): string {
  const parents = kinwatch.ancestry
    .slice(0, PARENTS_SHOWN)
    .map(({ script, executable, pid }) =>
      printable(baseName(script ?? executable ?? `pid ${pid}`), COMMAND_MAX),
    );
  if (kinwatch.ancestry.length > PARENTS_SHOWN) parents.push("…");
  const chain = parents.length === 0 ? "by an unknown parent" : `< ${parents.join(" < ")}`;
  const what = printable(process.command_line ?? process.executable ?? "?", COMMAND_MAX);
  const outcome =
    event.action === "exec" ? "" : `  [${printable(first?.name ?? "", 100)} ${kinwatch.outcome ?? ""}]`;
  return `${time}  ${String(process.pid).padStart(7)}  ${what}${outcome}  ${chain}`;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
