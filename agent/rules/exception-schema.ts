/**
 * The keys of an exception file. docs/exceptions.md lists them, and test/rules/exception-file.test.ts compares.
 */
import { TomlDate } from "smol-toml";
import { z } from "zod";
import { keyFacts, keysOf } from "../toml-schema.ts";
import { readDate } from "./kql-date.ts";

function key<S extends z.ZodType>(schema: S, expects: string, purpose: string): S {
  keyFacts.add(schema, { expects, purpose });
  return schema;
}

const words = () => z.string().regex(/\S/);
const user = () => words().regex(/^[^*]*$/);
// A pattern that every path satisfies is no condition.
const path = () => z.string().regex(/^[/*].*[^/*]/s);

/** @returns the last millisecond of the day, or of what else is written; undefined: it is no date */
export function readExpiry(value: TomlDate | string): number | undefined {
  const text = value instanceof TomlDate ? value.toISOString() : value;
  return /^\d{4}-\d\d-\d\d/.test(text) ? readDate(text)?.to : undefined;
}

const expiry = z.union([z.instanceof(TomlDate), z.string()]).transform((value, context) => {
  const ms = readExpiry(value);
  if (ms === undefined) context.addIssue("no date");
  return ms ?? z.NEVER;
});

const userExpects = "a user's name or number";
const pathExpects = "an absolute path, * for any characters in it";

export const exceptionFileSchema = z.strictObject({
  exception: key(
    z
      .array(
        z.strictObject({
          id: key(
            z.string().regex(/^[a-z\d][a-z\d-]{0,63}$/i),
            "1 to 64 letters, digits and dashes",
            "Its hits are counted under it; no two exceptions have the same.",
          ),
          rules: key(
            z.array(words()).min(1).optional(),
            "a list of rule ids (kinwatch rules show names them in full)",
            "Of which rules it is an exception; left out, of all.",
          ),
          user: key(user().optional(), userExpects, "Whom the process runs as."),
          login_user: key(user().optional(), userExpects, "Who logged in, whoever the process runs as now."),
          parent: key(path().optional(), pathExpects, "The program that started it."),
          script: key(
            path().optional(),
            pathExpects,
            "The script that the parent runs, or that the process itself ran before.",
          ),
          package_owner: key(
            z.string().regex(/[^*]/).optional(),
            "a name, * for any characters in it",
            "The installed package of the program that started it, or of the script that this runs.",
          ),
          ancestor: key(
            path().optional(),
            pathExpects,
            "A program or script anywhere in the chain of parents, or that the process was before.",
          ),
          package: key(
            z.string().regex(/[^*]/).optional(),
            "a name, * for any characters in it",
            "All packages that are known when the rule is asked: their names, or with version and architecture.",
          ),
          working_directory: key(
            z
              .string()
              .regex(/^\/$|^[/*].*[^/*]/s)
              .optional(),
            pathExpects,
            "Where it was started.",
          ),
          container_image: key(
            z.string().regex(/[^*]/).optional(),
            "a name with its registry and tag, * for any characters in it",
            "The image of the container that it runs in.",
          ),
          query: key(z.string().optional(), "a KQL query", "Anything else: the fields are those of rules."),
          reason: key(words(), "a text", "Why it is no alert."),
          author: key(words(), "a text", "Who says so."),
          expires: key(
            expiry.optional(),
            "a date (2027-01-31, to the end of that day) or a date-time; UTC where no offset is given",
            "Until when it holds; left out, for ever.",
          ),
        }),
      )
      .min(1),
    "one or more tables [[exception]]",
    "An exception: all conditions in it must hold.",
  ),
});

export type ExceptionData = z.output<typeof exceptionFileSchema>["exception"][number];
export const exceptionKeys = keysOf(exceptionFileSchema);
