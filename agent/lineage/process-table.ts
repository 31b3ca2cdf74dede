/**
 * Who started whom. Holds the latest image of each process that was seen to execute, linked to its parent and to what the
 * same process ran before. Plain data: the reader of /proc is handed in, and a stored log is replayed without one.
 *
 * A recorded parent is believed only if it can be the one: its pid cannot have gone to another process meanwhile
 * (pid-clock.ts), or /proc shows that it lives since before. Else the parent is asked of /proc, else it is unresolved.
 */
import type { Counters } from "../counters.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import { procExec } from "../events/proc-exec.ts";
import type { ProcEntry } from "../sources/source.ts";
import { PidClock } from "./pid-clock.ts";

export type Provenance = "recorded" | "procfs" | "inferred" | "unresolved";

/** One process image. `exec` never changes; links are cut when the image falls out of the table. */
export interface ProcessImage {
  readonly exec: ExecEvent;
  readonly round: number; // of the pid counter at its process's birth
  readonly provenance: Provenance; // how this image is known
  parent: ProcessImage | undefined;
  unresolved: UnresolvedReason | undefined; // why there is no parent
  previous: ProcessImage | undefined; // the image that this process had before: exec without fork
  generation: number; // how many ancestors are linked at most
  used: boolean; // looked up as a parent since the clock hand passed
}

/** let go: pushed out by newer ones. orphaned: ppid names who took it over. none: pid 1 and the kernel's own. */
export type UnresolvedReason = "not seen" | "pid reused" | "orphaned" | "let go" | "none";

export interface ProcessTableOptions {
  readonly processesMax: number;
  /** Reads one process from /proc; absent where the log is of another host or time. */
  readonly readProcess: ((pid: number) => ProcEntry | undefined) | undefined;
}

const PREVIOUS_MAX = 4; // images of one process kept: wrapper, env, interpreter, tool
const PARENTS_MAX = 64; // generations told; also ends a ring, which cannot be but must not hang us
const GENERATIONS_MAX = 256; // generations linked
const TICK_MS = 20; // a start time in /proc is exact to a tick of 10 ms, the boot time it is added to as well

