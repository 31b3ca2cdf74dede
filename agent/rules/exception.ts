/**
 * What a person declared to be no alert: an exception of some rules or of all, with its conditions, of which all must hold. Read by
 * exception-file.ts; docs/exceptions.md says what each key means.
 */
import type { KqlNode } from "./kql-tree.ts";

/** Keys that say which events are meant. */
export const conditionKeys = [
  "user",
  "login_user",
  "parent",
  "script",
  "package_owner",
  "ancestor",
  "package",
  "working_directory",
  "container_image",
  "query",
] as const;
export type ConditionKey = (typeof conditionKeys)[number];

/** As a person wrote them; one or more. */
export type Conditions = Readonly<Partial<Record<ConditionKey, string>>>;

export interface Exception {
  readonly id: string; // its hits are counted under it
  readonly rules: readonly string[] | undefined; // their ids; undefined: all
  readonly conditions: Conditions;
  readonly tree: KqlNode | undefined; // of conditions.query
  readonly reason: string;
  readonly author: string;
  readonly expiresMs: number; // the last moment at which it holds, by the event's time; Infinity: for ever
  readonly file: string; // as a person named it
}

/** "user root, parent /usr/bin/ansible" */
export function conditionWords(conditions: Conditions): string {
  return conditionKeys
    .flatMap((key) => {
      const value = conditions[key];
      return value === undefined ? [] : [`${key.replace("_", " ")} ${value.trim()}`];
    })
    .join(", ");
}
