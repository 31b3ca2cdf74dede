/**
 * Shell patterns as popt uses them for program names: `*`, `?`, `[a-z]`, `[!a-z]` and a backslash. fnmatch(3).
 * Patterns can be a user's (~/.popt), so the match takes at most pattern × text steps: no regular expression is built.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  if (!/[*?[\\]/.test(pattern)) return pattern === text;
  let at = 0;
  let position = 0;
  let star = -1; // of the last "*", and where the text stood then
  let starPosition = 0;
  while (position < text.length) {
    if (pattern[at] === "*") {
      star = at++;
      starPosition = position;
      continue;
    }
    const next = matchOne(pattern, at, text[position] ?? "");
    if (next !== undefined) {
      at = next;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++starPosition;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** @returns where the pattern goes on when its element at `at` matches the character */
function matchOne(pattern: string, at: number, character: string): number | undefined {
  const element = pattern[at];
  if (element === undefined) return undefined;
  if (element === "?") return at + 1;
  if (element === "\\") return pattern[at + 1] === character ? at + 2 : undefined;
  const end = element === "[" ? pattern.indexOf("]", at + 2) : -1;
  if (end < 0) return element === character ? at + 1 : undefined;
  const negated = pattern[at + 1] === "!" || pattern[at + 1] === "^";
  const set = pattern.slice(at + (negated ? 2 : 1), end);
  return inSet(set, character) === negated ? undefined : end + 1;
}

function inSet(set: string, character: string): boolean {
  for (let index = 0; index < set.length; index++) {
    const first = set[index] ?? "";
    const range = set[index + 1] === "-" && set[index + 2] !== undefined;
    const last = range ? (set[index + 2] ?? "") : first;
    if (first <= character && character <= last) return true;
    if (range) index += 2;
  }
  return false;
}
