/**
 * A query of the Kibana Query Language as Elasticsearch is asked it, and an index of events to ask. Kibana itself asks with match
 * and query_string where term and wildcard stand here; on a keyword these are the same.
 */
import assert from "node:assert/strict";
import type { KqlNode } from "../../agent/rules/kql-tree.ts";
import type { KqlType } from "../../agent/rules/kql-value.ts";
import type { KqlEvent } from "./kql.ts";

export type ElasticsearchQuery = Readonly<Record<string, unknown>>;

export const textBytesMax = 32_766; // of a keyword: Lucene's IndexWriter.MAX_TERM_LENGTH
const batch = 50; // queries a request
const operators = { "<": "lt", "<=": "lte", ">": "gt", ">=": "gte" } as const;

export function elasticsearchQuery(node: KqlNode): ElasticsearchQuery {
  switch (node.kind) {
    case "and":
      return { bool: { filter: node.operands.map(elasticsearchQuery) } };
    case "or":
      return { bool: { should: node.operands.map(elasticsearchQuery), minimum_should_match: 1 } };
    case "not":
      return { bool: { must_not: elasticsearchQuery(node.operand) } };
    case "exists":
      return { exists: { field: node.field.text } };
    case "equals":
      return { term: { [node.field.text]: { value: node.value.text } } };
    case "wildcard": {
      const value = node.pieces.map((piece) => piece.replace(/[\\*?]/g, "\\$&")).join("*");
      return { wildcard: { [node.field.text]: { value } } };
    }
    case "range":
      return { range: { [node.field.text]: { [operators[node.operator]]: node.value.text } } };
  }
}

interface Bulk {
  readonly errors: boolean;
  readonly items: readonly { readonly create: { readonly status: number } }[];
}

interface Search {
  readonly responses: readonly {
    readonly status: number;
    readonly error?: { readonly root_cause: readonly { readonly reason: string }[] };
    readonly hits?: { readonly hits: readonly { readonly _id: string }[] }; // not there when none is found
  }[];
}

/** What a query selects. */
export interface Selection {
  readonly places: readonly number[]; // of events in their list, in its order
  readonly refused?: string; // the reason; then it selects none
}

/** An index of one list of events, each known by its place in the list. */
export class KqlIndex {
  readonly #url: string;
  readonly #size: number;

  private constructor(url: string, size: number) {
    this.#url = url;
    this.#size = size;
  }

  /**
   * @param types of the fields; one that is not named is a keyword
   * @param events 10,000 at most (index.max_result_window)
   */
  static async create(
    url: string,
    types: Readonly<Record<string, KqlType>>,
    events: readonly KqlEvent[],
  ): Promise<KqlIndex> {
    const properties = Object.entries(types).map(([name, type]) => [name, mappingOf(type)]);
    const other = { unmatch_mapping_type: "object", mapping: mappingOf("keyword") };
    const mappings = { dynamic_templates: [{ other }], properties: Object.fromEntries(properties) };
    await request("PUT", url, [{ settings: { number_of_replicas: 0 }, mappings }]);
    const lines = events.flatMap((event, place) => [{ create: { _id: String(place) } }, event]);
    const { errors, items } = await request<Bulk>("POST", `${url}/_bulk?refresh=true`, lines);
    const refused = items.filter(({ create }) => create.status !== 201);
    assert.ok(!errors, JSON.stringify(refused.slice(0, 3)));
    return new KqlIndex(url, events.length);
  }

  /** @returns a selection for each query */
  async select(queries: readonly ElasticsearchQuery[]): Promise<Selection[]> {
    const selections: Selection[] = [];
    const wanted = "responses.status,responses.error.root_cause.reason,responses.hits.hits._id";
    for (let at = 0; at < queries.length; at += batch) {
      const lines = queries
        .slice(at, at + batch)
        .flatMap((query) => [{}, { query, size: this.#size, sort: ["_doc"], _source: false }]);
      const url = `${this.#url}/_msearch?filter_path=${wanted}`;
      const { responses } = await request<Search>("POST", url, lines);
      for (const { error, hits } of responses) {
        const places = (hits?.hits ?? []).map(({ _id }) => Number(_id)).sort((a, b) => a - b);
        selections.push(error ? { places, refused: error.root_cause[0]?.reason ?? "" } : { places });
      }
    }
    return selections;
  }
}

function mappingOf(type: KqlType): object {
  if (type === "keyword") return { type, ignore_above: 1_024 };
  return { type: type === "wildcard" ? "keyword" : type }; // of the two this Elasticsearch has one, and they answer the same
}

async function request<Answer>(method: string, url: string, lines: readonly object[]): Promise<Answer> {
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const type = lines.length === 1 ? "application/json" : "application/x-ndjson";
  const response = await fetch(url, { method, body, headers: { "content-type": type } });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${url}: ${response.status} ${text.slice(0, 1_000)}`);
  return JSON.parse(text) as Answer;
}
