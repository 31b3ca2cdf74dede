/**
 * Queries of the Kibana Query Language, each with events that it matches and events that it does not, and why the query is
 * here. An event that is no object is the value of the query's one field. `k` is a keyword, `w` text without a limit on its
 * length, `n` a long, `b` a boolean, `d` a date; the rest are keywords.
 */

import type { KqlFields } from "../../agent/rules/kql-match.ts";
import type { KqlValue } from "../../agent/rules/kql-value.ts";
import { flatField, type KqlEvent } from "./kql.ts";

export const vectorTypes = { w: "wildcard", n: "long", b: "boolean", d: "date" } as const;

export const vectorFields: KqlFields<KqlEvent> = (name) =>
  flatField(name, name in vectorTypes ? vectorTypes[name as keyof typeof vectorTypes] : "keyword");

export interface KqlVector {
  readonly why: string;
  readonly query: string;
  readonly field?: string; // of events that are no objects; k if left out
  readonly yes: readonly VectorEvent[];
  readonly no: readonly VectorEvent[];
}
type VectorEvent = KqlEvent | KqlValue | readonly KqlValue[];

const none: KqlEvent = {};
const long = (length: number, end = ""): string => "x".repeat(length - end.length) + end;

const words: readonly KqlVector[] = [
  { why: "a word is the whole value", query: "k:rpm", yes: ["rpm"], no: ["rpmdb", "xrpm", "", none] },
  { why: "case counts", query: "k:rpm", yes: ["rpm"], no: ["RPM", "Rpm"] },
  { why: "case counts in quotes", query: 'k:"Rpm"', yes: ["Rpm"], no: ["rpm", "RPM"] },
  { why: "blanks of an event count", query: "k:rpm", yes: ["rpm"], no: [" rpm", "rpm ", "rpm\n"] },
  { why: "white space around the colon", query: "k  :\t rpm", yes: ["rpm"], no: [" rpm"] },
  {
    why: "inner blanks belong to the value",
    query: "k:a b",
    yes: ["a b"],
    no: ["a", "b", "a  b", ["a", "b"]],
  },
  { why: "inner blanks are kept as they are", query: "k:a  b", yes: ["a  b"], no: ["a b"] },
  { why: "an inner new line too", query: "k:a\nb", yes: ["a\nb"], no: ["a b", "a"] },
  { why: "words are not split in quotes", query: 'k:"a b"', yes: ["a b"], no: ["a", "b", "x a b"] },
  { why: "blanks in quotes count at the ends", query: 'k:" a "', yes: [" a "], no: ["a"] },
  {
    why: "nothing in quotes is the empty value",
    query: 'k:""',
    yes: ["", ["a", ""]],
    no: ["a", " ", none, []],
  },
  {
    why: "a path",
    query: "k:/usr/bin/rpm",
    yes: ["/usr/bin/rpm"],
    no: ["/usr/bin/rpm2", "/bin/rpm", "usr/bin/rpm"],
  },
  { why: "an option", query: "k:-i", yes: ["-i", ["rpm", "-i", "x"]], no: ["-ih", "i", "--i"] },
  {
    why: "signs that mean nothing here",
    query: "k:a.b+c=[d]|e^$",
    yes: ["a.b+c=[d]|e^$"],
    no: ["axb+c=[d]|e^$"],
  },
  { why: "a question mark is one", query: "k:a?c", yes: ["a?c"], no: ["abc", "ac"] },
  { why: "an apostrophe is no quote", query: "k:'a'", yes: ["'a'"], no: ["a"] },
  { why: "a slash is no regular expression", query: "k:/a.c/", yes: ["/a.c/"], no: ["abc"] },
  { why: "a tilde is no fuzziness", query: "k:rpm~1", yes: ["rpm~1"], no: ["rpn", "rpm"] },
  { why: "letters beyond ASCII", query: "k:é", yes: ["é"], no: ["e", "e\u0301", "É"] },
  { why: "composed and decomposed differ", query: "k:e\u0301", yes: ["e\u0301"], no: ["é"] },
  { why: "letters beyond the first plane", query: "k:\u{1f4e6}", yes: ["\u{1f4e6}"], no: ["\u{1f4e7}"] },
  { why: "a number is text to a keyword", query: "k:5", yes: ["5", 5], no: ["05", "5.0", "55"] },
  { why: "zeros in front are text to a keyword", query: "k:05", yes: ["05"], no: ["5", 5] },
  { why: "true is text to a keyword", query: "k:true", yes: ["true", true], no: ["TRUE", "1", false] },
  { why: "null in quotes is text", query: 'k:"null"', yes: ["null"], no: [none, ""] },
  { why: "a capital Null is text", query: "k:Null", yes: ["Null"], no: ["null", none] },
  { why: "a keyword that is the value", query: "k:and", yes: ["and"], no: ["or", none] },
  { why: "a keyword as a part of a word", query: "k:sandor", yes: ["sandor"], no: ["s"] },
  { why: "keywords in quotes", query: 'k:"a or b"', yes: ["a or b"], no: ["a", "b"] },
  { why: "a field in quotes", query: '"k":a', yes: ["a"], no: ["b"] },
];

