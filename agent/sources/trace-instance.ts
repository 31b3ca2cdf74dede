/**
 * A ring buffer of our own in the kernel (an instance of tracefs), so that nobody else's tracing is touched by ours.
 * Documentation/trace/ftrace.rst, "Instances". It is gone with us; one whose owner was killed is removed at the next start.
 */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeSync,
} from "node:fs";
import { endianness } from "node:os";
import { isDenied, KinwatchError, systemCode } from "../errors.ts";
import { readProcStat } from "./proc-entry.ts";
import { type TraceDecoder, traceDecoder, traceEvents } from "./trace-event.ts";
import { type PageFormat, readPageFormat } from "./trace-format.ts";

const roots = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]; // the second: kernels before 4.1, and who mounts debugfs alone
/** Who may not make one takes the one of this name, which the service manager makes for the service. packaging/tracefs-script.ts */
export const traceSettings = {
  name: "kinwatch",
  files: {
    trace_clock: "mono", // CLOCK_MONOTONIC, which we can read too
    buffer_size_kb: "256", // of each processor: some 3,000 events; at rest it is read four times a second
    buffer_percent: "0", // who waits is woken by the first event; before Linux 5.0 there is no such file, and it is always so
  },
} as const;
const { name: PREPARED, files } = traceSettings;
const NAMED = new RegExp(`^${PREPARED}-(\\d+)-\\d+$`); // as nameOf() does
const REMOVALS_MAX = 50; // a millisecond each; what is left then is removed at the next start

export class TraceInstance implements Disposable {
  readonly folder: string;
  readonly decode: TraceDecoder;
  readonly page: PageFormat;
  readonly pipes: readonly number[]; // file descriptors of trace_pipe_raw, one of each processor
  readonly #isOurs: boolean;

  /** @throws KW_TRACEFS_MISSING, KW_TRACEFS_REFUSED */
  constructor(mounts = roots) {
    if (endianness() !== "LE") throw refused("This machine's order of bytes is not known to kinwatch");
    const root = mounts.find((path) => isThere(`${path}/instances`)) ?? missing(mounts);
    sweep(`${root}/instances`);
    const name = nameOf(process.pid);
    this.folder = `${root}/instances/${name}`;
    let isOurs = true;
    try {
      mkdirSync(this.folder);
      prepare(this.folder);
    } catch (error) {
      const prepared = `${root}/instances/${PREPARED}`;
      if (!isRefused(error) || !isReady(prepared)) {
        remove(this.folder);
        throw refused(`Cannot make ${this.folder}: ${systemCode(error)}`, error);
      }
      isOurs = false;
      this.folder = prepared;
    }
    this.#isOurs = isOurs;
    const pipes: number[] = [];
    try {
      const page = readPageFormat(readFileSync(`${this.folder}/events/header_page`, "utf8"));
      const decode = traceDecoder((event) => readFileSync(`${this.folder}/events/${event}/format`, "utf8"));
      if (page === undefined || decode === undefined)
        throw refused("The kernel's trace events are of a form that is not known");
      this.page = page;
      this.decode = decode;
      for (const cpu of readdirSync(`${this.folder}/per_cpu`))
        pipes.push(
          openSync(`${this.folder}/per_cpu/${cpu}/trace_pipe_raw`, constants.O_RDONLY | constants.O_NONBLOCK),
        );
    } catch (error) {
      for (const pipe of pipes) closeSync(pipe);
      if (isOurs) remove(this.folder);
      throw error instanceof KinwatchError
        ? error
        : refused(`Cannot read ${this.folder}: ${systemCode(error)}`, error);
    }
    this.pipes = pipes;
  }

  /** Events that were overwritten before they were read, or could not be written, of all processors. */
  lost(): number {
    let lost = 0;
    for (const cpu of readdirSync(`${this.folder}/per_cpu`)) {
      const stats = readFileSync(`${this.folder}/per_cpu/${cpu}/stats`, "latin1");
      for (const [, count] of stats.matchAll(/^(?:overrun|commit overrun|dropped events): (\d+)$/gm))
        lost += Number(count);
    }
    return lost;
  }

  /** Whether what is wanted is still traced. */
  isOn(): boolean {
    return isReady(this.folder);
  }

  /** Who waits for an event holds the buffer: it is given one. */
  [Symbol.dispose](): void {
    for (const pipe of this.pipes) closeSync(pipe);
    if (!this.#isOurs) return;
    for (let left = REMOVALS_MAX; left > 0; left -= 1) {
      if (remove(this.folder)) return;
      this.#wake();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }

  #wake(): void {
    try {
      write(`${this.folder}/trace_marker`, "the end");
    } catch {} // somebody else removed it
  }
}

function prepare(folder: string): void {
  for (const [name, value] of Object.entries(files)) {
    if (name !== "buffer_percent" || isThere(`${folder}/${name}`)) write(`${folder}/${name}`, value);
  }
  for (const event of traceEvents) write(`${folder}/events/${event}/enable`, "1");
}

/** Into a file that is there: the kernel's own. */
function write(path: string, text: string): void {
  const file = openSync(path, constants.O_WRONLY);
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}

function isReady(folder: string): boolean {
  try {
    return (
      readFileSync(`${folder}/tracing_on`, "latin1")[0] === "1" &&
      readFileSync(`${folder}/trace_clock`, "latin1").includes("[mono]") &&
      traceEvents.every((event) => readFileSync(`${folder}/events/${event}/enable`, "latin1")[0] === "1")
    );
  } catch {
    return false;
  }
}

/** The process's start is part of it: its pid may be another's when it is gone. */
function nameOf(pid: number): string {
  return `${PREPARED}-${pid}-${readProcStat(pid)?.startTicks ?? 0}`;
}

/** Instances of owners that are no more. */
function sweep(instances: string): void {
  let names: string[] = [];
  try {
    names = readdirSync(instances);
  } catch {} // what follows says why
  for (const name of names) {
    const [, pid] = NAMED.exec(name) ?? [];
    if (pid !== undefined && name !== nameOf(Number(pid))) remove(`${instances}/${name}`);
  }
}

/** Not by access(2), which leaves out of account what a service may do beyond its user. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

/** @returns false: somebody reads it, or there is none */
function remove(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

function isRefused(error: unknown): boolean {
  return isDenied(error) || systemCode(error) === "EROFS";
}

/** @throws KW_TRACEFS_MISSING */
function missing([first = ""]: readonly string[]): never {
  throw new KinwatchError(
    "KW_TRACEFS_MISSING",
    `There is no ${first}/instances: tracefs is not mounted, may not be looked into, or this kernel has none`,
    `Mount it, as root: mount -t tracefs nodev ${first}`,
  );
}

function refused(what: string, cause?: unknown): KinwatchError {
  return new KinwatchError(
    "KW_TRACEFS_REFUSED",
    what,
    'Run as root. Where the kernel is locked down for confidentiality (kernel_lockdown(7)), nobody may: source.type = "auto" does without',
    { cause },
  );
}
