/** When to tell how kinwatch does: each minute, and sooner when something was lost. */
import { type Counters, lossNames } from "../counters.ts";
import { ecsHealth, type HealthContext, type HealthDocument, type HealthPart, lossOf } from "./ecs-health.ts";

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
}

export class Pulse {
  readonly #options: PulseOptions;
  #toldMs = Number.NEGATIVE_INFINITY;
  #told: Counters; // as they were then

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#told = { ...options.counters };
  }

  /** @param nowMs since the epoch; a clock that was set back makes it due */
  isDue(nowMs: number): boolean {
    const ms = nowMs - this.#toldMs;
    return ms >= MINUTE_MS || ms < 0 || (ms >= SOON_MS && this.#lost() > 0);
  }

  document(part: Pick<HealthPart, "rules" | "lag_ms" | "outbox">, context: HealthContext): HealthDocument {
    const { source, counters, usage } = this.#options;
    const { uptimeMs, memoryBytes, cpuMs } = usage();
    const isEarly = context.nowMs - this.#toldMs < MINUTE_MS;
    const health: HealthPart = {
      source,
      uptime_ms: Math.round(uptimeMs),
      memory_bytes: memoryBytes,
      cpu_ms: Math.round(cpuMs),
      ...part,
      lost: this.#lost(),
      counters: { ...counters },
    };
    return ecsHealth(health, context, isEarly && health.lost > 0 ? this.#losses() : undefined);
  }

  /** It is on disk. */
  told(nowMs: number): void {
    this.#toldMs = nowMs;
    this.#told = { ...this.#options.counters };
  }

  #lost(): number {
    return lossOf(this.#options.counters) - lossOf(this.#told);
  }

  #losses(): string {
    const { counters } = this.#options;
    const rises = lossNames.flatMap((name) => {
      const rise = counters[name] - this.#told[name];
      return rise > 0 ? [`${name} rose by ${rise}`] : [];
    });
    return rises.join(", ");
  }
}