const escapes: readonly KqlVector[] = [
  { why: "a backslash", query: "k:a\\\\b", yes: ["a\\b"], no: ["ab", "a\\\\b"] },
  { why: "parentheses", query: "k:\\(a\\)", yes: ["(a)"], no: ["a", "\\(a\\)"] },
  { why: "a colon", query: "k:a\\:b", yes: ["a:b"], no: ["a", "b"] },
  { why: "angle brackets", query: "k:\\<a\\>", yes: ["<a>"], no: ["a"] },
  { why: "a quote", query: 'k:\\"a\\"', yes: ['"a"'], no: ["a"] },
  { why: "a star", query: "k:a\\*", yes: ["a*"], no: ["ab", "a", "a\\*"] },
  { why: "braces", query: "k:$\\{HOME\\}", yes: [`$\{HOME}`], no: ["$HOME"] },
  { why: "a tab", query: "k:a\\tb", yes: ["a\tb"], no: ["a\\tb", "atb"] },
  { why: "a new line", query: "k:a\\nb", yes: ["a\nb"], no: ["anb", "a b"] },
  { why: "a return", query: "k:a\\rb", yes: ["a\rb"], no: ["arb"] },
  { why: "a code unit", query: "k:\\u0041b", yes: ["Ab"], no: ["u0041b", "ab"] },
  { why: "a code unit with capital digits", query: "k:\\u00E9", yes: ["é"], no: ["\\u00E9"] },
  { why: "two code units, one character", query: "k:\\ud83d\\udce6", yes: ["\u{1f4e6}"], no: ["\ufffd"] },
  { why: "a star by its number is a star", query: "k:a\\u002a", yes: ["a*"], no: ["ab"] },
  { why: "and, escaped", query: "k:a \\and b", yes: ["a and b"], no: ["a", "b", "a \\and b"] },
  { why: "or, escaped, keeps its case", query: "k:a \\OR b", yes: ["a OR b"], no: ["a or b"] },
  { why: "not: Kibana reads a new line first", query: "k:a \\not b", yes: ["a \not b"], no: ["a not b"] },
  { why: "an escaped blank at the end goes", query: "k:a\\t", yes: ["a"], no: ["a\t"] },
  { why: "a quote in quotes", query: 'k:"a\\"b"', yes: ['a"b'], no: ['a\\"b', "ab"] },
  { why: "a backslash in quotes", query: 'k:"a\\\\b"', yes: ["a\\b"], no: ["a\\\\b"] },
  { why: "other backslashes in quotes stay", query: 'k:"\\d\\*\\("', yes: ["\\d\\*\\("], no: ["d*("] },
  { why: "a new line in quotes, escaped", query: 'k:"a\\nb"', yes: ["a\nb"], no: ["a\\nb"] },
  { why: "a tab and a return in quotes", query: 'k:"\\t\\r"', yes: ["\t\r"], no: ["tr", ""] },
  { why: "a code unit in quotes", query: 'k:"\\u0041"', yes: ["A"], no: ["\\u0041"] },
  { why: "too few digits in quotes stay", query: 'k:"\\u41"', yes: ["\\u41"], no: ["A"] },
  { why: "specials in quotes need none", query: 'k:"():<>{}"', yes: ["():<>{}"], no: [""] },
];

