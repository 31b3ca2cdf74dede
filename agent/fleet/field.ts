/** What a field of our documents is to Elasticsearch. The list of them: fields.ts. */
export const streams = ["alerts", "events", "health"] as const;
export type Stream = (typeof streams)[number]; // of the data streams logs-kinwatch.<stream>-<namespace>

/** Types of Elasticsearch's mappings; of a list of values the type of one. */
export type FieldType =
  | "keyword"
  | "constant_keyword"
  | "wildcard"
  | "match_only_text"
  | "long"
  | "float"
  | "boolean"
  | "date"
  | "ip";

export interface Field {
  readonly name: string; // in full, with dots
  readonly type: FieldType;
  readonly streams: readonly Stream[]; // whose documents may have it
  readonly isEcs: boolean; // else it is ours, below kinwatch
  readonly meaning: string; // a sentence
}

/** As it is written in the list: its meaning begins where the one of its group ends. */
export type Fields = Readonly<Record<string, readonly [type: FieldType, meaning: string]>>;

/**
 * @param above what stands before each name
 * @param whose what each meaning begins with
 */
export function placed(above: string, whose: string, fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, [type, meaning]]) => [above + name, [type, whose + meaning]]),
  );
}

/** Of an object that has the same kind of value below each name. */
export function listed(above: string, names: readonly string[], type: FieldType, meaning: string): Fields {
  return Object.fromEntries(names.map((name) => [above + name, [type, meaning.replace("%", name)]]));
}

export function fieldsIn(where: readonly Stream[], fields: Fields): Field[] {
  return Object.entries(fields).map(([name, [type, meaning]]) => ({
    name,
    type,
    streams: where,
    isEcs: !name.startsWith("kinwatch."),
    meaning,
  }));
}
