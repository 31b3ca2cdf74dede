/** What was found, a line each in columns, and below it the commands that cure it. */
import { styleText } from "node:util";
import { wrap } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";

export interface FoundFact {
  readonly fact: string; // a word of at most 12 letters
  readonly status: "ok" | "warning" | "failed";
  readonly text: string;
  readonly cure: readonly string[];
}

const NAME = 22; // columns of status and fact
const WIDTH = 80;
const TEXT_MAX = 2_000;
const words = { ok: "ok", warning: "warning", failed: "FAILED" } as const;
const styles = { ok: "green", warning: "yellow", failed: "red" } as const;

export function findingLines({ fact, status, text, cure }: FoundFact): string[] {
  const [first = "", ...rest] = wrap(printable(text, TEXT_MAX), WIDTH - NAME);
  const indent = " ".repeat(NAME);
  return [
    `${paint(words[status].padEnd(8), [styles[status]])} ${fact.padEnd(NAME - 9)}${first}`,
    ...rest.map((line) => indent + line),
    ...cure.map(
      (line) => `         ${line.startsWith(" ") ? " " : "$"} ${paint(printable(line, TEXT_MAX), ["bold"])}`,
    ),
  ];
}

export function paint(text: string, style: Parameters<typeof styleText>[0]): string {
  return styleText(style, text, { stream: process.stdout }); // heeds NO_COLOR, FORCE_COLOR and whether it is a terminal
}
