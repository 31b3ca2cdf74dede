/** `kinwatch alerts`: the alerts in the local store, for people and for programs; also while the daemon runs. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { AlertDocument } from "../alert/alert-document.ts";
import { alertLine, alertText } from "../outputs/alert-text.ts";
import { textOptions } from "../outputs/terminal.ts";
import { openStoreToRead, type Store } from "../store/store.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, print } from "./format.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";
import { storedAlert } from "./stored-alert.ts";

interface Options extends SettingsOptions {
  readonly format?: Format;
}

const FOLLOW_MS = 250; // a person does not notice it, and the question costs some 20 µs

export function alertsCommand(): Command {
  const alerts = new Command("alerts").description("the alerts of this host: list, show one, or follow");
  const list = alerts
    .command("list", { isDefault: true })
    .description("a line each, the oldest first")
    .action(listAlerts);
  const show = alerts
    .command("show")
    .description("all that is known of one")
    .argument("<id>", "its id, or the beginning of it")
    .action(showAlert);
  const follow = alerts
    .command("follow")
    .description("each new one, with its outcome as soon as that is known; until Ctrl-C")
    .action(followAlerts);
  for (const command of [list, show, follow]) {
    command.addOption(formatOption()).addOption(stateOption()).addOption(configOption());
  }
  return alerts.addHelpText(
    "after",
    `
Examples:
  What happened lately:
    ${kinwatch} alerts list
  The whole document of one, for a program:
    ${kinwatch} alerts show 019a --format ndjson | jq .process
  In the journal the same alerts are found by:
    journalctl MESSAGE_ID=6b0f5e0c8d6a4f5bb3c1f27a9e54d2c8`,
  );
}

async function listAlerts(options: Options): Promise<void> {
  endWhenReaderLeaves(process.stdout);
  using store = open(options);
  let listed = 0;
  for (const document of store.alerts()) {
    await print(`${short(document, options)}\n`);
    listed += 1;
  }
  if (listed === 0) process.stderr.write("kinwatch: no alerts so far\n");
}

function showAlert(id: string, options: Options): void {
  endWhenReaderLeaves(process.stdout);
  using store = open(options);
  process.stdout.write(long(storedAlert(store, id), options));
}

async function followAlerts(options: Options): Promise<void> {
  endWhenReaderLeaves(process.stdout);
  using store = open(options);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit());
  let change = store.lastChange();
  process.stderr.write("kinwatch: following; Ctrl-C ends it\n");
  for (;;) {
    for (const { document, changed } of store.alertsSince(change)) {
      await print(long(document, options));
      change = changed;
    }
    await sleep(FOLLOW_MS);
  }
}

function open(options: Options): Store {
  return openStoreToRead(readSettings(options).state.directory);
}

function short(document: string, { format }: Options): string {
  if (formatOf(format) === "ndjson") return document;
  return alertLine(JSON.parse(document) as AlertDocument, textOptions(process.stdout));
}

function long(document: string, { format }: Options): string {
  if (formatOf(format) === "ndjson") return `${document}\n`;
  return `${alertText(JSON.parse(document) as AlertDocument, textOptions(process.stdout))}\n`;
}
