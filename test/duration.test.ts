import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "../agent/duration.ts";

const rows = [
  { why: "milliseconds", text: "250ms", want: 250 },
  { why: "seconds", text: "90s", want: 90_000 },
  { why: "minutes", text: "5m", want: 300_000 },
  { why: "hours", text: "12h", want: 43_200_000 },
  { why: "days", text: "7d", want: 604_800_000 },
  { why: "weeks", text: "2w", want: 1_209_600_000 },
  { why: "nothing at all is a time", text: "0s", want: 0 },
  { why: "a number without a unit is a guess", text: "7", want: undefined },
  { why: "a unit we do not know", text: "1y", want: undefined },
  { why: "case is meaning elsewhere (M is a month)", text: "5M", want: undefined },
  { why: "no blanks", text: "7 d", want: undefined },
  { why: "no fractions", text: "1.5h", want: undefined },
  { why: "no past", text: "-1s", want: undefined },
  { why: "one unit only", text: "1h30m", want: undefined },
  { why: "more than can be counted exactly", text: "999999999999w", want: undefined },
  { why: "nothing", text: "", want: undefined },
] as const;
for (const { why, text, want } of rows) {
  test(`parseDuration(): ${why}`, () => assert.equal(parseDuration(text), want));
}
