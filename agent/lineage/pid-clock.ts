/**
 * How far the kernel's pid counter has come, told from the pids that are seen to execute. Pids are handed out in rising
 * order and begin again at the bottom (kernel/pid.c, alloc_pid(), idr_alloc_cyclic()), so a pid can only have a new owner
 * once the counter has come by it again: until then a recorded process is the one, whatever else was missed.
 *
 * A place on the counter's way is round * SPAN + pid. What executes was born at most a little before, or long before: where
 * that is in doubt, a life is taken to be born as late as it can be and seen as early, so that a true parent becomes
 * doubtful rather than a wrong one believed. Two things look as what they are not, and only /proc's start times tell them:
 * a counter that is driven nearly all the way round without an execution, and a process that executes long after its birth,
 * just when the counter is about to come to its pid again.
 */
export interface Life {
  bornBy: number; // the farthest that the counter can have come when it was born
  seen: number; // the counter had come this far, at least, when it was last known to live
  doubtful: boolean; // what is seen next may correct it
}

const SPAN = 2 ** 23; // PID_MAX_LIMIT is 2^22: include/linux/threads.h
const FIRST = 300; // RESERVED_PIDS: kernel/pid.c
const ROUND_MIN = 4_096 - FIRST; // pids: nobody sets pid_max lower
const STEPS = 8; // a step of the counter is no surprise up to so many mean ones,
const STEP_MIN = 64; // or so many pids: forks without an execution come in bursts
const SAMPLES = 32; // that the mean is taken of
const WAITED = 8; // executions that a leap to pids of lately takes to be believed: workers may execute one after another
const LEAP_MAX = 16; // executions that a leap of the counter may take to be confirmed

export class PidClock {
  #place = 0; // of the newest pid
  #top = 0; // where the last round ended; 0 in the first
  #leapt = { from: 0, to: 0 }; // places, of the last leap
  #step = 1; // pids between two executions, mean
  #leap: { place: number; lives: Life[]; left: number; needed: number } | undefined; // where the counter may have gone

  /** A process has executed that was not known before. */
  born(pid: number): Life {
    if (this.#place === 0) this.#place = pid - 1;
    if (this.#top > 0 && pid > this.#top) this.#top = pid;
    const ahead = this.#next(pid, this.#place);
    const step = this.#between(this.#place, ahead);
    const reach = this.#reach;
    if (pid > pidOf(this.#place) && step <= reach) return this.#forward(ahead, step);
    const behind = ahead - SPAN;
    const waited = step > reach && this.#isOfLately(behind); // before it executed
    const life = { bornBy: waited ? behind : ahead, seen: Math.max(0, behind), doubtful: true };
    this.#mayLeap(ahead, life, waited ? WAITED : step > reach ? 3 : 2);
    return life;
  }

  /** A known process has executed again, or so it looks: long after its birth, one behind the other, they are new ones. */
  again(pid: number): void {
    const ahead = this.#next(pid, this.#place);
    const behind = ahead - SPAN;
    if (behind < 0 || this.#between(behind, this.#place) <= this.#reach) return;
    this.#mayLeap(ahead, { bornBy: ahead, seen: behind, doubtful: false }, WAITED);
  }

  /** A process that lives now, whenever it was born. */
  living(pid: number): Life {
    const seen = this.#place;
    return { bornBy: pid > pidOf(seen) ? this.#next(pid, seen) : seen, seen, doubtful: false };
  }

  /** Whether the counter came by `pid` between two places: its owner may be another then. */
  passed(pid: number, since: number, until: number): boolean {
    return until >= this.#next(pid, since);
  }

  /** Whether the counter came by `pid` since: who has it now is another, or lives long. */
  cameBy(pid: number, since: number): boolean {
    return this.#place >= this.#next(pid, since);
  }

  /**
   * Whether a process that executes now can be another one than that which had its pid when the counter was at `since`.
   * @param sameParent a new owner would have to be its former owner's brother
   */
  mayBeAnother(pid: number, since: number, sameParent: boolean): boolean {
    const next = this.#next(pid, since);
    if (next <= this.#place) return true;
    return (
      this.#between(this.#place, next) <= Math.max(this.#reach, this.#round * (sameParent ? 1 / 4 : 3 / 4))
    );
  }

  #forward(place: number, step: number): Life {
    const round = this.#top > 0 ? this.#round : Math.max(this.#round, ROUND_MIN);
    const hidden = step + round <= this.#reach; // seen so rarely that a whole round may lie between
    const seen = this.#place;
    this.#place = hidden ? place + SPAN : place;
    this.#took(step);
    if (this.#leap !== undefined && (this.#leap.left-- === 0 || this.#leap.place <= this.#place))
      this.#leap = undefined;
    return { bornBy: this.#place, seen: hidden ? seen : place, doubtful: false };
  }

  /** One far from the counter is an old process or a leap; several in a row that go on from each other are a leap. */
  #mayLeap(place: number, life: Life, needed: number): void {
    const leap = this.#leap;
    if (leap === undefined || place <= leap.place || place - leap.place > this.#reach) {
      if (leap !== undefined && leap.needed < WAITED && needed === WAITED && leap.left-- > 0) return;
      if (leap?.left === LEAP_MAX) this.#took(this.#between(this.#place, place)); // far each time: executions are rare
      this.#leap = { place, lives: [life], left: LEAP_MAX, needed };
      return;
    }
    leap.place = place;
    leap.lives.push(life);
    if (leap.lives.length < needed) return;
    for (const one of leap.lives) one.seen = Math.max(one.seen, one.bornBy);
    this.#took(this.#between(this.#place, place));
    if (roundOf(place) > roundOf(this.#place)) this.#top = pidOf(this.#place);
    this.#leapt = { from: this.#place, to: place };
    this.#place = place;
    this.#leap = undefined;
  }

  /** Born within a quarter of a round, or shortly before a leap that was a short while ago. */
  #isOfLately(place: number): boolean {
    if (place < 0) return false;
    const { from, to } = this.#leapt;
    if (this.#between(place, this.#place) <= this.#round / 4) return true;
    const late = this.#round / 16;
    return place <= from && this.#between(place, from) <= late && this.#between(to, this.#place) <= late;
  }

  #took(step: number): void {
    this.#step += (step - this.#step) / SAMPLES;
  }

  /** The first place of a pid behind another place. */
  #next(pid: number, since: number): number {
    const round = roundOf(since);
    return (pidOf(since) < pid ? round : round + 1) * SPAN + pid;
  }

  /** How many pids the counter hands out from one place to another. */
  #between(from: number, to: number): number {
    const rounds = roundOf(to) - roundOf(from);
    if (rounds === 0) return to - from;
    return Math.max(0, this.#top - pidOf(from)) + Math.max(0, pidOf(to) - FIRST) + (rounds - 1) * this.#round;
  }

  get #round(): number {
    return Math.max(1, (this.#top || pidOf(this.#place)) - FIRST); // at least, until a whole one was seen
  }

  get #reach(): number {
    return STEP_MIN + STEPS * this.#step;
  }
}

function roundOf(place: number): number {
  return Math.floor(place / SPAN);
}

/** Not by %, which takes as long as all the rest: a place has more than 32 bits. */
function pidOf(place: number): number {
  return place - roundOf(place) * SPAN;
}
