/**
 * `kinwatch selftest`: does an installation on this host raise an alert, and how fast. A script that nobody has seen installs a package
 * without files into a database of its own; what that taught the baseline is struck out again.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import type { AlertDocument } from "../alert/alert-document.ts";
import { Baseline } from "../baseline/baseline.ts";
import type { Config } from "../config.ts";
import { parseDuration } from "../duration.ts";
import { KinwatchError } from "../errors.ts";
import { ask, findProgram } from "../health/command.ts";
import { alertMessageId } from "../outputs/journald.ts";
import { wrap } from "../outputs/text-width.ts";
import { holderOf } from "../store/state-lock.ts";
import { openStoreToRead, type Store } from "../store/store.ts";
import { openTermsToChange } from "../store/stored-terms.ts";
import { kinwatch } from "./checkout.ts";
import { type FoundFact, findingLines, paint } from "./finding-lines.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption } from "./format.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly format?: Format;
  readonly timeout: string;
}

interface Stage extends FoundFact {
  readonly after_ms?: number; // since rpm was started
}

const file = fileURLToPath(new URL("./kinwatch-selftest-1-1.noarch.rpm", import.meta.url)); // packaging/selftest.spec
const WIDTH = 80;
const TRIES = 3; // a poll of /proc may miss one that takes a few milliseconds
const LOOK_MS = 5;
const JOURNAL_LOOK_MS = 100; // each look starts a program

export function selftestCommand(): Command {
  return new Command("selftest")
    .description("install a package that is empty, as nobody did before, and see whether that alerts")
    .addOption(new Option("--timeout <time>", "how long to wait for each stage").default("15s"))
    .addOption(configOption())
    .addOption(stateOption())
    .addOption(formatOption())
    .addHelpText(
      "after",
      `
Examples:
  Does the daemon of this host raise alerts, and how fast?
    ${kinwatch} selftest
  For a script, milliseconds from the start of rpm to the alert:
    ${kinwatch} selftest --format ndjson |
      jq 'select(.fact == "alert") | .after_ms'

The package kinwatch-selftest has no files and goes into a database of its own,
which is deleted, as is what the daemon learned of it. The alert stays: it is
real, and who looks at alerts may be told that it was a test.

Exit code 0: it alerted; 1: something did not come, and which; 2: it could not
be tried.`,
    )
    .action(selftest);
}

async function selftest(options: Options): Promise<void> {
  const config = readSettings(options);
  const timeoutMs = parseDuration(options.timeout) ?? 0;
  if (timeoutMs < 1_000)
    throw new KinwatchError(
      "KW_ARGUMENT_INVALID",
      "--timeout is no duration of a second or more",
      "Give 15s, or 1m",
    );
  endWhenReaderLeaves(process.stdout);
  using store = openStoreToRead(config.state.directory);
  refuseInVain(config, store);
  const stages = await tryIt(config, store, timeoutMs);
  const failed = stages.some(({ status }) => status === "failed");
  process.stdout.write(formatOf(options.format) === "pretty" ? pretty(stages) : documents(stages));
  if (failed) process.exitCode = 1;
}

function refuseInVain({ state }: Config, store: Store): void {
  if (findProgram("rpm") === undefined)
    throw impossible("There is no rpm on this host", "See kinwatch check");
  if (holderOf(state.directory) === undefined)
    throw impossible(`No daemon is at work with ${state.directory}`, "Start it: systemctl start kinwatch");
  if (new Baseline(store).isLearning(Date.now()))
    throw impossible(
      "The daemon is still learning, and takes for granted what it sees",
      "Try again when that is over",
    );
}

function impossible(what: string, remedy: string): KinwatchError {
  return new KinwatchError("KW_SELFTEST_IMPOSSIBLE", what, remedy);
}

async function tryIt(config: Config, store: Store, timeoutMs: number): Promise<Stage[]> {
  const folder = mkdtempSync(join(isWritable("/run") ? "/run" : tmpdir(), "kinwatch-selftest-"));
  const stages: Stage[] = [];
  try {
    for (let number = 1; number <= TRIES; number += 1) {
      const script = join(folder, `try-${number}.sh`);
      const change = store.lastChange();
      const begunMs = performance.now();
      const installing = install(folder, script);
      const alert = await wait(LOOK_MS, begunMs + timeoutMs / TRIES, () => alertOf(store, change, script));
      const alertMs = performance.now() - begunMs;
      stages.push(installed(script, await installing));
      if (alert === undefined && number < TRIES) continue;
      if (alert === undefined) stages.push(notSeen());
      else {
        stages.push(came("alert", alertMs, `${kinwatch} alerts show ${alert.event.id}`));
        if (config.output.journald.enabled) stages.push(await journal(alert, begunMs, timeoutMs));
        if (config.output.elasticsearch.enabled) stages.push(await elasticsearch(store, begunMs, timeoutMs));
      }
      break;
    }
    forget(config, folder);
    return stages;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the exit code of rpm */
