/**
 * A host's processes as the kernel keeps them, for logs whose truth is known: pids handed out in rising order and begun
 * again at the bottom (kernel/pid.c, alloc_pid()), forks that copy, executions that replace, orphans given to a subreaper
 * or to pid 1 (kernel/exit.c, find_new_reaper()).
 */
export interface Image {
  readonly executable: string;
  readonly script: string | undefined;
  readonly argv: readonly string[];
  readonly pid: number; // that executed it
  readonly serial: number; // of the execution's event; 0: not in the log
  readonly timeMs: number;
}

/** Who forked a process, and what that ran when the process first executed. */
export interface Creator {
  readonly process: Process;
  readonly image: Image;
  readonly known: boolean; // it lived, and its own execution is in the log
}

export interface Ids {
  readonly uid: number;
  readonly auid: number; // 4294967295: unset
  readonly ses: number;
  readonly tty: string;
}

export class Process {
  readonly pid: number;
  readonly maker: Process | undefined;
  parent: Process | undefined; // may change: its maker dies
  image: Image;
  ids: Ids;
  cwd: string;
  creator: Creator | undefined; // undefined until it executes
  previous: readonly Image[] = []; // what it executed before its image, the latest first
  subreaper = false;
  alive = true;
  readonly children = new Set<Process>();

  constructor(pid: number, maker: Process | undefined, from: Pick<Process, "image" | "ids" | "cwd">) {
    this.pid = pid;
    this.maker = maker;
    this.parent = maker;
    this.image = from.image;
    this.ids = from.ids;
    this.cwd = from.cwd;
  }

  /** Its present image is its own, and the log shows it. */
  get isLogged(): boolean {
    return this.image.pid === this.pid && this.image.serial > 0;
  }
}

const FIRST = 300; // RESERVED_PIDS
export const UNSET = 4294967295;

export class Kernel {
  readonly init: Process;
  readonly #pidMax: number;
  readonly #used = new Set<number>();
  #last: number;
  forks = 0;
  rounds = 0;

  constructor(pidMax: number, init: Image, firstPid: number) {
    this.#pidMax = pidMax;
    this.#last = firstPid;
    const ids = { uid: 0, auid: UNSET, ses: UNSET, tty: "(none)" };
    this.init = new Process(1, undefined, { image: init, ids, cwd: "/" });
  }

  fork(maker: Process): Process {
    const child = new Process(this.#nextPid(), maker, maker);
    maker.children.add(child);
    this.forks += 1;
    return child;
  }

  /** Threads take pids too, and give them back. */
  thread(): void {
    this.#used.delete(this.#nextPid());
    this.forks += 1;
  }

  exec(process: Process, image: Image): void {
    const { maker } = process;
    if (process.creator !== undefined) process.previous = [process.image, ...process.previous];
    if (process.creator === undefined && maker !== undefined) {
      const known = maker.alive && maker.isLogged;
      process.creator = { process: maker, image: maker.image, known };
    }
    process.image = image;
  }

  exit(process: Process): void {
    if (!process.alive) return;
    process.alive = false;
    this.#used.delete(process.pid);
    process.parent?.children.delete(process);
    let reaper = process.parent;
    while (reaper !== undefined && !(reaper.alive && reaper.subreaper)) reaper = reaper.parent;
    for (const child of process.children) {
      child.parent = reaper ?? this.init;
      child.parent.children.add(child);
    }
    process.children.clear();
  }

  #nextPid(): number {
    do {
      this.#last += 1;
      if (this.#last >= this.#pidMax) {
        this.#last = FIRST;
        this.rounds += 1;
      }
    } while (this.#used.has(this.#last));
    this.#used.add(this.#last);
    return this.#last;
  }
}
