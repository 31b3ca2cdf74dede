/**
 * Makes a query a function of an event, once. A field that an event lacks, or has an empty list in, satisfies no condition,
 * so that `not` of one does; of a list, any element may satisfy it.
 */
import { KqlError, type KqlLeaf, type KqlNode, shown } from "./kql-tree.ts";
import { compileValue, compileValues, type KqlType, type KqlValue, type ValueTest } from "./kql-value.ts";

export interface KqlField<Document> {
  readonly type: KqlType;
  readonly read: (document: Document) => KqlValue | readonly KqlValue[] | undefined;
}
export type KqlFields<Document> = (name: string) => KqlField<Document> | undefined; // undefined: there is no such field
export type KqlMatcher<Document> = (document: Document) => boolean;

/** @returns the error when a field is not known, or cannot have the value that it is compared with */
export function compileKql<Document>(
  tree: KqlNode,
  fields: KqlFields<Document>,
): KqlMatcher<Document> | KqlError {
  try {
    return compile(tree, fields);
  } catch (error) {
    if (error instanceof KqlError) return error;
    throw error;
  }
}

function compile<Document>(node: KqlNode, fields: KqlFields<Document>): KqlMatcher<Document> {
  switch (node.kind) {
    case "not": {
      const matches = compile(node.operand, fields);
      return (document) => !matches(document);
    }
    case "and":
      return all(node.operands.map((operand) => compile(operand, fields)));
    case "or":
      return any(compileAny(node.operands, fields));
    default: {
      const field = fieldOf(node, fields);
      return someValue(field, compileValue(node, field.type));
    }
  }
}

/** Conditions on one field are asked together: a list of twenty names is read and looked up once. */
function compileAny<Document>(
  operands: readonly KqlNode[],
  fields: KqlFields<Document>,
): KqlMatcher<Document>[] {
  const leaves: KqlLeaf[] = [];
  const matchers: KqlMatcher<Document>[] = [];
  for (const operand of operands) {
    if ("field" in operand) leaves.push(operand);
    else matchers.push(compile(operand, fields));
  }
  const byField = Map.groupBy(leaves, (leaf) => leaf.field.text);
  const merged = [...byField.values()].map((same) => {
    const field = fieldOf(same[0] as KqlLeaf, fields);
    return someValue(field, compileValues(same, field.type));
  });
  return [...merged, ...matchers];
}

function fieldOf<Document>(leaf: KqlLeaf, fields: KqlFields<Document>): KqlField<Document> {
  const field = fields(leaf.field.text);
  if (field !== undefined) return field;
  throw new KqlError(
    "field",
    leaf.field,
    `No event has a field ${shown(leaf.field.text)}`,
    "Correct its name",
  );
}

function someValue<Document>({ read }: KqlField<Document>, test: ValueTest): KqlMatcher<Document> {
  return (document) => {
    const value = read(document);
    if (value === undefined) return false;
    if (typeof value !== "object") return test(value);
    for (const element of value) if (test(element)) return true;
    return false;
  };
}

function all<Document>(matchers: readonly KqlMatcher<Document>[]): KqlMatcher<Document> {
  return (document) => {
    for (const matches of matchers) if (!matches(document)) return false;
    return true;
  };
}

function any<Document>(matchers: readonly KqlMatcher<Document>[]): KqlMatcher<Document> {
  return (document) => {
    for (const matches of matchers) if (matches(document)) return true;
    return false;
  };
}
