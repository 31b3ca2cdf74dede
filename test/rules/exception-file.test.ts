import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { conditionWords } from "../../agent/rules/exception.ts";
import { exceptionOf, exceptionToml, readExceptionTexts } from "../helpers/exceptions.ts";

test("readExceptions(): all that a file says is in its exceptions", () => {
  const { exceptions, mistakes, warnings } = readExceptionTexts(`
[[exception]]
id = "one"
rules = ["package-installed-by-new-parent"]
user = "root"
login_user = "1000"
parent = "/usr/bin/bash"
script = "/opt/deploy/*"
package_owner = "kw-deploy*"
ancestor = "*/cron"
package = "kw-*"
working_directory = "/"
container_image = "registry.example.org/build:*"
query = "process.args:-i"
reason = "ours"
author = "admin"
expires = 2027-01-31
[[exception]]
id = "two"
user = "admin"
reason = "ours too"
author = "admin"
`);
  assert.deepEqual([mistakes, warnings], [[], []]);
  const [{ tree, ...one } = assert.fail("it was refused"), two] = exceptions;
  assert.equal(tree?.kind, "equals");
  assert.deepEqual(one, {
    id: "one",
    rules: ["package-installed-by-new-parent"],
    conditions: {
      user: "root",
      login_user: "1000",
      parent: "/usr/bin/bash",
      script: "/opt/deploy/*",
      package_owner: "kw-deploy*",
      ancestor: "*/cron",
      package: "kw-*",
      working_directory: "/",
      container_image: "registry.example.org/build:*",
      query: "process.args:-i",
    },
    reason: "ours",
    author: "admin",
    expiresMs: Date.UTC(2027, 1, 1) - 1,
    file: "0.toml",
  });
  assert.deepEqual(two, {
    id: "two",
    rules: undefined,
    conditions: { user: "admin" },
    tree: undefined,
    reason: "ours too",
    author: "admin",
    expiresMs: Number.POSITIVE_INFINITY,
    file: "0.toml",
  });
  assert.equal(conditionWords({ query: " a:b\n", user: "root" }), "user root, query a:b");
});

const ends: readonly (readonly [toml: string, ms: number])[] = [
  ["2027-01-31", Date.UTC(2027, 1, 1) - 1],
  ['"2027-01-31"', Date.UTC(2027, 1, 1) - 1],
  ["2027-01-31T12:00:00Z", Date.UTC(2027, 0, 31, 12)],
  ["2027-01-31 12:00:00+02:00", Date.UTC(2027, 0, 31, 10)],
  ["2027-01-31T12:00:00", Date.UTC(2027, 0, 31, 12)],
];
for (const [toml, ms] of ends) {
  test(`readExceptions(): expires = ${toml}`, () => {
    assert.equal(
      Math.floor(exceptionOf(`user = "a"\nexpires = ${toml}`).expiresMs / 1_000),
      Math.floor(ms / 1_000),
    );
  });
}

