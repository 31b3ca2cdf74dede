/** Fields of whole documents, as docs/alert-fields.md names them, read as Elasticsearch flattens them. */
import { readFileSync } from "node:fs";
import type { KqlFields } from "../../agent/rules/kql-match.ts";
import type { KqlType, KqlValue } from "../../agent/rules/kql-value.ts";

const page = readFileSync(new URL("../../docs/alert-fields.md", import.meta.url), "utf8");
const names = new Set(
  page.split("\n").flatMap((line) => {
    if (!line.startsWith("| `")) return [];
    return [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  }),
);
const types: Readonly<Record<string, KqlType>> = {
  "process.command_line": "wildcard",
  "process.args_count": "long",
};

export const documentFields: KqlFields<object> = (name) => {
  if (!names.has(name)) return undefined;
  return { type: types[name] ?? "keyword", read: (document) => valuesAt(document, name.split(".")) };
};

function valuesAt(value: unknown, [name, ...rest]: readonly string[]): KqlValue[] {
  if (Array.isArray(value))
    return value.flatMap((element) => valuesAt(element, name === undefined ? [] : [name, ...rest]));
  if (name === undefined) return value === undefined ? [] : [value as KqlValue];
  return typeof value === "object" && value !== null
    ? valuesAt((value as Record<string, unknown>)[name], rest)
    : [];
}
