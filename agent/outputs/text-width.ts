/** How many columns a text takes on a terminal, so that a frame holds with any script. Text has been through printable(). */

// Two columns: Unicode's East Asian Width "W" and "F" (EastAsianWidth.txt), by blocks. None: marks on the letter before.
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
const none = /[\p{Mn}\p{Me}]/u;

export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** Cut where it would be wider, visibly. */
export function fit(text: string, columns: number): string {
  return textWidth(text) <= columns ? text : `${head(text, columns - 1)}…`;
}

/** In lines of at most so many columns, between words where it can be. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (textWidth(rest) > columns) {
    const most = head(rest, columns + 1);
    const blank = most.lastIndexOf(" ");
    const line = blank > columns / 2 ? most.slice(0, blank) : head(rest, columns);
    lines.push(line.trimEnd());
    rest = rest.slice(line.length).trimStart();
  }
  return [...lines, rest];
}

function head(text: string, columns: number): string {
  let width = 0;
  let end = 0;
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns) break;
    end += character.length;
  }
  return text.slice(0, end);
}

function characterWidth(character: string): number {
  if (character < "\u0300") return 1; // most of it
  return wide.test(character) ? 2 : none.test(character) ? 0 : 1;
}
