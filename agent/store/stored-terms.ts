/**
 * The terms in a state, to look at or to change from outside of the daemon, also while that runs.
 *
 * Changing takes no state lock: that one keeps off a second kinwatch which decides, and a daemon may hold it for months. What
 * is done here are whole transactions on one table, and SQLite lets one writer in after the other (sqlite.org/wal.html, section
 * 2.2). A daemon notices before it decides anything more: Store.isChangedByOthers(), Baseline.refresh().
 */
import type { StoredTerm } from "../baseline/stored-term.ts";
import { KinwatchError } from "../errors.ts";
import type { Database, Row } from "./database.ts";
import { openStateToChange, openStateToRead, type StateFile } from "./state-file.ts";

/** Some 20 MB. */
export const termsMax = 100_000;

/** Those that are meant by all that is given. */
export interface TermFilter {
  readonly rule?: string | undefined;
  readonly learned?: boolean | undefined; // true: only those
  readonly sinceMs?: number | undefined; // first seen then or later
  readonly beforeMs?: number | undefined; // first seen earlier
}

export interface Merged {
  readonly added: number;
  readonly widened: number; // known here, and seen earlier or later there
}

export class StoredTerms implements Disposable {
  readonly #database: Database;
  readonly #max: number;

  constructor({ database }: StateFile, max = termsMax) {
    this.#database = database;
    this.#max = max;
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }

  /** From now on this reader sees what is there now, until it is closed. */
  holdStill(): void {
    this.#database.exec("BEGIN; SELECT 1 FROM terms LIMIT 1"); // the snapshot begins with the first reading
  }

  /** By rule, scope, field and value; some at a time, for the reason that Store.alerts() has. */
  *list(filter: TermFilter = {}): Generator<StoredTerm> {
    const { where, values } = conditionOf(filter);
    const sql = `SELECT * FROM terms WHERE (rule, scope, field, value) > (?, ?, ?, ?) AND ${where} ORDER BY rule, scope, field, value LIMIT 100`;
    for (let last: readonly string[] = ["", "", "", ""]; ; ) {
      const rows = this.#database.all(sql, ...last, ...values);
      const row = rows.at(-1);
      if (row === undefined) return;
      for (const one of rows) yield termOf(one);
      last = [row["rule"], row["scope"], row["field"], row["value"]].map(String);
    }
  }

  count(filter: TermFilter = {}): number {
    const { where, values } = conditionOf(filter);
    return Number(
      this.#database.get(`SELECT count(*) AS terms FROM terms WHERE ${where}`, ...values)?.["terms"],
    );
  }

  /** The ids of rules that have any. */
  rules(): string[] {
    return this.#database.all("SELECT DISTINCT rule FROM terms").map((row) => String(row["rule"]));
  }

  /** @returns how many */
  forgetAll(filter: TermFilter): number {
    const { where, values } = conditionOf(filter);
    return this.#database.run(`DELETE FROM terms WHERE ${where}`, ...values);
  }

  /** @returns whether it was there */
  forget({ rule, scope, field, value }: StoredTerm): boolean {
    const sql = "DELETE FROM terms WHERE rule = ? AND scope = ? AND field = ? AND value = ?";
    return this.#database.run(sql, rule, scope, field, JSON.stringify(value)) > 0;
  }

  /**
   * All of them or none. What is known here stays, with the earlier first and the later last sighting of the two; what is not
   * is learned.
   * @throws KW_BASELINE_TOO_LARGE where others would have to be let go for them
   */
  merge(terms: Iterable<StoredTerm>): Merged {
    const add = "INSERT INTO terms VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING";
    const widen =
      "UPDATE terms SET first_seen_ms = min(first_seen_ms, ?5), last_seen_ms = max(last_seen_ms, ?6) WHERE rule = ?1 AND scope = ?2 AND field = ?3 AND value = ?4 AND (first_seen_ms > ?5 OR last_seen_ms < ?6)";
    let [added, widened] = [0, 0];
    this.transaction(() => {
      for (const { rule, scope, field, value, firstSeenMs, lastSeenMs } of terms) {
        const row = [rule, scope, field, JSON.stringify(value), firstSeenMs, lastSeenMs];
        const isNew = this.#database.run(add, ...row) > 0;
        if (isNew) added += 1;
        else widened += this.#database.run(widen, ...row);
      }
      if (added > 0 && this.count() > this.#max) throw tooMany(this.count(), this.#max);
    });
    return { added, widened };
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

export function openTermsToRead(directory: string): StoredTerms {
  return new StoredTerms(openStateToRead(directory));
}

export function openTermsToChange(directory: string): StoredTerms {
  return new StoredTerms(openStateToChange(directory));
}

function conditionOf({ rule, learned, sinceMs, beforeMs }: TermFilter): {
  readonly where: string;
  readonly values: readonly (string | number)[];
} {
  const conditions: string[] = ["true"];
  const values: (string | number)[] = [];
  const add = (condition: string, value: string | number | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  add("rule = ?", rule);
  add("learned = ?", learned ? 1 : undefined);
  add("first_seen_ms >= ?", sinceMs);
  add("first_seen_ms < ?", beforeMs);
  return { where: conditions.join(" AND "), values };
}

function termOf(row: Row): StoredTerm {
  return {
    rule: String(row["rule"]),
    scope: String(row["scope"]),
    field: String(row["field"]),
    value: JSON.parse(String(row["value"])) as string[],
    firstSeenMs: Number(row["first_seen_ms"]),
    lastSeenMs: Number(row["last_seen_ms"]),
    learned: row["learned"] === 1,
  };
}

function tooMany(terms: number, max: number): KinwatchError {
  return new KinwatchError(
    "KW_BASELINE_TOO_LARGE",
    `With these this state would have ${terms} terms, and it keeps ${max}: the oldest would be let go`,
    "Nothing was changed. Export fewer, by rule or time, or forget what is not needed here",
  );
}
