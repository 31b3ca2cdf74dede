/**
 * Who started whom. Holds the latest image of each process that was seen to execute, linked to its parent and to what the
 * same process ran before. Plain data: the reader of /proc is handed in, and a stored log is replayed without one.
 *
 * A recorded parent is believed only if its pid cannot have gone to another process meanwhile (pid-clock.ts); what lives is
 * asked of /proc, whose start times settle it; what is left is unresolved, and says why. A wrong parent is never a guess's.
 */
import type { Counters } from "../counters.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import { forkedExec } from "../events/forked-exec.ts";
import { procExec } from "../events/proc-exec.ts";
import { unseenExec } from "../events/unseen-exec.ts";
import type { Birth, ProcEntry } from "../sources/source.ts";
import {
  ImageRows,
  INFERRED,
  NOT_SEEN,
  ORPHANED,
  PARENTLESS,
  PID_REUSED,
  PROCFS,
  RECORDED,
  RESOLVED,
} from "./image-rows.ts";
import { LatestRows } from "./latest-rows.ts";
import { PidClock } from "./pid-clock.ts";
import type { ProcessImage } from "./process-image.ts";
import { ADOPTER, NONE, PARENT, PREVIOUS } from "./row-image.ts";

export interface ProcessTableOptions {
  readonly processesMax: number;
  /** Reads one process from /proc; absent where the log is of another host or time. */
  readonly readProcess: ((pid: number) => ProcEntry | undefined) | undefined;
  /** Who began the last process that had a pid, by the kernel's tracepoints; absent where nobody listens to them. */
  readonly readBirth?: ((pid: number) => Birth | undefined) | undefined;
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

/** Service managers, by the whole path: anybody can call a program systemd. */
const managers = new Set(["/usr/lib/systemd/systemd", "/lib/systemd/systemd"]);
const managersOwn = new Set([
  ...managers,
  ...["/usr/lib/systemd/systemd-executor", "/lib/systemd/systemd-executor", "/usr/sbin/init", "/sbin/init"],
]);

interface Host {
  readonly node: string | undefined;
  readonly index: number;
  clock: PidClock;
}

export class ProcessTable {
  readonly #rows: ImageRows;
  readonly #latest = new LatestRows();
  // The rows of all that hold links, each at its place; one that is not in it holds none, so memory is bounded.
  readonly #places: number[] = [];
  #hand = 0;
  readonly #local: Host = { node: undefined, index: 0, clock: new PidClock() }; // without a name
  readonly #hosts = new Map<string, Host>();
  #host = this.#local; // the last one
  readonly #options: ProcessTableOptions;
  readonly #counters: Counters;

  constructor(options: ProcessTableOptions, counters: Counters) {
    this.#rows = new ImageRows(options.processesMax + 1); // and the one that is entered
    this.#options = options;
    this.#counters = counters;
  }

  get size(): number {
    return this.#latest.size;
  }

  /** Enters an execution of which somebody will ask. */
  add(exec: ExecEvent): ProcessImage {
    return this.#rows.imageOf(this.enter(exec, true));
  }

  /**
   * Enters an execution, which may be a borrowed one.
   * @param isKept whether it becomes an object at once, with this very execution if that is not borrowed
   * @returns its row, until the next execution is entered
   */
  enter(exec: ExecEvent, isKept = false): number {
    const rows = this.#rows;
    rows.clear();
    const host = this.#hostOf(exec.node);
    const before = this.#latest.get(host.index, exec.pid);
    const isSame = before !== NONE && this.#isSame(before, exec, host);
    const life = isSame ? undefined : host.clock.born(exec.pid);
    const row = rows.add(exec, host.index, exec.source === "procfs" ? PROCFS : RECORDED, isKept);
    if (life !== undefined) {
      rows.beginLife(row, life);
      this.#findParent(row, exec, host);
    } else {
      if (Number.isNaN(rows.startTimeOf(row))) host.clock.again(exec.pid);
      this.#goOn(row, before);
      if (rows.linkOf(row, PARENT) === NONE && exec.ppid === rows.ppidOf(before))
        this.#findParent(row, exec, host);
    }
    this.#hold(row, host, exec.pid);
    return row;
  }

