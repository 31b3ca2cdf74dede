/** Programs that are started at a pace, and do nothing: what else goes on on a busy host. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

/** An argument of each. */
export const noiseMark = "kw-noise";

const script = `
import os, sys, time
rate, seconds = float(sys.argv[1]), float(sys.argv[2])
start, count, live = time.monotonic(), 0, 0
while time.monotonic() < start + seconds:
    while count < int((time.monotonic() - start) * rate) and live < 64:
        os.posix_spawn("/bin/true", ["true", "${noiseMark}"], {})
        count, live = count + 1, live + 1
    while live and os.waitpid(-1, os.WNOHANG)[0]: live -= 1
    time.sleep(0.002)
while live:
    os.wait()
    live -= 1
print(count)`;

export class Noise implements Disposable {
  readonly #child: ChildProcess;
  readonly #count: Promise<string>;

  constructor(perSecond: number, seconds: number) {
    this.#child = spawn("/usr/bin/python3", ["-c", script, String(perSecond), String(seconds)], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#count = text(this.#child.stdout as Readable);
  }

  /** Waits for its end. @returns how many were started; fewer where the host is too slow */
  async count(): Promise<number> {
    return Number(await this.#count);
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