/** The mark is where the mistake is told. */
const refused: { why: string; toml: string; code: string; text: RegExp }[] = [
  {
    why: "an empty file",
    toml: "«",
    code: "KEY_MISSING",
    text: /^exception: missing; expected one or more tables/,
  },
  {
    why: "no table in the list",
    toml: "«exception = []",
    code: "VALUE_INVALID",
    text: /came an array of 0$/,
  },
  {
    why: "a table instead of a list",
    toml: "[«exception]\nid = 'a'",
    code: "VALUE_INVALID",
    text: /^exception: /,
  },
  { why: "a number in the list", toml: "exception = [«1]", code: "VALUE_INVALID", text: /^exception\.0: / },
  { why: "no TOML", toml: "[[exception]]\nid = «", code: "NOT_TOML", text: /^not TOML/ },
  { why: "no UTF-8", toml: "[[exception]]\n«id = '\xff'", code: "NOT_TOML", text: /^not UTF-8/ },
  {
    why: "no id",
    toml: '[[«exception]]\nuser = "a"\nreason = "r"\nauthor = "a"',
    code: "KEY_MISSING",
    text: /^exception\.0\.id: missing; expected 1 to 64 letters/,
  },
  {
    why: "no reason",
    toml: '[[«exception]]\nid = "a"\nuser = "a"\nauthor = "a"',
    code: "KEY_MISSING",
    text: /^exception\.0\.reason: missing/,
  },
  {
    why: "no author",
    toml: '[[«exception]]\nid = "a"\nuser = "a"\nreason = "r"',
    code: "KEY_MISSING",
    text: /author: missing/,
  },
  {
    why: "an empty reason",
    toml: exceptionToml('user = "a"').replace('reason = "it', '«reason = " "\n#'),
    code: "VALUE_INVALID",
    text: /reason: expected a text, came " "$/,
  },
  {
    why: "an id with a blank",
    toml: exceptionToml('user = "a"').replace('id = "x"', '«id = "x y"'),
    code: "VALUE_INVALID",
    text: /id: expected .*came "x y"$/,
  },
  {
    why: "no condition: it would except everything",
    toml: exceptionToml("").replace("exception", "«exception"),
    code: "EMPTY",
    text: /^exception\.0: it would except everything\. Add a condition: user, .*query\.$/,
  },
  {
    why: "no condition in the second one",
    toml: `${exceptionToml('user = "a"')}${exceptionToml('rules = ["package-installed-by-new-parent"]', "y").replace("exception", "«exception")}`,
    code: "EMPTY",
    text: /^exception\.1: /,
  },
  {
    why: "a path that every path satisfies",
    toml: exceptionToml('«parent = "/*"'),
    code: "VALUE_INVALID",
    text: /parent: expected an absolute path/,
  },
  {
    why: "a star for a parent",
    toml: exceptionToml('«parent = "*"'),
    code: "VALUE_INVALID",
    text: /came "\*"$/,
  },
  {
    why: "a name where a path belongs",
    toml: exceptionToml('«script = "update.sh"'),
    code: "VALUE_INVALID",
    text: /script: expected an absolute/,
  },
  {
    why: "a star for an ancestor",
    toml: exceptionToml('«ancestor = "**"'),
    code: "VALUE_INVALID",
    text: /ancestor: /,
  },
  {
    why: "a star for a package",
    toml: exceptionToml('«package = "*"'),
    code: "VALUE_INVALID",
    text: /package: expected a name/,
  },
  {
    why: "a star for a user",
    toml: exceptionToml('«user = "*"'),
    code: "VALUE_INVALID",
    text: /user: expected a user's name or number/,
  },
  {
    why: "a star for a folder",
    toml: exceptionToml('«working_directory = "/*"'),
    code: "VALUE_INVALID",
    text: /working_directory: /,
  },
  {
    why: "a number for a user",
    toml: exceptionToml("«user = 0"),
    code: "VALUE_INVALID",
    text: /user: expected .*came 0$/,
  },
  {
    why: "no rule in the list",
    toml: exceptionToml('user = "a"\n«rules = []'),
    code: "VALUE_INVALID",
    text: /rules: expected a list of rule ids/,
  },
  {
    why: "a mistyped key",
    toml: exceptionToml('user = "a"\n«usr = "b"'),
    code: "KEY_UNKNOWN",
    text: /usr: no such key; did you mean exception\.user\?$/,
  },
  {
    why: "a key outside of the list",
    toml: `«reason = "r"\n${exceptionToml('user = "a"')}`,
    code: "KEY_UNKNOWN",
    text: /^reason: no such key/,
  },
  {
    why: "every package's parent",
    toml: exceptionToml('«package_owner = "**"'),
    code: "VALUE_INVALID",
    text: /package_owner: expected a name/,
  },
  {
    why: "the image of any container",
    toml: exceptionToml('user = "a"\n«container_image = "*"'),
    code: "VALUE_INVALID",
    text: /container_image: expected a name/,
  },
  {
    why: "a time without a day",
    toml: exceptionToml('user = "a"\n«expires = 12:00:00'),
    code: "VALUE_INVALID",
    text: /expires: expected a date \(2027-01-31/,
  },
  {
    why: "a time from now on",
    toml: exceptionToml('user = "a"\n«expires = "30d"'),
    code: "VALUE_INVALID",
    text: /came "30d"$/,
  },
  {
    why: "a number for a date",
    toml: exceptionToml('user = "a"\n«expires = 20270131'),
    code: "VALUE_INVALID",
    text: /expires: /,
  },
  {
    why: "a day that is none",
    toml: exceptionToml('user = "a"\n«expires = "2027-02-30"'),
    code: "VALUE_INVALID",
    text: /expires: /,
  },
  {
    why: "an empty query",
    toml: exceptionToml('query = "«"'),
    code: "UNSERVED",
    text: /query: The query is empty/,
  },
  {
    why: "a query that is not closed",
    toml: exceptionToml("query = '''\nuser.name:«(a or b'''"),
    code: "QUERY_INVALID",
    text: /never closed/,
  },
  {
    why: "a query with text alone",
    toml: exceptionToml('query = "«rpm"'),
    code: "UNSERVED",
    text: /text in any field is not searched/,
  },
  {
    why: "a query on a field that nobody has",
    toml: exceptionToml('query = "user.name:a and «process.argz:b"'),
    code: "FIELD_UNUSABLE",
    text: /No event has a field "process\.argz"\. Did you mean process\.args\?/,
  },
  {
    why: "a query on what kinwatch writes later",
    toml: exceptionToml('query = "«rule.id:a"'),
    code: "FIELD_UNUSABLE",
    text: /it is written when rules have been asked/,
  },
  {
    why: "a query with a value that its field cannot have",
    toml: exceptionToml('query = "process.pid:«many"'),
    code: "FIELD_UNUSABLE",
    text: /is a number, and "many" is none/,
  },
  {
    why: "a query that no program satisfies",
    toml: exceptionToml('query = "«process.name:a and process.name:b"'),
    code: "QUERY_INVALID",
    text: /No program can satisfy it/,
  },
  {
    why: "a query that no event satisfies",
    toml: exceptionToml('query = "«event.action:fork"'),
    code: "QUERY_INVALID",
    text: /No event can satisfy it by its event\.category/,
  },
  {
    why: "an id that stands there already",
    toml: `${exceptionToml('user = "a"')}${exceptionToml('user = "b"').replace("id", "«id")}`,
    code: "DUPLICATE",
    text: /"x" is the id of one in 0\.toml already/,
  },
];
for (const { why, toml, code, text } of refused) {
  test(`readExceptions(): refuses ${why}`, () => {
    const lines = toml.slice(0, toml.indexOf("«")).split("\n");
    const bytes = Buffer.from(toml.replace("«", ""), why === "no UTF-8" ? "latin1" : "utf8");
    const { exceptions, mistakes } = readExceptionTexts(bytes);
    assert.deepEqual(exceptions, []);
    const [mistake = assert.fail("it was taken"), ...more] = mistakes;
    assert.deepEqual(more, []);
    assert.equal(mistake.code, `KW_EXCEPTION_${code}`, mistake.text);
    assert.match(mistake.text, text);
    assert.deepEqual(mistake.position, { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 });
  });
}

test("readExceptions(): tells all mistakes of a file at once, and takes the files beside it", () => {
  const bad = exceptionToml('parent = "sh"\nquery = "a:b and ("\nusr = "a"', "bad");
  const { exceptions, mistakes } = readExceptionTexts(bad, exceptionToml('user = "a"', "good"));
  assert.deepEqual(
    mistakes.map(({ file, position, code }) => [file, position?.line, code]),
    [
      ["0.toml", 5, "KW_EXCEPTION_VALUE_INVALID"],
      ["0.toml", 6, "KW_EXCEPTION_QUERY_INVALID"],
      ["0.toml", 7, "KW_EXCEPTION_KEY_UNKNOWN"],
    ],
  );
  assert.deepEqual(
    exceptions.map(({ id }) => id),
    ["good"],
  );
});

test("readExceptions(): of two files with the same id the first is taken", () => {
  const { exceptions, mistakes } = readExceptionTexts(
    exceptionToml('user = "a"'),
    exceptionToml('user = "b"'),
  );
  assert.deepEqual(
    exceptions.map(({ conditions }) => conditions.user),
    ["a"],
  );
  assert.match(mistakes[0]?.text ?? "", /is the id of one in 0\.toml already/);
});

test("readExceptions(): warns of a rule that is not there, and takes the exception", () => {
  const { exceptions, warnings } = readExceptionTexts(
    exceptionToml('user = "a"\nrules = ["package-installed-by-new-parent", "gone\\u001b"]'),
  );
  assert.equal(exceptions.length, 1);
  assert.deepEqual(
    warnings.map(({ code, position }) => [code, position]),
    [["KW_EXCEPTION_RULE_UNKNOWN", { line: 6, column: 45 }]],
  );
  assert.match(warnings[0]?.text ?? "", /no rule has the id "gone\\x1b"/);
});

test("readExceptions(): never throws, and takes no file half", () => {
  const pieces = exceptionToml('user = "a"\nquery = "a:(b"\nexpires = 2027-01-31').split(/(?<=["=\n[\]])/);
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(fc.oneof(fc.constantFrom(...pieces), fc.string()), { maxLength: 30 })
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (content) => {
      const { exceptions, mistakes } = readExceptionTexts(content);
      assert.ok(exceptions.length === 0 ? mistakes.length > 0 : mistakes.length === 0);
    }),
    { numRuns: 1_000 },
  );
});
