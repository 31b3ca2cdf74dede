/**
 * Which kinds of events a query can match at all, by what is the same in all events of a kind: one for event.action "fork" would
 * load, and then never match. As in kql-prefilter.ts a condition on anything else is a "maybe".
 */
import { constants, type SubjectKind } from "./event-fields.ts";
import type { KqlNode } from "./kql-tree.ts";
import { compileValue } from "./kql-value.ts";
import type { Subject } from "./rule.ts";

type Answer = boolean | "maybe";

const kinds: Readonly<Record<Subject, readonly SubjectKind[]>> = {
  process: ["exec", "uid_change"],
  installation: ["installation"],
  outcome: ["outcome"],
};

/** @returns those that the rule has to be asked about; none when there are no such events */
export function subjectsOf(tree: KqlNode, on: Subject): readonly SubjectKind[] {
  return kinds[on].filter((kind) => answer(tree, constants[kind]) !== false);
}

function answer(node: KqlNode, known: Readonly<Record<string, readonly string[]>>): Answer {
  switch (node.kind) {
    case "not": {
      const opposite = answer(node.operand, known);
      return opposite === "maybe" ? opposite : !opposite;
    }
    case "and":
    case "or": {
      const decides = node.kind === "or";
      const answers = node.operands.map((operand) => answer(operand, known));
      return answers.includes(decides) ? decides : answers.includes("maybe") ? "maybe" : !decides;
    }
    default: {
      const values = known[node.field.text];
      return values === undefined ? "maybe" : values.some(compileValue(node, "keyword"));
    }
  }
}
