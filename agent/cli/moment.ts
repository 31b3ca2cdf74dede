/** A moment as a person types it: so long ago ("7d"), a day, or a day and a time with its zone. */
import { InvalidArgumentError } from "commander";
import { parseDuration } from "../duration.ts";

const form = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** @returns ms since the epoch; of a day its beginning in UTC */
export function momentOf(text: string): number {
  const ago = parseDuration(text);
  const ms = ago !== undefined ? Date.now() - ago : form.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw new InvalidArgumentError(
    "Give a time ago such as 7d, a day such as 2026-01-31, or 2026-01-31T08:00Z.",
  );
}
