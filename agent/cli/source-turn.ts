/**
 * Which source has its turn, where "auto" leaves that to kinwatch: the audit log for as long as executions reach it, else another one, and
 * the log again when they do. With each turn the watch begins anew, as after a restart, which forgets nothing and decides nothing twice.
 */
import { statSync } from "node:fs";
import type { Config } from "../config.ts";
import type { Counters } from "../counters.ts";
import { type ErrorCode, KinwatchError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { SourceName } from "../rules/field-sources.ts";
import { kinwatch } from "./checkout.ts";
import { whyNotAuditLog } from "./open-source.ts";

export interface TurnOptions {
  readonly config: Config["source"];
  readonly stop: AbortSignal;
  readonly counters: Pick<Counters, "events_read">;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly whyNot?: typeof whyNotAuditLog;
}

/** With these nothing is seen. */
const blind: ReadonlySet<ErrorCode> = new Set([
  "KW_AUDIT_OFF",
  "KW_AUDIT_UNATTENDED",
  "KW_AUDIT_SILENT",
  "KW_AUDIT_LOG_MISSING",
  "KW_AUDIT_LOG_UNREADABLE",
]);

const BLIND_MS = 10_000; // auditd that is started anew, after an update say, is away for a second or two
const PROBE_MS = 10_000; // where the log has changed: something is executed for it
const PROBE_ANYWAY_MS = 60_000;

export class Turn {
  readonly #options: TurnOptions;
  readonly #over = new AbortController();
  readonly #place: string;
  readonly signal: AbortSignal;
  /** Until when the log had told all. undefined: nobody knows */
  readonly sinceMs: number | undefined;
  /** That another source stands in for a log that somebody relied on. */
  problem: KinwatchError | undefined;
  #name: SourceName | undefined;
  /** When the log told of something last. */
  seenMs: number | undefined;
  #eventsRead: number;
  #blindSinceMs: number | undefined;
  #probedMs = Number.NEGATIVE_INFINITY;
  #executedMs = Number.NEGATIVE_INFINITY;
  #log = "";

  constructor(options: TurnOptions, before?: Turn) {
    this.#options = options;
    this.#place = options.config.audit_log;
    this.signal = AbortSignal.any([options.stop, this.#over.signal]);
    this.sinceMs = before?.seenMs;
    this.#eventsRead = options.counters.events_read;
  }

  /**
   * Who has it.
   * @param reason why not the audit log
   * @param isRelied whether the log was followed before
   */
  begin(name: SourceName, reason: string | undefined, isRelied: boolean): void {
    this.#name = name;
    if (reason === undefined) return;
    this.#options.log.warn(`not the audit log: ${reason}; ${kinwatch} check tells what to do`);
    if (!isRelied) return;
    this.problem = new KinwatchError(
      "KW_AUDIT_LOG_REPLACED",
      `${name} stands in for the audit log: ${reason}`,
      "Ask kinwatch check, which tells what to do; the log is taken back by itself",
    );
  }

  /** Called at least once a second. @param nowMs monotonic @param problems what keeps the source from seeing */
  look(nowMs: number, problems: readonly KinwatchError[]): void {
    if (this.#options.config.type !== "auto" || this.#over.signal.aborted) return;
    if (this.#name === "audit-log") this.#doubt(nowMs, problems);
    else if (nowMs - this.#probedMs >= PROBE_MS) {
      this.#probedMs = nowMs;
      void this.#probe(nowMs);
    }
  }

  #doubt(nowMs: number, problems: readonly KinwatchError[]): void {
    const { counters, log } = this.#options;
    const cameSince = counters.events_read !== this.#eventsRead; // into a log that was deleted, say
    this.#eventsRead = counters.events_read;
    if (cameSince) this.seenMs = Date.now();
    const problem = problems.find(({ code }) => blind.has(code));
    if (problem === undefined || cameSince) this.#blindSinceMs = undefined;
    else this.#blindSinceMs ??= nowMs;
    if (nowMs - (this.#blindSinceMs ?? nowMs) < BLIND_MS) return;
    log.warn(`another source has to stand in for the audit log: ${problem?.code}`);
    this.#over.abort();
  }

  async #probe(nowMs: number): Promise<void> {
    const log = stateOf(this.#place);
    if (log === undefined || (log === this.#log && nowMs - this.#executedMs < PROBE_ANYWAY_MS)) return;
    this.#executedMs = nowMs;
    this.#log = log; // as it was: what is written meanwhile is worth another look
    const reason = await (this.#options.whyNot ?? whyNotAuditLog)(this.#place);
    if (reason !== undefined || this.signal.aborted) return;
    this.#options.log.info(`executions reach ${this.#place}: it is followed from here on`);
    this.#over.abort();
  }
}

/** undefined: there is none, or we may not know */
function stateOf(path: string): string | undefined {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return undefined;
  }
}
