/** Markdown as a person reads it at a terminal: wrapped, indented below its headings, and without anything that controls one. */
import { styleText } from "node:util";
import type { TextOptions } from "../outputs/alert-text.ts";
import { wrap } from "../outputs/text-width.ts";
import { printable } from "../printable.ts";

const INDENT = "  ";
const LINE_MAX = 10_000; // characters of a paragraph; a guide is for reading

interface Block {
  readonly kind: "heading" | "text" | "code";
  readonly first: string; // what stands before its first line: blanks, and the mark of a list
  readonly text: string;
}

export function markdownText(markdown: string, options: TextOptions): string {
  const lines: string[] = [];
  let before: Block | undefined;
  for (const block of blocksOf(markdown)) {
    const isClose =
      before?.kind === block.kind && (block.kind === "code" || (isItem(before) && isItem(block)));
    if (before !== undefined && !isClose) lines.push("");
    lines.push(...linesOf(block, options));
    before = block;
  }
  return `${lines.join("\n")}\n`;
}

function linesOf({ kind, first, text }: Block, { width, colour }: TextOptions): string[] {
  if (kind === "heading") {
    const heading = wrap(printable(inline(text), LINE_MAX), width);
    return heading.map((line) => (colour ? styleText("bold", line, { validateStream: false }) : line));
  }
  const start = `${INDENT}${kind === "code" ? INDENT : ""}${first}`;
  const words = kind === "code" ? text : inline(text);
  const wrapped = wrap(printable(words, LINE_MAX), Math.max(width - start.length, 20));
  return wrapped.map((line, index) => `${index === 0 ? start : " ".repeat(start.length)}${line}`.trimEnd());
}

/** Paragraphs and items whole, code line by line. */
function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | undefined;
  let fence = "";
  const close = () => {
    if (open !== undefined) blocks.push(open);
    open = undefined;
  };
  for (const line of markdown.replaceAll("\t", "    ").split(/\r?\n/)) {
    const [, mark] = /^ {0,3}(`{3,}|~{3,})/.exec(line) ?? [];
    if (mark !== undefined && (fence === "" || mark.startsWith(fence))) {
      close();
      fence = fence === "" ? mark : "";
      continue;
    }
    if (fence !== "") {
      blocks.push({ kind: "code", first: "", text: line });
      continue;
    }
    const [, heading] = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/.exec(line) ?? [];
    const [, indent = "", sign, item = ""] = /^(\s*)([-*+>]|\d{1,9}[.)])\s+(.*)$/.exec(line) ?? [];
    if (line.trim() === "") close();
    else if (heading !== undefined) {
      close();
      blocks.push({ kind: "heading", first: "", text: heading });
    } else if (sign !== undefined || line.startsWith("|")) {
      close();
      const depth = Math.min(indent.length, 8);
      open =
        sign === undefined
          ? { kind: "text", first: "", text: line }
          : { kind: "text", first: `${" ".repeat(depth)}${sign} `, text: item };
    } else {
      open =
        open === undefined
          ? { kind: "text", first: "", text: line.trim() }
          : { ...open, text: `${open.text} ${line.trim()}` };
    }
  }
  close();
  return blocks;
}

function isItem({ first }: Block): boolean {
  return first !== "";
}

/** Links with their addresses, and no marks for bold. Backquotes stay: they show what can be typed. */
function inline(text: string): string {
  return text
    .replace(/\[([^\][]*)\]\(([^()\s]*)\)/g, (_, words: string, link: string) =>
      words === link ? link : `${words} (${link})`,
    )
    .replace(/\*\*([^*]+)\*\*/g, "$1");
}
