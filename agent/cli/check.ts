/** `kinwatch check`: can this host be watched, and what has to be done so that it can. Changes nothing. */
import { hostname } from "node:os";
import { Command } from "commander";
import type { Config } from "../config.ts";
import { newCounters } from "../counters.ts";
import { KinwatchError } from "../errors.ts";
import { checkHost, type Finding, type HostReport } from "../health/host-check.ts";
import { type HostSurvey, surveyHost } from "../health/host-survey.ts";
import { describeMachine } from "../health/machine.ts";
import { fit, wrap } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";
import { ProcessTrace } from "../sources/process-trace.ts";
import { checkState } from "../store/state-file.ts";
import { kinwatch } from "./checkout.ts";
import { findingLines, paint } from "./finding-lines.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, jsonOption } from "./format.ts";
import { openTrace } from "./open-source.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";

interface Options extends SettingsOptions {
  readonly format?: Format;
}

const WIDTH = 80;
const TEXT_MAX = 2_000;

export function checkCommand(): Command {
  return new Command("check")
    .description("can this host be watched: a line a fact, what is wrong, and the command that cures it")
    .addOption(configOption())
    .addOption(stateOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  As root, who alone may ask audit for its rules:
    ${kinwatch} check
  For a script, what is wrong and nothing else:
    ${kinwatch} check --json |
      jq -r 'select(.status != "ok") | [.fact, .text] | @tsv'

Nothing is changed. Lines that begin with $ cure what stands above them, as
root; cure from the top, then check again. With ndjson the last document has
"fact":"host", "watched" and "source": what the daemon would watch.
Each fact is explained in docs/check.md.

Exit code 0: this host is watched, perhaps with warnings. 3: it is not.`,
    )
    .action(check);
}

async function check(options: Options): Promise<void> {
  const { source, state, output } = readSettings(options);
  endWhenReaderLeaves(process.stdout);
  const database = databaseIn(state.directory);
  const survey = await surveyHost({
    auditLog: source.audit_log,
    stateFolder: state.directory,
    database,
    tracefs: traceProblem(source),
  });
  const wanted = { source: source.type, journald: output.journald.enabled, nowMs: Date.now() };
  const report = checkHost(survey, wanted);
  const forPeople = formatOf(options.format) === "pretty";
  process.stdout.write(forPeople ? pretty(report, survey, await describeMachine()) : documents(report));
  if (!report.watched) process.exitCode = 3;
}

function databaseIn(directory: string): HostSurvey["database"] {
  try {
    return checkState(directory);
  } catch (error) {
    if (error instanceof KinwatchError) return error;
    throw error;
  }
}

function traceProblem(source: Config["source"]): HostSurvey["tracefs"] {
  const trace = openTrace({ ...source, type: "tracefs" }, newCounters());
  if (!(trace instanceof ProcessTrace)) return trace;
  trace[Symbol.dispose]();
  return undefined;
}

function documents(report: HostReport): string {
  const { findings, source, watched } = report;
  const status = watched ? "ok" : "failed";
  const last = { fact: "host", status, text: verdict(report), watched, source };
  return [...findings, last].map((one) => `${JSON.stringify(one)}\n`).join("");
}

function pretty(report: HostReport, { os }: HostSurvey, machine: string | undefined): string {
  const system = [os.get("PRETTY_NAME"), machine]
    .filter((part) => part !== undefined)
    .map((part) => `, ${part}`);
  const lines = report.findings.flatMap(findingLines);
  const style = report.watched ? "green" : "red";
  const last = wrap(verdict(report), WIDTH).map((line) => paint(line, ["bold", style]));
  const name = printable(hostname(), 30);
  const rest = fit(printable(system.join(""), TEXT_MAX), WIDTH - name.length);
  return `${[paint(name, ["bold"]) + rest, "", ...lines, "", ...last].join("\n")}\n`;
}

function verdict({ findings, source, watched, silentLog }: HostReport): string {
  const count = (status: Finding["status"]) => findings.filter((finding) => finding.status === status).length;
  const warnings = count("warning");
  const beside = warnings === 0 ? "" : `, with ${warnings} warning${warnings === 1 ? "" : "s"}`;
  if (watched && source === "audit-log") return `This host is watched through the audit log${beside}.`;
  const place = source === "tracefs" ? "the kernel's tracepoints" : "/proc";
  const unseen = unseenBy[source === "tracefs" ? "tracefs" : "procfs"];
  if (watched) return `This host is watched through ${place}${beside}. ${unseen}`;
  const cure = `Cure what failed (${count("failed")}), then check again`;
  if (!silentLog || source === "audit-log") return `This host is not watched. ${cure}.`;
  return `This host is not watched through its audit log, only through ${place}. ${unseen} ${cure}; or set source.type = "${source}" to be content with it.`;
}

const unseenBy = {
  tracefs:
    "What is not seen there: what dnf and the like install, outcomes, and all that came before the start.",
  procfs:
    "What is not seen there: processes that live for less than some milliseconds, what dnf and the like install, outcomes, and all that came before the start.",
};