  /** The image in a row that was just entered, of which somebody will ask. */
  imageOf(row: number): ProcessImage {
    const image = this.#rows.imageOf(row);
    if (this.#isRecent(image.exec)) this.#part(row);
    return image;
  }

  /** The same, where it is an object already. */
  madeOf(row: number): ProcessImage | undefined {
    return this.#rows.madeOf(row);
  }

  /** The image that a process has now, by a record that names it without its execution; from /proc if need be. */
  find(node: string | undefined, pid: number, executable: string, timeMs: number): ProcessImage | undefined {
    const rows = this.#rows;
    const host = this.#hostOf(node);
    const known = this.#latest.get(host.index, pid);
    if (known !== NONE) {
      // Another of the same pid and program would have been seen to execute it, unless it forked from one: not these.
      if (rows.executableOf(known) === executable) return rows.imageOf(known);
      if (!host.clock.mayBeAnother(pid, rows.seenOf(known), false)) return rows.imageOf(known);
    }
    const entry = this.#read(node, pid);
    if (entry === undefined || !began(entry, timeMs)) return undefined;
    return rows.imageOf(this.#enterProcess(entry, host));
  }

  /** All processes are gone. */
  reboot(node: string | undefined): void {
    const host = this.#hostOf(node);
    this.#latest.deleteHost(host.index);
    host.clock = new PidClock();
  }

  /** Parent first, then its parent, up to pid 1 or to where the trail ends. Asks /proc for what it may still know. */
  ancestors(image: ProcessImage): ProcessImage[] {
    const rows = this.#rows;
    const chain: ProcessImage[] = [];
    let row = rows.rowOf(image);
    const recent = this.#isRecent(image.exec);
    // Below a login, who took an orphan over tells nothing of who started it.
    let mayBeAdopted = image.exec.ses === undefined;
    while (row !== NONE && chain.length < PARENTS_MAX) {
      const parent = this.#settled(row, recent);
      const adopter = parent === NONE && mayBeAdopted ? rows.linkOf(row, ADOPTER) : NONE;
      if (parent !== NONE) chain.push(rows.imageOf(parent));
      else if (adopter !== NONE) chain.push(inferred(rows.imageOf(adopter)));
      row = parent === NONE ? adopter : parent;
      mayBeAdopted = true;
    }
    return chain;
  }

  /** The parent, after /proc was asked for all that it can tell. */
  #settled(row: number, recent: boolean): number {
    const rows = this.#rows;
    if (recent) this.#part(row);
    this.#trace(row);
    const parent = rows.linkOf(row, PARENT);
    if (parent === NONE) {
      const reason = rows.unresolvedOf(row);
      if (reason === NOT_SEEN || reason === PID_REUSED) this.#ask(row);
    } else if (recent && rows.pidOf(parent) !== 1) {
      const { node } = rows.imageOf(row).exec;
      const entry = this.#read(node, rows.pidOf(parent));
      // The counter can be driven round without an execution; but start times tell who had the pid when it was named.
      if (entry !== undefined && !began(entry, this.#startOf(parent)) && began(entry, rows.timeOf(row)))
        this.#link(row, this.#enterProcess(entry, this.#hostOf(node)));
    }
    return rows.linkOf(row, PARENT);
  }

  /** Whether an execution is of the process whose latest image is in a row: exec without fork. */
  #isSame(row: number, exec: ExecEvent, host: Host): boolean {
    if (exec.pid === 1) return true;
    const rows = this.#rows;
    const { clock } = host;
    if (exec.startTimeMs !== undefined && !Number.isNaN(rows.startTimeOf(row)))
      return Math.abs(rows.startTimeOf(row) - exec.startTimeMs) <= EXACT_MS;
    const seen = rows.seenOf(row);
    const mayBeAnother =
      clock.cameBy(exec.pid, seen) ||
      clock.mayBeAnother(exec.pid, seen, this.#isOfSameParent(row, exec, host));
    if (!mayBeAnother) return true;
    if (!this.#isRecent(exec)) return false;
    const entry = this.#read(exec.node, exec.pid);
    return entry !== undefined && began(entry, this.#startOf(row));
  }

  /** The same process, not only the same pid: that may have a new owner as well. */
  #isOfSameParent(row: number, { ppid }: ExecEvent, host: Host): boolean {
    const rows = this.#rows;
    const parent = rows.linkOf(row, PARENT);
    if (parent === NONE || ppid !== rows.ppidOf(row)) return false;
    const latest = this.#latest.get(host.index, ppid);
    return latest !== NONE && rows.isSameProcess(latest, parent);
  }

  /** Another image of the process that had the one before. */
  #goOn(row: number, before: number): void {
    const rows = this.#rows;
    rows.goOn(row, before);
    rows.link(row, PREVIOUS, before);
    this.#cutAfter(row, PREVIOUS_MAX);
    // Who started it does not change when that one dies and ppid becomes another.
    rows.link(row, PARENT, rows.linkOf(before, PARENT));
    rows.link(row, ADOPTER, rows.linkOf(before, ADOPTER));
    rows.setUnresolved(row, rows.unresolvedOf(before));
  }

  /** By the kernel's own word, where it has one: also of a parent that is dead, or that executed nothing itself. */
  #trace(row: number): void {
    const rows = this.#rows;
    if (this.#options.readBirth === undefined || rows.isTraced(row)) return;
    rows.setTraced(row);
    const { node, pid } = rows.imageOf(row).exec;
    const birth = this.#birthOf(node, pid, rows.timeOf(row));
    const parent = birth === undefined ? NONE : this.#ranAt(birth.parent, birth.timeMs, this.#hostOf(node));
    if (parent !== NONE) this.#link(row, parent);
  }

  /** @param byMs when the process was there: a later one may have its pid by now */
  #birthOf(node: string | undefined, pid: number, byMs: number): Birth | undefined {
    const { readBirth } = this.#options;
    if (readBirth === undefined || !this.#isOurs(node)) return undefined;
    const birth = readBirth(pid);
    return birth !== undefined && birth.timeMs <= byMs + EXACT_MS ? birth : undefined;
  }

  /** What a process ran at a moment. NONE: nobody knows; @param left generations to go back to for one that executed nothing */
  #ranAt(pid: number, timeMs: number, host: Host, left = PARENTS_MAX): number {
    const rows = this.#rows;
    const birth = this.#birthOf(host.node, pid, timeMs);
    const bornMs = birth?.timeMs ?? this.#startOfLiving(host.node, pid, timeMs);
    if (bornMs === undefined || left === 0) return NONE;
    const latest = this.#latest.get(host.index, pid);
    let at = latest;
    while (at !== NONE && rows.timeOf(at) > timeMs + EXACT_MS) at = rows.linkOf(at, PREVIOUS);
    if (at !== NONE && rows.timeOf(at) + EXACT_MS >= bornMs) return at;
    const hasExecutedSince = latest !== NONE && rows.timeOf(latest) > timeMs + EXACT_MS;
    const entry = hasExecutedSince ? undefined : this.#read(host.node, pid);
    if (entry !== undefined && Math.abs(entry.startTimeMs - bornMs) <= EXACT_MS)
      return this.#enterProcess(entry, host);
    const forker = birth === undefined ? NONE : this.#ranAt(birth.parent, birth.timeMs, host, left - 1);
    return birth === undefined || forker === NONE ? NONE : this.#enterFork(forker, birth, host);
  }

  /** Of a process that was there before tracepoints were listened to, and still is. */
  #startOfLiving(node: string | undefined, pid: number, byMs: number): number | undefined {
    const entry = this.#read(node, pid);
    return entry !== undefined && began(entry, byMs) ? entry.startTimeMs : undefined;
  }

  /** Held by its children alone: its pid may be another's by now. */
  #enterFork(forker: number, birth: Birth, host: Host): number {
    const rows = this.#rows;
    const exec = forkedExec(rows.imageOf(forker).exec, birth);
    const row = rows.add(exec, host.index, rows.provenanceOf(forker), true);
    rows.beginLife(row, host.clock.living(birth.pid));
    rows.setTraced(row);
    this.#link(row, forker);
    return row;
  }

