/**
 * When the host was started, on today's clock. /proc counts a process's start from there (start_boottime, fs/proc/array.c,
 * do_task_stat()). /proc/stat's btime will not do: it is cut to a second. What is added must follow a clock that is set,
 * as the times in the audit log do, so it is looked at again each second.
 */
import { uptime } from "node:os";

const TICK_MS = 10; // what /proc/uptime is cut to; fs/proc/uptime.c, uptime_proc_show()
const CHECK_MS = 1_000;
const SLACK_MS = 50; // a look that was interrupted, not a clock that was set

let bootMs = Number.NaN;
let checkedMs = Number.NEGATIVE_INFINITY;

/** Since the epoch, to a millisecond. */
export function bootTimeMs(): number {
  const nowMs = performance.now();
  if (nowMs - checkedMs < CHECK_MS) return bootMs;
  checkedMs = nowMs;
  const lookedMs = look();
  // An uptime cut by up to a tick makes the start look that much later, never earlier.
  if (!(lookedMs >= bootMs - 1 && lookedMs < bootMs + TICK_MS + SLACK_MS)) bootMs = measure();
  return bootMs;
}

/** The moment at which the uptime goes up by a tick is where nothing of it is cut. */
function measure(): number {
  const endMs = performance.now() + 2 * TICK_MS;
  let leastMs = look();
  while (performance.now() < endMs) leastMs = Math.min(leastMs, look());
  return leastMs;
}

function look(): number {
  const upMs = Math.round(uptime() * 1_000);
  return Date.now() - upMs;
}
