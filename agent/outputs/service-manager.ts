/**
 * Tells systemd that the daemon is ready, alive and what it does: sd_notify(3), sd_watchdog_enabled(3). It is called by the flow
 * as that moves on, so that a flow that is stuck is not alive, however well timers run beside it.
 */
import { promisify } from "node:util";
import { loadKoffi } from "../native.ts";
import { printable } from "../printable.ts";

/** @param state lines of sd_notify(3) */
export type Notify = (state: string) => Promise<unknown>;

const STATUS_MS = 1_000; // more often nobody reads it
const STATUS_MAX = 500;

export class ServiceManager {
  readonly #notify: Notify;
  readonly #failed: (error: unknown) => void;
  readonly #watchdogMs: number | undefined; // undefined: nobody asks for signs of life
  #ready = false;
  #fedMs = Number.NEGATIVE_INFINITY;
  #toldMs = Number.NEGATIVE_INFINITY;
  #status = "";
  #sending = Promise.resolve<unknown>(undefined);
  #isSending = false;

  /** @returns undefined: not started by a service manager that wants to know */
  static open(failed: (error: unknown) => void, environment = process.env): ServiceManager | undefined {
    if (!environment["NOTIFY_SOCKET"]) return undefined;
    try {
      return new ServiceManager(libsystemd(), failed, environment);
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  constructor(notify: Notify, failed: (error: unknown) => void, environment: NodeJS.ProcessEnv) {
    this.#notify = notify;
    this.#failed = failed;
    const { WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = environment;
    const isOurs = pid === undefined || pid === String(process.pid);
    this.#watchdogMs = isOurs && Number(usec) > 0 ? Number(usec) / 1_000 : undefined;
  }

  /** @param status asked for when it is due. @param nowMs monotonic */
  worked(status: () => string, nowMs = performance.now()): void {
    if (this.#isSending) return; // systemd takes nothing more: a queue of it would be old
    const state: string[] = [];
    if (!this.#ready) state.push("READY=1");
    if (this.#watchdogMs !== undefined && nowMs - this.#fedMs >= this.#watchdogMs / 4)
      state.push("WATCHDOG=1");
    if (nowMs - this.#toldMs >= STATUS_MS) {
      const text = printable(status(), STATUS_MAX);
      this.#toldMs = nowMs;
      if (text !== this.#status) state.push(`STATUS=${text}`);
      this.#status = text;
    }
    if (state.length === 0) return;
    this.#ready = true;
    if (state.includes("WATCHDOG=1")) this.#fedMs = nowMs;
    this.#send(state.join("\n"));
  }

  stopping(): void {
    this.#sending.finally(() => this.#send("STOPPING=1\nSTATUS=Stopping"));
  }

  #send(state: string): void {
    this.#isSending = true;
    this.#sending = this.#notify(state)
      .catch((error: unknown) => {
        this.#failed(error);
        this.#ready = false; // else a start that was not told would never be
      })
      .finally(() => {
        this.#isSending = false;
      });
  }
}

/** On a thread: it waits while systemd's queue is full. */
function libsystemd(): Notify {
  const call = loadKoffi().load("libsystemd.so.0").func("sd_notify", "int", ["int", "str"]);
  const notify = promisify(call.async) as (unset: number, state: string) => Promise<number>;
  return async (state) => {
    const result = await notify(0, state);
    if (result < 0) throw new Error(`sd_notify: errno ${-result}`);
  };
}
