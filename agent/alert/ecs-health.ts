/** How kinwatch itself does, as a document: what was lost, how far it is behind, what it costs and what still waits. */
import { type Counters, lossNames } from "../counters.ts";
import { hostOf } from "../events/event-host.ts";
import type { AgentDocument, DataStreamDocument, HostDocument } from "./alert-document.ts";
import { timedId } from "./alert-id.ts";
import { ecsVersion } from "./ecs-execution.ts";

export interface HealthDocument {
  readonly "@timestamp": string;
  readonly ecs: { readonly version: string };
  readonly message: string;
  readonly event: {
    readonly kind: "metric";
    readonly type: readonly ["info"];
    readonly action: "health";
    readonly id: string;
    readonly module: "kinwatch";
    readonly dataset: "kinwatch.health";
    readonly provider: string;
    readonly created: string;
    readonly reason?: string; // why it was told before its minute
  };
  readonly data_stream: DataStreamDocument;
  readonly host: HostDocument;
  readonly agent: AgentDocument;
  readonly kinwatch: { readonly health: HealthPart };
}

export interface HealthPart {
  readonly source: string;
  readonly uptime_ms: number;
  readonly memory_bytes: number; // resident
  readonly cpu_ms: number; // of all threads, since the start
  readonly rules: number;
  readonly lag_ms: number; // since all that there was had been read
  readonly lost: number; // how much the counters of loss rose since the document before
  readonly problems: readonly string[]; // codes of what keeps it from seeing all
  readonly kernel?: KernelPart | undefined; // undefined: it does not tell us
  readonly counters: Counters; // since the start
  readonly outbox: { readonly waiting: number; readonly bytes: number; readonly set_aside: number };
}

/** Audit's queue in the kernel. */
export interface KernelPart {
  readonly backlog: number; // records that wait
  readonly backlog_limit: number;
  readonly lost: number; // records since the boot
}

/** What the flow knows of itself. */
export type FlowPart = Pick<HealthPart, "rules" | "lag_ms" | "outbox">;

export interface HealthContext {
  readonly host: HostDocument | undefined;
  readonly agent: AgentDocument;
  readonly namespace: string;
  readonly nowMs: number;
}

/** @param worse what of it is worse than it was, in words; undefined: its time has come */
export function ecsHealth(
  health: HealthPart,
  { host, agent, namespace, nowMs }: HealthContext,
  worse: string | undefined,
): HealthDocument {
  const timestamp = new Date(nowMs).toISOString();
  const state = health.lost === 0 ? "nothing lost" : `${health.lost} lost`;
  return {
    "@timestamp": timestamp,
    ecs: { version: ecsVersion },
    message: `kinwatch watches by ${health.source}: ${worse ?? `${state} since the last report`}`,
    event: {
      kind: "metric",
      type: ["info"],
      action: "health",
      id: timedId(nowMs, "health", agent.id, agent.ephemeral_id),
      module: "kinwatch",
      dataset: "kinwatch.health",
      provider: health.source,
      created: timestamp,
      ...(worse === undefined ? {} : { reason: worse }),
    },
    data_stream: { type: "logs", dataset: "kinwatch.health", namespace },
    host: hostOf(undefined, host),
    agent,
    kinwatch: { health },
  };
}

/** @returns such as "logs_lost rose by 1", of the counters of loss */
export function risesOf(counters: Counters, before: Counters): string[] {
  return lossNames.flatMap((name) => {
    const rise = counters[name] - before[name];
    return rise > 0 ? [`${name} rose by ${rise}`] : [];
  });
}

/** What was lost in all: of records, events and processes. */
export function lossOf(counters: Counters): number {
  return lossNames.reduce((sum, name) => sum + counters[name], 0);
}
