/**
 * Executions and SOFTWARE_UPDATE records become installations: what was meant, and what came of it. dnf, yum, microdnf and
 * PackageKit install inside their own process, so they are known by the records alone. rpm, plugins/audit.c: all records of
 * a transaction are sent in one go when it is over, from the process that did it.
 *
 * Time is that of the events, so that a stored log gives the same installations however it is read.
 */
import type { Counters } from "../counters.ts";
import type { ExecEvent, SoftwareUpdate } from "../events/exec-event.ts";
import type { ProcessImage } from "../lineage/process-image.ts";
import type { RpmAliases } from "./rpm-aliases.ts";
import { type RpmCommandLine, readRpmCommandLine } from "./rpm-command-line.ts";

export interface Installation {
  readonly image: ProcessImage; // the process that installs
  readonly command: RpmCommandLine | undefined; // of rpm; undefined: another tool, known by its records alone
  readonly begun: "execution" | "record"; // what told of it first
  readonly timeMs: number; // of the execution, or of the first record
  readonly serial: number;
  readonly updates: readonly SoftwareUpdate[]; // grows until it is settled
}

export interface InstallationJoinOptions {
  readonly aliases: RpmAliases;
  /** Whether a process is known to be gone; undefined where nobody can tell: in stored logs. */
  readonly isGone: ((image: ProcessImage) => boolean) | undefined;
}

const SETTLED_MS = 1_000; // records of one transaction come within milliseconds; later ones are another's
const GONE_MS = 2_000; // what a process sent before its end is in the log by then, also when auditd is busy
const OUTCOME_MS = 600_000; // a kernel's transaction takes minutes; the alert has been raised long before
const WAITING_MAX = 1_024; // at once, of all hosts in the log; rpm's database is locked by one of a host
const PROGRAMS_MAX = 4_096; // whose name is remembered; a host runs hundreds
const UPDATES_MAX = 16_384; // of one installation; a release upgrade has some thousand packages, twice

interface Waiting {
  readonly installation: Installation & { readonly updates: SoftwareUpdate[] };
  announced: boolean; // false: nothing but removals so far
  goneSinceMs: number | undefined;
}

export class InstallationJoin {
  readonly #options: InstallationJoinOptions;
  readonly #counters: Counters;
  readonly #waiting = new Map<ProcessKey, Waiting>(); // by process, the oldest first
  #dueMs = Number.POSITIVE_INFINITY; // none of them is settled before
  readonly #mayBeRpm = new Map<string, boolean>(); // by the path of the program
  readonly #over: Waiting[] = []; // their process became another program, or its pid went to another process
  readonly #recent = new Map<ProcessKey, ProcessImage>(); // rpm processes that are settled, for records that come late

  constructor(options: InstallationJoinOptions, counters: Counters) {
    this.#options = options;
    this.#counters = counters;
  }

