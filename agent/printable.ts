/**
 * Text of unknown origin, made safe for a terminal, a log line or the journal: one line, no control characters.
 * A leaf: imports nothing of ours. Escaped are Unicode's control (Cc), format (Cf: bidirectional overrides, zero width)
 * and surrogate (Cs) characters and the line and paragraph separators (Zl, Zp), so that an argument can neither move the
 * cursor nor begin a line of its own (CWE-117, CWE-150).
 */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * @param charsMax the text is cut there, in UTF-16 units before escaping, and what is missing is said
 * @returns one line that can be printed
 */
export function printable(text: string, charsMax: number): string {
  const kept = text.length > charsMax ? text.slice(0, charsMax) : text;
  const shown = kept.replace(unprintable, escapeCharacter);
  return kept === text ? shown : `${shown}… (${text.length - charsMax} more characters)`;
}

function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  if (character === "\t") return "\\t";
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}
