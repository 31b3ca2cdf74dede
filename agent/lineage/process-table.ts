/**
 * Who started whom. Holds the latest image of each process that was seen to execute, linked to its parent and to what the
 * same process ran before. Plain data: the reader of /proc is handed in, and a stored log is replayed without one.
 *
 * A recorded parent is believed only if its pid cannot have gone to another process meanwhile (pid-clock.ts); what lives is
 * asked of /proc, whose start times settle it; what is left is unresolved, and says why. A wrong parent is never a guess's.
 */
import type { Counters } from "../counters.ts";
import { AuditExec } from "../events/audit-exec.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import { procExec } from "../events/proc-exec.ts";
import { unseenExec } from "../events/unseen-exec.ts";
import type { ProcEntry } from "../sources/source.ts";
import { ImageRows } from "./image-rows.ts";
import { type Life, PidClock } from "./pid-clock.ts";
import type { ProcessImage, Provenance } from "./process-image.ts";

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
const HOSTS_MAX = 65_536; // in one log, half a kB each
const EXACT_MS = 20; // start times are cut to 10 ms, and audit stamps with a clock that ticks each 4 to 10
const RECENT_MS = 5_000; // until then a parent may be about to end; what lives longer can be asked later as well

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

const managers = /^(?:\/usr)?\/lib\/systemd\/systemd$/;
const managersOwn = /^(?:\/usr)?(?:\/lib\/systemd\/systemd(?:-executor)?|\/sbin\/init)$/;

