/** Queries that are sent to Kibana: in KQL, for fields of our documents, with values that those can have. */
import assert from "node:assert/strict";
import { fields } from "../../agent/fleet/fields.ts";
import { documentFields } from "../../agent/rules/document-fields.ts";
import { compileKql, type KqlMatcher } from "../../agent/rules/kql-match.ts";
import { parseKql } from "../../agent/rules/kql-syntax.ts";
import { KqlError, type KqlNode } from "../../agent/rules/kql-tree.ts";

/** Of a document of ours. Throws what is wrong with the query. */
export function kqlMatcher(query: string): KqlMatcher<unknown> {
  const matcher = compileKql(parsed(query), documentFields);
  if (matcher instanceof KqlError) throw matcher;
  return matcher;
}

/** Every field that it asks for is one of each of the streams. */
export function assertKql(query: string, streams: readonly string[]): void {
  for (const name of namesIn(parsed(query))) {
    const field = fields.find((one) => one.name === name);
    const own: readonly string[] = field?.streams ?? [];
    assert.deepEqual(
      streams.filter((stream) => !own.includes(stream)),
      [],
      `${query}: ${name}`,
    );
  }
  kqlMatcher(query);
}

function parsed(query: string): KqlNode {
  const tree = parseKql(query);
  if (tree instanceof KqlError) throw tree;
  return tree;
}

function namesIn(node: KqlNode): string[] {
  if (node.kind === "not") return namesIn(node.operand);
  return "operands" in node ? node.operands.flatMap(namesIn) : [node.field.text];
}
