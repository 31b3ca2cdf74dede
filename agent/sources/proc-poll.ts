/**
 * Watches /proc where there is no audit log. The newest pid in /proc/loadavg tells, with one small read, which pids were
 * handed out since the last look; these alone are looked at, young ones again until they have executed and settled.
 *
 * A copy that has not executed is no execution, whatever it is called: rpm forks itself for scriptlets. The kernel says so
 * with a flag (PF_FORKNOEXEC); the process table reads such a one itself when it is somebody's parent.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import type { Counters } from "../counters.ts";
import { KinwatchError, systemCode } from "../errors.ts";
import { type ProcStat, readProcStat, readRest } from "./proc-entry.ts";
import { foundRunning, listPids, listProcesses } from "./proc-list.ts";
import type { Observation, ProcEntry, Source } from "./source.ts";

export interface ProcPollOptions {
  readonly stop: AbortSignal;
  readonly counters: Counters;
  readonly sinceMs?: number | undefined; // what is there but began later is told as if it had just been met
  readonly procRoot?: string;
}

/** A process that is there, and what is known of its image. */
interface Tracked {
  readonly foundMs: number;
  readonly startTicks: number;
  startTimeMs: number | undefined; // as told first: a clock that is set meanwhile makes no other process of it
  lookMs: number; // when to look at it again, while it is young; 0: it was seen once as yet
  image: string; // the last one told; "" for none
  title: string; // its arguments, where the image cannot be told from the name alone
}

const POLL_MS = 25; // a program of 30 ms is met at least once, for less than 2 % of a core; figures in docs/sources.md
const SHARE_MAX = 0.1; // of a core: where so much happens that it would take more, it is looked less often
const LATELY = 0.1; // how much one look counts in the mean of what they take
const YOUNG_MS = 2_000; // then it takes its turn with all the others
const TURN_MS = 1_000; // then the older ones are looked at, all at once: cold, right after a sleep, a look costs thrice as much
const TURNS = 256; // of them at once: 5 ms
const PROBES_MAX = 256; // pids tried one by one; for more, listing /proc is cheaper
const TRACKED_MAX = 32_768; // the process table's own default; one let go is not seen to execute again without a fork
const IDLE_MS = 1_000;
const RESERVED_PIDS = 300; // kernel/pid.c: pids begin there again after pid_max
const PID_LIMIT = 4_194_304; // include/linux/threads.h, PID_MAX_LIMIT

export class ProcPollSource implements Source {
  readonly name = "procfs";
  readonly description: string;
  readonly #stop: AbortSignal;
  readonly #counters: Counters;
  readonly #sinceMs: number;
  readonly #root: string;
  readonly #tracked = new Map<number, Tracked>();
  readonly #young = new Map<number, Tracked>();
  #turns = this.#tracked.entries();
  #absent: number[] = []; // not there at the last look: a pid is handed out a little before it can be seen
  #turnMs = 0;
  #newest = 0;
  #pidMax = PID_LIMIT;
  #timer: NodeJS.Timeout | undefined;
  #lookMs = 0; // what a look takes, mean
  #wake: () => void = () => {};