export class ProcessTable {
  readonly #latest = new Map<number, number>(); // the place of each process's latest image, by node and pid
  // All that hold links, each at its place; one that is not in it holds none, so memory is bounded.
  readonly #images: (ProcessImage | undefined)[] = []; // undefined: in its row, as nobody has referred to it yet
  readonly #rows = new ImageRows();
  readonly #keys: number[] = [];
  readonly #borrowed: Writable<ProcessImage> = newImage(
    new AuditExec(),
    { bornBy: 0, seen: 0, doubtful: false },
    "recorded",
  );
  #hand = 0;
  readonly #clocks = new Map<string | undefined, PidClock>();
  readonly #nodes = new Map<string | undefined, number>([[undefined, 0]]);
  readonly #options: ProcessTableOptions;
  readonly #counters: Counters;

  constructor(options: ProcessTableOptions, counters: Counters) {
    this.#options = options;
    this.#counters = counters;
  }

  get size(): number {
    return this.#latest.size;
  }

  /**
   * Enters an execution. What is known of it later is known of the image that others link to, not always of this one; and the
   * image of a borrowed execution is gone with the next.
   */
  add(exec: ExecEvent): ProcessImage {
    const key = this.#key(exec.node, exec.pid);
    const clock = this.#clock(exec.node);
    const place = this.#latest.get(key);
    const provenance = exec.source === "procfs" ? "procfs" : "recorded";
    if (place === undefined || !this.#isSame(place, exec, clock)) {
      const image = this.#newImage(exec, clock.born(exec.pid), provenance);
      this.#findParent(image, clock);
      return this.#enter(key, image);
    }
    const before = this.#at(place);
    const image = this.#newImage(exec, before.life, provenance);
    image.previous = before;
    cutAfter(image, PREVIOUS_MAX);
    // Who started it does not change when that one dies and ppid becomes another.
    image.parent = before.parent;
    image.unresolved = before.unresolved;
    image.adopter = before.adopter;
    if (image.parent === undefined && exec.ppid === before.exec.ppid) this.#findParent(image, clock);
    return this.#enter(key, image);
  }

  /** An image that was just entered, for who keeps it. */
  kept(image: ProcessImage): ProcessImage {
    return image === this.#borrowed ? (this.#find(image.exec.node, image.exec.pid) ?? image) : image;
  }

  /** The image that a process has now, by a record that names it without its execution; from /proc if need be. */
  find(node: string | undefined, pid: number, executable: string, timeMs: number): ProcessImage | undefined {
    const known = this.#find(node, pid);
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
    for (const [key, place] of this.#latest) {
      const image = this.#images[place];
      if ((image === undefined ? this.#rows.nodeOf(place) : image.exec.node) === node)
        this.#latest.delete(key);
    }
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

  /** Whether an execution is of the process whose latest image is at a place: exec without fork. */
  #isSame(place: number, exec: ExecEvent, clock: PidClock): boolean {
    if (exec.pid === 1) return true;
    const before = this.#images[place];
    if (exec.startTimeMs !== undefined && before?.exec.startTimeMs !== undefined)
      return Math.abs(before.exec.startTimeMs - exec.startTimeMs) <= EXACT_MS;
    const seen = before === undefined ? this.#rows.seenOf(place) : before.life.seen;
    const mayBeAnother =
      clock.cameBy(exec.pid, seen) || clock.mayBeAnother(exec.pid, seen, this.#isOfSameParent(place, exec));
    if (!mayBeAnother) return true;
    if (!this.#isRecent(exec)) return false;
    const entry = this.#read(exec.node, exec.pid);
    return entry !== undefined && began(entry, startOf(this.#at(place).exec));
  }

  /** The same process, not only the same pid: that may have a new owner as well. */
  #isOfSameParent(place: number, { node, ppid }: ExecEvent): boolean {
    const before = this.#images[place];
    const parent = before === undefined ? this.#rows.parentOf(place) : before.parent;
    if (parent === undefined) return false;
    if (ppid !== (before === undefined ? this.#rows.ppidOf(place) : before.exec.ppid)) return false;
    const latest = this.#latest.get(this.#key(node, ppid));
    return latest !== undefined && this.#images[latest]?.life === parent.life; // in a row it has no child
  }

  #findParent(image: ProcessImage, clock: PidClock): void {
    const { ppid, node } = image.exec;
    if (ppid === 0) {
      image.unresolved = "none";
      return;
    }
    const known = this.#find(node, ppid);
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
    const known = this.#find(exec.node, exec.ppid);
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
    const image = newImage(exec, { bornBy: 0, seen: 0, doubtful: false }, "inferred");
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

  /** The latest image of a process. */
  #find(node: string | undefined, pid: number): ProcessImage | undefined {
    const place = this.#latest.get(this.#key(node, pid));
    return place === undefined ? undefined : this.#at(place);
  }

  #at(place: number): ProcessImage {
    this.#images[place] ??= this.#rows.take(place);
    return this.#images[place];
  }

  #enter(key: number, image: ProcessImage): ProcessImage {
    const place = this.#vacate(key);
    this.#latest.set(key, place);
    this.#keys[place] = key;
    const { exec } = image;
    if (exec instanceof AuditExec && exec.isPlain && !image.asked) {
      this.#images[place] = undefined;
      this.#rows.put(place, exec, image);
      return image;
    }
    const kept = isBorrowed(exec) ? { ...image, exec: exec.copy() } : image;
    this.#images[place] = kept;
    return kept;
  }

  /** Used again for each borrowed execution. */
  #newImage(exec: ExecEvent, life: Life, provenance: Provenance): ProcessImage {
    if (!isBorrowed(exec)) return newImage(exec, life, provenance);
    const image = this.#borrowed;
    image.exec = exec;
    image.life = life;
    image.parent = undefined;
    image.unresolved = undefined;
    image.adopter = undefined;
    image.previous = undefined;
    image.asked = false;
    return image;
  }

  /** Second chance: an image that was looked up as a parent stays for another round of the hand. */
  #vacate(key: number): number {
    if (this.#images.length < this.#options.processesMax) return this.#images.length;
    for (;;) {
      const place = this.#hand;
      const old = this.#images[place];
      this.#hand = (place + 1) % this.#images.length;
      if (!old?.used) {
        this.#letGo(place, key);
        return place;
      }
      old.used = false;
    }
  }

  /**
   * Its children keep this image, but not the ones behind it: else a chain of dead parents would live for ever.
   * @param key whose place it will be
   */
  #letGo(place: number, key: number): void {
    const image = this.#images[place];
    if (image === undefined) this.#rows.free(place);
    else {
      image.parent = undefined;
      image.adopter = undefined;
      image.previous = undefined;
      image.unresolved = image.unresolved === "none" ? "none" : "let go";
    }
    const known = this.#keys[place] as number;
    if (known === key || this.#latest.get(known) !== place) return;
    this.#latest.delete(known);
    this.#counters.processes_evicted += 1;
  }

  /** Begins anew, where there are more hosts than can be told apart. */
  #forgetAll(): void {
    this.#counters.processes_evicted += this.#latest.size;
    this.#latest.clear();
    this.#clocks.clear();
    this.#nodes.clear();
    this.#nodes.set(undefined, 0);
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
      if (this.#nodes.size > HOSTS_MAX) this.#forgetAll();
      index = this.#nodes.size;
      this.#nodes.set(node, index);
    }
    return index * 2 ** 32 + pid;
  }
}

function isBorrowed(exec: ExecEvent): exec is AuditExec {
  return exec instanceof AuditExec && exec.borrowed;
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
