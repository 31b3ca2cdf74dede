/**
 * Holds a document against the Elastic Common Schema itself (samples/ecs-fields.json), so that a field that ECS does not know,
 * or knows otherwise, is found here and not by a mapping conflict at somebody's server.
 */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";

interface EcsField {
  readonly type: string;
  readonly array?: true;
  readonly ignore_above?: number;
  readonly allowed?: readonly string[];
  readonly expected_event_types?: Readonly<Record<string, readonly string[]>>;
}
const ecs: { readonly ecs_version: string; readonly fields: Readonly<Record<string, EcsField>> } = JSON.parse(
  readFileSync(new URL("../samples/ecs-fields.json", import.meta.url), "utf8"),
);
const fields = new Map(Object.entries(ecs.fields));
const sets = new Set([...fields.keys()].flatMap((name) => prefixesOf(name))); // "process", "process.parent", …

/** @returns a line for each mistake, the field first; none for a document that keeps to ECS and kinwatch.* */
export function ecsMistakes(document: unknown): string[] {
  if (!isTable(document)) return ["(document): not an object"];
  const mistakes = Object.entries(document).flatMap(([name, value]) => valueMistakes(name, value));
  const given = flat(document);
  // "Required" in ECS: github.com/elastic/ecs, docs on base and ecs fields.
  for (const name of ["@timestamp", "ecs.version"]) {
    if (!given.has(name)) mistakes.push(`${name}: missing, every document needs it`);
  }
  const version = given.get("ecs.version");
  if (version !== undefined && version !== ecs.ecs_version)
    mistakes.push(`ecs.version: not ${ecs.ecs_version}`);
  return [
    ...mistakes,
    ...pairMistakes(strings(given.get("event.category")), strings(given.get("event.type"))),
  ];
}

function valueMistakes(name: string, value: unknown): string[] {
  if (name === "kinwatch" || name.startsWith("kinwatch.")) return plainMistakes(name, value);
  const field = fields.get(name);
  if (field) return fieldMistakes(name, field, value);
  if (!sets.has(name)) return [`${name}: not in ECS, and not below kinwatch`];
  if (!isTable(value)) return [`${name}: not an object`];
  return Object.entries(value).flatMap(([inner, innerValue]) =>
    valueMistakes(`${name}.${inner}`, innerValue),
  );
}

function fieldMistakes(name: string, field: EcsField, value: unknown): string[] {
  if (field.array && !Array.isArray(value)) return [`${name}: not an array`];
  if (!field.array && Array.isArray(value)) return [`${name}: an array, ECS has one value here`];
  return (Array.isArray(value) ? value : [value]).flatMap((element) => {
    if (field.type === "nested" || (field.type === "object" && sets.has(name))) {
      if (!isTable(element)) return [`${name}: not an object`];
      return Object.entries(element).flatMap(([inner, innerValue]) =>
        valueMistakes(`${name}.${inner}`, innerValue),
      );
    }
    const isOfType = types[field.type];
    if (!isOfType) return [`${name}: of type ${field.type}, which this check does not know`];
    if (!isOfType(element)) return [`${name}: no ${field.type}: ${JSON.stringify(element)}`];
    if (typeof element !== "string") return [];
    if (field.ignore_above !== undefined && element.length > field.ignore_above) {
      return [`${name}: longer than ${field.ignore_above}, it would not be indexed`];
    }
    if (field.allowed && !field.allowed.includes(element)) return [`${name}: ${element} is not allowed`];
    return [];
  });
}

/** Whether Elasticsearch takes a value as one of that type. */
export function isOfEcsType(type: string, value: unknown): boolean {
  return types[type]?.(value) ?? false;
}

const isText = (value: unknown): boolean => typeof value === "string";
const isNumber = (value: unknown): boolean => Number.isFinite(value);
const dateForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/; // RFC 3339
const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  keyword: isText,
  constant_keyword: isText,
  wildcard: isText,
  match_only_text: isText,
  long: (value) => Number.isSafeInteger(value),
  integer: (value) => Number.isSafeInteger(value) && Math.abs(Number(value)) < 2 ** 31,
  float: isNumber,
  double: isNumber,
  scaled_float: isNumber,
  boolean: (value) => typeof value === "boolean",
  date: (value) => typeof value === "string" && dateForm.test(value) && !Number.isNaN(Date.parse(value)),
  ip: (value) => typeof value === "string" && isIP(value) !== 0,
  geo_point: (value) => isTable(value) && isNumber(value["lat"]) && isNumber(value["lon"]),
  flattened: (value) => isTable(value) && plainMistakes("", value).length === 0,
  object: (value) => isTable(value) && plainMistakes("", value).length === 0, // labels and the like: any keys
};

/** Each type must be one that a category expects, and each category must have one: otherwise a query by the pair misses it. */
function pairMistakes(categories: readonly string[], eventTypes: readonly string[]): string[] {
  const expected = fields.get("event.category")?.expected_event_types ?? {};
  const fits = (category: string, type: string): boolean => expected[category]?.includes(type) ?? false;
  return [
    ...eventTypes
      .filter((type) => !categories.some((category) => fits(category, type)))
      .map((type) => `event.type: ${type} belongs to none of the categories`),
    ...categories
      .filter((category) => !eventTypes.some((type) => fits(category, type)))
      .map((category) => `event.category: ${category} has none of its types`),
  ];
}

/** Our own part: anything that JSON can say. */
function plainMistakes(name: string, value: unknown): string[] {
  if (Array.isArray(value))
    return value.flatMap((element, index) => plainMistakes(`${name}.${index}`, element));
  if (isTable(value)) {
    return Object.entries(value).flatMap(([inner, innerValue]) =>
      plainMistakes(`${name}.${inner}`, innerValue),
    );
  }
  const isPlain = typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
  return isPlain ? [] : [`${name}: nothing that JSON can hold, or null: leave it out`];
}

function flat(value: object, above = ""): Map<string, unknown> {
  const entries = Object.entries(value).flatMap(([name, inner]): [string, unknown][] => [
    [above + name, inner],
    ...(isTable(inner) ? flat(inner, `${above}${name}.`) : []),
  ]);
  return new Map(entries);
}

function prefixesOf(name: string): string[] {
  const parts = name.split(".");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("."));
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((element) => typeof element === "string") : [];
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
