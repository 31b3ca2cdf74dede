/**
 * `kinwatch status`: does it run, does it see all, and does what it found get to where it should. Asks the daemon, and reads the
 * state beside it.
 */
import { Command } from "commander";
import { lossesOf } from "../counters.ts";
import { isDenied, KinwatchError } from "../errors.ts";
import { askStatus, statusSocketOf } from "../health/status-socket.ts";
import { readShippingState, type ShippingState } from "../outputs/shipping-state.ts";
import { fit, wrap } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";
import type { Totals } from "../store/shipments.ts";
import { holderOf } from "../store/state-lock.ts";
import { openStoreToRead } from "../store/store.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, jsonOption } from "./format.ts";
import type { LiveStatus } from "./live-status.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly format?: Format;
}

interface Status {
  readonly running: boolean;
  readonly pid?: number;
  readonly daemon?: LiveStatus | Unasked; // what it says itself, or why it does not
  readonly state: string; // its folder
  readonly elasticsearch: Stored & { readonly enabled: boolean; readonly urls: readonly string[] };
}

interface Unasked {
  readonly code: string;
  readonly message: string;
  readonly isDenied: boolean; // to this user
}

/** Of the delivery, as far as the state may be read. */
interface Stored extends ShippingState {
  readonly waiting?: Totals;
  readonly refused?: Totals;
  readonly unreadable?: string;
}

const NAME = 18; // columns
const WIDTH = 80;

export function statusCommand(): Command {
  return new Command("status")
    .description("is the daemon at work here, does it see all, and does what it found arrive")
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

The daemon itself tells only root and its own group how it does.

Exit code 1: no daemon is at work here, or something keeps it from seeing
all, or Elasticsearch has not taken what was sent last, or has refused
documents.`,
    )
    .action(status);
}

async function status(options: Options): Promise<void> {
  const { state, output } = readSettings(options);
  endWhenReaderLeaves(process.stdout);
  const { enabled, urls } = output.elasticsearch;
  const daemon = await askDaemon(statusSocketOf(state.directory));
  const answered = "health" in daemon;
  const pid = answered ? daemon.pid : holderOf(state.directory);
  const stored = readStored(state.directory, answered);
  const found: Status = {
    running: pid !== undefined,
    ...(pid === undefined ? {} : { pid: Number(pid), daemon }),
    state: state.directory,
    elasticsearch: { enabled, urls, ...stored },
  };
  const isPretty = formatOf(options.format) === "pretty";
  process.stdout.write(isPretty ? pretty(found, Date.now()) : `${JSON.stringify(found)}\n`);
  const isBlind = answered ? daemon.problems.length > 0 : !daemon.isDenied;
  const { failed, refused } = stored;
  const isStuck = enabled && (failed !== undefined || (refused?.documents ?? 0) > 0);
  if (!found.running || isBlind || isStuck) process.exitCode = 1;
}

/** @param mayLack whether the daemon told the rest: its group may ask it, but not read the state */
function readStored(directory: string, mayLack: boolean): Stored {
  try {
    using store = openStoreToRead(directory);
    return { ...readShippingState(store), ...store.shipments.totals() };
  } catch (error) {
    if (!mayLack || !(error instanceof KinwatchError)) throw error;
    return { unreadable: error.message };
  }
}

async function askDaemon(path: string): Promise<LiveStatus | Unasked> {
  try {
    return (await askStatus(path)) as LiveStatus;
  } catch (error) {
    if (!(error instanceof KinwatchError)) throw error;
    return { code: error.code, message: error.message, isDenied: isDenied(error.cause) };
  }
}

function pretty({ running, pid, daemon, state, elasticsearch }: Status, nowMs: number): string {
  const lines = [
    ...line("kinwatch", running ? `runs as process ${pid}` : "does not run"),
    ...(daemon === undefined ? [] : "health" in daemon ? live(daemon) : line("", daemon.message)),
    ...line("state", state),
    ...(elasticsearch.enabled
      ? delivery(elasticsearch, running, nowMs)
      : line("elasticsearch", "is not enabled")),
  ];
  return `${lines.join("\n")}\n`;
}

/** What it says of itself. */
function live({ version, watches, ready, problems, health }: LiveStatus): string[] {
  const { counters, kernel, lag_ms: lagMs } = health;
  const losses = lossesOf(counters);
  const percent = ((100 * health.cpu_ms) / Math.max(1, health.uptime_ms)).toFixed(1);
  const lag = lagMs < 2_000 ? "read to its end" : `read to what was there ${spanOf(lagMs)} ago`;
  return [
    ...line("  version", `${version}, for ${spanOf(health.uptime_ms)}`),
    ...line("  watches", `${watches}, ${ready ? lag : "reading what is retained of it"}`),
    ...(problems.length === 0 ? line("  problems", "none") : []),
    ...problems.flatMap(({ code, message }, index) =>
      line(index === 0 ? "  problems" : "", `${message} (${code})`),
    ),
    ...line(
      "  found",
      `${plural(counters.installs_read, "installation")}, ${plural(counters.alerts_raised, "alert")}`,
    ),
    ...line("  not seen whole", losses.length === 0 ? "nothing" : losses.join(", ")),
    ...(kernel === undefined
      ? []
      : line(
          "  in the kernel",
          `${kernel.backlog} of ${kernel.backlog_limit} places for records taken, ${kernel.lost} lost since the boot`,
        )),
    ...line("  costs", `${sizeOf(health.memory_bytes)} of memory, ${percent} % of a processor`),
  ];
}

function delivery(told: Status["elasticsearch"], isRunning: boolean, nowMs: number): string[] {
  const { urls, succeededMs, failed, waiting, refused, unreadable } = told;
  if (waiting === undefined || refused === undefined) return line("elasticsearch", unreadable ?? "");
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
