/**
 * Which kinds of events a query can match at all, by what is the same in all events of a kind: one for event.action "fork" would
 * load, and then never match. A condition on anything else is a "maybe" (kql-maybe.ts).
 */
import { constants, type SubjectKind } from "./event-fields.ts";
import { compileMaybe, type Question } from "./kql-maybe.ts";
import type { KqlLeaf, KqlNode } from "./kql-tree.ts";
import { compileValue } from "./kql-value.ts";
import type { Subject } from "./rule.ts";

const kinds: Readonly<Record<Subject, readonly SubjectKind[]>> = {
  process: ["exec", "uid_change"],
  installation: ["installation"],
  outcome: ["outcome"],
};

/** @returns those that the rule has to be asked about; none when there are no such events */
export function subjectsOf(tree: KqlNode, on: Subject): readonly SubjectKind[] {
  const question = compileMaybe(tree, questionOfLeaf);
  return kinds[on].filter((kind) => question(constants[kind]) !== false);
}

/** What is the same in all events of a kind, by field. */
type Known = Readonly<Record<string, readonly string[]>>;

function questionOfLeaf(leaf: KqlLeaf): Question<Known> {
  return (known) => {
    const values = known[leaf.field.text]; // of few fields
    return values === undefined ? "maybe" : values.some(compileValue(leaf, "keyword"));
  };
}
