/**
 * A host that works while it is watched: its kernel, its clock and its audit log. What happens on it is in
 * truth-activities.ts; here is what each of them can do.
 */
import { type Creator, type Ids, type Image, Kernel, Process, UNSET } from "./truth-kernel.ts";
import * as records from "./truth-records.ts";
import type { LogWriter } from "./truth-writer.ts";

/** A package of a transaction, and what came of it. */
export interface TruthPackage {
  readonly nevra: string;
  readonly operation: "install" | "update" | "remove";
  readonly success: boolean;
  readonly signed: boolean;
}

export interface TruthInstall {
  readonly kind: string; // of parent
  readonly pid: number;
  readonly timeMs: number; // of the execution
  readonly serial: number;
  readonly argv: readonly string[];
  readonly executable: string;
  readonly script: string | undefined;
  readonly parent: Creator;
  /** The parent first. A process that never executed runs what its own parent ran. */
  readonly ancestors: readonly Creator[];
  readonly previous: readonly Image[]; // what the same process executed before
  readonly packages: TruthPackage[]; // as recorded; none: rpm's audit plug-in was off, or nothing came of it
  readonly recordsAlone: boolean; // dnf and the like: no command line tells
  updateTimeMs: number; // of the first record; 0: none
  updateSerial: number;
}

/** Something going on: yields for how many milliseconds it waits. */
export type Activity = Generator<number, void, undefined>;

const TICK_MS = 4; // audit stamps with the time of the last timer interrupt: CONFIG_HZ=250

/** How often what goes on goes on. */
export interface Habits {
  readonly packages: number; // installed or asked for, of the times that it could; 1: for much truth in little log
  readonly accesses: number; // files that audit rules watch, opened by each program
}

export class Host {
  readonly habits: Habits;
  readonly random: () => number;
  readonly installs: TruthInstall[] = [];
  readonly #log: LogWriter;
  readonly #pidMax: number;
  kernel: Kernel;
  rounds = 0; // of earlier boots
  executions = 0;
  sessions = 0;
  boots = 0;
  nowMs: number;
  #serial = 0;
  #queue: { atMs: number; order: number; activity: Activity }[] = []; // a heap
  #order = 0;

  constructor(log: LogWriter, random: () => number, pidMax: number, startMs: number, habits: Habits) {
    this.habits = habits;
    this.#log = log;
    this.random = random;
    this.#pidMax = pidMax;
    this.nowMs = startMs;
    this.kernel = this.#newKernel();
    this.boot();
  }

  /** All processes are gone; pids and serials begin anew. */
  boot(): void {
    if (this.boots > 0) {
      this.#log.event([records.daemon("DAEMON_END", this.#stamp())], []);
      this.#log.flush();
      this.nowMs += 31_000;
      this.rounds += this.kernel.rounds;
    }
    this.boots += 1;
    this.sessions = 0;
    this.#serial = 0;
    this.#queue = [];
    this.kernel = this.#newKernel();
    const ids = this.kernel.init.ids;
    this.#log.event([records.daemon("DAEMON_START", { ...this.#stamp(), serial: 4_711 })], []);
    const exe = "/usr/lib/systemd/systemd-update-utmp";
    const text = ` comm="systemd-update-utmp" exe="${exe}" hostname=? addr=? terminal=? res=success`;
    this.#log.event([records.user("SYSTEM_BOOT", this.#stamp(), 640, ids, text)], []);
  }

