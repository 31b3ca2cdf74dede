/**
 * Who started whom. Holds the latest image of each process that was seen to execute, linked to its parent and to what the
 * same process ran before. Plain data: the reader of /proc is handed in, and a stored log is replayed without one.
 *
 * A recorded parent is believed only if its pid cannot have gone to another process meanwhile (pid-clock.ts); what lives is
 * asked of /proc, whose start times settle it; what is left is unresolved, and says why. A wrong parent is never a guess's.
 */
import type { Counters } from "../counters.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import { procExec } from "../events/proc-exec.ts";
import { unseenExec } from "../events/unseen-exec.ts";
import type { ProcEntry } from "../sources/source.ts";
import { type Life, PidClock } from "./pid-clock.ts";

/** inferred: ppid names pid 1 or a service manager, which started it or took it over; no record tells which. */
export type Provenance = "recorded" | "procfs" | "inferred" | "unresolved";

/** One process image. Links are cut when it falls out of the table; `parent` may be found when ancestors() asks for it. */
export interface ProcessImage {
  readonly exec: ExecEvent;
  readonly life: Life; // shared by the images of one process
  readonly provenance: Provenance; // how this image is known
  parent: ProcessImage | undefined;
  unresolved: UnresolvedReason | undefined; // why there is no parent
  adopter: ProcessImage | undefined; // orphaned: who takes over processes whose parent died, and may have started this one
  previous: ProcessImage | undefined; // the image that this process had before: exec without fork
  asked: boolean; // /proc knows no more about its parent
  used: boolean; // looked up as a parent since the clock's hand passed
}

/**
 * pid reused: the parent's pid may have gone to another process. orphaned: ppid names one that takes over processes whose
 * parent died. let go: pushed out by newer ones. none: pid 1 and the kernel's own.
 */
export type UnresolvedReason = "not seen" | "pid reused" | "orphaned" | "let go" | "none";

export interface ProcessTableOptions {
  readonly processesMax: number;
  /** Reads one process from /proc; absent where the log is of another host or time. */
  readonly readProcess: ((pid: number) => ProcEntry | undefined) | undefined;
  /** Whether records of this name (auditd.conf(5), name_format) are of the host that readProcess reads. */
  readonly isThisHost?: (node: string | undefined) => boolean;
  /** The time: older executions have their parents asked of /proc when somebody wants to know, not at once. */
  readonly nowMs?: () => number;
}

const PREVIOUS_MAX = 4; // images of one process kept: wrapper, env, interpreter, tool
const PARENTS_MAX = 64; // generations told: an attacker can make a chain of any length
const EXACT_MS = 20; // start times are cut to 10 ms, and audit stamps with a clock that ticks each 4 to 10
const RECENT_MS = 5_000; // until then a parent may be about to end; what lives longer can be asked later as well

const managers = /^(?:\/usr)?\/lib\/systemd\/systemd$/;
const managersOwn = /^(?:\/usr)?(?:\/lib\/systemd\/systemd(?:-executor)?|\/sbin\/init)$/;

export class ProcessTable {
  readonly #images = new Map<number, ProcessImage>(); // the latest of each process, by node and pid
  readonly #ring: ProcessImage[] = []; // all that hold links; each that is not in it holds none, so memory is bounded
  #hand = 0;
  readonly #clocks = new Map<string | undefined, PidClock>();
  readonly #nodes = new Map<string | undefined, number>([[undefined, 0]]); // as many as the event builder tells apart
  readonly #options: ProcessTableOptions;
  readonly #counters: Counters;

  constructor(options: ProcessTableOptions, counters: Counters) {
    this.#options = options;
    this.#counters = counters;
  }

  get size(): number {
    return this.#images.size;
  }

  /** Enters an execution. */
  add(exec: ExecEvent): ProcessImage {
    const key = this.#key(exec.node, exec.pid);
    const clock = this.#clock(exec.node);
    const before = this.#images.get(key);
    const provenance = exec.source === "procfs" ? "procfs" : "recorded";
    if (before === undefined || !this.#isSame(before, exec, clock)) {
      const image = newImage(exec, clock.born(exec.pid), provenance);
      this.#findParent(image, clock);
      return this.#enter(key, image);
    }
    const image = newImage(exec, before.life, provenance);
    image.previous = before;
    cutAfter(image, PREVIOUS_MAX);
    // Who started it does not change when that one dies and ppid becomes another.
    image.parent = before.parent;
    image.unresolved = before.unresolved;
    image.adopter = before.adopter;
    if (image.parent === undefined && exec.ppid === before.exec.ppid) this.#findParent(image, clock);
    return this.#enter(key, image);
  }

