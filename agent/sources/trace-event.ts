/** What the kernel's tracepoints tell of processes: who begins one, what it executes, and its end. */
import { readTraceFormat, type TraceFormat } from "./trace-format.ts";

/** Pids are the host's; of a thread its own (tid), where it is not said otherwise. */
export type TraceEvent =
  | {
      readonly kind: "born";
      readonly timeMs: number; // since the epoch, by today's clock
      readonly pid: number;
      readonly by: number; // the thread that called clone(2)
      readonly isThread: boolean; // CLONE_THREAD: of the process that called
      readonly isSibling: boolean; // CLONE_PARENT: its parent is the caller's
    }
  | {
      readonly kind: "executed";
      readonly timeMs: number;
      readonly pid: number; // of the process
      readonly thread: number; // of it that executed, and has the process's number from then on
      readonly path: string; // as execve(2) was given it; of a script the script's
    }
  | { readonly kind: "exited"; readonly timeMs: number; readonly pid: number }
  | { readonly kind: "lost"; readonly timeMs: number }; // some of those before were overwritten, of one processor

/**
 * Not sched_process_fork: of two tracepoints at the same place task_newtask tells with which flags a process was begun, and a thread is
 * no child. include/trace/events/task.h, include/trace/events/sched.h
 */
const wanted = {
  born: ["task/task_newtask", ["common_pid", "pid", "clone_flags"]],
  executed: ["sched/sched_process_exec", ["filename", "pid", "old_pid"]],
  exited: ["sched/sched_process_exit", ["common_pid"]],
} as const;
type Traced = keyof typeof wanted;

const CLONE_PARENT = 0x8000; // include/uapi/linux/sched.h; both lie in the lower half
const CLONE_THREAD = 0x10000;
const PATH_MAX = 4_096;

export const traceEvents: readonly string[] = Object.values(wanted).map(([event]) => event);

export type TraceDecoder = (
  page: Buffer,
  start: number,
  end: number,
  timeMs: number,
) => TraceEvent | undefined;

/** @param formatOf the text of an event's format @returns undefined when one is of no form that is known */
export function traceDecoder(formatOf: (event: string) => string): TraceDecoder | undefined {
  const formats = {} as Record<Traced, TraceFormat>;
  for (const kind of ["born", "executed", "exited"] as const) {
    const [event, fields] = wanted[kind];
    const format = readTraceFormat(formatOf(event), fields);
    if (format === undefined) return undefined;
    formats[kind] = format;
  }
  return (page, start, end, timeMs) => {
    const number = (kind: Traced, name: string) => {
      const at = start + (formats[kind].fields.get(name)?.offset ?? 0);
      return at + 4 <= end ? page.readInt32LE(at) : Number.NaN;
    };
    switch (page.readUInt16LE(start)) {
      case formats.born.id: {
        const flags = number("born", "clone_flags");
        return {
          kind: "born",
          timeMs,
          pid: number("born", "pid"),
          by: number("born", "common_pid"),
          isThread: (flags & CLONE_THREAD) !== 0,
          isSibling: (flags & CLONE_PARENT) !== 0,
        };
      }
      case formats.executed.id: {
        const place = number("executed", "filename"); // __data_loc: an offset, and in the upper half a length
        const from = start + (place & 0xffff);
        const to = Math.min(from + (place >>> 16), end, from + PATH_MAX);
        const text = page.toString("utf8", from, to);
        const nul = text.indexOf("\0");
        return {
          kind: "executed",
          timeMs,
          pid: number("executed", "pid"),
          thread: number("executed", "old_pid"),
          path: nul === -1 ? text : text.slice(0, nul),
        };
      }
      case formats.exited.id:
        return { kind: "exited", timeMs, pid: number("exited", "common_pid") };
      default:
        return undefined; // somebody else turned another event on in this instance
    }
  };
}