  /** @throws KW_PROCFS_UNREADABLE */
  constructor({ stop, counters, sinceMs = Number.NaN, procRoot = "/proc" }: ProcPollOptions) {
    this.#sinceMs = sinceMs;
    this.#stop = stop;
    this.#counters = counters;
    this.#root = procRoot;
    this.#readPidMax();
    if (readProcStat(1, procRoot) === undefined) {
      throw unreadable(`${procRoot} does not show the processes of other users`);
    }
    const others = process.geteuid?.() === 0 ? "" : ", nor where the programs of other users lie";
    this.description = `${procRoot}: programs that run for 30 ms or longer, with their arguments; not shorter ones, no outcomes${others}`;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Observation> {
    const loadavg = this.#open();
    const wake = () => this.#wake();
    this.#stop.addEventListener("abort", wake);
    try {
      this.#newest = readNewest(loadavg);
      for (const process of this.#all()) yield foundRunning(process, this.#sinceMs);
      yield { kind: "idle", nowMs: Date.now() };
      while (!this.#stop.aborted) {
        const found = await this.#next(loadavg);
        for (const process of found) yield { kind: "process", process, nowMs: Date.now(), seen: false };
        yield { kind: "idle", nowMs: Date.now() };
      }
    } finally {
      clearTimeout(this.#timer);
      this.#stop.removeEventListener("abort", wake);
      closeSync(loadavg);
    }
  }

  cursorAt(): undefined {
    return undefined; // /proc has no past
  }

  /** All there are, in the order of their birth: parents before children, pids as they were handed out. */
  #all(): ProcEntry[] {
    const stats = listProcesses(this.#root);
    const nowMs = performance.now();
    return stats.flatMap((stat) => this.#tell(stat, this.#track(stat, nowMs)) ?? []);
  }

  /** New images, the parents' first. Nothing is handed on meanwhile: a short process must not wait for its turn. */
  #poll(newest: number, nowMs: number): ProcEntry[] {
    const found: ProcEntry[] = [];
    for (const [pid, tracked] of this.#young) {
      if (tracked.lookMs > nowMs) continue;
      this.#look(pid, tracked, found);
      const ageMs = nowMs - tracked.foundMs;
      tracked.lookMs = nowMs + ageMs / 4; // the younger the likelier: a wrapper becomes its tool early or never
      if (ageMs > YOUNG_MS) this.#young.delete(pid);
    }
    if (nowMs - this.#turnMs >= TURN_MS) this.#takeTurns(nowMs, found);
    const again = this.#absent;
    this.#absent = [];
    for (const pid of again) if (!this.#meet(pid, nowMs, found)) this.#counters.processes_missed += 1;
    for (const pid of this.#handedOut(newest)) if (!this.#meet(pid, nowMs, found)) this.#absent.push(pid);
    return found;
  }

  /** The pids between the newest of the last look and that of this one. */
  #handedOut(newest: number): number[] {
    const last = this.#newest;
    this.#newest = newest;
    if (newest === last) return [];
    if (newest < last) this.#readPidMax(); // the counter began anew; the limit may have been changed
    const spans: [number, number][] =
      newest > last
        ? [[last + 1, newest]]
        : [
            [last + 1, this.#pidMax - 1],
            [RESERVED_PIDS, newest],
          ];
    const count = spans.reduce((sum, [from, to]) => sum + Math.max(0, to - from + 1), 0);
    if (count <= PROBES_MAX) return spans.flatMap(([from, to]) => range(from, to));
    const pids = listPids(this.#root);
    const there = spans.flatMap(([from, to]) => pids.filter((pid) => pid >= from && pid <= to));
    this.#counters.processes_missed += count - there.length;
    return there;
  }

  /** @returns false when nothing lives under this pid */
  #meet(pid: number, nowMs: number, found: ProcEntry[]): boolean {
    const stat = readProcStat(pid, this.#root);
    if (stat === undefined || stat.kind === "zombie") return false;
    if (stat.kind !== "process") return true;
    if (this.#tracked.get(pid)?.startTicks === stat.startTicks) return true;
    this.#judge(stat, this.#track(stat, nowMs), found);
    return true;
  }

  #takeTurns(nowMs: number, found: ProcEntry[]): void {
    this.#turnMs = nowMs;
    for (let left = Math.min(TURNS, this.#tracked.size); left > 0; left -= 1) {
      let next = this.#turns.next();
      if (next.done) {
        this.#turns = this.#tracked.entries();
        next = this.#turns.next();
      }
      if (!next.done && !this.#young.has(next.value[0])) this.#look(...next.value, found);
    }
  }

  #look(pid: number, tracked: Tracked, found: ProcEntry[]): void {
    const stat = readProcStat(pid, this.#root);
    if (stat?.startTicks === tracked.startTicks && stat.kind === "process") {
      this.#judge(stat, tracked, found);
      return;
    }
    this.#tracked.delete(pid);
    this.#young.delete(pid);
    // A subshell that ended, or a program that began and ended since. What is a copy at a second look executes no more.
    if (tracked.image === "" && tracked.lookMs === 0) this.#counters.processes_missed += 1;
  }

  #judge(stat: ProcStat, tracked: Tracked, found: ProcEntry[]): void {
    if (!stat.executed || stat.image === tracked.image) return;
    const entry = this.#tell(stat, tracked);
    if (entry !== undefined) found.push(entry);
  }

  #tell(stat: ProcStat, tracked: Tracked): ProcEntry | undefined {
    const entry = readRest(stat, this.#root);
    if (entry === undefined) return undefined; // another image already: the next look has it
    if (!stat.permitted && entry.args.length === 0) return undefined; // in the middle of an execution
    tracked.image = stat.image;
    if (!stat.permitted) {
      const title = entry.args.join(" ").slice(0, 256);
      const renamed = title === tracked.title; // comm alone is another
      tracked.title = title;
      if (renamed) return undefined;
    }
    if (!entry.argumentsComplete) this.#counters.arguments_truncated += 1;
    tracked.startTimeMs ??= entry.startTimeMs;
    return { ...entry, startTimeMs: tracked.startTimeMs };
  }

  /** A process not met before. */
  #track({ pid, startTicks }: ProcStat, nowMs: number): Tracked {
    const tracked: Tracked = {
      foundMs: nowMs,
      startTicks,
      startTimeMs: undefined,
      lookMs: 0,
      image: "",
      title: "",
    };
    this.#tracked.delete(pid); // an earlier owner of the pid
    this.#tracked.set(pid, tracked);
    this.#young.set(pid, tracked);
    if (this.#tracked.size > TRACKED_MAX) {
      const oldest = this.#tracked.keys().next().value as number;
      this.#tracked.delete(oldest);
      this.#young.delete(oldest);
    }
    return tracked;
  }

  #readPidMax(): void {
    try {
      this.#pidMax = Number(readFileSync(`${this.#root}/sys/kernel/pid_max`, "latin1")) || PID_LIMIT;
    } catch (cause) {
      throw unreadable(`Cannot read ${this.#root}/sys/kernel/pid_max: ${systemCode(cause)}`, cause);
    }
  }

  #open(): number {
    try {
      return openSync(`${this.#root}/loadavg`, "r");
    } catch (cause) {
      throw unreadable(`Cannot read ${this.#root}/loadavg: ${systemCode(cause)}`, cause);
    }
  }

  /** Looks again and again, in the timer itself: who waits is called only when there is something. @returns [] now and then */
  #next(loadavg: number): Promise<ProcEntry[]> {
    const { promise, resolve, reject } = Promise.withResolvers<ProcEntry[]>();
    const startMs = performance.now();
    const look = () => {
      const nowMs = performance.now();
      try {
        const found = this.#poll(readNewest(loadavg), nowMs);
        this.#lookMs += LATELY * (performance.now() - nowMs - this.#lookMs);
        if (found.length > 0 || nowMs - startMs >= IDLE_MS) resolve(found);
        else this.#timer = setTimeout(look, this.#restMs);
      } catch (error) {
        reject(error);
      }
    };
    this.#wake = () => resolve([]);
    this.#timer = setTimeout(look, this.#restMs);
    return promise;
  }

  get #restMs(): number {
    return Math.max(POLL_MS, this.#lookMs * (1 / SHARE_MAX - 1));
  }
}

const line = Buffer.allocUnsafeSlow(128);

/** The last field of "0.20 0.18 0.12 1/80 11206": the pid handed out last. proc_loadavg(5) */
function readNewest(loadavg: number): number {
  const text = line.toString("latin1", 0, readSync(loadavg, line, 0, line.length, 0));
  return Number.parseInt(text.slice(text.trimEnd().lastIndexOf(" ") + 1), 10) || 0;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

function unreadable(what: string, cause?: unknown): KinwatchError {
  return new KinwatchError(
    "KW_PROCFS_UNREADABLE",
    what,
    "Let the user of kinwatch see all processes: the gid option of the mount of /proc (proc(5), hidepid), or CAP_SYS_PTRACE",
    { cause },
  );
}
