/**
 * The lines of an input stream, each with its number. node:readline would keep a line of any length in memory.
 */
export interface InputLine {
  readonly number: number; // from 1
  readonly text: string; // without its newline; empty when tooLong
  readonly tooLong: boolean;
}

const lineCharsMax = 16 * 1024 * 1024; // an argument list of Linux' usual limit (2 MB), each byte escaped as \u00xx

export async function* inputLines(
  stream: AsyncIterable<Uint8Array | string>,
  charsMax = lineCharsMax,
): AsyncGenerator<InputLine> {
  const decoder = new TextDecoder();
  let number = 1;
  let pieces: string[] = []; // of a line that has not ended yet
  let length = 0;
  const line = (last: string): InputLine => {
    const tooLong = length + last.length > charsMax;
    const text = tooLong ? "" : pieces.join("") + last;
    pieces = [];
    length = 0;
    return { number: number++, text, tooLong };
  };
  for await (const chunk of stream) {
    const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    const parts = text.split("\n");
    const rest = parts.pop() ?? "";
    for (const part of parts) yield line(part);
    length += rest.length;
    if (length <= charsMax) pieces.push(rest);
    else pieces = [];
  }
  if (length > 0) yield line("");
}
