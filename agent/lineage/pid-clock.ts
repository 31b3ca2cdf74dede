/**
 * How far the kernel's pid counter has come, told from the pids that are seen to execute. Pids are handed out in rising
 * order and begin again at the bottom (kernel/pid.c, alloc_pid(), idr_alloc_cyclic()), so a pid can only have a new owner
 * once the counter has come by it again: until then a recorded process is the one, whatever else was missed.
 *
 * A place on the counter's way is round * SPAN + pid. What executes was born at most a little before, or long before: where
 * that is in doubt, a life is taken to be born as late as it can be and seen as early, so that a true parent becomes
 * doubtful rather than a wrong one believed. Not proof against a counter that goes nearly all the way round between two
 * executions, after it did not before: a storm of forks without a single execution. /proc is, where it can be asked.
 */
export interface Life {
  bornBy: number; // the farthest that the counter can have come when it was born
  seen: number; // the counter had come this far, at least, when it was last known to live
}

const SPAN = 2 ** 23; // PID_MAX_LIMIT is 2^22: include/linux/threads.h
const FIRST = 300; // RESERVED_PIDS: kernel/pid.c
const ROUND_MIN = 4_096 - FIRST; // until a whole one was seen: nobody sets pid_max lower
const STEPS = 8; // a step of the counter is no surprise up to so many mean ones,
const STEP_MIN = 64; // or so many pids: forks without an execution come in bursts
const SAMPLES = 32; // that the mean is taken of
const CANDIDATE_MAX = 16; // executions that a leap of the counter may take to be confirmed

export class PidClock {
  #place = 0; // of the newest pid
  #top = 0; // where the last round ended; 0 in the first
  #step = 1; // pids between two executions, mean
  #leap: { place: number; lives: Life[]; left: number } | undefined; // where the counter may have gone

  /** A process has executed that was not known before. */
  born(pid: number): Life {
    const head = this.#place % SPAN;
    const ahead = this.#next(pid, this.#place);
    const step = this.#distance(pid);
    const reach = this.#reach;
    if (pid > head && step <= reach) return this.#forward(ahead, step);
    const behind = ahead - SPAN;
    const back = pid <= head ? head - pid : Math.max(0, head - FIRST) + Math.max(0, this.#top - pid);
    if (behind >= 0 && step > reach && back <= this.#round / 4) return { bornBy: behind, seen: behind }; // waited before it executed
    const life = { bornBy: ahead, seen: Math.max(0, behind) };
    this.#mayLeap(life, pid < head && step <= reach ? 2 : 3);
    return life;
  }

  /** A process that lives now, whenever it was born. */
  living(pid: number): Life {
    const seen = this.#place;
    return { bornBy: pid > seen % SPAN ? this.#next(pid, seen) : seen, seen };
  }

  /** Whether the counter came by `pid` between two places: its owner may be another then. */
  passed(pid: number, since: number, until: number): boolean {
    return until >= this.#next(pid, since);
  }

  /**
   * Whether a process that executes now can be another one than that which had its pid when the counter was at `since`.
   * @param sameParent a new owner would have to be its former owner's brother
   */
  mayBeAnother(pid: number, since: number, sameParent: boolean): boolean {
    const next = this.#next(pid, since);
    if (next <= this.#place) return true;
    return this.#distance(pid) <= Math.max(this.#reach, this.#round * (sameParent ? 1 / 4 : 3 / 4));
  }

  #forward(place: number, step: number): Life {
    const hidden = step + this.#round <= this.#reach; // seen so rarely that a whole round may lie between
    const seen = this.#place;
    this.#place = hidden ? place + SPAN : place;
    this.#step += (step - this.#step) / SAMPLES;
    if (this.#leap !== undefined && (this.#leap.left-- === 0 || this.#leap.place <= this.#place))
      this.#leap = undefined;
    return { bornBy: this.#place, seen: hidden ? seen : place };
  }

  /** One far from the counter is an old process or a leap; several in a row that go on from each other are a leap. */
  #mayLeap(life: Life, needed: number): void {
    const { bornBy: place } = life;
    const leap = this.#leap;
    if (leap === undefined || place <= leap.place || place - leap.place > this.#reach) {
      this.#leap = { place, lives: [life], left: CANDIDATE_MAX };
      return;
    }
    leap.place = place;
    leap.lives.push(life);
    if (leap.lives.length < needed) return;
    for (const one of leap.lives) one.seen = Math.max(one.seen, one.bornBy);
    this.#step += (this.#distance(place % SPAN) - this.#step) / SAMPLES;
    if (Math.floor(place / SPAN) > Math.floor(this.#place / SPAN)) this.#top = this.#place % SPAN;
    this.#place = place;
    this.#leap = undefined;
  }

  /** The first place of a pid behind another place. */
  #next(pid: number, since: number): number {
    const round = Math.floor(since / SPAN);
    return (since % SPAN < pid ? round : round + 1) * SPAN + pid;
  }

  /** How many pids the counter hands out to come to this one. */
  #distance(pid: number): number {
    const head = this.#place % SPAN;
    return pid > head ? pid - head : Math.max(0, this.#top - head) + Math.max(0, pid - FIRST);
  }

  get #round(): number {
    return this.#top > 0 ? this.#top - FIRST : Math.max(ROUND_MIN, (this.#place % SPAN) - FIRST);
  }

  get #reach(): number {
    return STEP_MIN + STEPS * this.#step;
  }
}
