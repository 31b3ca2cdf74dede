/** `kinwatch outbox`: documents that Elasticsearch refused, and what is to become of them. Also while the daemon runs. */
import { Command } from "commander";
import { KinwatchError } from "../errors.ts";
import { fit } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";
import type { RefusedShipment, Shipments } from "../store/shipments.ts";
import { openStoreToChange, openStoreToRead } from "../store/store.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, print } from "./format.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";

interface ListOptions extends SettingsOptions {
  readonly format?: Format;
}

interface ChangeOptions extends SettingsOptions {
  readonly all?: boolean;
}

const WIDTH = 80;
const AT_ONCE = 1_000; // of a transaction, beside which the daemon waits

export function outboxCommand(): Command {
  const outbox = new Command("outbox").description(
    "documents that Elasticsearch refused: list them, send them again, or let go of them",
  );
  const list = outbox
    .command("list", { isDefault: true })
    .description("a line each with the reason, the oldest first")
    .addOption(formatOption())
    .action(listRefused);
  const retry = outbox
    .command("retry")
    .description("send them again, when what was wrong is cured")
    .action((ids: readonly string[], options: ChangeOptions) => change(ids, options, "retry"));
  const discard = outbox
    .command("discard")
    .description("let go of them: they will never arrive")
    .action((ids: readonly string[], options: ChangeOptions) => change(ids, options, "discard"));
  for (const command of [retry, discard])
    command
      .argument("[id...]", "their ids, or the beginnings of them")
      .option("--all", "all that were refused");
  for (const command of [list, retry, discard]) command.addOption(stateOption()).addOption(configOption());
  return outbox.addHelpText(
    "after",
    `
Examples:
  What was refused, and why:
    ${kinwatch} outbox list
  The documents themselves:
    ${kinwatch} outbox list --format ndjson | jq .document
  All of them again, after the mapping was corrected:
    ${kinwatch} outbox retry --all

What waits for a server that cannot be reached is not refused, and needs
nothing: ${kinwatch} status tells of it.`,
  );
}

async function listRefused(options: ListOptions): Promise<void> {
  endWhenReaderLeaves(process.stdout);
  const isPretty = formatOf(options.format) === "pretty";
  using store = openStoreToRead(readSettings(options).state.directory);
  let listed = 0;
  for (const shipment of store.shipments.refused()) {
    await print(isPretty ? `${lineOf(shipment)}\n` : `${documentOf(shipment)}\n`);
    listed += 1;
  }
  if (listed === 0) process.stderr.write("kinwatch: nothing was refused\n");
}

function change(ids: readonly string[], options: ChangeOptions, what: "retry" | "discard"): void {
  if (ids.length > 0 === (options.all === true)) {
    const wrong = ids.length > 0 ? "Both ids and --all say which" : "Nothing says which";
    throw new KinwatchError(
      "KW_ARGUMENT_INVALID",
      wrong,
      `Give ids, as ${kinwatch} outbox list shows them, or --all`,
    );
  }
  using store = openStoreToChange(readSettings(options).state.directory);
  const sequences = (options.all === true ? [""] : ids).flatMap((id) => sequencesOf(store.shipments, id));
  let changed = 0;
  for (let at = 0; at < sequences.length; at += AT_ONCE)
    changed += store.shipments[what](sequences.slice(at, at + AT_ONCE));
  const documents = changed === 1 ? "1 document" : `${changed} documents`;
  const done = what === "retry" ? "will be sent again, by a kinwatch that runs" : "let go of";
  process.stderr.write(`kinwatch: ${documents} ${done}\n`);
}

function sequencesOf(shipments: Shipments, prefix: string): number[] {
  const sequences = shipments
    .refused(prefix)
    .map(({ sequence }) => sequence)
    .toArray();
  if (sequences.length > 0 || prefix === "") return sequences;
  throw new KinwatchError(
    "KW_OUTBOX_UNKNOWN",
    `No document that was refused has an id that begins with ${printable(prefix, 100)}`,
    `See ${kinwatch} outbox list`,
  );
}

function lineOf({ id, stream, reason }: RefusedShipment): string {
  return fit(
    printable(`${id}  ${stream}  ${reason}`, 1_000),
    process.stdout.isTTY ? process.stdout.columns : WIDTH,
  );
}

function documentOf({ id, stream, reason, document }: RefusedShipment): string {
  return JSON.stringify({
    id,
    stream,
    reason,
    document: document.length > 0 ? JSON.parse(String(document)) : null,
  });
}
