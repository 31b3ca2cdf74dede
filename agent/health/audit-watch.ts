/**
 * Does what is executed still reach the log: watched while the daemon runs, for whoever stops auditd, turns audit off or deletes its
 * rules stops the alerts as well. Two ways: the kernel's own word, where we may ask for it, and silence. A host that is not idle
 * executes something each minute; after a minute without, something is executed by ourselves, and has to come.
 */
import type { Counters } from "../counters.ts";
import { type ErrorCode, KinwatchError } from "../errors.ts";
import type { AuditSocket } from "./audit-socket.ts";
import type { AuditStatus } from "./audit-status.ts";

export interface AuditWatchOptions {
  readonly path: string; // of the log
  readonly counters: Pick<Counters, "events_read" | "kernel_records_lost">; // the second is ours to raise
  readonly socket: Pick<AuditSocket, "ask" | "answer"> | undefined;
  readonly execute: () => void; // a program, any
  readonly began: (problem: KinwatchError) => void;
  readonly ended: (problem: KinwatchError) => void;
}

const ASK_MS = 5_000; // it costs 0.1 ms; who turns audit off for less time than that does not do it by mistake
const QUIET_MS = 60_000; // an execution of our own is 2 kB of log: 2.4 MB a day on a host that does nothing else
const PROOF_MS = 10_000; // a busy host's backlog is read within seconds
const NEARLY_FULL = 0.8;

export class AuditWatch {
  readonly #options: AuditWatchOptions;
  readonly #problems = new Map<ErrorCode, KinwatchError>();
  #status: AuditStatus | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #eventsRead: number;
  #eventsAtAnswer: number;
  #quietSinceMs: number | undefined;
  #provedMs: number | undefined; // when something was executed for it

  constructor(options: AuditWatchOptions) {
    this.#options = options;
    this.#eventsRead = this.#eventsAtAnswer = options.counters.events_read;
  }

  get problems(): readonly KinwatchError[] {
    return [...this.#problems.values()];
  }

  /** As the kernel said last, some seconds ago; undefined: it does not tell us. */
  get kernel(): { backlog: number; backlog_limit: number; lost: number } | undefined {
    const status = this.#status;
    return status && { backlog: status.backlog, backlog_limit: status.backlogLimit, lost: status.lost };
  }

  /** Called at least once a second while the log is followed. @param nowMs monotonic */
  look(nowMs: number): void {
    this.#hear();
    if (nowMs - this.#askedMs >= ASK_MS) {
      this.#options.socket?.ask();
      this.#askedMs = nowMs;
    }
    this.#listen(nowMs);
  }

  #hear(): void {
    const { socket, counters, path } = this.#options;
    const status = socket?.answer();
    if (status === undefined) return;
    if (status === "refused") {
      this.#status = undefined;
      return;
    }
    const lost = status.lost - (this.#status?.lost ?? status.lost);
    counters.kernel_records_lost += Math.max(0, lost); // auditctl --reset-lost begins anew
    this.#status = status;
    const isFed = counters.events_read !== this.#eventsAtAnswer; // whoever writes this log: what comes is seen
    this.#eventsAtAnswer = counters.events_read;
    this.#judge(
      "KW_AUDIT_OFF",
      status.enabled === 0 && !isFed,
      () => "The kernel's audit is off: what is executed leaves no record",
      "Turn it on: auditctl -e 1. journald turns it off when it starts where journald.conf(5) says Audit=no",
    );
    this.#judge(
      "KW_AUDIT_UNATTENDED",
      status.pid === 0 && !isFed,
      () => `Nobody takes the kernel's audit records: nothing is written to ${path}`,
      "Start auditd; what is executed until then is not known, unless the kernel was booted with audit=1 and keeps it",
    );
    this.#judge(
      "KW_AUDIT_BACKLOG",
      status.backlog > NEARLY_FULL * status.backlogLimit,
      () =>
        `${status.backlog} of the kernel's ${status.backlogLimit} places for audit records that wait are taken: when all are, records are lost`,
      `See that auditd keeps up, and give it more: auditctl -b ${Math.max(8_192, 2 * status.backlogLimit)}`,
    );
  }

  #listen(nowMs: number): void {
    const { counters, execute, path } = this.#options;
    const cameSince = counters.events_read !== this.#eventsRead;
    this.#eventsRead = counters.events_read;
    if (cameSince || this.#quietSinceMs === undefined) {
      this.#quietSinceMs = nowMs;
      this.#provedMs = undefined;
    }
    const quietMs = nowMs - this.#quietSinceMs;
    if (quietMs >= QUIET_MS && nowMs - (this.#provedMs ?? Number.NEGATIVE_INFINITY) >= QUIET_MS) {
      this.#provedMs = nowMs;
      execute();
    }
    const silent =
      this.#problems.has("KW_AUDIT_SILENT") ||
      (this.#provedMs !== undefined && nowMs - this.#provedMs >= PROOF_MS);
    this.#judge(
      "KW_AUDIT_SILENT",
      silent && !cameSince,
      () =>
        `Executions do not reach ${path}: none came for ${Math.round(quietMs / 1_000)} s, one of our own among them`,
      "Ask kinwatch check, which tells why and what to do",
    );
  }

  #judge(code: ErrorCode, isSo: boolean, what: () => string, remedy: string): void {
    const known = this.#problems.get(code);
    if (isSo === (known !== undefined)) return;
    if (known === undefined) {
      const problem = new KinwatchError(code, what(), remedy);
      this.#problems.set(code, problem);
      this.#options.began(problem);
    } else {
      this.#problems.delete(code);
      this.#options.ended(known);
    }
  }
}
