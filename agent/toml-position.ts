/**
 * Where the keys of a TOML document stand. The parser in use (smol-toml) gives values without positions, and a mistake
 * without a line is a riddle. This is no second parser: it reads only documents that parser has accepted, so every
 * token may be told by its first character. Grammar: TOML 1.1.0, toml.io/en/v1.1.0. A leaf on the ground.
 */
import { tomlStringAt } from "./toml-string.ts";

export interface TomlPosition {
  readonly line: number; // from 1
  readonly column: number; // from 1, in UTF-16 units
}
export type TomlPath = readonly (string | number)[]; // keys, and indices of arrays

interface Key {
  readonly offset: number; // where it is named first
  value: number | undefined; // where its value begins; a table has none
  readonly parts: Map<string | number, Key>; // of a table by name, of an array by index
  tables: number; // how many [[headers]] so far: it is an array of tables
}

/**
 * Finds a key by its path; the nearest one above where that path is not written.
 * @param offset of a character in the string that is its value: finds that
 */
export type TomlPositions = (path: TomlPath, offset?: number) => TomlPosition;

export function tomlPositions(text: string): TomlPositions {
  const root = new Scanner(text).document();
  const lines = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines.push(at + 1);
  return (path, offset) => {
    let key = root;
    for (const part of path) {
      const next = key.parts.get(part);
      if (!next) return positionAt(lines, key.offset);
      key = next;
    }
    const { value } = key;
    if (offset === undefined || value === undefined || !/["']/.test(text[value] ?? ""))
      return positionAt(lines, key.offset);
    return positionAt(lines, tomlStringAt(text, value, offset));
  };
}

/** @param lines offset of each line's first character */
function positionAt(lines: readonly number[], offset: number): TomlPosition {
  let low = 0;
  for (let high = lines.length; high - low > 1; ) {
    const middle = (low + high) >>> 1;
    if ((lines[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - (lines[low] ?? 0) + 1 };
}

class Scanner {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): Key {
    const root: Key = { offset: 0, value: undefined, parts: new Map(), tables: 0 };
    let table = root;
    if (this.text.charCodeAt(0) === 0xfeff) this.at = 1; // a byte order mark
    for (this.skipVoid(); this.at < this.text.length; this.skipVoid()) {
      if (this.text[this.at] === "[") table = this.header(root);
      else this.keyValue(table);
    }
    return root;
  }

  /** [a.b] or [[a.b]]. A name that is an array of tables means the last one of them. */
  private header(root: Key): Key {
    const isArray = this.text[this.at + 1] === "[";
    this.at += isArray ? 2 : 1;
    let start = this.at;
    let key = this.name(root);
    for (; this.text[this.at] === "."; key = this.name(key)) {
      if (key.tables > 0) key = named(key, key.tables - 1, key.offset);
      start = ++this.at;
    }
    if (isArray) key = named(key, key.tables++, start);
    this.at += isArray ? 2 : 1;
    return key;
  }

  private keyValue(table: Key): void {
    let key = this.name(table);
    for (; this.text[this.at] === "."; key = this.name(key)) this.at++;
    this.at++; // the equals sign
    this.skipBlanks();
    this.value(key);
  }

  private value(key: Key): void {
    key.value = this.at;
    const first = this.text[this.at];
    if (first === "[") this.list("]", (index) => this.value(named(key, index, this.at)));
    else if (first === "{") this.list("}", () => this.keyValue(key));
    else if (first === '"' || first === "'") this.skipString(first);
    else this.at = this.find(/[,\]}#\n]/g); // a number, a boolean, or a date, which may have a blank inside
  }

  private list(end: "]" | "}", element: (index: number) => void): void {
    this.at++;
    this.skipVoid();
    // The second condition only serves documents that break the promise above: no progress is no reason to hang.
    for (let index = 0, last = -1; this.text[this.at] !== end && this.at > last; index++) {
      last = this.at;
      element(index);
      this.skipVoid();
      if (this.text[this.at] === ",") this.at++;
      this.skipVoid();
    }
    this.at++;
  }

  /** One part of a dotted key, with the blanks around it. */
  private name(table: Key): Key {
    this.skipBlanks();
    const offset = this.at;
    const first = this.text[this.at];
    if (first === '"' || first === "'") this.skipString(first);
    else this.at = this.find(/[^\w-]/g);
    const written = this.text.slice(offset, this.at);
    this.skipBlanks();
    return named(table, unquoted(written), offset);
  }

  private skipString(quote: '"' | "'"): void {
    const isLong = this.text.startsWith(quote.repeat(3), this.at);
    const end = isLong ? quote.repeat(3) : quote;
    this.at += end.length;
    while (this.at < this.text.length && !this.text.startsWith(end, this.at)) {
      this.at += quote === '"' && this.text[this.at] === "\\" ? 2 : 1;
    }
    this.at += end.length;
    while (isLong && this.text[this.at] === quote) this.at++; // its last two characters may be quotes too
  }

  private skipBlanks(): void {
    this.at = this.find(/[^ \t]/g);
  }

  private skipVoid(): void {
    this.at = this.find(/[^ \t\r\n]/g);
    for (; this.text[this.at] === "#"; this.at = this.find(/[^ \t\r\n]/g)) this.at = this.find(/\n/g);
  }

  /** Where the next such character stands; the end of the text if there is none. */
  private find(character: RegExp): number {
    character.lastIndex = this.at;
    return character.exec(this.text)?.index ?? this.text.length;
  }
}

function named(table: Key, name: string | number, offset: number): Key {
  const known = table.parts.get(name);
  if (known) return known;
  const key: Key = { offset, value: undefined, parts: new Map(), tables: 0 };
  table.parts.set(name, key);
  return key;
}

const escapes: Readonly<Record<string, string>> = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\x1b" };

/** A key as it is meant: bare, 'literal' or "with escapes". */
function unquoted(key: string): string {
  if (!key.startsWith('"')) return key.startsWith("'") ? key.slice(1, -1) : key;
  return key
    .slice(1, -1)
    .replace(/\\(?:x(..)|u(....)|U(.{8})|(.))/gs, (_, x?: string, u?: string, U?: string, plain?: string) => {
      const hex = x ?? u ?? U;
      return hex ? String.fromCodePoint(Number.parseInt(hex, 16)) : (escapes[plain ?? ""] ?? plain ?? "");
    });
}