const wildcards: readonly KqlVector[] = [
  { why: "at the end", query: "k:rpm*", yes: ["rpm", "rpmdb", "rpm/x"], no: ["xrpm", "rp", "RPMdb"] },
  { why: "at the beginning", query: "k:*rpm", yes: ["rpm", "/bin/rpm"], no: ["rpmdb", "/bin/rpm "] },
  {
    why: "in the middle",
    query: "k:/usr/*/rpm",
    yes: ["/usr/bin/rpm", "/usr/a/b/rpm", "/usr//rpm"],
    no: ["/usr/rpm"],
  },
  { why: "on both sides", query: "k:*rpm*", yes: ["rpm", "a rpm b", "librpm.so"], no: ["rp m", ""] },
  {
    why: "any run, slashes and new lines too",
    query: "k:a*z",
    yes: ["az", "a/z", "a\nz", "a\r\n\tz", "aaz"],
    no: ["a", "z", "azx"],
  },
  { why: "what overlaps does not count twice", query: "k:ab*ba", yes: ["abba", "abxba"], no: ["aba", "ab"] },
  { why: "pieces come in their order", query: "k:*a*b*", yes: ["ab", "xaxbx", "aab"], no: ["ba", "a", "b"] },
  { why: "a piece twice is there twice", query: "k:*ab*ab*", yes: ["abab", "ab ab"], no: ["ab", "aba"] },
  { why: "the last piece is the end", query: "k:a*b*c", yes: ["abc", "abcbc", "a b c"], no: ["abcb", "ac"] },
  {
    why: "a piece may not reach into the end",
    query: "k:*ab*b",
    yes: ["abb", "ab b"],
    no: ["ab", "xab", "bab"],
  },
  { why: "the first place that fits is enough", query: "k:*aab*c", yes: ["aaabc", "aabaabc"], no: ["aac"] },
  { why: "stars together are one", query: "k:a**b", yes: ["ab", "axb"], no: ["a"] },
  { why: "two stars alone: any value", query: "k:**", yes: ["", "a", ["a"]], no: [none] },
  { why: "a dot and a star", query: "k:a.*", yes: ["a.", "a.b"], no: ["a", "ab"] },
  {
    why: "a dot and a star at the beginning",
    query: "k:.*rc",
    yes: [".bashrc", ".rc"],
    no: ["rc", "bashrc"],
  },
  { why: "a question mark beside a star is one", query: "k:a?*", yes: ["a?", "a?b"], no: ["ab", "a"] },
  { why: "an escaped star beside one", query: "k:\\**", yes: ["*", "*a"], no: ["a", ""] },
  { why: "an escaped backslash before a star", query: "k:a\\\\*", yes: ["a\\", "a\\b"], no: ["a*", "a"] },
  { why: "a bracket is one", query: "k:[ab]*", yes: ["[ab]", "[ab]c"], no: ["a", "b"] },
  { why: "in quotes a star is one", query: 'k:"a*"', yes: ["a*"], no: ["ab", "a"] },
  { why: "in quotes a star alone is one", query: 'k:"*"', yes: ["*"], no: ["a", ""] },
  {
    why: "blanks beside a star",
    query: "k:*rpm -i*",
    yes: ["rpm -i x", "sudo rpm -i"],
    no: ["rpm  -i", "rpm-i"],
  },
  { why: "blanks between stars", query: "k:* *", yes: [" ", "a b"], no: ["ab", "a\tb"] },
  { why: "case counts", query: "k:/USR/*", yes: ["/USR/x"], no: ["/usr/x"] },
  { why: "beyond ASCII", query: "k:é*\u{1f4e6}", yes: ["é\u{1f4e6}", "éa\u{1f4e6}"], no: ["e\u{1f4e6}"] },
  { why: "one element has to satisfy it whole", query: "k:a*b", yes: [["x", "ab"]], no: [["a", "b"], []] },
  { why: "the empty value", query: "k:*a*", yes: ["a"], no: [""] },
  { why: "numbers as text", query: "k:1*", yes: [1, 10, "1x"], no: [2, 21] },
];

