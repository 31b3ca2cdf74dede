/** An exception as it is given on a command line. */
import { type Command, Option } from "commander";
import { stringify, TomlDate } from "smol-toml";
import { parseDuration } from "../duration.ts";
import { KinwatchError } from "../errors.ts";
import { printable } from "../printable.ts";
import { type Conditions, conditionKeys, type Exception } from "../rules/exception.ts";
import { readExceptions } from "../rules/exception-file.ts";
import { readExpiry } from "../rules/exception-schema.ts";
import { kinwatch } from "./checkout.ts";
import type { KnownRules } from "./known-rules.ts";

export interface ConditionOptions {
  readonly user?: string;
  readonly loginUser?: string;
  readonly parent?: string;
  readonly script?: string;
  readonly packageOwner?: string;
  readonly ancestor?: string;
  readonly package?: string;
  readonly workingDirectory?: string;
  readonly containerImage?: string;
  readonly query?: string;
  readonly rule?: readonly string[];
}

const options: readonly (readonly [flags: string, description: string])[] = [
  ["--user <user>", "whom the process runs as, by name or number"],
  ["--login-user <user>", "who logged in, whoever the process runs as now"],
  ["--parent <path>", "the program that started it; * stands for any characters"],
  ["--script <path>", "the script that the parent runs, or the process ran before"],
  ["--package-owner <name>", "the package of the program that started it, or of the script that this runs"],
  ["--ancestor <path>", "a program or script anywhere in the chain of parents"],
  ["--package <name>", "all packages: their names, or with version"],
  ["--working-directory <path>", "where it was started"],
  ["--container-image <name>", "the image of the container that it runs in; * stands for any characters"],
  ["--query <kql>", "anything else, by the fields of rules"],
];

export function addConditionOptions(command: Command): Command {
  for (const [flags, description] of options) command.option(flags, description);
  return command.addOption(
    new Option(
      "--rule <id>",
      "of this rule alone, by its id or the beginning of it; may be repeated",
    ).argParser((id: string, before: readonly string[] | undefined) => [...(before ?? []), id]),
  );
}

export function conditionsGiven(given: ConditionOptions): Conditions {
  const { loginUser, packageOwner, workingDirectory, containerImage } = given;
  const all = {
    ...given,
    login_user: loginUser,
    package_owner: packageOwner,
    working_directory: workingDirectory,
    container_image: containerImage,
  };
  const some = conditionKeys.flatMap((key) => (all[key] === undefined ? [] : [[key, all[key]]]));
  return Object.fromEntries(some);
}

/** @throws KW_RULE_UNKNOWN */
export function rulesGiven(ids: readonly string[] | undefined, rules: KnownRules): string[] | undefined {
  return ids?.map((id) => {
    const found = [...rules.keys()].filter((known) => known.startsWith(id));
    if (rules.has(id)) return id;
    if (found.length === 1 && found[0] !== undefined) return found[0];
    throw new KinwatchError(
      "KW_RULE_UNKNOWN",
      `${found.length === 0 ? "No rule has" : "More than one rule has"} an id that begins with ${printable(id, 100)}`,
      `See ${kinwatch} rules list`,
    );
  });
}

/**
 * @param text a time from now on such as 30d, a date or a date-time
 * @throws KW_ARGUMENT_INVALID
 */
export function expiryGiven(text: string, nowMs: number): TomlDate {
  const durationMs = parseDuration(text);
  const date = new TomlDate(
    durationMs === undefined ? text : new Date(nowMs + durationMs).toISOString().replace(/\.\d+/, ""),
  );
  const expiresMs = date.isValid() ? readExpiry(date) : undefined;
  if (expiresMs !== undefined && expiresMs > nowMs) return date;
  throw new KinwatchError(
    "KW_ARGUMENT_INVALID",
    `--expires ${printable(text, 100)} is ${expiresMs === undefined ? "no date" : "over already"}`,
    "Give a time from now on such as 30d, or a date such as 2027-01-31",
  );
}

export interface WrittenException {
  readonly id: string;
  readonly rules: readonly string[] | undefined;
  readonly conditions: Conditions;
  readonly reason: string;
  readonly author: string;
  readonly expires: TomlDate | undefined;
}

/** The text of a file with one exception. */
export function exceptionText(exception: WrittenException): string {
  const { id, rules, conditions, reason, author, expires } = exception;
  const ordered = conditionKeys.map((key) => [key, conditions[key]] as const);
  const table = { id, rules, ...Object.fromEntries(ordered), reason, author, expires };
  const given = Object.entries(table).filter(([, value]) => value !== undefined);
  return stringify({ exception: [Object.fromEntries(given)] }).replace(unprintable, escaped);
}

/** What an alert shows is anybody's text, and this is shown to a person. In TOML's strings, and nowhere else, it may stand. */
const unprintable = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  return `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, "0")}`;
}

/** As the file would be read. @returns undefined: it would be refused; standard error has been told why, by option */
export function readGiven(text: string, path: string, rules: KnownRules): Exception | undefined {
  const file = { path, bytes: Buffer.from(text) };
  const { exceptions, mistakes } = readExceptions([file], new Set(rules.keys()));
  for (const { text, code } of mistakes) {
    const told = text
      .replace(/^exception\.0\.(\w+)/, (_, key: string) => `--${key.replaceAll("_", "-")}`)
      .replace(/^exception\.0: it/, "It");
    process.stderr.write(`kinwatch: ${printable(told, 2_000)} (${code})\n`);
  }
  return exceptions[0];
}