export class ProcessTable {
  readonly #images = new Map<number, ProcessImage>(); // by node and pid; a Map's order is the eviction clock's
  readonly #clocks = new Map<string | undefined, PidClock>();
  readonly #nodes = new Map<string | undefined, number>([[undefined, 0]]);
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
    const same = before !== undefined && this.#isSame(before, exec, clock);
    const provenance = exec.source === "procfs" ? "procfs" : "recorded";
    const image = newImage(exec, same ? before.round : clock.born(exec.pid), provenance);
    if (same) {
      // A pid far behind the counter may be a new process of the same parent: then the image before is not its own.
      if (!clock.mayBeginRound(exec.pid) || this.#livesSince(before, exec.timeMs)) {
        image.previous = before;
        cutAfter(before, PREVIOUS_MAX);
      }
      image.parent = before.parent; // who started it does not change when the parent dies and ppid becomes 1
      image.unresolved = before.unresolved;
      image.generation = before.generation;
    }
    if (image.parent === undefined && image.unresolved !== "orphaned") this.#findParent(image, clock);
    this.#enter(key, image, before);
    return image;
  }

  /** The image that a process has now, by an event that names it without its execution; from /proc if need be. */
  find(node: string | undefined, pid: number, executable: string, timeMs: number): ProcessImage | undefined {
    const known = this.#images.get(this.#key(node, pid));
    const clock = this.#clock(node);
    if (known !== undefined && known.exec.executable === executable) {
      if (!clock.passed(pid, known.round, clock.now) || this.#livesSince(known, timeMs)) return known;
    }
    return node === undefined ? this.#readImage(pid, timeMs) : undefined;
  }

  /** All processes are gone. */
  reboot(node: string | undefined): void {
    for (const [key, image] of this.#images) if (image.exec.node === node) this.#images.delete(key);
    this.#clocks.delete(node);
  }

  /** Parent first, then its parent, up to pid 1 or to where the trail ends. */
  ancestors(image: ProcessImage): ProcessImage[] {
    const chain: ProcessImage[] = [];
    for (let at = image.parent; at !== undefined && chain.length < PARENTS_MAX; at = at.parent)
      chain.push(at);
    return chain;
  }

  /** Whether an execution is of the process that is recorded under its pid: exec without fork. */
  #isSame(before: ProcessImage, exec: ExecEvent, clock: PidClock): boolean {
    if (before.exec.source === "procfs" && exec.source === "procfs") {
      return Math.abs(before.exec.timeMs - exec.timeMs) <= TICK_MS;
    }
    if (exec.timeMs < before.exec.timeMs - TICK_MS) return false;
    const passed = clock.passed(exec.pid, before.round, clock.now);
    if (!passed && exec.ppid === before.exec.ppid) return true;
    if (!passed && !clock.mayBeginRound(exec.pid)) return true; // its parent died: ppid is another now
    return this.#livesSince(before, exec.timeMs);
  }

  #findParent(image: ProcessImage, clock: PidClock): void {
    const { ppid, node, timeMs, pid } = image.exec;
    if (ppid === 0) {
      image.unresolved = "none";
      return;
    }
    const known = this.#images.get(this.#key(node, ppid));
    let reused = false;
    if (known !== undefined) {
      const older = known.round < image.round || (known.round === image.round && ppid < pid);
      reused =
        (!older || clock.passed(ppid, known.round, { round: image.round, pid })) &&
        !this.#livesSince(known, timeMs);
      if (!reused) {
        known.used = true;
        this.#setParent(image, known);
        return;
      }
    }
    const read = node === undefined ? this.#readImage(ppid, timeMs) : undefined;
    if (read !== undefined) this.#setParent(image, read);
    else if (ppid === 1) this.#setParent(image, this.#init(image.exec));
    else image.unresolved = reused ? "pid reused" : "not seen";
  }

  /**
   * A process whose parent died is given to init or to a user's service manager, and its ppid names that. Its login
   * session tells it from a service: the manager's own children get theirs before they execute, from PAM.
   */
  #setParent(image: ProcessImage, parent: ProcessImage): void {
    const { exec } = image;
    const manager = /\/(?:systemd|init)$/.test(parent.exec.executable);
    const started = /\/(?:systemd|systemd-executor|\(sd-pam\)|init)$/.test(exec.executable);
    if (manager && !started && exec.ses !== undefined && exec.ses !== parent.exec.ses) {
      image.parent = undefined;
      image.unresolved = "orphaned";
      return;
    }
    image.parent = parent;
    image.unresolved = undefined;
    image.generation = parent.generation + 1;
    if (image.generation >= GENERATIONS_MAX) this.#cutAncestry(image);
  }

  /** A process that starts its successor and dies, for ever, must not hold all of its forebears in memory. */
  #cutAncestry(image: ProcessImage): void {
    const chain = this.ancestors(image);
    const last = chain.at(-1);
    if (last !== undefined && last.parent !== undefined) {
      last.parent = undefined;
      last.unresolved = "let go";
    }
    image.generation = chain.length;
  }

  /** pid 1 is init whatever the log holds; the path is the one every distribution gives it. init(1). */
  #init(child: ExecEvent): ProcessImage {
    const exec: ExecEvent = {
      kind: "exec",
      source: child.source,
      node: child.node,
      timeMs: 0,
      serial: 0,
      pid: 1,
      ppid: 0,
      executable: "/sbin/init",
      deleted: false,
      script: undefined,
      uid: 0,
      auid: undefined,
      ses: undefined,
      tty: undefined,
      userName: undefined,
      loginName: undefined,
      workingDirectory: undefined,
      argumentsFrom: "none",
      argumentsComplete: false,
      args: [],
    };
    const image = newImage(exec, 0, "inferred");
    image.unresolved = "none";
    this.#enter(this.#key(child.node, 1), image, undefined);
    return image;
  }

  #readImage(pid: number, timeMs: number): ProcessImage | undefined {
    const entry = this.#options.readProcess?.(pid);
    if (entry === undefined || entry.startTimeMs > timeMs + TICK_MS) return undefined;
    const clock = this.#clock(undefined);
    const image = newImage(procExec(entry), clock.roundOfLiving(pid), "procfs");
    image.used = true;
    this.#findParent(image, clock);
    this.#enter(this.#key(undefined, pid), image, undefined);
    return image;
  }

  #livesSince(image: ProcessImage, timeMs: number): boolean {
    if (image.exec.pid === 1) return true;
    if (image.exec.node !== undefined) return false;
    const entry = this.#options.readProcess?.(image.exec.pid);
    return entry !== undefined && entry.startTimeMs <= Math.min(image.exec.timeMs, timeMs) + TICK_MS;
  }

  #enter(key: number, image: ProcessImage, before: ProcessImage | undefined): void {
    if (before !== undefined) this.#images.delete(key); // goes to the end of the clock's order
    this.#images.set(key, image);
    if (this.#images.size > this.#options.processesMax) this.#evict();
  }

  /** Second chance: an image that was looked up as a parent goes to the end once more instead of out. */
  #evict(): void {
    for (const [key, image] of this.#images) {
      this.#images.delete(key);
      if (image.used) {
        image.used = false;
        this.#images.set(key, image);
        continue;
      }
      // Children keep this image, but not the ones behind it: else a chain of dead parents would live for ever.
      image.parent = undefined;
      image.unresolved ??= "let go";
      image.previous = undefined;
      this.#counters.processes_evicted += 1;
      return;
    }
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

function newImage(exec: ExecEvent, round: number, provenance: Provenance): ProcessImage {
  return {
    exec,
    round,
    provenance,
    parent: undefined,
    unresolved: undefined,
    previous: undefined,
    generation: 0,
    used: false,
  };
}

function cutAfter(image: ProcessImage, images: number): void {
  let at: ProcessImage | undefined = image;
  for (let left = images; at !== undefined && left > 1; left -= 1) at = at.previous;
  if (at !== undefined) at.previous = undefined;
}