  /** The image that a process has now, by a record that names it without its execution; from /proc if need be. */
  find(node: string | undefined, pid: number, executable: string, timeMs: number): ProcessImage | undefined {
    const key = this.#key(node, pid);
    const known = this.#images.get(key);
    if (known !== undefined) {
      // Another of the same pid and program would have been seen to execute it, unless it forked from one: not these.
      if (known.exec.executable === executable) return known;
      if (!this.#clock(node).mayBeAnother(pid, known.life.seen, false)) return known;
    }
    const entry = this.#read(node, pid);
    if (entry === undefined || !began(entry, timeMs)) return undefined;
    return this.#enterProcess(entry, node);
  }

  /** All processes are gone. */
  reboot(node: string | undefined): void {
    for (const [key, image] of this.#images) if (image.exec.node === node) this.#images.delete(key);
    this.#clocks.delete(node);
  }

  /** Parent first, then its parent, up to pid 1 or to where the trail ends. Asks /proc for what it may still know. */
  ancestors(image: ProcessImage): ProcessImage[] {
    const recent = this.#isRecent(image.exec);
    const chain: ProcessImage[] = [];
    // Below a login, who took an orphan over tells nothing of who started it.
    let at = this.#settled(image, recent) ?? (image.exec.ses === undefined ? inferred(image) : undefined);
    while (at !== undefined && chain.length < PARENTS_MAX) {
      chain.push(at);
      at = this.#settled(at, recent) ?? inferred(at);
    }
    return chain;
  }

  /** The parent, after /proc was asked for all that it can tell. */
  #settled(image: ProcessImage, recent: boolean): ProcessImage | undefined {
    const { parent } = image;
    if (parent === undefined) {
      if (image.unresolved === "not seen" || image.unresolved === "pid reused") this.#ask(image);
    } else if (recent && parent.exec.pid !== 1) {
      const entry = this.#read(image.exec.node, parent.exec.pid);
      // The counter can be driven round without an execution; but start times tell who had the pid when it was named.
      if (entry !== undefined && !began(entry, startOf(parent.exec)) && began(entry, image.exec.timeMs))
        this.#link(image, this.#enterProcess(entry, image.exec.node));
    }
    return image.parent;
  }

  /** Whether an execution is of the process that is recorded under its pid: exec without fork. */
  #isSame(before: ProcessImage, exec: ExecEvent, clock: PidClock): boolean {
    if (exec.pid === 1) return true;
    if (exec.startTimeMs !== undefined && before.exec.startTimeMs !== undefined)
      return Math.abs(before.exec.startTimeMs - exec.startTimeMs) <= EXACT_MS;
    const mayBeAnother = clock.mayBeAnother(exec.pid, before.life.seen, this.#isOfSameParent(before, exec));
    return !mayBeAnother || (this.#isRecent(exec) && this.#livesSince(before));
  }

  /** The same process, not only the same pid: that may have a new owner as well. */
  #isOfSameParent({ exec: { ppid }, parent }: ProcessImage, exec: ExecEvent): boolean {
    if (parent === undefined || exec.ppid !== ppid) return false;
    return this.#images.get(this.#key(exec.node, ppid))?.life === parent.life;
  }

  #findParent(image: ProcessImage, clock: PidClock): void {
    const { ppid, node } = image.exec;
    if (ppid === 0) {
      image.unresolved = "none";
      return;
    }
    const known = this.#images.get(this.#key(node, ppid));
    if (known !== undefined && this.#isBelieved(known, image, clock)) {
      const parent = imageAt(known, image.exec);
      if (parent !== undefined) {
        this.#link(image, parent);
        known.life.seen = Math.max(known.life.seen, image.life.seen); // it lived when its child executed
        return;
      }
    }
    image.unresolved = known === undefined ? "not seen" : "pid reused";
    if (this.#isRecent(image.exec)) this.#ask(image);
    if (ppid === 1 && known === undefined && image.unresolved === "not seen")
      this.#link(image, this.#enterInit(image.exec));
  }

  #isBelieved({ exec, life }: ProcessImage, child: ProcessImage, clock: PidClock): boolean {
    if (exec.pid === 1) return true;
    // A login session is inherited and never left but for another one, at a login. kernel/auditsc.c, audit_set_loginuid()
    if (exec.ses !== undefined && exec.ses !== child.exec.ses) return false;
    return !clock.passed(exec.pid, life.seen, child.life.bornBy);
  }

