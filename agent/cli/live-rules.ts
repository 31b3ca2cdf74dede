/**
 * The rules of a daemon, read again when their files change. A set is taken as a whole or not at all: where a file that a rule in
 * force came from is refused, all stay as they are until it is mended or gone, lest half of an edit decide what alerts. A file
 * that none of them came from takes nothing away when it is refused.
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import { printable } from "../printable.ts";
import type { Exception } from "../rules/exception.ts";
import type { SourceName } from "../rules/field-sources.ts";
import type { Rule } from "../rules/rule.ts";
import { RuleEngine } from "../rules/rule-engine.ts";
import type { RuleRemark } from "../rules/rule-mistakes.ts";
import { type ActiveRules, activate, lineOf } from "./active-rules.ts";
import { builtInRules, type FoundRules, findConfigured, readFound } from "./rule-folders.ts";

const SHOWN_MAX = 20; // ids and files that one line names

/** Exceptions are read beside the rules. */
export interface LiveExceptions {
  readonly digest: () => string; // another one when their files have changed
  readonly load: (rules: readonly Rule[]) => readonly Exception[];
}

const noExceptions: LiveExceptions = { digest: () => "", load: () => [] };

export class LiveRules {
  readonly #config: Config["rules"];
  readonly #source: SourceName;
  readonly #log: Logger;
  readonly #exceptions: LiveExceptions;
  readonly #builtIn = builtInRules(); // as they were: an update may put those of a later version there
  #engine: RuleEngine;
  #read = ""; // what was read last, short
  #told: ReadonlySet<string> = new Set(); // of what was taken last

  constructor(
    config: Config["rules"],
    source: SourceName,
    log: Logger,
    exceptions: LiveExceptions = noExceptions,
  ) {
    this.#config = config;
    this.#source = source;
    this.#log = log;
    this.#exceptions = exceptions;
    const { rules, mistakes, warnings } = this.#load(findConfigured(config.directories));
    for (const line of [...mistakes.map(lineOf), ...warnings]) log.warn(line);
    this.#engine = new RuleEngine(rules, exceptions.load(rules));
    log.info(asked(this.#engine));
  }

  /** Those in force: another object when they are others. */
  get engine(): RuleEngine {
    return this.#engine;
  }

  /** Looks at the files. @param isWanted a person asks for it, and is told also that nothing has changed */
  reload(isWanted = false): void {
    const found = findConfigured(this.#config.directories);
    if (this.#digestOf(found) === this.#read && !isWanted) return;
    const told = this.#told;
    const active = this.#load(found);
    const broken = mistakesOfThoseInForce(this.#engine.rules, active);
    if (broken.length > 0) {
      this.#told = told;
      const files = [...new Set(broken.map(({ file }) => printable(file, 200)))];
      this.#log.error(
        `the rules stay as they are until what some of them came from is mended: ${some(files)}`,
      );
      for (const mistake of broken) this.#log.error(lineOf(mistake));
      return;
    }
    for (const line of active.mistakes.map(lineOf)) if (!told.has(line)) this.#log.error(line);
    for (const line of active.warnings) if (!told.has(line)) this.#log.warn(line);
    const before = this.#engine.rules;
    this.#engine = new RuleEngine(active.rules, this.#exceptions.load(active.rules));
    this.#log.info(`rules loaded again: ${changes(before, active.rules)}; ${asked(this.#engine)}`);
  }

  /** What rules without a history know of the past. @param taught they have read what is retained of it */
  tellLesson(newcomers: readonly Rule[], taught: boolean): void {
    if (newcomers.length === 0) return;
    const ids = some(newcomers.map(({ id }) => id));
    if (taught) this.#log.info(`what these match in the retained logs is known to them: ${ids}`);
    else
      this.#log.warn(
        `nothing is retained for these to learn from, all that they match is new to them: ${ids}`,
      );
  }

  #load(found: FoundRules): ActiveRules {
    this.#read = this.#digestOf(found);
    const active = activate(readFound(found, this.#builtIn), this.#config, this.#source);
    this.#told = new Set([...active.mistakes.map(lineOf), ...active.warnings]);
    return active;
  }

  #digestOf(found: FoundRules): string {
    return `${digestOf(found)} ${this.#exceptions.digest()}`;
  }
}

/** Those by which a rule in force would go although nobody took it away. */
function mistakesOfThoseInForce(before: readonly Rule[], { rules, mistakes }: ActiveRules): RuleRemark[] {
  const ids = new Set(rules.map(({ id }) => id));
  const lost = before.filter(({ id, source }) => !source.builtIn && !ids.has(id));
  const places = new Set(lost.flatMap(({ source: { file } }) => [file, dirname(file)]));
  return mistakes.filter(({ file }) => places.has(file));
}

function changes(before: readonly Rule[], after: readonly Rule[]): string {
  const old = new Map(before.map((rule) => [rule.id, contentOf(rule)]));
  const now = new Map(after.map((rule) => [rule.id, contentOf(rule)]));
  const kinds = {
    new: [...now.keys()].filter((id) => !old.has(id)),
    gone: [...old.keys()].filter((id) => !now.has(id)),
    changed: [...now.keys()].filter((id) => old.has(id) && !isDeepStrictEqual(old.get(id), now.get(id))),
  };
  const parts = Object.entries(kinds).flatMap(([kind, ids]) =>
    ids.length > 0 ? `${kind}: ${some(ids)}` : [],
  );
  return parts.join("; ") || "none has changed";
}

/** Without the name of its file, which alerts do not tell. */
function contentOf({ source: _, ...content }: Rule) {
  return content;
}

export function digestOf({ files, mistakes }: FoundRules): string {
  const hash = createHash("sha256").update(JSON.stringify(mistakes));
  for (const { path, bytes } of files) hash.update(JSON.stringify([path, bytes.length])).update(bytes);
  return hash.digest("base64");
}

function asked({ rules, exceptions }: RuleEngine): string {
  const but = exceptions.length === 0 ? "" : `, with ${exceptions.length} exceptions`;
  return `${rules.length + 1} rules are asked${but}`; // the one that is code among them
}

function some(names: readonly string[]): string {
  const more = names.length > SHOWN_MAX ? ` and ${names.length - SHOWN_MAX} more` : "";
  return `${names.slice(0, SHOWN_MAX).join(", ")}${more}`;
}