  #newKernel(): Kernel {
    const executable = "/usr/lib/systemd/systemd";
    const script = undefined;
    return new Kernel(
      this.#pidMax,
      { executable, script, argv: ["/sbin/init"], pid: 1, serial: 0, timeMs: 0 },
      640,
    );
  }

  start(activity: Activity, inMs = 0): void {
    const queue = this.#queue;
    this.#order += 1;
    const entry = { atMs: this.nowMs + inMs, order: this.#order, activity };
    let at = queue.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!isBefore(entry, queue[up] as typeof entry)) break;
      queue[at] = queue[up] as typeof entry;
      at = up;
    }
    queue[at] = entry;
  }

  /** The next thing that happens; false when nothing goes on any more. */
  step(): boolean {
    const queue = this.#queue;
    const first = queue[0];
    const last = queue.pop();
    if (first === undefined || last === undefined) return false;
    if (queue.length > 0) {
      let at = 0;
      for (;;) {
        let down = 2 * at + 1;
        if (down >= queue.length) break;
        if (down + 1 < queue.length && isBefore(queue[down + 1] as typeof last, queue[down] as typeof last))
          down += 1;
        if (!isBefore(queue[down] as typeof last, last)) break;
        queue[at] = queue[down] as typeof last;
        at = down;
      }
      queue[at] = last;
    }
    this.nowMs = Math.max(this.nowMs, first.atMs);
    const { done, value } = first.activity.next();
    if (!done) this.start(first.activity, value);
    return true;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  upTo(max: number): number {
    return Math.floor(this.random() * max);
  }

  fork(maker: Process): Process {
    this.nowMs += this.random() * 0.3;
    return this.kernel.fork(maker);
  }

  /** @param script that the kernel found an interpreter for @param argument that was given to an interpreter */
  exec(
    process: Process,
    executable: string,
    argv: readonly string[],
    script?: string,
    argument?: string,
  ): Process {
    this.nowMs += this.random() * 0.4;
    const stamp = this.#stamp();
    const named = script ?? argument;
    const path = named?.startsWith("./") ? `${process.cwd}/${named.slice(2)}` : named;
    this.kernel.exec(process, { executable, script: path, argv, pid: process.pid, ...stamp });
    this.executions += 1;
    const files = [
      script ?? executable,
      ...(script === undefined ? [] : [argv[0] ?? ""]),
      "/lib64/ld-linux-x86-64.so.2",
    ];
    const comm = (script ?? executable).slice((script ?? executable).lastIndexOf("/") + 1);
    const number = this.random() < 0.002 ? 322 : 59;
    const lines = [
      this.#syscall(process, stamp, { number, exit: 0, items: files.length, comm, key: "kinwatch" }),
      ...records.execve(stamp, argv),
      records.cwd(stamp, process.cwd),
      ...files.map((name, item) => records.path(stamp, item, name)),
      records.proctitle(stamp, argv),
      ...(this.random() < 0.02 ? [records.endOfEvent(stamp)] : []),
    ];
    this.#log.event(lines, [process.pid, process.parent?.pid ?? 0]);
    return process;
  }

  /** A search along PATH that finds nothing as yet, or a system call that another rule wants. */
  other(process: Process, number: 59 | 42 | 257, file: string): void {
    const stamp = this.#stamp();
    const { executable, argv } = process.image;
    const comm = executable.slice(executable.lastIndexOf("/") + 1);
    const key = number === 59 ? "kinwatch" : number === 42 ? "network" : "access";
    const exit = number === 257 ? 3 : number === 59 ? -2 : 0;
    const lines = [
      this.#syscall(process, stamp, { number, exit, items: 1, comm, key }),
      records.cwd(stamp, process.cwd),
      records.path(stamp, 0, file, number !== 59),
      records.proctitle(stamp, argv),
    ];
    this.#log.event(lines, [process.pid]);
  }

  user(type: string, process: Process, text: string): void {
    this.#log.event([records.user(type, this.#stamp(), process.pid, process.ids, text)], [process.pid]);
  }

  login(process: Process, auid: number, tty: string): void {
    this.sessions += 1;
    const ids: Ids = { uid: process.ids.uid, auid, ses: this.sessions, tty };
    this.#log.event([records.login(this.#stamp(), process.pid, process.ids, ids)], [process.pid]);
    process.ids = ids;
  }

  exit(...processes: Process[]): void {
    for (const process of processes) this.kernel.exit(process);
  }

  /** The execution just done is an installation. */
  installed(process: Process, kind: string, recordsAlone: boolean): TruthInstall {
    const { creator, image } = process;
    if (creator === undefined) throw new Error("only an execution installs");
    const { pid, serial, timeMs, argv, executable, script } = image;
    const install: TruthInstall = {
      kind,
      pid,
      timeMs,
      serial,
      argv,
      executable,
      script,
      parent: creator,
      ancestors: ancestorsOf(creator),
      previous: process.previous,
      packages: [],
      recordsAlone,
      updateTimeMs: 0,
      updateSerial: 0,
    };
    this.installs.push(install);
    return install;
  }

  update(process: Process, install: TruthInstall, done: TruthPackage): void {
    const stamp = this.#stamp();
    if (install.updateSerial === 0) {
      install.updateTimeMs = stamp.timeMs;
      install.updateSerial = stamp.serial;
    }
    install.packages.push(done);
    const { nevra, operation, success, signed } = done;
    const exe = process.image.executable;
    const comm = (process.image.script ?? exe).split("/").at(-1) ?? "";
    const terminal = process.ids.tty === "(none)" ? "?" : process.ids.tty.replace("pts", "pts/");
    const text = `op=${operation} sw=${records.encode(nevra)} sw_type=rpm key_enforce=0 gpg_res=${signed ? 1 : 0} root_dir="/" comm="${comm}" exe="${exe}" hostname=host.example addr=? terminal=${terminal} res=${success ? "success" : "failed"}`;
    this.#log.event([records.user("SOFTWARE_UPDATE", stamp, process.pid, process.ids, text)], [process.pid]);
  }

  #stamp(): records.Stamp {
    this.#serial += 1;
    return { timeMs: Math.floor(this.nowMs / TICK_MS) * TICK_MS, serial: this.#serial };
  }

  #syscall(
    { pid, parent, ids, image }: Process,
    stamp: records.Stamp,
    call: Pick<records.Call, "number" | "exit" | "items" | "comm" | "key">,
  ): string {
    return records.syscall(stamp, {
      ...call,
      pid,
      ppid: parent?.pid ?? 0,
      ids,
      executable: image.executable,
    });
  }
}

function isBefore(a: { atMs: number; order: number }, b: { atMs: number; order: number }): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function ancestorsOf(parent: Creator): Creator[] {
  const chain: Creator[] = [];
  for (let at: Creator | undefined = parent; at !== undefined; at = above(at.process)) chain.push(at);
  return chain;
}

function above({ creator, maker }: Process): Creator | undefined {
  return creator ?? (maker && { process: maker, image: maker.image, known: false });
}

export type { Creator, Image };
export { Process, UNSET };
