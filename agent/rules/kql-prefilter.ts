/**
 * Which programs a query can match at all, so that a rule costs nothing for the rest. Found out by asking the query of a name, or
 * of a path, alone (kql-maybe.ts): a condition on process.name answers yes or no, most others "maybe".
 *
 * It relies on this of every event: it has one process.name or none, and that is the base name of its process.executable;
 * one is there when the other is.
 */
import { baseName } from "../events/audit-exec.ts";
import { compileMaybe, type Question } from "./kql-maybe.ts";
import { type KqlLeaf, type KqlNode, leavesOf } from "./kql-tree.ts";
import { compileValue } from "./kql-value.ts";

export interface NameFilter {
  readonly any: boolean; // no name is ruled out: asking is a waste
  readonly names: ReadonlySet<string> | undefined; // the only ones it can match; undefined: the rest has to be asked about
  readonly admits: (name: string | undefined) => boolean; // undefined: the event has none
  readonly admitsProgram: (executable: string | undefined) => boolean; // the same of its whole path, which rules out more
}

/** Each is asked about the whole query. More are rather asked about when they come. */
const CONSTANTS_MAX = 1_000;

/** Names that the query does not mention: one that its patterns like best, and one that they like least. */
const liked = Symbol("a name that lets as much match as any can");
const disliked = Symbol("a name that lets as little match as any can");
type Name = string | undefined | typeof liked | typeof disliked | Program;

interface Program {
  readonly name: string | undefined; // of "/", say
  readonly executable: string;
}

export function nameFilter(tree: KqlNode): NameFilter {
  const question = compileMaybe(tree, questionOfLeaf);
  const admits = (name: Name): boolean => question(name) !== false;
  const admitsProgram = (executable: string | undefined): boolean =>
    admits(executable === undefined ? undefined : { name: baseName(executable) || undefined, executable });
  const constants = [...new Set(leavesOf(tree).flatMap(constantOf))];
  if (constants.length > CONSTANTS_MAX) return { any: false, names: undefined, admits, admitsProgram };
  const isList = !admits(liked) && !admits(undefined);
  return {
    any: admits(disliked) && admits(undefined) && constants.every(admits),
    names: isList ? new Set(constants.filter(admits)) : undefined,
    admits,
    admitsProgram,
  };
}

function questionOfLeaf(leaf: KqlLeaf, wanted: boolean): Question<Name> {
  const isName = leaf.field.text === "process.name";
  if (!isName && leaf.field.text !== "process.executable") return () => "maybe";
  const yes = isName || "maybe"; // a path has more to satisfy than its last part
  const whole = compileValue(leaf, "keyword");
  const test = isName ? whole : endTest(leaf);
  const isConstant = constantOf(leaf).length > 0;
  return (name) => {
    if (name === undefined) return false;
    if (typeof name === "string") return test(name) && yes;
    if (typeof name === "object") {
      const value = isName ? name.name : name.executable;
      return value !== undefined && whole(value);
    }
    return !isConstant && (name === liked) === wanted && yes;
  };
}

/** The only name with which the condition can hold, if there is just one. */
function constantOf(leaf: KqlLeaf): string[] {
  if (leaf.field.text === "process.name") return leaf.kind === "equals" ? [leaf.value.text] : [];
  const end = leaf.field.text === "process.executable" ? endOfPath(leaf) : "";
  return end.includes("/") ? [baseName(end)] : [];
}

function endTest(leaf: KqlLeaf): (name: string) => boolean {
  const end = endOfPath(leaf);
  return end.includes("/") ? (name) => name === baseName(end) : (name) => name.endsWith(end);
}

/** How the path ends when the condition holds; "" if nobody can say. A star may stand for a slash: what is before it says nothing. */
function endOfPath(leaf: KqlLeaf): string {
  if (leaf.kind === "equals") return `/${leaf.value.text}`;
  return leaf.kind === "wildcard" ? (leaf.pieces.at(-1) ?? "") : "";
}
