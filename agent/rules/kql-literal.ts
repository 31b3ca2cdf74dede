/**
 * Names and values of a query, in quotes or bare. Grammar and white space are Kibana's: kbn-es-query, grammar.peggy.
 * Each character is looked at a fixed number of times.
 */
import { KqlError, type KqlSpan, shown } from "./kql-tree.ts";

export interface KqlLiteral extends KqlSpan {
  readonly pieces: readonly string[]; // what stands between the stars; one when there is none
  readonly quoted: boolean;
  readonly next: number; // where reading goes on; blanks behind a bare literal are still to be read
}

const SPECIAL = '():<>"{}'; // ends a bare literal; the star and the backslash stand inside
const ESCAPED = `${SPECIAL}*\\`;
const BLANKS: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };

/** @returns undefined when no literal begins there */
export function readLiteral(text: string, at: number): KqlLiteral | undefined {
  return text[at] === '"' ? readQuoted(text, at) : readBare(text, at);
}

export function isBlank(character: string | undefined): boolean {
  return character !== undefined && " \t\r\n\u00a0".includes(character);
}

export function skipBlanks(text: string, at: number): number {
  let next = at;
  while (isBlank(text[next])) next++;
  return next;
}

/** Where the keyword ends that stands there with a blank behind it; undefined: there is none. */
export function endOfKeyword(word: "and" | "or" | "not", text: string, at: number): number | undefined {
  const end = at + word.length;
  return isWord(word, text, at) && isBlank(text[end]) ? end : undefined;
}

export function isWord(word: string, text: string, at: number): boolean {
  return text.slice(at, at + word.length).toLowerCase() === word;
}

/** In quotes a star is a star, and a backslash that escapes nothing is a backslash. */
function readQuoted(text: string, start: number): KqlLiteral {
  let value = "";
  for (let at = start + 1; at < text.length; ) {
    const character = text[at] ?? "";
    if (character === '"') return { start, end: at + 1, pieces: [value], quoted: true, next: at + 1 };
    const escaped = character === "\\" ? readEscape(text, at, '\\"') : undefined;
    value += escaped?.value ?? character;
    at = escaped?.next ?? at + 1;
  }
  throw new KqlError(
    "syntax",
    { start, end: text.length },
    "This quote is never closed",
    'Put a " behind it',
  );
}

/** Bare, blanks may stand inside; it ends before a keyword or a special character. */
function readBare(text: string, start: number): KqlLiteral | undefined {
  const pieces = [""];
  let end = start; // behind the last character that is no blank
  let at = start;
  while (at < text.length) {
    const character = text[at] ?? "";
    if (SPECIAL.includes(character) || endOfKeyword("not", text, at) !== undefined) break;
    let value = character;
    let next = at + 1;
    if (isBlank(character)) {
      next = skipBlanks(text, at);
      if ((endOfKeyword("and", text, next) ?? endOfKeyword("or", text, next)) !== undefined) break;
      value = text.slice(at, next);
    } else {
      if (character === "\\") ({ value, next } = readEscape(text, at, ESCAPED) ?? keywordEscape(text, at));
      end = next;
    }
    if (character === "*") pieces.push("");
    else pieces.push((pieces.pop() ?? "") + value);
    at = next;
  }
  if (end === start) return undefined;
  refuseLooseKeyword(text.slice(start, end), start);
  return { start, end, pieces: trimmed(pieces), quoted: false, next: at };
}

function readEscape(text: string, at: number, signs: string): { value: string; next: number } | undefined {
  const sign = text[at + 1] ?? "";
  const blank = BLANKS[sign];
  if (blank !== undefined) return { value: blank, next: at + 2 };
  const digits = sign === "u" ? text.slice(at + 2, at + 6) : "";
  if (/^[0-9a-f]{4}$/i.test(digits))
    return { value: String.fromCharCode(Number.parseInt(digits, 16)), next: at + 6 };
  return sign !== "" && signs.includes(sign) ? { value: sign, next: at + 2 } : undefined;
}

/** `\and` is the word; `\not` never comes here: Kibana reads its `\n` first, and so it is a new line and "ot". */
function keywordEscape(text: string, at: number): { value: string; next: number } {
  const word = ["and", "or", "not"].find((keyword) => isWord(keyword, text, at + 1));
  if (word !== undefined)
    return { value: text.slice(at + 1, at + 1 + word.length), next: at + 1 + word.length };
  throw new KqlError(
    "syntax",
    { start: at, end: Math.min(at + 2, text.length) },
    `${shown(text.slice(at, at + 2))} is no escape outside of quotes`,
    "Write \\\\ for a backslash, or put the value in quotes",
  );
}

/** Kibana takes such a keyword for a part of the value: it would load, and never match. */
function refuseLooseKeyword(written: string, start: number): void {
  const first = /^(?:and|or)(?=[ \t\r\n\u00a0])/i.exec(written);
  const last = /[ \t\r\n\u00a0](?:and|or|not)$/i.exec(written);
  if (first === null && last === null) return;
  const from = first === null ? start + (last?.index ?? 0) + 1 : start;
  const word = first?.[0] ?? last?.[0].slice(1) ?? "";
  throw new KqlError(
    "syntax",
    { start: from, end: from + word.length },
    `Nothing stands ${first === null ? "behind" : "before"} this ${shown(word)}`,
    "Add the condition, or put the value in quotes if the word belongs to it",
  );
}

/** As Kibana does it: escaped blanks at the ends go too. */
function trimmed(pieces: readonly string[]): readonly string[] {
  const first = pieces.with(0, (pieces[0] ?? "").trimStart());
  return first.with(-1, (first.at(-1) ?? "").trimEnd());
}