  /** Whether execution() is to be told of it: of most, the name of their file tells that it is not. */
  concerns(exec: ExecEvent): boolean {
    const { executable } = exec;
    let isRpm = this.#mayBeRpm.get(executable);
    if (isRpm === undefined) {
      isRpm = mayBeRpm(executable);
      if (this.#mayBeRpm.size >= PROGRAMS_MAX) this.#mayBeRpm.clear();
      this.#mayBeRpm.set(executable, isRpm);
    }
    return isRpm || (this.#waiting.size > 0 && this.#waiting.has(processKey(exec)));
  }

  /** An execution: the installation it is, if any. */
  execution(image: ProcessImage): Installation | undefined {
    this.#endOf(processKey(image.exec));
    const command = rpmCommandOf(image.exec, this.#options.aliases);
    if (command === undefined || !mayInstall(command, image.exec.argumentsComplete)) return undefined;
    const { timeMs, serial } = image.exec;
    const updates: SoftwareUpdate[] = [];
    return this.#announce(this.#wait({ image, command, begun: "execution", timeMs, serial, updates }));
  }

  /** A record: the installation that it is the first of, if it is. */
  update(update: SoftwareUpdate, image: ProcessImage): Installation | undefined {
    const key = processKey(image.exec);
    let waiting = this.#waiting.get(key);
    if (waiting !== undefined && !isSameProcess(waiting.installation.image, image, update)) {
      this.#endOf(key);
      waiting = undefined;
    }
    if (waiting === undefined && this.#recent.get(key) === image) {
      this.#counters.outcomes_late += 1;
      return undefined;
    }
    const { timeMs, serial } = update;
    const command = waiting === undefined ? rpmCommandOf(image.exec, this.#options.aliases) : undefined;
    waiting ??= this.#wait({ image, command, begun: "record", timeMs, serial, updates: [] });
    const { updates } = waiting.installation;
    if (updates.length < UPDATES_MAX) updates.push(update);
    else this.#counters.outcomes_let_go += 1;
    this.#dueMs = Math.min(this.#dueMs, dueMs(waiting));
    if (waiting.announced || update.operation === "remove") return undefined;
    return this.#announce(waiting);
  }

  /** Whether there may be any whose outcome is known: asked at every event. */
  isDue(nowMs: number): boolean {
    return nowMs > this.#dueMs || this.#over.length > 0;
  }

  /**
   * Those whose outcome is known, or will not come any more, by the time of an event.
   * @param node whose clock that is; left out: everybody's
   */
  settled(nowMs: number, node?: { readonly name: string | undefined }): Installation[] {
    if (!this.isDue(nowMs)) return [];
    const settled = this.#end(
      (waiting) =>
        nowMs > dueMs(waiting) && (node === undefined || node.name === waiting.installation.image.exec.node),
    );
    this.#dueMs = Math.min(...this.#waiting.values().map(dueMs));
    return settled;
  }

  /** The same when all that there is has been read: what a process that is gone has said is known then. */
  settledAtRest(nowMs: number): Installation[] {
    const { isGone } = this.#options;
    for (const waiting of this.#waiting.values()) {
      if (waiting.goneSinceMs === undefined && isGone?.(waiting.installation.image))
        waiting.goneSinceMs = nowMs;
    }
    const settled = this.settled(nowMs);
    const gone = ({ installation, goneSinceMs }: Waiting): boolean =>
      installation.updates.length === 0 && goneSinceMs !== undefined && nowMs - goneSinceMs > GONE_MS;
    return [...settled, ...this.#end(gone)];
  }

  /** All that wait, as they are: nothing more will come. */
  flush(): Installation[] {
    return this.#end(() => true);
  }

  /** Those whose outcome may still come. */
  waiting(): Installation[] {
    return [...this.#over, ...this.#waiting.values()].flatMap(({ announced, installation }) =>
      announced ? [installation] : [],
    );
  }

  #wait(installation: Waiting["installation"]): Waiting {
    if (this.#waiting.size >= WAITING_MAX) this.#endOf(this.#waiting.keys().next().value as ProcessKey);
    const waiting: Waiting = { installation, announced: false, goneSinceMs: undefined };
    this.#waiting.set(processKey(installation.image.exec), waiting);
    this.#dueMs = Math.min(this.#dueMs, dueMs(waiting));
    return waiting;
  }

  #announce(waiting: Waiting): Installation {
    waiting.announced = true;
    this.#counters.installs_read += 1;
    return waiting.installation;
  }

  #endOf(key: ProcessKey): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    this.#over.push(waiting);
  }

  #end(isSettled: (waiting: Waiting) => boolean): Installation[] {
    const settled = this.#over.splice(0);
    for (const [key, waiting] of this.#waiting) {
      if (!isSettled(waiting)) continue;
      this.#waiting.delete(key);
      settled.push(waiting);
      // dnf does one transaction after the other in its shell, rpm one in its life.
      if (waiting.installation.command === undefined) continue;
      this.#recent.delete(key);
      this.#recent.set(key, waiting.installation.image);
      if (this.#recent.size > WAITING_MAX)
        this.#recent.delete(this.#recent.keys().next().value as ProcessKey);
    }
    const installations = settled.flatMap(({ announced, installation }) => (announced ? [installation] : []));
    for (const { updates, image } of installations) {
      if (updates.length === 0 && image.exec.source === "audit-log")
        this.#counters.installs_without_outcome += 1;
    }
    return installations;
  }
}

/** Until when, by the clock of its host, more may come of it. */
function dueMs({ installation: { image, begun, timeMs, updates } }: Waiting): number {
  const last = updates.at(-1);
  if (last !== undefined) return last.timeMs + SETTLED_MS;
  const isUntold = begun === "execution" && image.exec.source !== "audit-log";
  return isUntold ? Number.NEGATIVE_INFINITY : timeMs + OUTCOME_MS;
}

/** What an execution of one of rpm's programs means. */
export function rpmCommandOf(
  exec: Pick<ExecEvent, "executable" | "args" | "argumentsComplete">,
  aliases: RpmAliases,
): RpmCommandLine | undefined {
  const { executable } = exec;
  if (!mayBeRpm(executable)) return undefined;
  return readRpmCommandLine({ argv: exec.args, executable, complete: exec.argumentsComplete }, aliases);
}

/** By the name of its file; nobody knows what "" is. */
function mayBeRpm(executable: string): boolean {
  return executable === "" || executable.startsWith("rpm", executable.lastIndexOf("/") + 1);
}

/** Behind where the arguments were cut a mode may follow that is stronger than those seen. rpm, tools/rpm.c, main(). */
function mayInstall({ installs, program, mode, test, argv }: RpmCommandLine, complete: boolean): boolean {
  if (installs || complete) return installs;
  return (
    program === "rpm" &&
    argv.length > 1 &&
    !test &&
    !/^(?:query|verify|version|help|showrc|querytags)/.test(mode)
  );
}

/** The table may have let go of an image and read the process anew; the record names its program too. */
function isSameProcess(known: ProcessImage, found: ProcessImage, update: SoftwareUpdate): boolean {
  return known === found || known.exec.executable === update.executable;
}

type ProcessKey = number | string;

/** Asked of every execution while an installation waits: a text is only made where a log has several hosts. */
function processKey({ node, pid }: ExecEvent): ProcessKey {
  return node === undefined ? pid : `${node} ${pid}`;
}
