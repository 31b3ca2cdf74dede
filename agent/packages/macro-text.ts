/**
 * The macro texts that rpm refuses while it reads its command line, so that nothing is installed: a --define without a
 * name or body, an --eval that is not closed. Observed with rpm 4.18; rpm, rpmio/macro.c, doDefine(), expandMacro() and
 * matchchar(). Errors that only an expansion shows (`%{error:…}`, a failing `%(…)`) are not told from here.
 */
const closers: Readonly<Record<string, string>> = { "{": "}", "(": ")", "[": "]" };

/** @param text of --define, --predefine or -D */
export function isMacroDefinition(text: string): boolean {
  // rpm turns "-" into "_" in the name, passes over one "%" and leading blanks.
  const name = /^[ \t]*([A-Za-z_][A-Za-z_0-9]*)/.exec(underscored(text).replace(/^%/, ""));
  if (!name || name[1] === "_") return false;
  let body = underscored(text).replace(/^%/, "").slice(name[0].length);
  if (body.startsWith("(")) {
    const end = body.indexOf(")");
    if (end < 0) return false;
    body = body.slice(end + 1);
  }
  body = body.replace(/^[ \t]+/, "");
  if (body.startsWith("{")) {
    const end = closingOf(body, 0);
    return end !== undefined && body.slice(1, end).trim() !== "";
  }
  const end = endOfBody(body);
  return end !== undefined && body.slice(0, end).trim() !== "";
}

/** Whether each `%{`, `%(` and `%[` of the text is closed. */
export function isClosedMacro(text: string): boolean {
  for (let index = text.indexOf("%"); index >= 0; index = text.indexOf("%", index)) {
    if (text[index + 1] === "%") {
      index += 2;
      continue;
    }
    index++;
    while (text[index] === "!" || text[index] === "?") index++;
    if (closers[text[index] ?? ""] === undefined) continue;
    const end = closingOf(text, index);
    if (end === undefined) return false;
    index = end;
  }
  return true;
}

/** Whether the text runs commands when it is expanded: a shell, or rpm's built-in Lua with its own means to do so. */
export function runsCommands(text: string): boolean {
  return text.includes("%(") || text.includes("%{lua:");
}

function underscored(text: string): string {
  return text.replace(/^[^\s(]+/, (name) => name.replaceAll("-", "_"));
}

/** Where the bracket at `start` is closed. A backslash takes the next character with it. */
function closingOf(text: string, start: number): number | undefined {
  const opener = text[start] ?? "";
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === opener) depth++;
    else if (text[index] === closers[opener] && --depth === 0) return index;
  }
  return undefined;
}

/** A body without braces of its own ends with its line, but not inside `%{…}`, `%(…)` or `%[…]`. */
function endOfBody(body: string): number | undefined {
  const open: Record<string, number> = { "{": 0, "(": 0, "[": 0 };
  const inside = () => Object.values(open).some((count) => count > 0);
  let index = 0;
  for (; index < body.length && (inside() || !/[\r\n]/.test(body[index] ?? "")); index++) {
    const char = body[index] ?? "";
    if (char === "\\") index++;
    else if (char === "%") {
      const next = body[index + 1] ?? "";
      if (open[next] !== undefined) open[next]++;
      if (open[next] !== undefined || next === "%") index++;
    } else if ((open[char] ?? 0) > 0) open[char] = (open[char] ?? 0) + 1;
    else {
      const opener = Object.keys(closers).find((key) => closers[key] === char);
      if (opener !== undefined && (open[opener] ?? 0) > 0) open[opener] = (open[opener] ?? 0) - 1;
    }
  }
  return inside() ? undefined : index;
}
