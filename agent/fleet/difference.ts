/** How what a server has differs from what it should have, a line a value. Servers write defaults, and numbers as text. */
export interface Difference {
  readonly path: string; // with dots
  readonly have: string | undefined; // undefined: nothing
  readonly want: string | undefined;
}

/** What is only there counts where it says something of our streams; servers add facts of their own beside that. */
const counts = /^(template|data_stream)\./;
const byDefault: Readonly<Record<string, string>> = { "data_stream.allow_custom_routing": "false" };

export function differencesOf(have: unknown, want: unknown): Difference[] {
  const there = new Map(flat(have, ""));
  const ours = new Map(flat(want, ""));
  const missing = [...ours]
    .filter(([path, text]) => there.get(path) !== text)
    .map(([path, text]) => ({ path, have: there.get(path), want: text }));
  const besides = [...there]
    .filter(([path, text]) => !ours.has(path) && counts.test(path) && byDefault[path] !== text)
    .map(([path, text]) => ({ path, have: text, want: undefined }));
  return [...missing, ...besides];
}

/** A list is one value: its order counts. */
function flat(value: unknown, path: string): [path: string, text: string][] {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return [[path, typeof value === "string" ? value : JSON.stringify(value)]];
  return Object.entries(value).flatMap(([name, inner]) =>
    flat(inner, path === "" ? name : `${path}.${name}`),
  );
}