  /** The process that has the parent's pid now had it when the child executed, if it began before and still lives. */
  #ask(image: ProcessImage): void {
    const { exec } = image;
    if (image.asked || exec.ppid < 1) return;
    const entry = this.#read(exec.node, exec.ppid);
    image.asked = true;
    if (entry === undefined || !began(entry, exec.timeMs)) return;
    const known = this.#images.get(this.#key(exec.node, exec.ppid));
    const recorded = known !== undefined && began(entry, startOf(known.exec));
    const parent = recorded ? imageAt(known, exec) : this.#enterProcess(entry, exec.node);
    if (parent !== undefined) this.#link(image, parent);
  }

  /**
   * A process whose parent died is given to pid 1 or to a user's service manager, and its ppid names that. Those it started
   * itself began as systemd-executor (since systemd 255), which is one of its own programs; of others nobody can tell.
   */
  #link(image: ProcessImage, parent: ProcessImage): void {
    parent.used = true;
    // By the whole path: anybody can call a program systemd.
    const adopts = parent.exec.pid === 1 || managers.test(parent.exec.executable);
    const orphaned = adopts && !managersOwn.test(image.exec.executable);
    image.parent = orphaned ? undefined : parent;
    image.adopter = orphaned ? parent : undefined;
    image.unresolved = orphaned ? "orphaned" : undefined;
  }

  /** pid 1 is init whatever the log holds; the path is the one that every distribution gives it. init(1). */
  #enterInit({ source, node }: ExecEvent): ProcessImage {
    const executable = "/sbin/init";
    const exec = unseenExec({ source, node, timeMs: 0, serial: 0, pid: 1, ppid: 0, executable, uid: 0 });
    const image = newImage(exec, { bornBy: 0, seen: 0 }, "inferred");
    image.unresolved = "none";
    return this.#enter(this.#key(node, 1), image);
  }

  #enterProcess(entry: ProcEntry, node: string | undefined): ProcessImage {
    const clock = this.#clock(node);
    const exec = procExec(entry);
    const image = newImage(node === undefined ? exec : { ...exec, node }, clock.living(entry.pid), "procfs");
    const key = this.#key(node, entry.pid);
    this.#enter(key, image); // before its parent is asked for: the table ends a chain that /proc shows as a ring
    this.#findParent(image, clock);
    return image;
  }

  #read(node: string | undefined, pid: number): ProcEntry | undefined {
    const { readProcess, isThisHost } = this.#options;
    if (readProcess === undefined || !(isThisHost?.(node) ?? node === undefined)) return undefined;
    return readProcess(pid);
  }

  #isRecent(exec: ExecEvent): boolean {
    const { nowMs } = this.#options;
    return nowMs === undefined || exec.source === "procfs" || nowMs() - exec.timeMs < RECENT_MS;
  }

  #livesSince({ exec }: ProcessImage): boolean {
    const entry = this.#read(exec.node, exec.pid);
    return entry !== undefined && began(entry, startOf(exec));
  }

  /** Second chance: an image that was looked up as a parent stays for another round of the hand. */
  #enter(key: number, image: ProcessImage): ProcessImage {
    this.#images.set(key, image);
    if (this.#ring.length < this.#options.processesMax) {
      this.#ring.push(image);
      return image;
    }
    for (;;) {
      const at = this.#hand;
      const old = this.#ring[at] as ProcessImage;
      this.#hand = (at + 1) % this.#ring.length;
      if (!old.used) {
        this.#letGo(old);
        this.#ring[at] = image;
        return image;
      }
      old.used = false;
    }
  }

  /** Its children keep this image, but not the ones behind it: else a chain of dead parents would live for ever. */
  #letGo(image: ProcessImage): void {
    image.parent = undefined;
    image.adopter = undefined;
    image.previous = undefined;
    image.unresolved = image.unresolved === "none" ? "none" : "let go";
    const key = this.#key(image.exec.node, image.exec.pid);
    if (this.#images.get(key) !== image) return;
    this.#images.delete(key);
    this.#counters.processes_evicted += 1;
  }

  #clock(node: string | undefined): PidClock {
    let clock = this.#clocks.get(node);
    if (clock === undefined) {
      clock = new PidClock();
      this.#clocks.set(node, clock);
    }
    return clock;
  }

  #key(node: string | undefined, pid: number): number {
    if (node === undefined) return pid;
    let index = this.#nodes.get(node);
    if (index === undefined) {
      index = this.#nodes.size;
      this.#nodes.set(node, index);
    }
    return index * 2 ** 32 + pid;
  }
}

function newImage(exec: ExecEvent, life: Life, provenance: Provenance): ProcessImage {
  return {
    exec,
    life,
    provenance,
    parent: undefined,
    unresolved: undefined,
    adopter: undefined,
    previous: undefined,
    asked: false,
    used: false,
  };
}

function inferred({ adopter }: ProcessImage): ProcessImage | undefined {
  return adopter && { ...adopter, provenance: "inferred" };
}

/** What a process was born at, or at least before. */
function startOf({ startTimeMs, timeMs }: ExecEvent): number {
  return startTimeMs ?? timeMs;
}

function began({ startTimeMs }: ProcEntry, byMs: number): boolean {
  return startTimeMs <= byMs + EXACT_MS;
}

/** What a process ran when its child executed: it may have executed something else since. */
function imageAt(latest: ProcessImage, child: ExecEvent): ProcessImage | undefined {
  let at: ProcessImage | undefined = latest;
  while (at !== undefined && isLater(at.exec, child)) at = at.previous;
  return at;
}

/** By audit's serials where there are two, which no setting of the clock turns round; they wrap at 2^32. */
function isLater(a: ExecEvent, b: ExecEvent): boolean {
  if (a.source === "audit-log" && b.source === "audit-log") return ((a.serial - b.serial) | 0) > 0;
  return a.timeMs > b.timeMs + EXACT_MS;
}

function cutAfter(image: ProcessImage, images: number): void {
  let at: ProcessImage | undefined = image;
  for (let left = images; at !== undefined && left > 0; left -= 1) at = at.previous;
  if (at !== undefined) at.previous = undefined;
}
