/**
 * Dates as Elasticsearch's default format has them: strict_date_optional_time, else milliseconds since the epoch. A day
 * without its hour is a span of time, as an hour without its minute is, and comparisons go by its first or its last millisecond.
 * But a year or a month alone is its first day: a month and a day that are not written are the first (Elasticsearch, range query,
 * "Missing date components").
 */
export interface DateSpan {
  readonly from: number; // milliseconds since the epoch
  readonly to: number; // the last one that belongs to it
}

const FORM =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?)?)?$/;

/** @returns undefined when it is no date; a date that depends on the clock (now-5m) is none here */
export function readDate(text: string): DateSpan | undefined {
  const parts = FORM.exec(text);
  if (parts === null) return /^-?\d{1,16}$/.test(text) ? { from: Number(text), to: Number(text) } : undefined;
  const [, year, month = "1", day = "1", hour, minute, second, fraction, zone] = parts;
  const ms = fraction === undefined ? undefined : fraction.slice(0, 3).padEnd(3, "0");
  const written = [year, month, day, hour, minute, second, ms]
    .filter((part) => part !== undefined)
    .map(Number);
  const from = utcMs(written);
  const offset = offsetMs(zone);
  if (!isReal(from, written) || offset === undefined) return undefined;
  const next = written.with(-1, (written.at(-1) ?? 0) + 1);
  return { from: from - offset, to: utcMs(next) - 1 - offset };
}

function utcMs([year = 0, month = 1, ...rest]: readonly number[]): number {
  return Date.UTC(year, month - 1, ...rest);
}

/** 31 April and 25 o'clock are refused, not carried over. Years before 100 are others to Date.UTC, and refused too. */
function isReal(ms: number, written: readonly number[]): boolean {
  const [, year, month, day, hour, minute, second] =
    /^(....)-(..)-(..)T(..):(..):(..)/.exec(new Date(ms).toISOString()) ?? [];
  const real = [year, month, day, hour, minute, second].map(Number);
  return written.slice(0, real.length).every((part, index) => part === real[index]);
}

/** Java's ZoneOffset: 18 hours at most. */
function offsetMs(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === "Z") return 0;
  const minute = Number(zone.slice(3).replace(":", ""));
  const minutes = Number(zone.slice(1, 3)) * 60 + minute;
  if (minute > 59 || minutes > 18 * 60) return undefined;
  return (zone.startsWith("-") ? -minutes : minutes) * 60_000;
}
