/** `kinwatch run`: the daemon. `npm start` is this. */
import { isatty } from "node:tty";
import { Command } from "commander";
import { type Counters, newCounters } from "../counters.ts";
import { openLog } from "../log.ts";
import { exitBeside } from "../native.ts";
import { ServiceManager } from "../outputs/service-manager.ts";
import { UnblockedFile } from "../outputs/unblocked-file.ts";
import { ToldInstallations } from "../packages/told-installations.ts";
import { ProcessTrace } from "../sources/process-trace.ts";
import { kinwatch } from "./checkout.ts";
import { openTrace } from "./open-source.ts";
import { configOption, readSettings, type SettingsOptions, stateOption } from "./settings.ts";
import { Turn } from "./source-turn.ts";
import { watchHost } from "./watch-host.ts";

const EXIT_MS = 500; // for what still goes out when all is over
const LOG_LINES_MAX = 200; // some screens; more would tell a person who comes back no more

export function runCommand(): Command {
  return new Command("run")
    .description("watch this host and alert, until it is stopped: the daemon")
    .addOption(configOption())
    .addOption(stateOption())
    .addHelpText(
      "after",
      `
Examples:
  As a service does it:
    ${kinwatch} run --config /etc/kinwatch/kinwatch.toml

It reads the audit log where that records executions, else the kernel's
tracepoints or /proc, says which and why, and changes over when the log falls
silent or comes back. What can be done about it is told by:
    ${kinwatch} check

Files of rules and exceptions that change are read again within a second; at
SIGHUP too. A broken edit is told, and leaves all of its kind as they are.

It ends at SIGTERM or Ctrl-C. Exit code 2: it could not start, or its state is
damaged; 3: this host cannot be watched.`,
    )
    .action((options: SettingsOptions) => run(options).finally(exitSoon));
}

async function run(options: SettingsOptions): Promise<void> {
  const config = readSettings(options);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const onReload = new EventTarget();
  process.on(
    "SIGHUP",
    whenTerminalStays(
      () => onReload.dispatchEvent(new Event("reload")),
      () => stop.abort(),
    ),
  );
  const counters = newCounters();
  const write = writeLog(counters);
  const log = openLog({ level: "info", ...(write === undefined ? {} : { write }) });
  const service = ServiceManager.open((error) => log.warn("systemd is not told how this goes", { error }));
  stop.signal.addEventListener("abort", () => service?.stopping());
  const trace = openTrace(config.source, counters);
  using _trace = trace instanceof ProcessTrace ? trace : undefined;
  const told = new ToldInstallations();
  const session = { options, config, onReload, counters, log, service, trace, told };
  for (let turn: Turn | undefined; !stop.signal.aborted; ) {
    turn = new Turn({ config: config.source, stop: stop.signal, counters, log }, turn);
    await watchHost(session, turn);
  }
  log.info("stopped");
  log.flush();
}

/** A hangup means: read your files again. Unless it means what it says: the terminal that somebody looks on at was closed. */
function whenTerminalStays(stays: () => void, gone: () => void): () => void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  return () => (terminals.every((fd) => isatty(fd)) ? stays() : gone());
}

/** An alert that nobody takes would keep us alive. */
function exitSoon(): void {
  setTimeout(() => exitBeside(Number(process.exitCode ?? 0)), EXIT_MS).unref();
}

/** A terminal that was stopped holds up the log no more than it does alerts. undefined: written as it is */
function writeLog(counters: Counters): ((line: string) => void) | undefined {
  const file = UnblockedFile.reopen(2);
  return (
    file &&
    ((line) => {
      if (file.waiting >= LOG_LINES_MAX) counters.log_lines_let_go += 1;
      else file.write(line).catch(() => {}); // who reads it has gone
    })
  );
}
