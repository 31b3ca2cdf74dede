/** Executions and installations as ECS documents, whether or not they are worth an alert: for `kinwatch events`. */
import type { ProcessImage } from "../lineage/process-image.ts";
import { type Installation, rpmCommandOf } from "../packages/installation.ts";
import type { RpmAliases } from "../packages/rpm-aliases.ts";
import type { ExecutionDocument } from "./alert-document.ts";
import { timedId } from "./alert-id.ts";
import { type DocumentContext, executionPart, lineagePart, rpmPart } from "./ecs-execution.ts";
import { pendingPart } from "./ecs-outcome.ts";

export interface EventContext extends DocumentContext {
  readonly aliases: RpmAliases;
}

/** One execution. */
export function ecsEvent(image: ProcessImage, context: EventContext): ExecutionDocument {
  const { timeMs, node, pid, serial } = image.exec;
  return {
    ...frame(timeMs, context, {
      category: ["process"],
      type: ["start"],
      action: "exec",
      id: timedId(timeMs, "exec", node, pid, serial),
    }),
    ...executionPart(image, context),
    kinwatch: { ...lineagePart(image, context), ...rpmPart(rpmCommandOf(image.exec, context.aliases)) },
  };
}

/** One installation as it begins, while its arguments are whole; of dnf and the like it is all that tells of it. */
export function ecsInstallation(installation: Installation, context: DocumentContext): ExecutionDocument {
  const { image, command, timeMs } = installation;
  const part = pendingPart(installation);
  return {
    ...frame(timeMs, context, {
      category: ["package", "process"],
      type: ["installation", "start"],
      action: "package-installed",
      outcome: part.eventOutcome,
      id: installationEventId(installation),
    }),
    ...executionPart(image, context),
    ...(part.package === undefined ? {} : { package: part.package }),
    kinwatch: { ...lineagePart(image, context), ...rpmPart(command), ...part.outcome },
  };
}

export function installationEventId({ image, timeMs, serial }: Installation): string {
  return timedId(timeMs, "package-installed", image.exec.node, image.exec.pid, serial);
}

function frame(
  timeMs: number,
  { provider, nowMs, namespace = "default" }: DocumentContext,
  event: Pick<ExecutionDocument["event"], "category" | "type" | "action" | "outcome" | "id">,
): Pick<ExecutionDocument, "@timestamp" | "event" | "data_stream"> {
  return {
    "@timestamp": new Date(timeMs).toISOString(),
    event: {
      kind: "event",
      ...event,
      module: "kinwatch",
      dataset: "kinwatch.events",
      provider,
      created: new Date(nowMs ?? timeMs).toISOString(),
    },
    data_stream: { type: "logs", dataset: "kinwatch.events", namespace },
  };
}
