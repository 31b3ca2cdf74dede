/**
 * What a query of the Kibana Query Language says, as a tree. A list of values is spread over its field:
 * `f:(a and not b)` is the same tree as `f:a and not f:b`, which is what Kibana makes of it: some element is a, none is b.
 */
import { printable } from "../printable.ts";

export interface KqlSpan {
  readonly start: number; // offset in the query, in UTF-16 units
  readonly end: number; // of the first character behind it
}

export type KqlNode = KqlAnd | KqlOr | KqlNot | KqlLeaf;
export type KqlLeaf = KqlExists | KqlEquals | KqlWildcard | KqlRange; // of a list of values: the span is the value's

export interface KqlAnd extends KqlSpan {
  readonly kind: "and";
  readonly operands: readonly KqlNode[]; // two or more
}

export interface KqlOr extends KqlSpan {
  readonly kind: "or";
  readonly operands: readonly KqlNode[]; // two or more
}

export interface KqlNot extends KqlSpan {
  readonly kind: "not";
  readonly operand: KqlNode;
}

/** `field:*` */
export interface KqlExists extends KqlSpan {
  readonly kind: "exists";
  readonly field: KqlText;
}

export interface KqlEquals extends KqlSpan {
  readonly kind: "equals";
  readonly field: KqlText;
  readonly value: KqlText; // numbers and booleans as written: the field's type says what they mean
}

export interface KqlWildcard extends KqlSpan {
  readonly kind: "wildcard";
  readonly field: KqlText;
  readonly pieces: readonly string[]; // what stands between the stars, "" too: "a*" is ["a", ""]
}

export interface KqlRange extends KqlSpan {
  readonly kind: "range";
  readonly field: KqlText;
  readonly operator: "<" | "<=" | ">" | ">=";
  readonly value: KqlText;
}

/** A name or a value: escapes are undone, blanks around it are gone. */
export interface KqlText extends KqlSpan {
  readonly text: string;
  readonly quoted: boolean;
}

/**
 * Why a query cannot be served. `syntax`: Kibana would not take it either; `unserved`: it would, kinwatch does not;
 * `limit`: too long or too deep; `field`: nobody knows it, or it cannot have such a value.
 */
export class KqlError extends Error implements KqlSpan {
  override readonly name = "KqlError";
  readonly kind: "syntax" | "unserved" | "limit" | "field";
  readonly start: number;
  readonly end: number;
  /**
   * @param what what is wrong, without a full stop
   * @param remedy what the author of the query does now, without a full stop
   */
  constructor(kind: KqlError["kind"], { start, end }: KqlSpan, what: string, remedy: string) {
    super(`${what}. ${remedy}.`);
    this.kind = kind;
    this.start = start;
    this.end = end;
  }
}

/** Every place where the query names a field, in the order of the text. */
export function fieldsOf(node: KqlNode): readonly KqlText[] {
  return leavesOf(node).map((leaf) => leaf.field);
}

export function leavesOf(node: KqlNode): readonly KqlLeaf[] {
  if (node.kind === "not") return leavesOf(node.operand);
  return "operands" in node ? node.operands.flatMap(leavesOf) : [node];
}

/** A piece of the query as a message shows it. */
export function shown(text: string): string {
  return `"${printable(text, 40)}"`;
}
