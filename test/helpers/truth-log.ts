/** Audit logs whose truth is known: for what a log must show of a host, at any size, and the same for the same seed. */
import { seededRandom } from "./seeded-random.ts";
import { startAll } from "./truth-activities.ts";
import { type Habits, Host, type TruthInstall } from "./truth-host.ts";
import { LogWriter } from "./truth-writer.ts";

export type { TruthInstall, TruthPackage } from "./truth-host.ts";

export interface TruthLogOptions {
  readonly folder: string;
  readonly bytes: number; // of all files; a little more is written
  readonly seed: number;
  readonly pidMax?: number; // sysctl kernel.pid_max: small, so that pids are reused many times
  readonly fileBytes?: number; // of one file, before it is rotated: max_log_file
  readonly boots?: number;
  readonly habits?: Partial<Habits>;
}

export interface Truth {
  readonly files: readonly string[]; // oldest first; the last one is audit.log
  readonly bytes: number;
  readonly executions: number; // that succeeded
  readonly rounds: number; // of the pid counter
  readonly boots: number;
  readonly installs: readonly TruthInstall[]; // in the order of their executions
}

export function writeTruthLog(options: TruthLogOptions): Truth {
  const { folder, bytes, seed, pidMax = 4_096, fileBytes = 8 * 1_048_576, boots = 1 } = options;
  const random = seededRandom(seed);
  const log = new LogWriter(folder, fileBytes, random);
  const host = new Host(log, random, pidMax, Date.UTC(2026, 10, 24, 8), {
    packages: 1,
    accesses: 0.04,
    ...options.habits,
  });
  startAll(host);
  while (log.bytes < bytes) {
    if (log.bytes > (bytes / boots) * host.boots) {
      host.boot();
      startAll(host);
    }
    host.step();
  }
  return {
    files: log.end(),
    bytes: log.bytes,
    executions: host.executions,
    rounds: host.rounds + host.kernel.rounds,
    boots: host.boots,
    // Those that the end cut off have no record, and need none: their execution tells. dnf's do.
    installs: host.installs.filter(({ recordsAlone, packages }) => !recordsAlone || packages.length > 0),
  };
}
