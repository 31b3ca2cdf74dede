/**
 * The terms of an event: what it has in the fields that a new_terms rule names. A list has a term in each of its elements,
 * several fields one in every combination. An event that lacks any of the fields has none.
 */
import type { KqlField } from "./kql-match.ts";
import { indexed, type KqlType, type KqlValue } from "./kql-value.ts";

export type Term = readonly KqlValue[]; // a value of each field, in their order

export interface Terms {
  readonly terms: readonly Term[]; // each once
  readonly complete: boolean; // false: there are more combinations than anybody could look at
}

const TERMS_MAX = 1_024; // of an event; two lists of arguments could have millions

/** @param fields one to three */
export function termsOf<Document>(fields: readonly KqlField<Document>[], document: Document): Terms {
  let terms: readonly Term[] = [[]];
  let complete = true;
  for (const field of fields) {
    const values = valuesOf(field, document);
    const left = Math.floor(TERMS_MAX / terms.length);
    if (values.length > left) complete = false;
    const some = values.slice(0, left);
    terms = terms.flatMap((term) => some.map((value) => [...term, value]));
    if (terms.length === 0) return { terms, complete: true };
  }
  return { terms, complete };
}

function valuesOf<Document>({ type, read }: KqlField<Document>, document: Document): KqlValue[] {
  const value = read(document);
  if (value === undefined) return [];
  if (typeof value !== "object") return [...one(value, type)];
  const values = new Set<KqlValue>();
  for (const element of value) for (const kept of one(element, type)) values.add(kept);
  return [...values];
}

function one(value: KqlValue, type: KqlType): readonly KqlValue[] {
  const kept = indexed(value, type);
  return kept === undefined ? [] : [kept];
}
