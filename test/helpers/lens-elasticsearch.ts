/**
 * What a panel of Lens asks, as Elasticsearch is asked it: a bucket in a bucket, and in the last a value for each other column.
 * Kibana asks for last values with top_metrics, where the latest hit stands here; the small server of the tests lacks those.
 */
import { parseKql } from "../../agent/rules/kql-syntax.ts";
import { KqlError } from "../../agent/rules/kql-tree.ts";
import { columnsOf, type ReadColumn, type ReadLens } from "./kibana.ts";
import { elasticsearchQuery } from "./kql-elasticsearch.ts";

type Table = Readonly<Record<string, unknown>>;
type Column = readonly [id: string, column: ReadColumn];

export type Row = Readonly<Record<string, unknown>>; // by the columns' ids

/** @param since of the panel, or of its dashboard */
export function searchOf(lens: ReadLens, since: string, filters: readonly object[]): Table {
  const { query } = lens.state.query;
  const filter = [
    ...filters,
    { range: { "@timestamp": { gte: since, lte: "now" } } },
    ...(query === "" ? [] : [queryOf(query)]),
  ];
  const columns = columnsOf(lens);
  const buckets = columns.filter(([, { isBucketed }]) => isBucketed);
  const values = columns.filter(([, { isBucketed }]) => !isBucketed);
  let aggs: Table = Object.fromEntries(values.map(([id, column]) => [id, valueAggregation(column)]));
  for (const [id, column] of buckets.toReversed())
    aggs = { [id]: { ...bucketOf(column, values), aggs: { ...orderOf(column, values), ...aggs } } };
  return { size: 0, query: { bool: { filter } }, aggs };
}

/** In the order in which the server has them. */
export function rowsIn(lens: ReadLens, aggregations: Table): Row[] {
  return rowsBelow(columnsOf(lens), aggregations);
}

function rowsBelow([first, ...others]: readonly Column[], found: Table): Row[] {
  if (first === undefined) return [{}];
  const [id, { isBucketed, sourceField }] = first;
  if (!isBucketed)
    return rowsBelow(others, found).map((row) => ({
      [id]: valueIn(found[id] as Table, sourceField),
      ...row,
    }));
  const { buckets } = found[id] as { readonly buckets: readonly Table[] };
  return buckets.flatMap((bucket) =>
    rowsBelow(others, bucket).map((row) => ({ [id]: bucket["key"], ...row })),
  );
}

function bucketOf(
  { operationType, sourceField: field, params }: ReadColumn,
  values: readonly Column[],
): Table {
  if (operationType === "date_histogram") return { date_histogram: { field, fixed_interval: "1h" } };
  const by = params["orderBy"] as { readonly type: string; readonly columnId?: string };
  const column = values.find(([id]) => id === by.columnId)?.[1];
  const key = column === undefined ? "_key" : column.operationType === "count" ? "_count" : `order>value`;
  return { terms: { field, size: params["size"], order: { [key]: params["orderDirection"] } } };
}

/** The column that the terms are ordered by is asked for once more, where the terms can see it. */
function orderOf({ params }: ReadColumn, values: readonly Column[]): Table {
  const by = params["orderBy"] as { readonly columnId?: string } | undefined;
  const column = values.find(([id]) => id === by?.columnId)?.[1];
  return column === undefined || column.operationType === "count" ? {} : { order: valueAggregation(column) };
}

/** A filter around each, so that an answer is read in one way. */
function valueAggregation({
  operationType,
  sourceField: field,
  filter,
  reducedTimeRange,
  params,
}: ReadColumn): Table {
  const filters = [
    ...(filter === undefined ? [] : [queryOf(filter.query)]),
    ...(reducedTimeRange === undefined
      ? []
      : [{ range: { "@timestamp": { gte: `now-${reducedTimeRange}` } } }]),
  ];
  const around = { filter: { bool: { filter: filters } } };
  switch (operationType) {
    case "count":
      return around;
    case "unique_count":
      return { ...around, aggs: { value: { cardinality: { field } } } };
    case "max":
    case "sum":
      return { ...around, aggs: { value: { [operationType]: { field } } } };
    case "last_value": {
      const sort = [{ [String(params["sortField"])]: "desc" }];
      return {
        ...around,
        aggs: { value: { top_hits: { size: 1, sort, docvalue_fields: [field], _source: false } } },
      };
    }
    default:
      throw new Error(`no operation of ours: ${operationType}`);
  }
}

function valueIn({ doc_count, value }: Table, field: string): unknown {
  if (value === undefined) return doc_count;
  const { hits } = value as { readonly hits?: { readonly hits: readonly { readonly fields?: Table }[] } };
  if (hits === undefined) return (value as Table)["value"];
  return (hits.hits[0]?.fields?.[field] as unknown[] | undefined)?.[0];
}

function queryOf(text: string): object {
  const tree = parseKql(text);
  if (tree instanceof KqlError) throw tree;
  return elasticsearchQuery(tree);
}
