/** `kinwatch events`: what was executed and by whose doing, as ECS documents; only what touches packages, or all. */
import { Command } from "commander";
import packageFile from "../../package.json" with { type: "json" };
import type { ExecutionDocument } from "../alert/alert-document.ts";
import { ecsEvent, ecsInstallation } from "../alert/ecs-event.ts";
import { withOutcomePart } from "../alert/ecs-outcome.ts";
import { newCounters } from "../counters.ts";
import type { ProcessImage } from "../lineage/process-image.ts";
import { eventLine } from "../outputs/event-text.ts";
import { textOptions } from "../outputs/terminal.ts";
import { type Installation, rpmCommandOf } from "../packages/installation.ts";
import { shippedAliases } from "../packages/shipped-aliases.ts";
import { printable } from "../printable.ts";
import { Pass, type Step } from "../rules/pass.ts";
import { RuleEngine } from "../rules/rule-engine.ts";
import { StoredLogSource } from "../sources/stored-logs.ts";
import { kinwatch } from "./checkout.ts";
import { endWhenReaderLeaves, type Format, formatOf, formatOption, print } from "./format.ts";
import { Progress } from "./progress.ts";
import { configOption, readSettings } from "./settings.ts";
import { summary } from "./summary.ts";

interface Options {
  readonly config?: string;
  readonly format?: Format;
  readonly all?: boolean;
}

/** Modes of rpm that change packages or what is trusted, also where they fail or only try. */
const touching = new Set(
  "install upgrade freshen reinstall erase restore import initdb rebuilddb setperms setugids".split(" "),
);

export function eventsCommand(): Command {
  return new Command("events")
    .description("show who executed what in stored audit logs, with the chain of parents")
    .argument(
      "<file...>",
      "the logs: plain, .gz or .zst, - for standard input; several are read oldest first",
    )
    .option("--all", "each execution, not only those that touch packages")
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      "after",
      `
Examples:
  Who changed packages, and did it work?
    ${kinwatch} events /var/log/audit/audit.log*
  Every execution below a login of user 1000, for a program:
    ${kinwatch} events --all --format ndjson audit.log |
      jq -c 'select(.kinwatch.login_user.id == "1000") | .process.args'

An installation is told when its outcome is known (event.action
package-installed), every other execution at once (exec). With --all an rpm that
installs is told twice: as an execution, and as an installation with outcome.
Files that cannot be read, or are no logs, are all named before any is read.
Exit code 2: those, or a file that could not be read to its end; what was found
before it is shown.`,
    )
    .action(events);
}

async function events(files: readonly string[], { config, format, all = false }: Options): Promise<void> {
  const settings = readSettings({ config });
  endWhenReaderLeaves(process.stdout);
  const counters = newCounters();
  const source = new StoredLogSource({ files, cursor: undefined, counters });
  using progress = new Progress(source);
  const lineage = { processesMax: settings.lineage.processes_max, readProcess: undefined };
  const pass = new Pass(
    {
      lineage,
      installations: { aliases: shippedAliases, isGone: undefined },
      rules: new RuleEngine([]),
      knowledge,
      counters,
    },
    true,
  );
  const begun = new Map<Installation, ExecutionDocument>(); // those that wait for their outcome: as many as the pass lets wait
  const pretty = formatOf(format) === "pretty";
  const tellOne = async (document: ExecutionDocument): Promise<void> => {
    progress.clear();
    const line = pretty ? eventLine(document, textOptions(process.stdout)) : JSON.stringify(document);
    await print(`${line}\n`);
  };
  const tell = async (steps: readonly Step[]): Promise<void> => {
    for (const step of steps) {
      if (step.kind === "found") {
        begun.set(step.installation, ecsInstallation(step.installation, contextOf(step.ancestors)));
      } else if (step.kind === "settled") {
        const document = begun.get(step.installation);
        begun.delete(step.installation);
        if (document !== undefined) await tellOne(withOutcomePart(document, step.installation.updates));
      } else if (step.kind === "executed" && (all || touchesPackages(step.image))) {
        await tellOne(ecsEvent(step.image, { ...contextOf(step.ancestors), aliases: shippedAliases }));
      }
    }
  };
  try {
    for await (const observation of source) await tell(pass.add(observation));
  } finally {
    await tell(pass.end());
    for (const sample of pass.malformedSamples) progress.say(`no audit record: ${printable(sample, 120)}`);
    progress.clear();
    process.stderr.write(summary(counters, `${counters.installs_read} installations`));
  }
}

/** Those that do install are told when they are settled. */
function touchesPackages({ exec }: ProcessImage): boolean {
  const command = rpmCommandOf(exec, shippedAliases);
  return command !== undefined && touching.has(command.mode) && !command.installs;
}

const knowledge = {
  host: () => undefined,
  provider: "files",
  nameUser: () => undefined,
  readDetails: undefined,
} as const;

function contextOf(ancestors: readonly ProcessImage[]) {
  const agent = { type: "kinwatch", version: packageFile.version } as const;
  return { ...knowledge, host: undefined, agent, nowMs: undefined, ancestors };
}
