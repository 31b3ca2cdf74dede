/**
 * One page of the kernel's ring buffer, as trace_pipe_raw gives it: a time, how much of the page is used, then events, each with the
 * time since the one before. Binary, for a program's name may hold a line that looks like another event's text.
 * include/linux/ring_buffer.h, struct ring_buffer_event; kernel/trace/ring_buffer.c, rb_update_event(); the order of bits is that of
 * a little-endian machine.
 */
import type { PageFormat } from "./trace-format.ts";

const TYPE_BITS = 5;
const DATA_TYPE_MAX = 28; // up to this, a type is a length in words; 0: the length is told behind
const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;
const DELTA = 2 ** 27; // of one event: 27 bits of nanoseconds
const ABSOLUTE = 2 ** 59; // a whole time stamp has that many bits; the rest are the page's
const MISSED = 0x80000000; // RB_MISSED_EVENTS: before this page some were overwritten
const LENGTH = 0xfffff;

/**
 * @param take is given where in the page an event lies, and when it was, in nanoseconds of the trace's clock
 * @param lost is told, before that, when events were overwritten that were before this page
 */
export function readTracePage(
  page: Buffer,
  { commit, data }: PageFormat,
  take: (start: number, end: number, timeNs: number) => void,
  lost: (timeNs: number) => void,
): void {
  const committed = page.readUInt32LE(commit.offset);
  const end = Math.min(data.offset + (committed & LENGTH), page.length);
  let timeNs = Number(page.readBigUInt64LE(0));
  if ((committed & MISSED) !== 0) lost(timeNs);
  for (let at = data.offset; at + 4 <= end; ) {
    const head = page.readUInt32LE(at);
    const type = head & (2 ** TYPE_BITS - 1);
    const delta = head >>> TYPE_BITS;
    const long = type === 0 || type >= PADDING;
    const next = long && at + 8 <= end ? page.readUInt32LE(at + 4) : 0;
    if (type === PADDING) {
      if (delta === 0) break; // to the end of the page
      at += 4 + next;
    } else if (type === TIME_EXTEND) {
      timeNs += next * DELTA + delta;
      at += 8;
    } else if (type === TIME_STAMP) {
      timeNs = Math.floor(timeNs / ABSOLUTE) * ABSOLUTE + next * DELTA + delta;
      at += 8;
    } else {
      timeNs += delta;
      const start = type === 0 ? at + 8 : at + 4;
      const length = type === 0 ? next - 4 : type * 4;
      if (type > DATA_TYPE_MAX || length <= 0 || start + length > end) break;
      take(start, start + length, timeNs);
      at = start + length;
    }
  }
}
