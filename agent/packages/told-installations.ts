/** What installed lately, by which source: the next source may tell of the same, and it is decided once. */
import type { ExecEvent } from "../events/exec-event.ts";

type Told = Pick<ExecEvent, "source" | "pid" | "timeMs">;

const KEPT_MAX = 1_024; // of the last minutes, and sources change rarely
const SAME_MS = 2_000; // /proc is looked at late, and what two sources call the moment of an execution is not the same

export class ToldInstallations {
  readonly #told: Told[] = [];

  /** @returns whether another source told of this execution; once, for what a process executes next is another one */
  take({ source, pid, timeMs }: Told): boolean {
    const at = this.#told.findIndex(
      (one) => one.pid === pid && one.source !== source && Math.abs(one.timeMs - timeMs) <= SAME_MS,
    );
    if (at === -1) return false;
    this.#told.splice(at, 1);
    return true;
  }

  add({ source, pid, timeMs }: Told): void {
    this.#told.push({ source, pid, timeMs });
    if (this.#told.length > KEPT_MAX) this.#told.shift();
  }
}