  /** Takes images away from the process that they were taken for, if /proc knows that theirs began later than what that one ran. */
  #part(row: number): void {
    const rows = this.#rows;
    if (rows.linkOf(row, PREVIOUS) === NONE || rows.pidOf(row) === 1) return;
    const { exec } = rows.imageOf(row);
    const entry = exec.startTimeMs === undefined ? this.#read(exec.node, exec.pid) : undefined;
    if (entry === undefined || !began(entry, rows.timeOf(row))) return;
    const own = [row]; // its images, the latest first
    let at = rows.linkOf(row, PREVIOUS);
    for (; at !== NONE && began(entry, rows.timeOf(at)); at = rows.linkOf(at, PREVIOUS)) own.push(at);
    if (at === NONE) return;
    const first = own.pop() as number;
    const host = this.#hostOf(exec.node);
    for (const link of [PARENT, ADOPTER, PREVIOUS]) rows.link(first, link, NONE);
    rows.beginLife(first, host.clock.living(exec.pid));
    this.#findParent(first, rows.imageOf(first).exec, host);
    for (const [index, one] of own.reverse().entries()) this.#goOn(one, own[index - 1] ?? first);
  }

  #cutAfter(row: number, images: number): void {
    let at = row;
    for (let left = images; at !== NONE && left > 0; left -= 1) at = this.#rows.linkOf(at, PREVIOUS);
    if (at !== NONE) this.#rows.link(at, PREVIOUS, NONE);
  }

  #findParent(row: number, exec: ExecEvent, host: Host): void {
    const rows = this.#rows;
    const { ppid } = exec;
    if (ppid === 0) {
      rows.setUnresolved(row, PARENTLESS);
      return;
    }
    const known = this.#latest.get(host.index, ppid);
    if (known !== NONE && this.#isBelieved(known, row, host)) {
      const parent = this.#imageAt(known, row);
      if (parent !== NONE) {
        this.#link(row, parent);
        rows.see(known, rows.seenOf(row)); // it lived when its child executed
        return;
      }
    }
    rows.setUnresolved(row, known === NONE ? NOT_SEEN : PID_REUSED);
    if (this.#isRecent(exec)) this.#ask(row);
    if (ppid === 1 && known === NONE && rows.unresolvedOf(row) === NOT_SEEN)
      this.#link(row, this.#enterInit(exec, host));
  }

  #isBelieved(row: number, child: number, { clock }: Host): boolean {
    const rows = this.#rows;
    const pid = rows.pidOf(row);
    if (pid === 1) return true;
    // A login session is inherited and never left but for another one, at a login. kernel/auditsc.c, audit_set_loginuid()
    if (!rows.isOfSession(row, child)) return false;
    return !clock.passed(pid, rows.seenOf(row), rows.bornByOf(child));
  }

  /** What a process ran when its child executed: it may have executed something else since. */
  #imageAt(latest: number, child: number): number {
    let at = latest;
    while (at !== NONE && this.#rows.isLater(at, child, EXACT_MS)) at = this.#rows.linkOf(at, PREVIOUS);
    return at;
  }

  /** The process that has the parent's pid now had it when the child executed, if it began before and still lives. */
  #ask(row: number): void {
    const rows = this.#rows;
    const ppid = rows.ppidOf(row);
    if (this.#options.readProcess === undefined || rows.isAsked(row) || ppid < 1) return;
    const { node } = rows.imageOf(row).exec;
    const entry = this.#read(node, ppid);
    rows.setAsked(row);
    if (entry === undefined || !began(entry, rows.timeOf(row))) return;
    const host = this.#hostOf(node);
    const known = this.#latest.get(host.index, ppid);
    const parent =
      known !== NONE && this.#isOf(known, entry)
        ? this.#imageAt(known, row)
        : this.#enterProcess(entry, host);
    if (parent !== NONE) this.#link(row, parent);
  }

  /** Whether an image is of a process that /proc shows, and told by the same clock: one that was set since would put it elsewhere. */
  #isOf(row: number, entry: ProcEntry): boolean {
    const startTimeMs = this.#rows.startTimeOf(row);
    if (Number.isNaN(startTimeMs)) return began(entry, this.#rows.timeOf(row));
    return Math.abs(startTimeMs - entry.startTimeMs) <= EXACT_MS;
  }

  /**
   * A process whose parent died is given to pid 1 or to a user's service manager, and its ppid names that. Those it started
   * itself began as systemd-executor (since systemd 255), which is one of its own programs; of others nobody can tell.
   */
  #link(row: number, parent: number): void {
    const rows = this.#rows;
    rows.setUsed(parent, true);
    const adopts = rows.pidOf(parent) === 1 || managers.has(rows.executableOf(parent));
    const orphaned = adopts && !managersOwn.has(rows.executableOf(row));
    rows.link(row, PARENT, orphaned ? NONE : parent);
    rows.link(row, ADOPTER, orphaned ? parent : NONE);
    rows.setUnresolved(row, orphaned ? ORPHANED : RESOLVED);
  }

  /** pid 1 is init whatever the log holds; the path is the one that every distribution gives it. init(1). */
  #enterInit({ source, node }: ExecEvent, host: Host): number {
    const executable = "/sbin/init";
    const exec = unseenExec({ source, node, timeMs: 0, serial: 0, pid: 1, ppid: 0, executable, uid: 0 });
    const row = this.#rows.add(exec, host.index, INFERRED, true);
    this.#rows.beginLife(row, { bornBy: 0, seen: 0, doubtful: false });
    this.#rows.setUnresolved(row, PARENTLESS);
    this.#hold(row, host, 1);
    return row;
  }

  #enterProcess(entry: ProcEntry, host: Host): number {
    const { node, clock } = host;
    const found = procExec(entry);
    const exec = node === undefined ? found : { ...found, node };
    const row = this.#rows.add(exec, host.index, PROCFS, true);
    this.#rows.beginLife(row, clock.living(entry.pid));
    this.#hold(row, host, entry.pid); // before its parent is asked for: the table ends a chain that /proc shows as a ring
    this.#findParent(row, exec, host);
    return row;
  }

  #read(node: string | undefined, pid: number): ProcEntry | undefined {
    return this.#isOurs(node) ? this.#options.readProcess?.(pid) : undefined;
  }

  #isOurs(node: string | undefined): boolean {
    return this.#options.isThisHost?.(node) ?? node === undefined;
  }

  #isRecent(exec: ExecEvent): boolean {
    const { nowMs } = this.#options;
    return nowMs === undefined || exec.source !== "audit-log" || nowMs() - exec.timeMs < RECENT_MS;
  }

  /** What a process was born at, or at least before. */
  #startOf(row: number): number {
    const startTimeMs = this.#rows.startTimeOf(row);
    return Number.isNaN(startTimeMs) ? this.#rows.timeOf(row) : startTimeMs;
  }

  /** As the latest image of its process. */
  #hold(row: number, { index }: Host, pid: number): void {
    const place = this.#vacate(index, pid);
    this.#latest.set(index, pid, row);
    this.#places[place] = row;
    this.#rows.hold(row);
  }

  /**
   * Second chance: an image that was looked up as a parent stays for another round of the hand.
   * @param host,pid whose place it will be
   */
  #vacate(host: number, pid: number): number {
    const rows = this.#rows;
    const places = this.#places;
    if (places.length < this.#options.processesMax) return places.length;
    for (;;) {
      const place = this.#hand;
      const row = places[place] as number;
      this.#hand = place + 1 === places.length ? 0 : place + 1;
      if (!rows.isUsed(row)) {
        const known = rows.hostOf(row);
        const knownPid = rows.pidOf(row);
        rows.letGo(row);
        if ((known !== host || knownPid !== pid) && this.#latest.delete(known, knownPid, row))
          this.#counters.processes_evicted += 1;
        return place;
      }
      rows.setUsed(row, false);
    }
  }

  #hostOf(node: string | undefined): Host {
    if (node === this.#host.node) return this.#host;
    let host = node === undefined ? this.#local : this.#hosts.get(node);
    if (host === undefined) {
      if (this.#hosts.size >= HOSTS_MAX) this.#forgetAll();
      host = { node, index: this.#hosts.size + 1, clock: new PidClock() };
      this.#hosts.set(node as string, host);
    }
    this.#host = host;
    return host;
  }

  /** Begins anew, where there are more hosts than can be told apart. */
  #forgetAll(): void {
    this.#counters.processes_evicted += this.#latest.size;
    this.#latest.clear();
    this.#hosts.clear();
    this.#local.clock = new PidClock();
  }
}

/** Who took a process over may have started it. */
function inferred({ exec, parent, unresolved, adopter, previous }: ProcessImage): ProcessImage {
  return { exec, provenance: "inferred", parent, unresolved, adopter, previous };
}

function began({ startTimeMs }: ProcEntry, byMs: number): boolean {
  return startTimeMs <= byMs + EXACT_MS;
}
