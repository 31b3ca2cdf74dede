/**
 * Where the characters of a string stand in a TOML document: behind an escape, or a line that a backslash ends, its value and
 * its text are out of step. Like toml-position.ts it reads only what the parser in use has accepted; that one keeps
 * `\r\n` in a string as it is. A leaf: imports nothing of ours.
 */
const character = /\\(?:x..|u....|U.{8}|.)|./sy;
const endedLines = /(?:\\[ \t]*\r?\n[ \t\r\n]*)*/y; // a backslash, and all white space up to what comes next
const newline = /(?:\r?\n)?/y;

/**
 * @param start where its first quote stands
 * @param offset of a character of the value, in UTF-16 units; the value's length is its end
 * @returns where that character, or what is written for it, begins
 */
export function tomlStringAt(text: string, start: number, offset: number): number {
  const quote = text[start] ?? "";
  const isLong = text.startsWith(quote.repeat(3), start);
  let at = start + (isLong ? 3 : 1);
  if (isLong) at += matched(newline, text, at).length;
  if (quote === "'") return at + offset;
  for (let left = offset; ; ) {
    at += matched(endedLines, text, at).length;
    const written = matched(character, text, at);
    if (left <= 0 || written === "") return at;
    at += written.length;
    left -= written.startsWith("\\U") && Number.parseInt(written.slice(2), 16) > 0xffff ? 2 : 1;
  }
}

function matched(form: RegExp, text: string, at: number): string {
  form.lastIndex = at;
  return form.exec(text)?.[0] ?? "";
}
