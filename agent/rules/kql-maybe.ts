/**
 * A query that is asked of a part of an event: a condition on anything else is a "maybe", and `and`, `or` and `not` make of the
 * answers what Kleene's logic does. What is ruled out is ruled out by a plain no.
 */
import type { KqlLeaf, KqlNode } from "./kql-tree.ts";

export type Answer = boolean | "maybe";
export type Question<Part> = (part: Part) => Answer;

/** @param wanted it counts for the query when the answer is yes; false below an odd number of `not` */
export type LeafQuestion<Part> = (leaf: KqlLeaf, wanted: boolean) => Question<Part>;

export function compileMaybe<Part>(node: KqlNode, ofLeaf: LeafQuestion<Part>, wanted = true): Question<Part> {
  switch (node.kind) {
    case "not":
      return not(compileMaybe(node.operand, ofLeaf, !wanted));
    case "and":
      return allOf(node.operands.map((operand) => compileMaybe(operand, ofLeaf, wanted)));
    case "or":
      return not(allOf(node.operands.map((operand) => not(compileMaybe(operand, ofLeaf, wanted)))));
    default:
      return ofLeaf(node, wanted);
  }
}

function not<Part>(question: Question<Part>): Question<Part> {
  return (part) => {
    const answer = question(part);
    return answer === "maybe" ? answer : !answer;
  };
}

function allOf<Part>(questions: readonly Question<Part>[]): Question<Part> {
  return (part) => {
    let result: Answer = true;
    for (const question of questions) {
      const answer = question(part);
      if (answer === false) return false;
      if (answer === "maybe") result = answer;
    }
    return result;
  };
}
