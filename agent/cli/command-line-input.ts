/**
 * One line of `explain-command --stdin` becomes a command line, or the error that says what is wrong with it.
 */
import { z } from "zod";
import { KinwatchError } from "../errors.ts";
import type { RpmExecution } from "../packages/rpm-command-line.ts";
import { printable } from "../printable.ts";
import type { InputLine } from "./input-lines.ts";

const shape = z.object({ argv: z.array(z.string()), executable: z.string().nullish() });

export function readCommandLine({ number, text, tooLong }: InputLine): RpmExecution | KinwatchError {
  if (tooLong) return invalid(number, "is longer than a command line can be");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return invalid(number, `is no JSON (${printable(error instanceof Error ? error.message : "", 100)})`);
  }
  const result = shape.safeParse(value);
  if (result.success) {
    return { argv: result.data.argv, executable: result.data.executable ?? undefined };
  }
  const issue = result.error.issues[0];
  const place = issue?.path.map(String).join(".") ?? "";
  return invalid(number, `has no good ${place || "object"} (${printable(issue?.message ?? "", 100)})`);
}

function invalid(number: number, what: string): KinwatchError {
  const remedy =
    'Write {"argv":["rpm","-i","x"],"executable":"/usr/bin/rpm"}, executable only where it is known';
  return new KinwatchError("KW_INPUT_INVALID", `Line ${number} of the input ${what}`, remedy);
}
