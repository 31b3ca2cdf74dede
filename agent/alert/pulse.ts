/** When to tell how kinwatch does: each minute, and sooner when something was lost or keeps it from seeing. */
import type { Counters } from "../counters.ts";
import type { KinwatchError } from "../errors.ts";
import {
  ecsHealth,
  type FlowPart,
  type HealthContext,
  type HealthDocument,
  type HealthPart,
  type KernelPart,
  lossOf,
  risesOf,
} from "./ecs-health.ts";

const MINUTE_MS = 60_000;
const SOON_MS = 10_000; // a loss that goes on is told no more often than that

export interface Usage {
  readonly uptimeMs: number;
  readonly memoryBytes: number;
  readonly cpuMs: number;
}

export interface PulseOptions {
  readonly source: string;
  readonly counters: Counters;
  readonly usage: () => Usage;
  readonly problems: () => readonly KinwatchError[];
  readonly kernel: () => KernelPart | undefined;
}

export class Pulse {
  readonly #options: PulseOptions;
  #toldMs = Number.NEGATIVE_INFINITY;
  #told: Counters; // as they were then
  #toldProblems: readonly string[] = [];

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#told = { ...options.counters };
  }

  /** @param nowMs since the epoch; a clock that was set back makes it due */
  isDue(nowMs: number): boolean {
    const ms = nowMs - this.#toldMs;
    return ms >= MINUTE_MS || ms < 0 || (ms >= SOON_MS && this.#worse().length > 0);
  }

  /** As it is now. */
  health(part: FlowPart): HealthPart {
    const { source, counters, usage, problems, kernel } = this.#options;
    const { uptimeMs, memoryBytes, cpuMs } = usage();
    const told = kernel();
    return {
      source,
      uptime_ms: Math.round(uptimeMs),
      memory_bytes: memoryBytes,
      cpu_ms: Math.round(cpuMs),
      ...part,
      lost: lossOf(counters) - lossOf(this.#told),
      problems: problems().map(({ code }) => code),
      ...(told === undefined ? {} : { kernel: told }),
      counters: { ...counters },
    };
  }

  document(part: FlowPart, context: HealthContext): HealthDocument {
    const worse = this.#worse();
    return ecsHealth(this.health(part), context, worse.length === 0 ? undefined : worse.join("; "));
  }

  /** It is on disk. */
  told(nowMs: number): void {
    this.#toldMs = nowMs;
    this.#told = { ...this.#options.counters };
    this.#toldProblems = this.#options.problems().map(({ code }) => code);
  }

  /** What is worse than it was, in words. */
  #worse(): string[] {
    const { problems, counters } = this.#options;
    const begun = problems().filter(({ code }) => !this.#toldProblems.includes(code));
    return [...begun.map(({ code, message }) => `${message} (${code})`), ...risesOf(counters, this.#told)];
  }
}
