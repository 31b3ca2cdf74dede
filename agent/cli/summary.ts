/** What was read, and what of it could not be used: an empty answer must not look like a clean host. */
import { type Counters, lossesOf } from "../counters.ts";
import { kinwatch } from "./checkout.ts";

export function summary(counters: Counters, found: string): string {
  const { records_read, events_read } = counters;
  const lines = [`${records_read} records, ${events_read} executions, ${found}`];
  if (events_read === 0 && records_read > 0) {
    lines.push(`no execution is in these logs: no audit rule asked for them (see ${kinwatch} check)`);
  }
  const losses = lossesOf(counters);
  if (losses.length > 0) lines.push(`not all could be used: ${losses.join(", ")} (docs/counters.md)`);
  return lines.map((line) => `kinwatch: ${line}\n`).join("");
}
