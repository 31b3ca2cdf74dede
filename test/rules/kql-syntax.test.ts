import assert from "node:assert/strict";
import { test } from "node:test";
import { parseKql } from "../../agent/rules/kql-syntax.ts";
import { fieldsOf, KqlError, type KqlNode, leavesOf } from "../../agent/rules/kql-tree.ts";

function treeOf(text: string): KqlNode {
  const tree = parseKql(text);
  assert.ok(!(tree instanceof KqlError), `${text}: ${tree instanceof Error ? tree.message : ""}`);
  return tree;
}

/** A tree in prefix form, with every value in quotes, so that a table can hold it. */
function written(node: KqlNode): string {
  if (node.kind === "not") return `not(${written(node.operand)})`;
  if (node.kind === "and" || node.kind === "or")
    return `${node.kind}(${node.operands.map(written).join(", ")})`;
  const { text: field } = node.field;
  if (node.kind === "exists") return `${field}?`;
  if (node.kind === "wildcard")
    return `${field}~${node.pieces.map((piece) => JSON.stringify(piece)).join("*")}`;
  return `${field}${node.kind === "equals" ? "=" : node.operator}${JSON.stringify(node.value.text)}`;
}

const trees = [
  { why: "one condition", text: "a:b", want: 'a="b"' },
  { why: "and binds closer than or", text: "a:1 or b:2 and c:3", want: 'or(a="1", and(b="2", c="3"))' },
  {
    why: "and binds closer than or, before it",
    text: "a:1 and b:2 or c:3",
    want: 'or(and(a="1", b="2"), c="3")',
  },
  { why: "not binds closest", text: "not a:1 and b:2", want: 'and(not(a="1"), b="2")' },
  { why: "parentheses bind first", text: "(a:1 or b:2) and c:3", want: 'and(or(a="1", b="2"), c="3")' },
  { why: "not of parentheses", text: "not (a:1 or b:2)", want: 'not(or(a="1", b="2"))' },
  { why: "not in parentheses may follow not", text: "not (not a:1)", want: 'not(not(a="1"))' },
  { why: "a chain is one junction", text: "a:1 and b:2 and c:3", want: 'and(a="1", b="2", c="3")' },
  { why: "parentheses may be too many", text: "((a:1))", want: 'a="1"' },
  { why: "keywords in any case", text: "NOT a:1 AND b:2 Or c:3", want: 'or(and(not(a="1"), b="2"), c="3")' },
  { why: "white space around the colon", text: "a :\n b", want: 'a="b"' },
  { why: "white space of every kind", text: "\t a:1\r\nand\u00a0b:2 ", want: 'and(a="1", b="2")' },
  { why: "white space inside parentheses", text: "( a:1 )", want: 'a="1"' },
  { why: "a list is spread over its field", text: "a:(b or c)", want: 'or(a="b", a="c")' },
  {
    why: "a list holds all that a query does",
    text: "a:(b and not (c or d*))",
    want: 'and(a="b", not(or(a="c", a~"d"*"")))',
  },
  { why: "lists nest", text: "a:(b or (c and d))", want: 'or(a="b", and(a="c", a="d"))' },
  { why: "a list of one", text: "a:( b )", want: 'a="b"' },
  { why: "a list of one that is not", text: "a:(not b)", want: 'not(a="b")' },
  { why: "a value has inner blanks", text: "a:b c  d and e:f", want: 'and(a="b c  d", e="f")' },
  { why: "blanks around a value are none of it", text: "a:  b  ", want: 'a="b"' },
  { why: "quotes keep blanks", text: 'a:" b "', want: 'a=" b "' },
  {
    why: "keywords inside of words are none",
    text: "a:band and b:order and c:notes",
    want: 'and(a="band", b="order", c="notes")',
  },
  {
    why: "a keyword with blanks on one side only is none",
    text: "a:rock-and roll",
    want: 'a="rock-and roll"',
  },
  {
    why: "a keyword alone is a value",
    text: "a:or and b:(and or not)",
    want: 'and(a="or", or(b="and", b="not"))',
  },
  { why: "keywords in quotes are text", text: 'a:"b and not c"', want: 'a="b and not c"' },
  { why: "an escaped keyword is text in its own case", text: "a:b \\AND c \\or d", want: 'a="b AND c or d"' },
  { why: "an escaped NOT is text", text: "a:b \\Not c", want: 'a="b Not c"' },
  { why: "Kibana reads \\n before \\not", text: "a:b\\not c", want: 'a="b\\not c"' },
  {
    why: "special characters escaped",
    text: 'a:\\\\\\(\\)\\:\\<\\>\\"\\*\\{\\}',
    want: 'a="\\\\():<>\\"*{}"',
  },
  { why: "blanks escaped", text: "a:b\\tc\\rd\\ne", want: 'a="b\\tc\\rd\\ne"' },
  { why: "blanks escaped at the ends go, as all do", text: "a:\\tb\\n", want: 'a="b"' },
  { why: "a code unit in four digits", text: "a:\\u0041\\u00e9\\uD83D\\uDE00", want: 'a="Aé😀"' },
  { why: "the same in quotes", text: 'a:"\\u0041\\t\\r\\n\\"\\\\"', want: 'a="A\\t\\r\\n\\"\\\\"' },
  {
    why: "no escape in quotes: the backslash stays",
    text: 'a:"\\d+\\*\\u12\\and"',
    want: 'a="\\\\d+\\\\*\\\\u12\\\\and"',
  },
  { why: "special characters in quotes", text: 'a:"():<>*{}"', want: 'a="():<>*{}"' },
  { why: "nothing in quotes", text: 'a:""', want: 'a=""' },
  {
    why: "other signs are plain",
    text: "a:/usr/bin/[x],'y';$%&?!=+~^|#@`",
    want: "a=\"/usr/bin/[x],'y';$%&?!=+~^|#@`\"",
  },
  { why: "a star is any run", text: "a:*b*c", want: 'a~""*"b"*"c"' },
  { why: "stars next to each other", text: "a:b**", want: 'a~"b"*""*""' },
  { why: "a star beside an escaped one", text: "a:\\**", want: 'a~"*"*""' },
  { why: "blanks inside a pattern", text: "a:*b c*", want: 'a~""*"b c"*""' },
  { why: "blanks beside a star stay", text: "a:b * c", want: 'a~"b "*" c"' },
  { why: "a star alone asks whether there is a value", text: "a:*", want: "a?" },
  { why: "so it does in a list", text: "a:(* and not b)", want: 'and(a?, not(a="b"))' },
  { why: "a star alone in quotes is a star", text: 'a:"*"', want: 'a="*"' },
  { why: "ranges", text: "a>1 and b >= 2 and c<3 and d <=4", want: 'and(a>"1", b>="2", c<"3", d<="4")' },
  { why: "a range with a text of several words", text: "a > b c or d:e", want: 'or(a>"b c", d="e")' },
  { why: "a range with quotes", text: 'a<"b*"', want: 'a<"b*"' },
  {
    why: "numbers and booleans as written",
    text: "a:(05 or true or -1.50)",
    want: 'or(a="05", a="true", a="-1.50")',
  },
  { why: "null in quotes is text", text: 'a:"null"', want: 'a="null"' },
  { why: "a field in quotes", text: '"a.b":c', want: 'a.b="c"' },
  { why: "a field with an escape", text: "a\\:b:c", want: 'a:b="c"' },
] as const;
for (const { why, text, want } of trees) {
  test(`parseKql(): ${why}`, () => assert.equal(written(treeOf(text)), want));
}

