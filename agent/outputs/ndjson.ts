/** Alerts for programs: one complete ECS document a line. */
import { once } from "node:events";
import type { AlertDocument } from "../alert/alert-document.ts";
import type { Output } from "./output.ts";

export function ndjsonOutput(stream: NodeJS.WritableStream): Output {
  return {
    name: "ndjson",
    raised(): void {}, // its outcome is still to come
    async completed(alert: AlertDocument): Promise<void> {
      if (!stream.write(`${JSON.stringify(alert)}\n`)) await once(stream, "drain");
    },
  };
}