async function install(folder: string, script: string): Promise<number | null> {
  const database = `${script}.db`;
  mkdirSync(database);
  writeFileSync(script, `#!/bin/sh\n${findProgram("rpm")} -i "$1"\nexit $?\n`, { mode: 0o700 });
  // rpm is told by its user's macros, so that its command line is the one that people type: rpm(8), rpmrc configuration.
  writeFileSync(join(folder, ".rpmmacros"), `%_dbpath ${database}\n%_dbpath_rebuild ${database}\n`);
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: folder, LC_ALL: "C" };
  const child = spawn("/bin/sh", [script, file], { stdio: "ignore", env });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

function installed(script: string, status: number | null): Stage {
  if (status === 0)
    return { fact: "rpm", status: "ok", text: `installed kinwatch-selftest by ${script}`, cure: [] };
  // That is an installation that failed: it alerts all the same.
  return {
    fact: "rpm",
    status: "warning",
    text: `refused kinwatch-selftest (exit code ${status})`,
    cure: [],
  };
}

function alertOf(store: Store, change: number, script: string): AlertDocument | undefined {
  return store
    .alertsSince(change)
    .map(({ document }) => JSON.parse(document) as AlertDocument)
    .find(({ kinwatch: { ancestry } }) => ancestry.some((image) => image.script === script));
}

function notSeen(): Stage {
  const text = "none came: the daemon does not see what is installed on this host";
  return { fact: "alert", status: "failed", text, cure: [`${kinwatch} check`] };
}

async function journal(alert: AlertDocument, begunMs: number, timeoutMs: number): Promise<Stage> {
  const matches = [`MESSAGE_ID=${alertMessageId}`, `KINWATCH_ALERT_ID=${alert.event.id}`];
  const found = await wait(JOURNAL_LOOK_MS, performance.now() + timeoutMs, async () => {
    const answer = await ask("journalctl", [
      "--quiet",
      "--no-pager",
      "--output=cat",
      "--lines=1",
      ...matches,
    ]);
    return answer?.stdout.trim() ? true : undefined;
  });
  if (found) return came("journal", performance.now() - begunMs, `journalctl -x ${matches[1]}`);
  const text = "the alert did not come into the journal, or you may not read that";
  return { fact: "journal", status: "failed", text, cure: ["systemctl status systemd-journald"] };
}

async function elasticsearch(store: Store, begunMs: number, timeoutMs: number): Promise<Stage> {
  const sent = await wait(JOURNAL_LOOK_MS, performance.now() + timeoutMs, () =>
    store.shipments.isWaiting("alerts") ? undefined : true,
  );
  if (sent) return came("elasticsearch", performance.now() - begunMs, "took all alerts");
  const text = "alerts wait; one waits for its outcome too, which can take a minute";
  return { fact: "elasticsearch", status: "warning", text, cure: [`${kinwatch} status`] };
}

function came(fact: string, afterMs: number, text: string): Stage {
  const after_ms = Math.round(afterMs);
  return { fact, status: "ok", text: `after ${after_ms} ms: ${text}`, cure: [], after_ms };
}

/** Else each test would stay in the baseline for ever. */
function forget({ state }: Config, folder: string): void {
  using terms = openTermsToChange(state.directory);
  const own = terms.list().filter(({ value }) => value.some((word) => word.includes(`${folder}/`)));
  for (const term of own.toArray()) terms.forget(term);
}

async function wait<T>(everyMs: number, untilMs: number, look: () => T | undefined | Promise<T | undefined>) {
  for (;;) {
    const found = await look();
    if (found !== undefined || performance.now() >= untilMs) return found;
    await sleep(everyMs);
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function verdict(stages: readonly Stage[]): string {
  const alert = stages.find(({ fact }) => fact === "alert");
  if (alert?.after_ms === undefined) return "An installation on this host raises no alert.";
  if (stages.some(({ status }) => status === "failed"))
    return "An alert is raised here, but does not get to where it should.";
  return `An installation on this host raises an alert, ${alert.after_ms} ms after rpm was started.`;
}

function pretty(stages: readonly Stage[]): string {
  const failed = stages.some(({ status }) => status === "failed");
  const last = wrap(verdict(stages), WIDTH).map((line) => paint(line, ["bold", failed ? "red" : "green"]));
  return `${[...stages.flatMap(findingLines), "", ...last].join("\n")}\n`;
}

function documents(stages: readonly Stage[]): string {
  const status = stages.some((stage) => stage.status === "failed") ? "failed" : "ok";
  const last: Stage = { fact: "selftest", status, text: verdict(stages), cure: [] };
  return [...stages, last].map((stage) => `${JSON.stringify(stage)}\n`).join("");
}
