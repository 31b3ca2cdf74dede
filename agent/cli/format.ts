/** How a command writes its answer: for people where a person looks on, else for programs. */
import { once } from "node:events";
import { Option } from "commander";
import { systemCode } from "../errors.ts";

export type Format = "pretty" | "ndjson";

export function formatOption(): Option {
  return new Option("--format <format>", "pretty on a terminal, else ndjson").choices(["pretty", "ndjson"]);
}

/** As many tools call it. */
export function jsonOption(): Option {
  return new Option("--json", "the same as --format ndjson").implies({ format: "ndjson" });
}

/** Where a line is for a person also in a pipe: what is wrong with a file, a guide. */
export function textFirst(): Option {
  return new Option("--format <format>", "for people, or for programs")
    .choices(["pretty", "ndjson"])
    .default("pretty");
}

export function formatOf(asked: Format | undefined): Format {
  return asked ?? (process.stdout.isTTY ? "pretty" : "ndjson");
}

/** One whole piece of output; waits where who reads it is slower than we are. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** `kinwatch … | head` is no failure: who reads us has seen enough. */
export function endWhenReaderLeaves(stream: NodeJS.WriteStream): void {
  stream.on("error", (error) => {
    if (systemCode(error) === "EPIPE") process.exit(0);
    process.stderr.write(
      `kinwatch: cannot write to standard output: ${systemCode(error)} (KW_OUTPUT_CLOSED)\n`,
    );
    process.exit(2);
  });
}