/** «…» is what the error points at. */
const refused = [
  { why: "nothing", text: "«»", kind: "unserved", want: /empty/ },
  { why: "white space alone", text: " \n«»", kind: "unserved", want: /empty/ },
  { why: "nested objects", text: "x:1 and «a: {» b:1 }", kind: "unserved", want: /Nested/ },
  { why: "free text", text: "a:b and «c d»", kind: "unserved", want: /"c d" has no field/ },
  { why: "free text in quotes", text: '«"c"»', kind: "unserved", want: /no field/ },
  { why: "a match of everything", text: "«*»", kind: "unserved", want: /no field/ },
  { why: "a wildcard for the field", text: "«*»:b", kind: "unserved", want: /name of a field/ },
  { why: "a wildcard in the field", text: "(«a.*» :b)", kind: "unserved", want: /name of a field/ },
  { why: "a wildcard as a bound", text: "a > «b*»", kind: "unserved", want: /no bound/ },
  { why: "null", text: "a:(b or «null»)", kind: "unserved", want: /null/ },
  { why: "null as a bound", text: "a >= «null»", kind: "unserved", want: /null/ },
  {
    why: "a value missing at the end",
    text: "a:«»",
    kind: "syntax",
    want: /value of "a", and the query ends/,
  },
  { why: "a value missing in a list", text: "a:(b or «)»", kind: "syntax", want: /value of "a", found "\)"/ },
  { why: "an empty list", text: "a:(«)»", kind: "syntax", want: /value of "a"/ },
  { why: "empty parentheses", text: "(«)»", kind: "syntax", want: /a field and its value/ },
  { why: "no field", text: "«:»b", kind: "syntax", want: /a field and its value/ },
  { why: "a bound missing", text: "a >=«»", kind: "syntax", want: /behind >=/ },
  { why: "a colon before a sign", text: "a:«>»5", kind: "syntax", want: /without a colon/ },
  { why: "two signs", text: "a >«>»5", kind: "syntax", want: /behind >/ },
  { why: "not behind a colon", text: "a: «not» b", kind: "syntax", want: /field:\(not value\)/ },
  { why: "not twice", text: "not «not» a:b", kind: "syntax", want: /cannot follow/ },
  { why: "not twice in a list", text: "a:(not «not» b)", kind: "syntax", want: /cannot follow/ },
  { why: "not without white space", text: "not«(»a:b)", kind: "syntax", want: /White space .* "not"/ },
  {
    why: "not without white space in a list",
    text: "a:(not«(»b))",
    kind: "syntax",
    want: /White space .* "not"/,
  },
  { why: "not between two conditions", text: "a:b «not» c:d", kind: "syntax", want: /Join it/ },
  { why: "a word that ends in not", text: "a:can«not» be", kind: "syntax", want: /quotes if "not" belongs/ },
  {
    why: "and without white space before it",
    text: "(a:b)«and» c:d",
    kind: "syntax",
    want: /White space .* "and"/,
  },
  {
    why: "or without white space behind it",
    text: "(a:b) «or»(c:d)",
    kind: "syntax",
    want: /White space .* "or"/,
  },
  { why: "and at the end", text: "a:b «and»", kind: "syntax", want: /behind this "and"/ },
  { why: "and at the end, with a blank", text: "a:b and «»", kind: "syntax", want: /the query ends/ },
  { why: "and at the end of a list", text: "a:(b «and»)", kind: "syntax", want: /behind this "and"/ },
  { why: "and at the beginning", text: "«and» a:b", kind: "syntax", want: /before this "and"/ },
  { why: "or at the beginning of a list", text: "a:(«OR» b)", kind: "syntax", want: /before this "OR"/ },
  { why: "two in a row", text: "a:b and «or» c:d", kind: "syntax", want: /before this "or"/ },
  {
    why: "a condition without a keyword before it",
    text: "a:b c«:»d",
    kind: "syntax",
    want: /"and" or "or" between/,
  },
  {
    why: "values in quotes without a keyword",
    text: 'a:("b" «"»c")',
    kind: "syntax",
    want: /ends at its quote/,
  },
  { why: "a star behind a quote", text: 'a:"b"«*»', kind: "syntax", want: /no wildcard/ },
  { why: "a quote inside a bare value", text: 'a:b«"»c"', kind: "syntax", want: /backslash before/ },
  { why: "a brace inside a bare value", text: "a:$«{»HOME}", kind: "syntax", want: /backslash before/ },
  { why: "a range in a list", text: "a:(«>»5)", kind: "syntax", want: /without a colon/ },
  { why: "a quote that is open", text: 'a:«"b and c:d»', kind: "syntax", want: /never closed/ },
  { why: "a quote whose end is escaped", text: 'a:«"b\\"»', kind: "syntax", want: /never closed/ },
  { why: "a parenthesis that is open", text: "a:b and «(»c:d", kind: "syntax", want: /never closed/ },
  { why: "a list that is open", text: "a:«(»b or c", kind: "syntax", want: /never closed/ },
  { why: "a parenthesis too many", text: "(a:b)«)»", kind: "syntax", want: /leave it out/ },
  { why: "an escape that is none", text: "a:b«\\d»", kind: "syntax", want: /no escape/ },
  { why: "an escape with too few digits", text: "a:b«\\u»12 c", kind: "syntax", want: /no escape/ },
  { why: "a backslash at the end", text: "a:b«\\»", kind: "syntax", want: /no escape/ },
  { why: "another language", text: "«process where a == 1»", kind: "unserved", want: /Write field:value/ },
  {
    why: "one parenthesis too deep",
    text: `${"(".repeat(100)}«(»a:b${")".repeat(101)}`,
    kind: "limit",
    want: /100 deep/,
  },
  {
    why: "a megabyte",
    text: `${"(".repeat(65_536)}«${"(".repeat(1e6 - 65_536)}»`,
    kind: "limit",
    want: /1000000/,
  },
  {
    why: "control characters, escaped",
    text: 'a:"b" «\u001b»]0;x\u0007',
    kind: "syntax",
    want: /\\x1b\]0;x\\x07/,
  },
] as const;
for (const { why, text: marked, kind, want } of refused) {
  test(`parseKql(): refuses ${why}, and says where`, () => {
    const start = marked.indexOf("«");
    const end = marked.indexOf("»") - 1;
    const error = parseKql(marked.replace("«", "").replace("»", ""));
    assert.ok(error instanceof KqlError);
    assert.match(error.message, want);
    assert.deepEqual({ start: error.start, end: error.end, kind: error.kind }, { start, end, kind });
  });
}

