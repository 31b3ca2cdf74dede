/**
 * kinwatch's own log, on standard error: ECS documents, or short lines where a person looks on. Not for alerts. A
 * message that repeats is told a few times and then counted, so that a full disk does not also fill the journal. A leaf.
 */
import { ecsFormat } from "@elastic/ecs-pino-format";
import { pino } from "pino";
import { KinwatchError } from "./errors.ts";
import { printable } from "./printable.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What is said besides the message: an error, and ECS fields by their dotted names or kinwatch.*. */
export type LogFacts = Readonly<Record<string, unknown>> & { readonly error?: unknown };
type Say = (message: string, facts?: LogFacts) => void;
export interface Logger extends Readonly<Record<LogLevel, Say>> {
  /** Tells what was held back so far. Call it last. */
  flush(): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly pretty?: boolean; // default: whether standard error is a terminal
  readonly write?: (line: string) => void; // default: to standard error
  readonly nowMs?: () => number; // monotonic
}

const charsMax = 2048; // of a message: the journal cuts lines at 48 KiB (LineMax, journald.conf(5)), a character may become 8
const windowMs = 60_000;
const tellMax = 5; // times in a window: enough to see that it repeats
const messagesMax = 500; // different ones watched at a time: a message may hold a path, so that there is no end of them

export function openLog(options: LogOptions): Logger {
  const log = pino(pinoOptions(options.level), destination(options));
  const repeats = new Repeats((level, message) => log[level](message));
  const nowMs = options.nowMs ?? (() => performance.now());
  const say =
    (level: LogLevel): Say =>
    (message, { error, ...facts } = {}) => {
      if (!log.isLevelEnabled(level)) return;
      const text = printable(error === undefined ? message : `${message}: ${reasonOf(error)}`, charsMax);
      if (repeats.admit(level, text, nowMs())) log[level]({ ...facts, ...errorFields(error) }, text);
    };
  return {
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    flush: () => repeats.release(Number.POSITIVE_INFINITY),
  };
}

/** Lets a message pass a few times in a window, and says at its end how often it came besides. */
class Repeats {
  private readonly seen = new Map<
    string,
    { level: LogLevel; text: string; sinceMs: number; held: number; told: number }
  >();
  private readonly tell: (level: LogLevel, message: string) => void;

  constructor(tell: (level: LogLevel, message: string) => void) {
    this.tell = tell;
  }

  admit(level: LogLevel, text: string, nowMs: number): boolean {
    this.release(nowMs - windowMs);
    const key = `${level} ${text}`;
    const known = this.seen.get(key);
    if (!known) {
      // The map is in the order of its windows' begin, so that its first is the oldest.
      if (this.seen.size >= messagesMax)
        for (const oldest of [...this.seen.keys()].slice(0, 1)) this.drop(oldest);
      this.seen.set(key, { level, text, sinceMs: nowMs, held: 0, told: 1 });
      return true;
    }
    if (known.told < tellMax) known.told++;
    else known.held++;
    return known.held === 0;
  }

  /** Ends all windows begun before. */
  release(beforeMs: number): void {
    for (const [key, { sinceMs }] of this.seen) {
      if (sinceMs > beforeMs) return;
      this.drop(key);
    }
  }

  private drop(key: string): void {
    const known = this.seen.get(key);
    this.seen.delete(key);
    if (known && known.held > 0) this.tell(known.level, `${known.text} (came ${known.held} more times)`);
  }
}

function pinoOptions(level: LogLevel): pino.LoggerOptions {
  return {
    level,
    ...ecsFormat({ apmIntegration: false, serviceName: "kinwatch", eventDataset: "kinwatch.log" }),
  };
}

function destination({ pretty = process.stderr.isTTY, write }: LogOptions): pino.DestinationStream {
  // Synchronous: what is said last before a crash is what one wants to read.
  const lines = write ? { write } : pino.destination({ fd: 2, sync: true });
  return pretty ? { write: (line) => void lines.write(forPeople(line)) } : lines;
}

function forPeople(line: string): string {
  const entry = JSON.parse(line);
  const time = new Date(entry["@timestamp"]).toTimeString().slice(0, 8); // local: it is compared with a clock on a wall
  const code = entry.error?.code ? ` [${printable(entry.error.code, 100)}]` : "";
  return `${time} ${entry["log.level"].padEnd(5)} ${entry.message}${code}\n`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function errorFields(error: unknown): LogFacts {
  if (error === undefined) return {};
  const message = printable(reasonOf(error), charsMax);
  if (!(error instanceof Error)) return { error: { message } };
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const fields = { ...code, message, type: error.name };
  // Of what the environment does the place in our code says nothing; of a defect of ours it says all.
  return { error: error instanceof KinwatchError ? fields : { ...fields, stack_trace: error.stack } };
}
