/** How a change of a server is shown to a person, a value a line. What the server has may be anybody's text. */
import type { Difference } from "../fleet/difference.ts";
import type { Change } from "../fleet/server-plan.ts";
import { printable } from "../printable.ts";

const LINES_MAX = 40; // of differences of one template: more is another template
const VALUE_MAX = 120;

export function changeText(change: Change): string {
  const { differences } = change;
  if (differences === undefined) return `${nameOf(change)} is not there and would be made\n`;
  return `${nameOf(change)} would change:\n${differenceLines(differences).join("")}`;
}

export function nameOf({ asset }: Change): string {
  return `${asset.kind.replace("_", " ")} ${asset.name}`;
}

function differenceLines(differences: readonly Difference[]): string[] {
  const lines = differences
    .slice(0, LINES_MAX)
    .flatMap(({ path, have, want }) => [
      ...(have === undefined ? [] : [`  - ${valueLine(path, have)}`]),
      ...(want === undefined ? [] : [`  + ${valueLine(path, want)}`]),
    ]);
  const more = differences.length - LINES_MAX;
  return more > 0 ? [...lines, `    and ${more} more\n`] : lines;
}

function valueLine(path: string, value: string): string {
  return `${printable(path, 2 * VALUE_MAX)}: ${printable(value, VALUE_MAX)}\n`;
}