test("parseKql(): says of each part where it stands", () => {
  const text = ' not (aa : (b1 or "b 2") and cc>=3) or\tdd:* and ee:f*';
  const parts: string[] = [];
  const visit = (node: KqlNode): void => {
    parts.push(text.slice(node.start, node.end));
    if (node.kind === "not") visit(node.operand);
    if (node.kind === "and" || node.kind === "or") node.operands.forEach(visit);
  };
  visit(treeOf(text));
  assert.deepEqual(parts, [
    text.trim(),
    'not (aa : (b1 or "b 2") and cc>=3)',
    '(aa : (b1 or "b 2") and cc>=3)',
    'aa : (b1 or "b 2")',
    "b1",
    '"b 2"',
    "cc>=3",
    "dd:* and ee:f*",
    "dd:*",
    "ee:f*",
  ]);
  const values = leavesOf(treeOf(text)).flatMap((leaf) => ("value" in leaf ? [leaf.value] : []));
  assert.deepEqual(
    values.map(({ start, end, quoted }) => [text.slice(start, end), quoted]),
    [
      ["b1", false],
      ['"b 2"', true],
      ["3", false],
    ],
  );
});

test("fieldsOf(): names each field where it stands, as often as it has values", () => {
  const text = 'a.b:(c or d) and not (x:* or "y" > 1)';
  const found = fieldsOf(treeOf(text)).map((field) => [field.text, text.slice(field.start, field.end)]);
  assert.deepEqual(found, [
    ["a.b", "a.b"],
    ["a.b", "a.b"],
    ["x", "x"],
    ["y", '"y"'],
  ]);
});