const missing: readonly KqlVector[] = [
  {
    why: "a star alone: there is a value",
    query: "k:*",
    yes: ["a", "", " ", 0, false, ["a"]],
    no: [none, []],
  },
  { why: "not a star alone: there is none", query: "not k:*", yes: [none, []], no: ["a", "", ["", "a"]] },
  {
    why: "not, of a field that is missing",
    query: "not k:a",
    yes: [none, [], "b", ["b", "c"]],
    no: ["a", ["b", "a"]],
  },
  { why: "not, of a pattern", query: "not k:a*", yes: [none, "b"], no: ["a", "ab", ["b", "ab"]] },
  { why: "not, of a range", query: "not n > 5", field: "n", yes: [none, 5, [1, 2]], no: [6, [1, 6]] },
  { why: "not not", query: "not (not k:a)", yes: ["a"], no: ["b", none] },
  {
    why: "and, with one field missing",
    query: "k:a and j:b",
    yes: [{ k: "a", j: "b" }],
    no: ["a", { j: "b" }, none],
  },
  { why: "or, with one field missing", query: "k:a or j:b", yes: ["a", { j: "b" }], no: [none, { k: "b" }] },
  {
    why: "and not, of a field that is missing",
    query: "k:a and not j:b",
    yes: ["a", { k: "a", j: "c" }],
    no: [{ k: "a", j: "b" }],
  },
];

const lists: readonly KqlVector[] = [
  { why: "any element will do", query: "k:b", yes: [["a", "b"], ["b"], ["b", "b"]], no: [["a"], ["ab"], []] },
  { why: "or", query: "k:(a or b)", yes: ["a", "b", ["x", "b"]], no: ["c", "a or b", none] },
  {
    why: "or of many",
    query: "k:(a or b or c or d*)",
    yes: ["a", "c", "dx", ["y", "d"]],
    no: ["e", "", none],
  },
  {
    why: "and: each by some element",
    query: "k:(a and b)",
    yes: [
      ["a", "b"],
      ["b", "x", "a"],
    ],
    no: ["a", ["b"], "a and b"],
  },
  { why: "and, one element for both", query: "k:(a* and *b)", yes: ["ab", ["ax", "xb"]], no: ["a", ["ax"]] },
  { why: "not: no element", query: "k:(not a)", yes: ["b", none, ["b", "c"]], no: ["a", ["a", "b"]] },
  { why: "and not", query: "k:(a and not b)", yes: ["a", ["a", "c"]], no: ["b", ["a", "b"], "c", none] },
  {
    why: "and not of a list",
    query: "k:(a and not (b or c))",
    yes: ["a", ["a", "x"]],
    no: [["a", "b"], ["c", "a"], "x", none],
  },
  { why: "not of an and", query: "k:(not (a and b))", yes: ["a", "b", none], no: [["a", "b"]] },
  { why: "or not", query: "k:(a or not b)", yes: ["a", "c", none, ["a", "b"]], no: ["b", ["b", "c"]] },
  { why: "and before or", query: "k:(a or b and c)", yes: ["a", ["b", "c"]], no: ["b", "c"] },
  {
    why: "parentheses before and",
    query: "k:((a or b) and c)",
    yes: [
      ["a", "c"],
      ["c", "b"],
    ],
    no: ["a", "c", ["a", "b"]],
  },
  { why: "one value", query: "k:( a )", yes: ["a"], no: ["( a )", "b"] },
  {
    why: "quotes and words",
    query: 'k:("-i" or --install or "a b")',
    yes: ["-i", "--install", "a b"],
    no: ["a", "b"],
  },
  { why: "values of several words", query: "k:(a b or c d)", yes: ["a b", "c d"], no: ["a", "b or c", "d"] },
  {
    why: "is there, and is not",
    query: "k:(* and not a)",
    yes: ["b", ["b", "c"]],
    no: ["a", none, ["a", "b"]],
  },
  { why: "white space of several kinds", query: "k:(\n  a or\n\tb\n)", yes: ["a", "b"], no: ["a or b"] },
  { why: "keywords in capitals", query: "k:(a OR b AND NOT c)", yes: ["a", "b"], no: [["b", "c"], "c"] },
  { why: "keywords without white space are none", query: "k:(a-or-b)", yes: ["a-or-b"], no: ["a", "b"] },
  { why: "a list of numbers", query: "n:(1 or 2)", field: "n", yes: [1, 2, [5, 2]], no: [3, 12, none] },
  {
    why: "a list of numbers with not",
    query: "n:(1 and not 2)",
    field: "n",
    yes: [1, [1, 3]],
    no: [[1, 2], 2],
  },
];

