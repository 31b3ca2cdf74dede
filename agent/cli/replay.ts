/**
 * `kinwatch replay`: the alerts in stored audit logs. They depend on the logs alone, not on the host that reads them: no
 * /proc is asked, no alias file of this host is read, and times are those of the records.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import packageFile from "../../package.json" with { type: "json" };
import type { Learn } from "../baseline/baseline.ts";
import { newCounters } from "../counters.ts";
import { parseDuration } from "../duration.ts";
import { watch } from "../main.ts";
import { Delivery } from "../outputs/delivery.ts";
import { ndjsonOutput } from "../outputs/ndjson.ts";
import type { Output } from "../outputs/output.ts";
import { terminalOutput } from "../outputs/terminal.ts";
import { shippedAliases } from "../packages/shipped-aliases.ts";
import { printable } from "../printable.ts";
import { RuleEngine } from "../rules/rule-engine.ts";
import { StoredLogSource } from "../sources/stored-logs.ts";
import { Store } from "../store/store.ts";
import { activeExceptions } from "./active-exceptions.ts";
import { activeRules } from "./active-rules.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption } from "./format.ts";
import { Progress } from "./progress.ts";
import { configOption, readSettings } from "./settings.ts";
import { summary } from "./summary.ts";

interface Options {
  readonly config?: string;
  readonly learn: Learn;
  readonly format?: Format;
  readonly state?: string;
}

export function replayCommand(): Command {
  return new Command("replay")
    .description("show the alerts in stored audit logs: plain, .gz or .zst, - for standard input")
    .argument("<file...>", "the logs; several are read oldest first, by what is in them")
    .addOption(
      new Option(
        "--learn <what>",
        "what to take for granted: none, history (all of it), or the first 7d, 12h, …",
      )
        .argParser(learnOf)
        .default("none"),
    )
    .addOption(formatOption())
    .option(
      "--state <folder>",
      "keep what was seen and how far was read there, and go on from it the next time",
    )
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  Every parent that installed a package for the first time in these logs:
    ${kinwatch} replay /var/log/audit/audit.log*
  Take the first week for granted, and look at what was new after it:
    ${kinwatch} replay --learn 7d audit.log.gz
  Make a baseline of old logs, then judge new ones by it:
    ${kinwatch} replay --state base --learn history old/*
    ${kinwatch} replay --state base new.log
  For programs, one ECS document a line:
    ${kinwatch} replay --format ndjson audit.log |
      jq -r '[.event.id, .process.parent.executable] | @tsv'

A log holds no executions unless an audit rule asks for them. Whether one does:
    ${kinwatch} check

Files that cannot be read, or are no logs, are all named before any is read.
Exit code 2: those, or a file that could not be read to its end; what was found
before it is shown.`,
    )
    .action(replay);
}

async function replay(files: readonly string[], options: Options): Promise<void> {
  const config = readSettings({ config: options.config });
  endWhenReaderLeaves(process.stdout);
  const counters = newCounters();
  using store = new Store(options.state, { counters });
  const source = new StoredLogSource({ files, cursor: store.cursor(), counters });
  using progress = new Progress(source);
  const output =
    formatOf(options.format) === "pretty"
      ? terminalOutput(process.stdout, "complete")
      : ndjsonOutput(process.stdout);
  const delivery = new Delivery({
    store,
    outputs: [beside(progress, output)],
    counters,
    report: (_, error) => {
      throw error;
    },
  });
  const tell = (remark: string) => progress.say(remark);
  const rules = activeRules(config.rules, source.name, tell);
  const engine = new RuleEngine(rules, activeExceptions(config, rules, source.name, tell));
  await watch({
    source,
    store,
    delivery,
    namespace: config.output.elasticsearch.namespace,
    counters,
    learn: options.learn,
    startMs: undefined,
    lineage: { processesMax: config.lineage.processes_max, readProcess: undefined },
    installations: { aliases: shippedAliases, isGone: undefined },
    rules: () => engine,
    past: undefined,
    renewed: () => {},
    knowledge: {
      host: () => undefined,
      provider: source.name,
      nameUser: () => undefined,
      readDetails: undefined,
    },
    agent: { type: "kinwatch", version: packageFile.version },
    caughtUp: () => {},
    stateRefused: async () => false,
    malformed: (sample) => progress.say(`no audit record: ${printable(sample, 120)}`),
  });
  const { installs_read, alerts_raised, alerts_excepted } = counters;
  const excepted = alerts_excepted > 0 ? `, ${alerts_excepted} held back by exceptions` : "";
  progress.clear();
  process.stderr.write(
    summary(counters, `${installs_read} installations, ${alerts_raised} alerts${excepted}`),
  );
}

/** The line of progress makes room for each alert. */
function beside(progress: Progress, output: Output): Output {
  return {
    ...output,
    completed(alert) {
      progress.clear();
      return output.completed(alert);
    },
  };
}

function learnOf(text: string): Learn {
  if (text === "none" || text === "history") return text;
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs > 0) return { durationMs };
  throw new InvalidArgumentError("Give none, history or a time such as 7d.");
}
