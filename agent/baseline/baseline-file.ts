/**
 * A baseline on its way to other hosts: JSON lines. The first says what it is, then comes a term each, and the last has the
 * SHA-256 of all bytes before it, which tells damage, not malice: who can change the file can change that line too. Times are
 * RFC 3339, UTC. docs/baseline.md describes it for people.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { type ErrorCode, KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { joinScope, splitScope } from "./scope.ts";
import type { StoredTerm } from "./stored-term.ts";

export interface BaselineOrigin {
  readonly host: string;
  readonly exported: string; // when
  /** Of these terms. Without a version: not loaded there. */
  readonly rules: readonly { readonly id: string; readonly version?: string | undefined }[];
}

export interface BaselineFile extends BaselineOrigin {
  readonly terms: readonly StoredTerm[];
  readonly checksum: string;
}

const FORMAT = "kinwatch-baseline";
const VERSION = 1;
const FIELDS_MAX = 3; // of a rule's new terms

const text = z.string().min(1);
const time = z.string().refine(isTime, "is no time such as 2026-01-31T08:00:00.000Z");
const termShape = z
  .strictObject({
    rule: text,
    host: text.optional(), // none: the host whose log names none
    container: z
      .string()
      .regex(/^(?:image|container):./s)
      .optional(), // none: what ran in none
    field: text,
    value: z.array(z.string()).min(1).max(FIELDS_MAX),
    first_seen: time,
    last_seen: time,
    learned: z.boolean(),
  })
  .refine(({ first_seen, last_seen }) => Date.parse(first_seen) <= Date.parse(last_seen), {
    path: ["last_seen"],
    message: "is before first_seen",
  });
const headShape = z.object({
  host: text,
  exported: time,
  rules: z.array(z.object({ id: text, version: text.optional() })),
  terms: z.int().min(0),
});
const tailShape = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** @returns a term as this file and `baseline list` show it */
export function termDocument(term: StoredTerm): z.infer<typeof termShape> {
  const { rule, field, value, firstSeenMs, lastSeenMs, learned } = term;
  const { host, container } = splitScope(term.scope);
  return {
    rule,
    ...(host === "" ? {} : { host }),
    ...(container === undefined ? {} : { container }),
    field,
    value: [...value],
    first_seen: new Date(firstSeenMs).toISOString(),
    last_seen: new Date(lastSeenMs).toISOString(),
    learned,
  };
}

/**
 * The lines with their newlines.
 * @param count how many terms there are
 * @returns the checksum
 */
export function* writeBaseline(
  origin: BaselineOrigin,
  count: number,
  terms: Iterable<StoredTerm>,
): Generator<string, string> {
  const hash = createHash("sha256");
  const lineOf = (document: object): string => {
    const line = `${JSON.stringify(document)}\n`;
    hash.update(line);
    return line;
  };
  yield lineOf({ format: FORMAT, version: VERSION, ...origin, terms: count });
  for (const term of terms) yield lineOf(termDocument(term));
  const sha256 = hash.digest("hex");
  yield `${JSON.stringify({ sha256 })}\n`;
  return sha256;
}

/**
 * @param name what the messages call it
 * @throws KW_BASELINE_INVALID, KW_BASELINE_NEWER, KW_BASELINE_DAMAGED: all or nothing of it is good
 */
export function readBaseline(bytes: Buffer, name: string): BaselineFile {
  const refuse = (code: ErrorCode, line: number, what: string): KinwatchError =>
    new KinwatchError(code, `${printable(name, 200)}, line ${line}: ${what}`, remedies[code] ?? "");
  const end = bytes.at(-1) === 0x0a ? bytes.length - 1 : bytes.length;
  const tailAt = bytes.lastIndexOf(0x0a, end - 1) + 1;
  const lines = linesOf(bytes.subarray(0, tailAt));

  const first = parse(lines[0] ?? "");
  if (first?.["format"] !== FORMAT) throw refuse("KW_BASELINE_INVALID", 1, "it is no baseline of kinwatch");
  const { version } = first;
  if (typeof version === "number" && version > VERSION)
    throw refuse("KW_BASELINE_NEWER", 1, `it is of version ${version}, and this kinwatch reads ${VERSION}`);
  if (version !== VERSION) throw refuse("KW_BASELINE_INVALID", 1, "it has no version");

  const last = lines.length + 1;
  const tail = tailShape.safeParse(parse(bytes.subarray(tailAt, end).toString()));
  if (!tail.success) throw refuse("KW_BASELINE_DAMAGED", last, "there is no checksum: the end is missing");
  const checksum = createHash("sha256").update(bytes.subarray(0, tailAt)).digest("hex");
  if (checksum !== tail.data.sha256)
    throw refuse("KW_BASELINE_DAMAGED", last, "the checksum is of other lines than these");

  const read = <Shape extends z.ZodType>(shape: Shape, number: number): z.infer<Shape> => {
    const result = shape.safeParse(parse(lines[number - 1] ?? ""));
    if (result.success) return result.data;
    throw refuse("KW_BASELINE_INVALID", number, mistakeOf(result.error));
  };
  const { terms: count, ...origin } = read(headShape, 1);
  if (count !== lines.length - 1)
    throw refuse("KW_BASELINE_INVALID", 1, `it says ${count} terms, and ${lines.length - 1} come`);
  const terms = lines.slice(1).map((_, index): StoredTerm => {
    const { host = "", container, first_seen, last_seen, ...term } = read(termShape, index + 2);
    const scope = joinScope({ host, container });
    return { ...term, scope, firstSeenMs: Date.parse(first_seen), lastSeenMs: Date.parse(last_seen) };
  });
  return { ...origin, terms, checksum };
}

const remedies: Partial<Record<ErrorCode, string>> = {
  KW_BASELINE_DAMAGED: "Copy it anew, or export it again; nothing was imported",
  KW_BASELINE_INVALID: "Give a file that kinwatch baseline export wrote; nothing was imported",
  KW_BASELINE_NEWER: "Install the newer kinwatch here too; nothing was imported",
};

function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString().split("\n");
  lines.pop(); // behind the last newline there is nothing
  return lines;
}

/** undefined: no JSON, or no object. */
function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function mistakeOf({ issues }: z.ZodError): string {
  const [issue] = issues;
  const place = issue?.path.map(String).join(".") ?? "";
  return printable(`${place === "" ? "it is no good term" : place}: ${issue?.message ?? ""}`, 200);
}

/** As toISOString() writes it. */
function isTime(written: string): boolean {
  const ms = Date.parse(written);
  return ms >= 0 && new Date(ms).toISOString() === written;
}