const logic: readonly KqlVector[] = [
  {
    why: "and",
    query: "k:a and j:b",
    yes: [{ k: "a", j: "b" }],
    no: [
      { k: "a", j: "c" },
      { k: "c", j: "b" },
    ],
  },
  {
    why: "or",
    query: "k:a or j:b",
    yes: [
      { k: "a", j: "b" },
      { k: "a", j: "c" },
    ],
    no: [{ k: "c", j: "c" }],
  },
  {
    why: "and before or",
    query: "k:a or k:b and j:c",
    yes: [{ k: "a" }, { k: "b", j: "c" }],
    no: [{ k: "b" }, { j: "c" }],
  },
  {
    why: "not before and",
    query: "not k:a and j:b",
    yes: [{ j: "b" }, { k: "c", j: "b" }],
    no: [{ k: "a", j: "b" }, none],
  },
  { why: "not before or", query: "not k:a or j:b", yes: [none, { k: "a", j: "b" }], no: ["a"] },
  {
    why: "parentheses",
    query: "(k:a or k:b) and j:c",
    yes: [{ k: "b", j: "c" }],
    no: ["a", { k: "x", j: "c" }],
  },
  {
    why: "not of parentheses",
    query: "not (k:a or j:b)",
    yes: [none, { k: "b", j: "a" }],
    no: ["a", { j: "b" }],
  },
  {
    why: "not of an and",
    query: "not (k:a and j:b)",
    yes: [none, "a", { j: "b" }],
    no: [{ k: "a", j: "b" }],
  },
  {
    why: "deep",
    query: "((k:a) and (not ((j:b))))",
    yes: ["a", { k: "a", j: "c" }],
    no: [{ k: "a", j: "b" }],
  },
  {
    why: "keywords in any case",
    query: "k:a AND j:b Or k:c aNd NoT j:d",
    yes: [{ k: "a", j: "b" }, "c"],
    no: [{ k: "c", j: "d" }],
  },
  {
    why: "white space of any kind",
    query: "\n k:a\r\n\tand\u00a0j:b \n",
    yes: [{ k: "a", j: "b" }],
    no: ["a"],
  },
  { why: "the same field twice", query: "k:a and k:b", yes: [["a", "b"]], no: ["a", "b"] },
  {
    why: "one field or another or the first",
    query: "k:a or j:b or k:c",
    yes: ["a", "c", { j: "b" }],
    no: ["b", { j: "a" }],
  },
];

const lengths: readonly KqlVector[] = [
  { why: "1,024 units are kept", query: "k:x*", yes: [long(1024), "x"], no: [long(1025)] },
  {
    why: "longer is not there",
    query: "k:*",
    yes: [long(1024), [long(2000), "a"]],
    no: [long(1025), [long(1025), long(9000)]],
  },
  { why: "not, of what is too long", query: "not k:x*", yes: [long(1025)], no: [long(1024)] },
  {
    why: "each element by itself",
    query: "k:(x* and y)",
    yes: [["x", "y", long(1025)]],
    no: [[long(1025), "y"]],
  },
  { why: "units of UTF-16 count, not bytes", query: "k:é*", yes: ["é".repeat(1024)], no: ["é".repeat(1025)] },
  {
    why: "units of UTF-16 count, not characters",
    query: "k:\u{1f4e6}*",
    yes: ["\u{1f4e6}".repeat(512)],
    no: ["\u{1f4e6}".repeat(513)],
  },
  {
    why: "a value of the query that is too long",
    query: `k:${long(1025)}`,
    yes: [],
    no: [long(1025), long(1024)],
  },
  { why: "a range too", query: "k >= x", yes: [long(1024)], no: [long(1025)] },
  {
    why: "no limit for command lines",
    query: "w:x*z",
    field: "w",
    yes: [long(1025, "z"), long(40_000, "z")],
    no: [long(1025)],
  },
  {
    why: "no limit for equality either",
    query: `w:${long(2000)}`,
    field: "w",
    yes: [long(2000)],
    no: [long(1999)],
  },
  {
    why: "otherwise as a keyword",
    query: 'w:("rpm -i a" or *dnf*)',
    field: "w",
    yes: ["rpm -i a", "a dnf b"],
    no: ["rpm", "RPM -i a"],
  },
  { why: "a command line that is missing", query: "not w:*", field: "w", yes: [none], no: ["", long(5000)] },
];

