/**
 * How often the kernel's pid counter has gone round, told from the pids that are seen. Pids are handed out in rising
 * order and begin again at the bottom (kernel/pid.c, alloc_pid(), idr_alloc_cyclic()), so a pid can only have a new
 * owner once the counter has passed it again: until then a recorded process is the one, whatever happened meanwhile.
 *
 * Errs to one side: a round too many makes a true parent doubtful, a round too few would make a wrong one believed.
 */
export interface Birth {
  readonly round: number;
  readonly pid: number;
}

export class PidClock {
  #round = 0;
  #head = 0; // the newest pid of this round
  #pidMax = 0; // the largest seen: a lower bound of the round's length
  #suspect = -1; // a pid far behind the head: a process that waited before it executed, or a new round

  /** A new process has executed. Its round: the one it was born in. */
  born(pid: number): number {
    if (pid > this.#pidMax) this.#pidMax = pid;
    if (pid >= this.#head) return this.#ahead(pid);
    const behind = this.#head - pid;
    const round = this.#pidMax - this.#head + pid; // how far the counter would have gone to come here again
    if (this.#suspect !== -1 && pid >= this.#suspect && pid - this.#suspect < behind)
      return this.#nextRound(pid);
    if (behind <= round) return this.#round; // born lately, executed later
    this.#suspect = pid;
    return this.#round + 1;
  }

  #ahead(pid: number): number {
    const ahead = pid - this.#head;
    const behind = this.#head + this.#pidMax - pid;
    if (this.#round > 0 && behind < ahead) return this.#round - 1; // born before the counter began anew
    this.#head = pid;
    this.#suspect = -1; // the counter goes on from here: what was far behind was old
    return this.#round;
  }

  #nextRound(pid: number): number {
    this.#round += 1;
    this.#head = pid;
    this.#suspect = -1;
    return this.#round;
  }

  /** How far the counter has come. */
  get now(): Birth {
    return { round: this.#round, pid: this.#head };
  }

  /** The round in which a process that lives now was born at the earliest that makes no parent of it doubtful. */
  roundOfLiving(pid: number): number {
    return pid <= this.#head ? this.#round : Math.max(0, this.#round - 1);
  }

  /** Whether a process of this pid, seen now, could be one of a round that has just begun. */
  mayBeginRound(pid: number): boolean {
    return pid < this.#head && this.#head - pid > this.#pidMax - this.#head + pid;
  }

  /** Whether the counter may have passed `pid` again between two births: its owner may be another then. */
  passed(pid: number, since: number, until: Birth): boolean {
    return until.round > since + 1 || (until.round === since + 1 && until.pid > pid);
  }
}
