/**
 * The text of a popt file (rpmpopt-VERSION, /etc/popt, ~/.popt) becomes aliases. No I/O but through the reader handed in.
 * A line that popt itself passes over is passed over here. Sources: popt, src/poptconfig.c, poptReadConfigFile() and
 * poptConfigLine(); src/poptparse.c, poptParseArgvString().
 */
import type { PoptAlias } from "./popt.ts";

// Blanks are C's isspace(), not Unicode's.
const entry =
  /^[ \t\v\f\r]*([^ \t\v\f\r#][^ \t\v\f\r]*)[ \t\v\f\r]+(alias|exec)[ \t\v\f\r]+([^ \t\v\f\r]+)(?:[ \t\v\f\r]+(.*))?$/s;
const isSpace = (char: string) => " \t\n\v\f\r".includes(char);

/**
 * @param readExpansion reads the file of a line such as `rpm alias /usr/share/sneaky`, which makes the file's content the
 * expansion and its base name the option; undefined where it cannot be read
 */
export function parsePoptConfig(
  text: string,
  readExpansion: (path: string) => string | undefined = () => undefined,
): PoptAlias[] {
  const aliases: PoptAlias[] = [];
  const [content = ""] = text.split("\0"); // popt's text ends at the first NUL
  const lines = joinLines(content).split("\n");
  lines.pop(); // what no newline ends, popt never looks at
  for (const line of lines) {
    const match = entry.exec(line);
    if (!match) continue;
    const [, program = "", kind = "", option = "", rest = ""] = match;
    const named = nameOf(option, rest, readExpansion);
    const words = named && splitWords(named.expansion);
    // popt refuses an expansion of no words, but not one that was only a description.
    if (!named || !words || words.length === 0) continue;
    const expansion = words.filter((word) => !/^--POPT(?:desc|args)=/.test(word));
    aliases.push({
      program,
      kind: kind === "exec" ? "exec" : "alias",
      name: named.name,
      short: named.short,
      expansion,
    });
  }
  return aliases;
}

interface NamedExpansion {
  readonly name: string;
  readonly short: boolean;
  readonly expansion: string;
}

function nameOf(
  option: string,
  rest: string,
  readExpansion: (path: string) => string | undefined,
): NamedExpansion | undefined {
  if (option.startsWith("-") && rest === "") return undefined;
  if (option.startsWith("--")) return { name: option.slice(2), short: false, expansion: rest };
  if (/^-.$/s.test(option)) return { name: option.slice(1), short: true, expansion: rest };
  if (!option.startsWith("/")) return undefined; // relative to rpm's working directory: nobody can say which file
  const content = readExpansion(option);
  if (content === undefined) return undefined;
  const name = option.slice(option.lastIndexOf("/") + 1);
  return { name, short: name.length === 1, expansion: `${joinLines(content)} ${rest}` };
}

function joinLines(text: string): string {
  return text.replaceAll("\\\n", "");
}

/** undefined: a backslash at the very end, for which popt drops the line. Empty words vanish, quoted or not. */
function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const char = text[index] ?? "";
    if (char === "\\") {
      const next = text[++index];
      if (next === undefined) return undefined;
      word += quote === "" || next === quote ? next : `\\${next}`;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else word += char;
    } else if (isSpace(char)) {
      if (word !== "") words.push(word);
      word = "";
    } else if (char === '"' || char === "'") quote = char;
    else word += char;
  }
  if (word !== "") words.push(word);
  return words;
}