const ranges: readonly KqlVector[] = [
  { why: "above", query: "n > 5", field: "n", yes: [6, 100], no: [5, 4, -6, none] },
  { why: "from", query: "n >= 5", field: "n", yes: [5, 6], no: [4, none] },
  { why: "below", query: "n < 5", field: "n", yes: [4, -100, 0], no: [5, 50] },
  { why: "up to", query: "n<=5", field: "n", yes: [5, -5], no: [6] },
  { why: "numbers, not texts", query: "n > 9", field: "n", yes: [10, 100], no: [9, 1] },
  { why: "negative", query: "n < -1", field: "n", yes: [-2], no: [-1, 0] },
  { why: "between", query: "n > 1 and n < 4", field: "n", yes: [2, 3, [0, 9]], no: [1, 4, none] },
  { why: "any element", query: "n > 5", field: "n", yes: [[1, 6]], no: [[1, 5], []] },
  { why: "in quotes too", query: 'n >= "5"', field: "n", yes: [5], no: [4] },
  { why: "between two whole numbers", query: "n > 5.5", field: "n", yes: [6], no: [5] },
  { why: "up to between two", query: "n <= 5.5", field: "n", yes: [5], no: [6] },
  { why: "text by its bytes", query: "k > b", yes: ["ba", "c", "é"], no: ["b", "a", "B", ""] },
  { why: "text from", query: "k >= b", yes: ["b", "b "], no: ["a\uffff"] },
  { why: "text below", query: "k < b", yes: ["a", "B", "", "az"], no: ["b", "c"] },
  { why: "text up to", query: "k <= b", yes: ["b", "a"], no: ["b\u0000", "c"] },
  { why: "digits are text to a keyword", query: "k > 10", yes: ["2", "100", 9], no: ["10", "1", "05"] },
  { why: "bytes, not UTF-16 units", query: "k > \ufffd", yes: ["\u{1f4e6}"], no: ["\ue000", "\ufffd"] },
  {
    why: "bytes, not UTF-16 units, below",
    query: "k < \u{1f4e6}",
    yes: ["\uffff", "\ue000"],
    no: ["\u{1f4e7}", "\u{1f4e6}"],
  },
  { why: "a bound of several words", query: "k >= a b and k < a c", yes: ["a b", "a bz"], no: ["a", "a c"] },
  { why: "a star in quotes is a sign", query: 'k > "*"', yes: ["+", "a"], no: ["*", ")"] },
  { why: "a command line", query: "w < b", field: "w", yes: ["a", `a${long(2000)}`], no: ["b"] },
];

