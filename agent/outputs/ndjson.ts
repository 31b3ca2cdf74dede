/** Alerts for programs: one complete ECS document a line. */
import type { AlertDocument } from "../alert/alert-document.ts";
import type { Output } from "./output.ts";
import { type Write, writeTo } from "./write.ts";

export function ndjsonOutput(stream: NodeJS.WritableStream, write: Write = writeTo(stream)): Output {
  return {
    name: "ndjson",
    completed: (alert: AlertDocument) => write(`${JSON.stringify(alert)}\n`),
  };
}
