import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileKql } from "../../agent/rules/kql-match.ts";
import { type NameFilter, nameFilter } from "../../agent/rules/kql-prefilter.ts";
import { parseKql } from "../../agent/rules/kql-syntax.ts";
import { KqlError, type KqlNode } from "../../agent/rules/kql-tree.ts";
import { kqlEvents, kqlFields, kqlQueries } from "../helpers/kql.ts";

function treeOf(text: string): KqlNode {
  const tree = parseKql(text);
  assert.ok(!(tree instanceof KqlError), text);
  return tree;
}

function filterOf(text: string): NameFilter {
  return nameFilter(treeOf(text));
}

/** The query can match these programs and no others. */
const lists = [
  { why: "one name", query: "process.name:rpm", want: ["rpm"] },
  { why: "a list of names", query: 'process.name:(rpm or dnf or "x y")', want: ["rpm", "dnf", "x y"] },
  { why: "a path names its program", query: "process.executable:/usr/bin/rpm", want: ["rpm"] },
  {
    why: "a pattern that ends in a whole name",
    query: "process.executable:(*/rpm or /opt/*/dnf)",
    want: ["rpm", "dnf"],
  },
  {
    why: "what else is asked changes nothing",
    query: "event.action:exec and process.name:rpm and not user.id:0",
    want: ["rpm"],
  },
  { why: "and cuts", query: "process.name:(a or b) and process.name:(b or c)", want: ["b"] },
  {
    why: "and cuts, path and name",
    query: "process.name:(a or b) and process.executable:/bin/b",
    want: ["b"],
  },
  { why: "and cuts, to nothing", query: "process.name:a and process.name:b", want: [] },
  {
    why: "a pattern cuts a list",
    query: "process.name:(rpm or dnf or rpmdb) and process.name:rpm*",
    want: ["rpm", "rpmdb"],
  },
  {
    why: "the end of a path cuts a list",
    query: "process.name:(rpm or dnf) and process.executable:/usr/*pm",
    want: ["rpm"],
  },
  { why: "not cuts a list", query: "process.name:(a or b) and not process.name:b", want: ["a"] },
  { why: "not cuts a list, inside of one", query: "process.name:((a or b) and not (b or c))", want: ["a"] },
  {
    why: "not of more than the name cuts nothing",
    query: "process.name:(a or b) and not (process.name:b and user.id:0)",
    want: ["a", "b"],
  },
  {
    why: "not of a path cuts nothing",
    query: "process.name:(a or b) and not process.executable:/bin/b",
    want: ["a", "b"],
  },
  {
    why: "or unites",
    query: "(process.name:a and user.id:0) or (process.executable:/bin/b and user.id:1)",
    want: ["a", "b"],
  },
  { why: "not twice is nothing", query: "not (not process.name:a)", want: ["a"] },
  { why: "not or is and not", query: "not (not process.name:a or user.id:0)", want: ["a"] },
  { why: "case counts", query: "process.name:(rpm or RPM)", want: ["rpm", "RPM"] },
  { why: "a range cuts a list", query: "process.name:(a or b) and process.name > a", want: ["b"] },
  { why: "a name that no keyword can be", query: `process.name:(a or ${"x".repeat(1025)})`, want: ["a"] },
  { why: "the parent's name is another", query: "process.parent.name:b and process.name:a", want: ["a"] },
] as const;
for (const { why, query, want } of lists) {
  test(`nameFilter(): a list: ${why}`, () => {
    const { any, names, admits } = filterOf(query);
    assert.deepEqual([...(names ?? ["not a list"])], want);
    assert.equal(any, false);
    for (const name of want) assert.ok(admits(name));
    for (const name of ["", "other", undefined]) assert.ok(!admits(name));
  });
}

/** What it lets through, and what it does not; undefined: an event without a name. */
const patterns = [
  { why: "a pattern", query: "process.name:rpm*", yes: ["rpm", "rpmdb"], no: ["dnf", "xrpm", undefined] },
  {
    why: "a pattern or a name",
    query: "process.name:(rpm* or dnf)",
    yes: ["rpmdb", "dnf"],
    no: ["yum", undefined],
  },
  {
    why: "the end of a path",
    query: "process.executable:/usr/*.sh",
    yes: ["a.sh", ".sh"],
    no: ["sh", "a.py", undefined],
  },
  {
    why: "a folder says nothing of the name",
    query: "process.executable:/tmp/*",
    yes: ["a", "b"],
    no: [undefined],
  },
  { why: "not a name", query: "not process.name:rpm", yes: ["dnf", "", undefined], no: ["rpm"] },
  {
    why: "not a list",
    query: "user.id:0 and not process.name:(a or b*)",
    yes: ["c", undefined],
    no: ["a", "b", "bc"],
  },
  {
    why: "not and",
    query: "not (process.name:a and not process.name:b)",
    yes: ["b", "c", undefined],
    no: ["a"],
  },
  { why: "any name", query: "process.name:*", yes: ["a", ""], no: [undefined] },
  { why: "no name", query: "not process.name:*", yes: [undefined], no: ["a", ""] },
  {
    why: "a name in quotes that looks like a pattern",
    query: 'process.name:"a*" or process.name:b*',
    yes: ["a*", "b"],
    no: ["ab"],
  },
  { why: "a range", query: "process.name >= b", yes: ["b", "c"], no: ["a", undefined] },
] as const;
for (const { why, query, yes, no } of patterns) {
  test(`nameFilter(): by asking: ${why}`, () => {
    const { any, names, admits } = filterOf(query);
    assert.deepEqual({ any, names }, { any: false, names: undefined });
    for (const name of yes) assert.equal(admits(name), true, `${name}`);
    for (const name of no) assert.equal(admits(name), false, `${name}`);
  });
}

