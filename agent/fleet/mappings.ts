/**
 * What Elasticsearch is told of the fields of a stream. Nothing else is ever mapped (dynamic: false): who has the key of a host
 * can write documents, and must not fill the mapping of the whole fleet with names. What is not mapped is kept with the
 * document all the same, and shown.
 */
import { type Field, type FieldType, type Stream, streams } from "./field.ts";
import { fields } from "./fields.ts";

export interface Mapping {
  readonly type?: FieldType;
  readonly value?: string; // of a constant
  readonly ignore_above?: number;
  readonly fields?: Readonly<Record<string, Mapping>>; // the same value, read in another way
  readonly properties?: Readonly<Record<string, Mapping>>;
}

export interface Mappings {
  readonly dynamic: false;
  readonly date_detection: false; // as in logs@mappings, for who turns dynamic on
  readonly properties: Readonly<Record<string, Mapping>>;
}

const IGNORE_ABOVE = 1_024; // ECS's; documents are cut to it (alert/ecs-process.ts)

/** ECS has these twice, as a whole and by their words: rules and searches of others ask for the second, too. */
const byWords = /(^|\.)(?:command_line|executable|working_directory|(?:user|technique|os)\.name|os\.full)$/;
const processName = /^process\.(?:\w+\.)?name$/;

export function mappingsOf(stream: Stream): Mappings {
  const properties: Tree = {};
  for (const field of fields) if (field.streams.includes(stream)) put(properties, field, stream);
  return { dynamic: false, date_detection: false, properties };
}

export const allMappings: Readonly<Record<Stream, Mappings>> = Object.fromEntries(
  streams.map((stream) => [stream, mappingsOf(stream)]),
) as Record<Stream, Mappings>;

interface Tree {
  [name: string]: { properties: Tree } | Mapping;
}

function put(tree: Tree, field: Field, stream: Stream): void {
  const parts = field.name.split(".");
  const last = parts.pop() ?? "";
  let at = tree;
  for (const part of parts) {
    const inner = (at[part] ?? { properties: {} }) as { properties: Tree };
    at[part] = inner;
    at = inner.properties;
  }
  at[last] = mappingOf(field, stream);
}

function mappingOf({ name, type, isEcs }: Field, stream: Stream): Mapping {
  const value = constants(stream)[name];
  const isText = isEcs && (byWords.test(name) || processName.test(name));
  return {
    type,
    ...(value === undefined ? {} : { value }),
    ...(type === "keyword" ? { ignore_above: IGNORE_ABOVE } : {}),
    ...(isText ? { fields: { text: { type: "match_only_text" } } } : {}),
  };
}

/** The namespace is the first document's: there is a data stream for each. */
function constants(stream: Stream): Readonly<Record<string, string>> {
  return { "data_stream.type": "logs", "data_stream.dataset": `kinwatch.${stream}` };
}
