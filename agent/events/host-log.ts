/**
 * What the records of one host tell of its clock and of its boots. Serials begin anew at boot and wrap at 2^32; a record
 * may come a little later than one with a higher serial, and a clock may be set back.
 */
const SLACK = 1_000; // records come out of order by less than this; auditd's own queue holds some hundreds
const WRAP = 2 ** 20; // near 2^32, a serial this small is the next one
const STEP_MS = 2_000; // a later time than this, at a lower serial, is no late record
const SET_BACK_MS = 60_000; // no execution takes this long, so an earlier time than this is a clock that was set back
const BOOT_MS = 60_000; // systemd-update-utmp(8) runs when auditd is up

export class HostLog {
  readonly name: string | undefined; // of node=
  readonly index: number;
  clockMs = 0; // the host's time, as far as was read
  #serialMax = 0;
  #daemonStartMs = Number.NaN;
  #daemonStarted = false; // since the last event
  #bootKnown = true; // of this run of auditd

  constructor(name: string | undefined, index: number) {
    this.name = name;
    this.index = index;
  }

  /** Whether an event comes in order: it cannot be one that was there before. */
  isNext(serial: number): boolean {
    return serial > this.#serialMax;
  }

  /** Takes note of a kernel's event. @returns whether the host was started anew before it */
  enter(timeMs: number, serial: number): boolean {
    const ahead = timeMs - this.clockMs;
    const back = this.#serialMax - serial;
    const wrapped = this.#serialMax >= 2 ** 32 - WRAP && serial < WRAP;
    const boot = back > 0 && !wrapped && this.#isBoot(back, ahead);
    if (boot) this.#bootKnown = true;
    this.#daemonStarted = false;
    if (back < 0 || wrapped || boot) this.#serialMax = serial;
    if (boot || ahead > 0 || ahead < -SET_BACK_MS) this.clockMs = timeMs;
    return boot;
  }

  /** A new auditd writes nothing that is older than what the one before it wrote, so its clock does not matter. */
  #isBoot(back: number, ahead: number): boolean {
    return this.#daemonStarted ? back > SLACK || Math.abs(ahead) > STEP_MS : back > SLACK && ahead > 0;
  }

  daemonStarted(timeMs: number): void {
    this.#daemonStartMs = timeMs;
    this.#daemonStarted = true;
    this.#bootKnown = this.#serialMax === 0; // nothing is known from before
  }

  /**
   * SYSTEM_BOOT, which systemd writes at each boot, tells of one whose serials had already come further than before. A
   * container's systemd writes it as well: only the first one after auditd's own start is the host's.
   */
  systemBooted(timeMs: number): boolean {
    const boot = !this.#bootKnown && Math.abs(timeMs - this.#daemonStartMs) < BOOT_MS;
    this.#bootKnown = true;
    return boot;
  }
}
