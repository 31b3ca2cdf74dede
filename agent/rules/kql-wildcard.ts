/**
 * `*` as Elasticsearch's wildcard query has it: any run of characters, "/", new lines and none at all included. Each piece is
 * taken where it is found first, so nothing is ever tried again: the time grows with the text, whatever the pattern.
 */

/**
 * `String.indexOf` can look at a character as often as the piece is long: with 16,000 letters a on each side of a b, it
 * searched a megabyte of a for 4 s.
 */
const SHORT_MAX = 32;

/** @param pieces what stands between the stars: two or more */
export function compileWildcard(pieces: readonly string[]): (text: string) => boolean {
  const first = pieces[0] ?? "";
  const last = pieces.at(-1) ?? "";
  const between = pieces.slice(1, -1).filter((piece) => piece !== "");
  const finders = between.map((piece) => ({ length: piece.length, find: finderOf(piece) }));
  const lengthMin = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return (text) => {
    if (text.length < lengthMin || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    for (const { find, length } of finders) {
      const found = find(text, at);
      if (found < 0 || found + length > end) return false;
      at = found + length;
    }
    return true;
  };
}

type Find = (text: string, from: number) => number; // -1: it is not there

function finderOf(piece: string): Find {
  return piece.length <= SHORT_MAX ? (text, from) => text.indexOf(piece, from) : longFinder(piece);
}

/** Knuth, Morris, Pratt: what has matched is never read again. */
function longFinder(piece: string): Find {
  const { length } = piece;
  const borders = new Int32Array(length + 1); // of the first n characters, how many at their end are also their beginning
  for (let at = 1, border = 0; at < length; at++) {
    while (border > 0 && piece.charCodeAt(at) !== piece.charCodeAt(border)) border = borders[border] ?? 0;
    if (piece.charCodeAt(at) === piece.charCodeAt(border)) border++;
    borders[at + 1] = border;
  }
  return (text, from) => {
    for (let at = from, matched = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      while (matched > 0 && unit !== piece.charCodeAt(matched)) matched = borders[matched] ?? 0;
      if (unit === piece.charCodeAt(matched)) matched++;
      if (matched === length) return at + 1 - length;
    }
    return -1;
  };
}