const typed: readonly KqlVector[] = [
  { why: "a number", query: "n:5", field: "n", yes: [5, [1, 5]], no: [50, -5, 0, none] },
  { why: "zeros in front are nothing", query: "n:05", field: "n", yes: [5], no: [0, 50] },
  { why: "a point and zeros are nothing", query: "n:5.0", field: "n", yes: [5], no: [50] },
  { why: "no long is 5.5", query: "n:5.5", field: "n", yes: [], no: [5, 6] },
  { why: "an exponent", query: "n:1e3", field: "n", yes: [1000], no: [1] },
  { why: "a sign", query: "n:(-1 or +2)", field: "n", yes: [-1, 2], no: [1, -2] },
  { why: "in quotes too", query: 'n:"5"', field: "n", yes: [5], no: [6] },
  { why: "zero is a value", query: "n:*", field: "n", yes: [0, [0]], no: [none, []] },
  { why: "zero is not missing", query: "n:0", field: "n", yes: [0], no: [none, 1] },
  { why: "an event's number as text", query: "n >= 5", field: "n", yes: ["5", "05", "6.9"], no: ["4.9", ""] },
  { why: "true", query: "b:true", field: "b", yes: [true, "true", [false, true]], no: [false, none] },
  { why: "false is not missing", query: "b:false", field: "b", yes: [false, "false"], no: [true, none] },
  { why: "not true: false or missing", query: "not b:true", field: "b", yes: [false, none], no: [true] },
  { why: "in quotes too", query: 'b:"true"', field: "b", yes: [true], no: [false] },
  { why: "false is a value", query: "b:*", field: "b", yes: [false, true], no: [none] },
  { why: "booleans in a list", query: "b:(true or false)", field: "b", yes: [true, false], no: [none] },
  {
    why: "a moment",
    query: 'd:"2026-01-31T10:00:00.000Z"',
    field: "d",
    yes: ["2026-01-31T10:00:00Z", 1769853600000],
    no: ["2026-01-31T10:00:00.001Z"],
  },
  {
    why: "a moment with colons escaped",
    query: "d >= 2026-01-31T10\\:00\\:00Z",
    field: "d",
    yes: ["2026-01-31T10:00:00Z"],
    no: ["2026-01-31T09:59:59.999Z"],
  },
  {
    why: "a second is as long as one",
    query: 'd:"2026-01-31T10:00:00Z"',
    field: "d",
    yes: ["2026-01-31T10:00:00.999Z"],
    no: ["2026-01-31T10:00:01Z"],
  },
  {
    why: "a day is all of it",
    query: "d:2026-01-31",
    field: "d",
    yes: ["2026-01-31T00:00:00Z", "2026-01-31T23:59:59.999Z"],
    no: ["2026-02-01T00:00:00Z", none],
  },
  {
    why: "behind a day is behind all of it",
    query: "d > 2026-01-31",
    field: "d",
    yes: ["2026-02-01T00:00:00Z"],
    no: ["2026-01-31T23:59:59.999Z"],
  },
  {
    why: "from a day is from its beginning",
    query: "d >= 2026-01-31",
    field: "d",
    yes: ["2026-01-31T00:00:00Z"],
    no: ["2026-01-30T23:59:59.999Z"],
  },
  {
    why: "a month is its first day, as Elasticsearch has it",
    query: "d <= 2026-02",
    field: "d",
    yes: ["2026-02-01T23:59:59.999Z"],
    no: ["2026-02-02T00:00:00Z"],
  },
  {
    why: "a year is its first day too",
    query: "d:2026",
    field: "d",
    yes: ["2026-01-01T00:00:00Z", "2026-01-01T23:59:59.999Z"],
    no: ["2025-12-31T23:59:59.999Z", "2026-01-02T00:00:00Z"],
  },
  {
    why: "before a year",
    query: "d < 2026",
    field: "d",
    yes: ["2025-12-31T23:59:59.999Z"],
    no: ["2026-01-01T00:00:00Z"],
  },
  {
    why: "a zone",
    query: 'd:"2026-01-31T10:00:00.000+02:00"',
    field: "d",
    yes: ["2026-01-31T08:00:00Z"],
    no: ["2026-01-31T10:00:00Z"],
  },
  {
    why: "a leap day",
    query: "d:2028-02-29",
    field: "d",
    yes: ["2028-02-29T12:00:00Z"],
    no: ["2028-03-01T00:00:00Z"],
  },
  {
    why: "milliseconds since the epoch",
    query: "d:1769853600000",
    field: "d",
    yes: ["2026-01-31T10:00:00Z"],
    no: [1769853600001],
  },
];

const start = {
  "event.category": ["process"],
  "event.type": ["start"],
  "event.action": "exec",
  "host.os.type": "linux",
};
const merged = { ...start, "event.type": ["start", "end"], "event.action": ["fork", "exec", "end"] };
const head = "host.os.type:linux and event.category:process and event.type:start and event.action:exec";

