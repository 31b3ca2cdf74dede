/** `kinwatch status`: does it run, and does what it found get to where it should. Reads the state beside the daemon. */
import { Command } from "commander";
import { readShippingState, type ShippingState } from "../outputs/shipping-state.ts";
import { fit, wrap } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";
import type { Totals } from "../store/shipments.ts";
import { holderOf } from "../store/state-lock.ts";
import { openStoreToRead } from "../store/store.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, jsonOption } from "./format.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly format?: Format;
}

interface Status {
  readonly running: boolean;
  readonly pid?: number;
  readonly state: string; // its folder
  readonly elasticsearch: ShippingState & {
    readonly enabled: boolean;
    readonly urls: readonly string[];
    readonly waiting: Totals;
    readonly refused: Totals;
  };
}

const NAME = 16; // columns
const WIDTH = 80;

export function statusCommand(): Command {
  return new Command("status")
    .description("is the daemon at work here, and does what it found arrive")
    .addOption(configOption())
    .addOption(stateOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  For people:
    ${kinwatch} status
  For a script, how many documents wait for Elasticsearch:
    ${kinwatch} status --json |
      jq .elasticsearch.waiting.documents

Whether this host can be watched at all is told by: ${kinwatch} check

Exit code 1: no daemon is at work here, or Elasticsearch has not taken
what was sent last, or has refused documents.`,
    )
    .action(status);
}

function status(options: Options): void {
  const { state, output } = readSettings(options);
  endWhenReaderLeaves(process.stdout);
  using store = openStoreToRead(state.directory);
  const pid = holderOf(state.directory);
  const { enabled, urls } = output.elasticsearch;
  const found: Status = {
    running: pid !== undefined,
    ...(pid === undefined ? {} : { pid: Number(pid) }),
    state: state.directory,
    elasticsearch: { enabled, urls, ...readShippingState(store), ...store.shipments.totals() },
  };
  const isPretty = formatOf(options.format) === "pretty";
  process.stdout.write(isPretty ? pretty(found, Date.now()) : `${JSON.stringify(found)}\n`);
  const { failed, refused } = found.elasticsearch;
  if (!found.running || (enabled && (failed !== undefined || refused.documents > 0))) process.exitCode = 1;
}

function pretty({ running, pid, state, elasticsearch }: Status, nowMs: number): string {
  const lines = [
    ...line("kinwatch", running ? `runs as process ${pid}` : "does not run"),
    ...line("state", state),
    ...(elasticsearch.enabled
      ? delivery(elasticsearch, running, nowMs)
      : line("elasticsearch", "is not enabled")),
  ];
  return `${lines.join("\n")}\n`;
}

function delivery(told: Status["elasticsearch"], isRunning: boolean, nowMs: number): string[] {
  const { urls, succeededMs, failed, waiting, refused } = told;
  const { documents, bytes } = waiting;
  const success =
    succeededMs === undefined ? "never" : `${agoOf(succeededMs, nowMs)}, at ${timeOf(succeededMs)}`;
  return [
    ...line("elasticsearch", urls.join(", ")),
    ...line("  last success", success),
    ...(failed === undefined
      ? []
      : [
          ...line("  last failure", `${agoOf(failed.atMs, nowMs)}: ${failed.message} (${failed.code})`),
          ...(isRunning ? line("  next try", tryWords(failed.retryAtMs - nowMs)) : []),
        ]),
    ...line("  waiting", `${plural(documents, "document")}${documents === 0 ? "" : `, ${sizeOf(bytes)}`}`),
    ...line(
      "  set aside",
      refused.documents === 0 ? "none" : `${plural(refused.documents, "document")}: ${kinwatch} outbox list`,
    ),
  ];
}

function tryWords(ms: number): string {
  return ms < 1_000 ? "now" : `in ${spanOf(ms)}`;
}

function line(name: string, text: string): string[] {
  return wrap(printable(text, 2_000), WIDTH - NAME).map((part, index) =>
    fit(`${(index === 0 ? name : "").padEnd(NAME)}${part}`, WIDTH),
  );
}

function agoOf(ms: number, nowMs: number): string {
  return ms > nowMs ? "just now" : `${spanOf(nowMs - ms)} ago`;
}

function spanOf(ms: number): string {
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
  if (ms < minute) return plural(Math.round(ms / 1_000), "second");
  if (ms < hour) return plural(Math.round(ms / minute), "minute");
  return ms < 2 * day ? plural(Math.round(ms / hour), "hour") : plural(Math.round(ms / day), "day");
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace("T", " ").slice(0, 19).concat(" UTC");
}

function sizeOf(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${Math.round(bytes / 1e6)} MB`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
