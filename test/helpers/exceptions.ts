/** Exceptions as files have them: only what a test is about is said. */
import assert from "node:assert/strict";
import type { Exception } from "../../agent/rules/exception.ts";
import { type ExceptionSet, readExceptions } from "../../agent/rules/exception-file.ts";
import { newParentRule } from "../../agent/rules/new-parent.ts";

const known = new Set([newParentRule.id]);

export function readExceptionTexts(...contents: readonly (string | Buffer)[]): ExceptionSet {
  const files = contents.map((content, index) => ({ path: `${index}.toml`, bytes: Buffer.from(content) }));
  return readExceptions(files, known);
}

/** @param keys lines of TOML */
export function exceptionToml(keys: string, id = "x"): string {
  return `[[exception]]\nid = "${id}"\nreason = "it is ours"\nauthor = "admin"\n${keys}\n`;
}

export function exceptionOf(keys: string, id = "x"): Exception {
  const { exceptions, mistakes } = readExceptionTexts(exceptionToml(keys, id));
  assert.deepEqual(mistakes, []);
  return exceptions[0] ?? assert.fail("it has one");
}