/** What the whole path tells beyond its name. */
const programs = [
  {
    why: "a folder",
    query: "process.executable:/tmp/*",
    yes: ["/tmp/a", "/tmp/b/c"],
    no: ["/usr/tmp/a", undefined],
  },
  {
    why: "not a path",
    query: "not process.executable:/bin/a",
    yes: ["/bin/b", "/a", undefined],
    no: ["/bin/a"],
  },
  {
    why: "a folder or something else",
    query: "process.executable:/tmp/* or user.id:0",
    yes: ["/tmp/a", "/bin/a", undefined],
    no: [],
  },
  {
    why: "a name below a folder, but for one",
    query: "process.name:(a or b) and process.executable:/opt/* and not process.executable:/opt/x/a",
    yes: ["/opt/a", "/opt/x/b"],
    no: ["/opt/x/a", "/bin/a", "/opt/c"],
  },
  {
    why: "a path that is too long for a keyword is none, and has a name",
    query: "not process.executable:* and process.name:a",
    yes: [`/${"x".repeat(1_024)}/a`],
    no: ["/bin/a"],
  },
  { why: "a path that has no name", query: "not process.name:*", yes: ["/", "a/", undefined], no: ["/a"] },
] as const;
for (const { why, query, yes, no } of programs) {
  test(`nameFilter(): by a path: ${why}`, () => {
    const { admitsProgram } = filterOf(query);
    for (const path of yes) assert.equal(admitsProgram(path), true, `${path}`);
    for (const path of no) assert.equal(admitsProgram(path), false, `${path}`);
  });
}

const anything = [
  { why: "no condition on a name", query: "process.args:x or user.id:0" },
  { why: "not, without a name", query: "not process.args:x" },
  { why: "a name or something else", query: "process.name:a or process.args:x" },
  { why: "a pattern or something else", query: "process.name:a* or process.executable:*/b or not user.id:0" },
  { why: "not a name, and something else", query: "not (process.name:a and process.args:x)" },
  { why: "not a pattern, and something else", query: "not (process.name:a* and process.args:x)" },
  { why: "not a path", query: "not process.executable:/bin/a" },
  {
    why: "not any path: one too long for a keyword has a name all the same",
    query: "not process.executable:*",
  },
  { why: "a name of something else", query: "process.parent.name:a and not process.parent.executable:/x" },
] as const;
for (const { why, query } of anything) {
  test(`nameFilter(): nothing is ruled out: ${why}`, () => {
    const { any, names, admits } = filterOf(query);
    assert.deepEqual({ any, names }, { any: true, names: undefined });
    for (const name of ["a", "ab", "", undefined]) assert.ok(admits(name));
  });
}

test("nameFilter(): a query of very many names is asked about each program when it comes", () => {
  const { any, names, admits } = filterOf(
    `process.name:(${Array.from({ length: 2_000 }, (_, n) => n).join(" or ")})`,
  );
  assert.deepEqual({ any, names }, { any: false, names: undefined });
  assert.deepEqual([admits("1999"), admits("2000")], [true, false]);
});

test("nameFilter(): lets through whatever the query matches, and says the same in all its ways", () => {
  let ruledOut = 0;
  let ruledOutByPath = 0;
  let asked = 0;
  const events = fc.array(kqlEvents(), { minLength: 8, maxLength: 8 });
  const property = fc.property(kqlQueries(), events, ({ text }, given) => {
    const tree = treeOf(text);
    const matches = compileKql(tree, kqlFields);
    const { any, names, admits, admitsProgram } = nameFilter(tree);
    assert.ok(!(matches instanceof KqlError));
    for (const event of given) {
      const name = event["process.name"] as string | undefined;
      const admitted = admits(name);
      const admittedByPath = admitsProgram(event["process.executable"] as string | undefined);
      if (matches(event)) assert.ok(admittedByPath, `${text} matches ${JSON.stringify(event)}`);
      if (admittedByPath) assert.ok(admitted, `${text} admits ${JSON.stringify(event)} by its path`);
      if (any) assert.ok(admitted, `${text} admits any`);
      if (names) assert.equal(name !== undefined && names.has(name), admitted, `${text} lists ${name}`);
      ruledOut += Number(!admitted);
      ruledOutByPath += Number(!admittedByPath);
      asked++;
    }
  });
  fc.assert(property, { numRuns: 5_000 });
  assert.ok(ruledOutByPath > ruledOut, "a path rules out more than its name");
  assert.ok(ruledOut > asked / 20, `${ruledOut} of ${asked} ruled out: the test sees both`);
});
