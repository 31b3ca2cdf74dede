/**
 * The rules and exceptions of a daemon, read again when their files change. Each of the two is taken as a whole or not at all:
 * where a file that one in force came from is refused, all of its kind stay as they are until it is mended or gone, lest half of
 * an edit decide what alerts. A file that none of them came from takes nothing away when it is refused.
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
import { activateExceptions } from "./active-exceptions.ts";
import { type Active, activate, lineOf } from "./active-rules.ts";
import { findExceptions } from "./exception-folder.ts";
import { builtInRules, type FoundRules, findConfigured, readFound } from "./rule-folders.ts";

const SHOWN_MAX = 20; // ids and files that one line names

export class LiveRules {
  readonly #config: Config;
  readonly #source: SourceName;
  readonly #log: Logger;
  readonly #builtIn = builtInRules(); // as they were: an update may put those of a later version there
  readonly #rules: LastGood<Rule>;
  readonly #exceptions: LastGood<Exception>;
  #engine: RuleEngine;

  constructor(config: Config, source: SourceName, log: Logger) {
    this.#config = config;
    this.#source = source;
    this.#log = log;
    this.#rules = new LastGood("rules", ({ source }) => source.file, log);
    this.#exceptions = new LastGood("exceptions", ({ file }) => file, log);
    this.#look(false);
    this.#engine = this.#compile();
    const [rules, exceptions] = [this.#engine.rules.length + 1, this.#engine.exceptions.length]; // one rule is code
    log.info(`${rules} rules are asked, with ${exceptions} exceptions`);
  }

  /** Those in force: another object when they are others. */
  get engine(): RuleEngine {
    return this.#engine;
  }

  get directories(): string[] {
    const { rules, exceptions } = this.#config;
    return [...rules.directories, exceptions.directory];
  }

  /** Looks at the files. @param isWanted a person asks for it, and is told also that nothing has changed */
  reload(isWanted = false): void {
    try {
      if (this.#look(isWanted)) this.#engine = this.#compile();
    } catch (error) {
      this.#log.error(
        `rules and exceptions stay as they are, reading them failed: ${printable(String(error), 400)}`,
      );
    }
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

  #compile(): RuleEngine {
    return new RuleEngine(this.#rules.items, this.#exceptions.items);
  }

  /** @returns whether anything was taken */
  #look(isWanted: boolean): boolean {
    const { rules: config } = this.#config;
    const rules = findConfigured(config.directories);
    const takesRules = this.#rules.take(digestOf(rules), isWanted, () =>
      activate(readFound(rules, this.#builtIn), config, this.#source),
    );
    const exceptions = findExceptions(this.#config.exceptions.directory);
    const ids = this.#rules.items.map(({ id }) => id); // of an exception that names another it is told
    const takesExceptions = this.#exceptions.take(digestOf(exceptions, ids), isWanted, () =>
      activateExceptions(exceptions, this.#config, this.#rules.items, this.#source),
    );
    return takesRules || takesExceptions;
  }
}

type Item = { readonly id: string };
const nowhere = { source: undefined, file: undefined };

/** Of one kind of files what was right last. */
class LastGood<Kept extends Item> {
  items: readonly Kept[] = [];
  readonly #kind: string;
  readonly #fileOf: (item: Kept) => string;
  readonly #log: Logger;
  #digest: string | undefined; // of what was looked at last; undefined: nothing was as yet
  #told: ReadonlySet<string> = new Set(); // of what was taken last
  #isHeld = false; // by a broken edit

  constructor(kind: string, fileOf: (item: Kept) => string, log: Logger) {
    this.#kind = kind;
    this.#fileOf = fileOf;
    this.#log = log;
  }

  /** @returns whether others are in force now, be they the same */
  take(digest: string, isWanted: boolean, load: () => Active<Kept>): boolean {
    if (digest === this.#digest && !isWanted) return false;
    const isFirst = this.#digest === undefined;
    this.#digest = digest;
    const { items, mistakes, warnings } = load();
    const ids = new Set(items.map(({ id }) => id));
    const lost = this.items.filter(({ id }) => !ids.has(id));
    const places = new Set(lost.map(this.#fileOf).flatMap((file) => [file, dirname(file)]));
    const breaking = mistakes.filter(({ file }) => places.has(file));
    if (breaking.length > 0) {
      const files = some([...new Set(breaking.map(({ file }) => printable(file, 200)))]);
      this.#log.error(
        `the ${this.#kind} stay as they are until what some of them came from is mended: ${files}`,
      );
      for (const mistake of breaking) this.#log.error(lineOf(mistake));
      this.#isHeld = true;
      return false;
    }
    const refused = mistakes.map(lineOf);
    for (const line of refused) if (!this.#told.has(line)) this.#log[isFirst ? "warn" : "error"](line);
    for (const line of warnings) if (!this.#told.has(line)) this.#log.warn(line);
    const changed = changes(this.items, items);
    if (!isFirst && (changed !== "" || isWanted || this.#isHeld))
      this.#log.info(`${this.#kind} loaded again: ${changed || "none has changed"}`);
    this.#isHeld = false;
    this.#told = new Set([...refused, ...warnings]);
    this.items = items;
    return true;
  }
}

/** "" when there are none: where an item is written is no change. */
function changes(before: readonly Item[], after: readonly Item[]): string {
  const old = new Map(before.map((item) => [item.id, { ...item, ...nowhere }]));
  const now = new Map(after.map((item) => [item.id, { ...item, ...nowhere }]));
  const kinds = {
    new: [...now.keys()].filter((id) => !old.has(id)),
    gone: [...old.keys()].filter((id) => !now.has(id)),
    changed: [...now.keys()].filter((id) => old.has(id) && !isDeepStrictEqual(old.get(id), now.get(id))),
  };
  const parts = Object.entries(kinds).flatMap(([kind, ids]) =>
    ids.length > 0 ? `${kind}: ${some(ids)}` : [],
  );
  return parts.join("; ");
}

function digestOf({ files, mistakes }: FoundRules, beside: readonly string[] = []): string {
  const hash = createHash("sha256").update(JSON.stringify([beside, mistakes]));
  for (const { path, bytes } of files) hash.update(JSON.stringify([path, bytes.length])).update(bytes);
  return hash.digest("base64");
}

function some(names: readonly string[]): string {
  const more = names.length > SHOWN_MAX ? ` and ${names.length - SHOWN_MAX} more` : "";
  return `${names.slice(0, SHOWN_MAX).join(", ")}${more}`;
}