/** Own queries in the shapes that Elastic's rules for Linux have. */
const rules: readonly KqlVector[] = [
  {
    why: "a program and an option",
    query: `${head} and process.name:rpm and process.args:("-i" or "--install")`,
    yes: [
      { ...start, "process.name": "rpm", "process.args": ["rpm", "-i", "a.rpm"] },
      { ...merged, "process.name": "rpm", "process.args": ["rpm", "-q", "-i", "bash"] },
    ],
    no: [
      { ...start, "process.name": "rpm", "process.args": ["rpm", "-ivh", "a.rpm"] },
      { ...start, "process.name": "dnf", "process.args": ["dnf", "-i"] },
      { ...start, "event.type": ["end"], "process.name": "rpm", "process.args": ["-i"] },
      { ...start, "process.name": "rpm" },
    ],
  },
  {
    why: "parents by path, and those that are usual",
    query: `${head} and process.parent.executable:(/tmp/* or /dev/shm/* or */.cache/*) and not process.parent.name:(make or "cargo" or pip*)`,
    yes: [
      { ...start, "process.parent.executable": "/tmp/a/b", "process.parent.name": "b" },
      { ...start, "process.parent.executable": "/home/x/.cache/y" },
    ],
    no: [
      { ...start, "process.parent.executable": "/tmp/pip3", "process.parent.name": "pip3" },
      { ...start, "process.parent.executable": "/usr/tmp/x", "process.parent.name": "x" },
      { ...start, "process.parent.name": "x" },
    ],
  },
  {
    why: "arguments that must and must not be there",
    query: `${head} and process.name:(useradd or usermod) and process.args:(-G and (sudo or wheel) and not (-R or --root*))`,
    yes: [
      { ...start, "process.name": "usermod", "process.args": ["usermod", "-a", "-G", "wheel", "x"] },
      { ...start, "process.name": "useradd", "process.args": ["useradd", "-G", "sudo"] },
    ],
    no: [
      { ...start, "process.name": "usermod", "process.args": ["usermod", "-G", "wheel", "--root=/mnt"] },
      { ...start, "process.name": "usermod", "process.args": ["usermod", "-G", "users"] },
      { ...start, "process.name": "usermod", "process.args": ["usermod", "wheel"] },
    ],
  },
  {
    why: "either program, each with its own arguments",
    query: `${head} and (
      (process.name:systemctl and process.args:(enable or "daemon-reload")) or
      (process.name:crontab and not process.args:"-l")
    )`,
    yes: [
      { ...start, "process.name": "systemctl", "process.args": ["systemctl", "enable", "x"] },
      { ...start, "process.name": "crontab", "process.args": ["crontab", "-e"] },
      { ...start, "process.name": "crontab" },
    ],
    no: [
      { ...start, "process.name": "systemctl", "process.args": ["systemctl", "status"] },
      { ...start, "process.name": "crontab", "process.args": ["crontab", "-l"] },
      { ...start, "process.name": "enable", "process.args": ["enable"] },
    ],
  },
  {
    why: "hidden files, started by hand",
    query: `${head} and process.executable:(*/.* and not */.cargo/*) and process.interactive:true and user.id:0`,
    yes: [{ ...start, "process.executable": "/root/.x", "process.interactive": "true", "user.id": "0" }],
    no: [
      { ...start, "process.executable": "/root/x", "process.interactive": "true", "user.id": "0" },
      { ...start, "process.executable": "/root/.cargo/bin/x", "process.interactive": "true", "user.id": "0" },
      { ...start, "process.executable": "/root/.x", "process.interactive": "false", "user.id": "0" },
      { ...start, "process.executable": "/root/.x", "process.interactive": "true", "user.id": "00" },
    ],
  },
];

export const kqlVectors: readonly KqlVector[] = [
  ...words,
  ...escapes,
  ...wildcards,
  ...missing,
  ...lists,
  ...logic,
  ...lengths,
  ...ranges,
  ...typed,
  ...rules,
];

/** @returns each query with one event, which is an object now */
export function vectorPairs(): { why: string; query: string; event: KqlEvent; want: boolean }[] {
  return kqlVectors.flatMap(({ why, query, field = "k", yes, no }) => {
    const pair = (given: VectorEvent, want: boolean) => ({ why, query, event: eventOf(given, field), want });
    return [...yes.map((given) => pair(given, true)), ...no.map((given) => pair(given, false))];
  });
}

function eventOf(given: VectorEvent, field: string): KqlEvent {
  return typeof given === "object" && !isList(given) ? given : { [field]: given };
}

function isList(given: VectorEvent): given is readonly KqlValue[] {
  return Array.isArray(given);
}
