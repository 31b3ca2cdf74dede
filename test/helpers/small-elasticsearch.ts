/**
 * Stands before the small Elasticsearch for tests, which lacks some types of mappings and some paths that every other server has.
 * Types are put in and taken out on the way, with a note of the type in the field's meta (which mappings keep), so that what is
 * read back is what was written; the paths are acknowledged.
 */
import type { Elasticsearch } from "./elasticsearch.ts";
import { type Answer, type Asked, serve, type TestServer } from "./server.ts";

const standIns: Readonly<Record<string, string>> = {
  constant_keyword: "keyword",
  wildcard: "keyword",
  match_only_text: "text",
};
const missing = /^\/_data_stream\//;

type Table = Readonly<Record<string, unknown>>;

export function beforeSmall({ url }: Pick<Elasticsearch, "url">): Promise<TestServer> {
  return serve(async ({ method, path, headers: { authorization }, body }: Asked): Promise<Answer> => {
    if (missing.test(path)) return { status: 200, body: { acknowledged: true } };
    const isTemplate = /_template\//.test(path);
    const response = await fetch(url + path, {
      method,
      headers: {
        "content-type": "application/json",
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(body === "" ? {} : { body: isTemplate ? JSON.stringify(smaller(JSON.parse(body))) : body }),
    });
    const answer: unknown = await response.json();
    return { status: response.status, body: isTemplate ? whole(answer) : answer };
  });
}

/** As the small server can take it. */
export function smaller(value: unknown): unknown {
  return changed(value, (mapping) => {
    const { type, value: constant } = mapping;
    const standIn = typeof type === "string" ? standIns[type] : undefined;
    if (standIn === undefined) return mapping;
    const { value: _, ...rest } = mapping;
    const meta = { stands_for: type, ...(typeof constant === "string" ? { value: constant } : {}) };
    return { ...rest, type: standIn, meta };
  });
}

function whole(value: unknown): unknown {
  return changed(value, (mapping) => {
    const { meta, ...rest } = mapping;
    if (!isTable(meta) || !("stands_for" in meta)) return mapping;
    const { stands_for: type, ...facts } = meta;
    return { ...rest, type, ...facts };
  });
}

function changed(value: unknown, change: (table: Table) => Table): unknown {
  if (Array.isArray(value)) return value.map((element) => changed(element, change));
  if (!isTable(value)) return value;
  const inner = Object.entries(change(value)).map(([name, one]) => [name, changed(one, change)]);
  return Object.fromEntries(inner);
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
