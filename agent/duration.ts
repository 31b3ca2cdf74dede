/** A span of time as a person writes it: a whole number and one unit, "90s" or "7d". A leaf: imports nothing of ours. */
const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const form = /^(\d{1,15})(ms|[smhdw])$/;

/** @returns milliseconds; undefined where the text is no duration, or more than can be counted exactly */
export function parseDuration(text: string): number | undefined {
  const match = form.exec(text);
  if (!match) return undefined;
  const ms = Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
  return Number.isSafeInteger(ms) ? ms : undefined;
}
