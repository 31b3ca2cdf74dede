/**
 * The one SQLite file. What belongs together is one transaction: the terms, the alert, what the outputs still have to
 * take, and the position in the log. A kill at any moment repeats an alert with the same id or none; it loses none.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { KinwatchError, systemCode } from "../errors.ts";
import type { Term } from "../rules/new-parent.ts";
import type { LogCursor } from "../sources/source.ts";

const VERSION = 1;

export interface OutboxRow {
  readonly sequence: number;
  readonly output: string;
  readonly stage: "raised" | "completed";
  readonly document: string; // JSON
}

export interface StoredTerm {
  readonly scope: string;
  readonly field: string;
  readonly value: readonly string[];
  readonly firstSeenMs: number;
  readonly learned: boolean;
}

export class Store implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param directory where kinwatch.db is, made when it is missing; undefined: in memory, for one replay */
  constructor(directory: string | undefined, options: { readonly readOnly?: boolean } = {}) {
    const file = directory === undefined ? ":memory:" : join(directory, "kinwatch.db");
    try {
      if (directory !== undefined && !options.readOnly)
        mkdirSync(directory, { recursive: true, mode: 0o700 });
      this.#database = new DatabaseSync(file, { readOnly: options.readOnly ?? false, timeout: 5_000 });
      this.#prepare(options.readOnly ?? false);
    } catch (error) {
      throw storeError(file, error);
    }
  }

  #prepare(readOnly: boolean): void {
    const version = Number(this.#database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version > VERSION) {
      throw new KinwatchError(
        "KW_STATE_NEWER",
        `The database is of version ${version}, and this kinwatch knows up to ${VERSION}`,
        "Install the newer kinwatch again, or move the database away",
      );
    }
    if (readOnly) return;
    // WAL: a commit is one append; FULL: it is on disk before the output has the alert. sqlite.org/pragma.html
    this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    if (version === VERSION) return;
    const schema = readFileSync(new URL("schema.sql", import.meta.url), "utf8");
    this.#database.exec(`BEGIN IMMEDIATE; ${schema}; PRAGMA user_version = ${VERSION}; COMMIT`);
  }

  /** All of `work` or nothing of it. */
  transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  meta(key: string): string | undefined {
    const value = this.#run("SELECT value FROM meta WHERE key = ?").get(key)?.["value"];
    return typeof value === "string" ? value : undefined;
  }

  setMeta(key: string, value: string): void {
    this.#run("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value").run(
      key,
      value,
    );
  }

  cursor(): LogCursor | undefined {
    const text = this.meta("cursor");
    return text === undefined ? undefined : (JSON.parse(text) as LogCursor);
  }

  setCursor(cursor: LogCursor): void {
    this.setMeta("cursor", JSON.stringify(cursor));
  }

  knows(rule: string, scope: string, term: Term): boolean {
    const found = this.#run("SELECT 1 FROM terms WHERE rule = ? AND scope = ? AND field = ? AND value = ?");
    return found.get(rule, scope, term.field, JSON.stringify(term.value)) !== undefined;
  }

  learn(rule: string, scope: string, term: Term, firstSeenMs: number, learned: boolean): void {
    const insert = this.#run("INSERT INTO terms VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
    insert.run(rule, scope, term.field, JSON.stringify(term.value), Math.trunc(firstSeenMs), learned ? 1 : 0);
  }

  terms(): StoredTerm[] {
    const rows = this.#run("SELECT * FROM terms ORDER BY first_seen_ms, value").all();
    return rows.map((row) => ({
      scope: String(row["scope"]),
      field: String(row["field"]),
      value: JSON.parse(String(row["value"])) as string[],
      firstSeenMs: Number(row["first_seen_ms"]),
      learned: row["learned"] === 1,
    }));
  }

  /** @returns false when there is one with this id: it was raised before */
  addAlert(id: string, document: string, outputs: readonly string[]): boolean {
    const added = this.#run("INSERT INTO alerts VALUES (?, ?, 0) ON CONFLICT DO NOTHING").run(id, document);
    if (added.changes === 0) return false;
    this.#post(id, "raised", outputs);
    return true;
  }

  completeAlert(id: string, document: string, outputs: readonly string[]): void {
    const update = this.#run("UPDATE alerts SET document = ?, complete = 1 WHERE id = ? AND complete = 0");
    if (update.run(document, id).changes > 0) this.#post(id, "completed", outputs);
  }

  #post(id: string, stage: "raised" | "completed", outputs: readonly string[]): void {
    const insert = this.#run(
      "INSERT INTO outbox (output, stage, alert) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    );
    for (const output of outputs) insert.run(output, stage, id);
  }

  /** Whether an alert of this id awaits its outcome: its installation was read before a restart. */
  awaitsOutcome(id: string): string | undefined {
    const row = this.#run("SELECT document FROM alerts WHERE id = ? AND complete = 0").get(id);
    return row === undefined ? undefined : String(row["document"]);
  }

  /** @param prefix the beginning of an id, as a person types it */
  alerts(prefix = ""): string[] {
    const rows = this.#run("SELECT document FROM alerts WHERE substr(id, 1, length(?)) = ? ORDER BY id").all(
      prefix,
      prefix,
    );
    return rows.map((row) => String(row["document"]));
  }

  outbox(limit: number): OutboxRow[] {
    const rows = this.#run(
      "SELECT sequence, output, stage, document FROM outbox JOIN alerts ON alerts.id = outbox.alert ORDER BY sequence LIMIT ?",
    ).all(limit);
    return rows.map((row) => ({
      sequence: Number(row["sequence"]),
      output: String(row["output"]),
      stage: row["stage"] === "raised" ? "raised" : "completed",
      document: String(row["document"]),
    }));
  }

  taken(sequence: number): void {
    this.#run("DELETE FROM outbox WHERE sequence = ?").run(sequence);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #run(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** SQLite's result codes: sqlite.org/rescode.html */
function storeError(file: string, error: unknown): unknown {
  if (error instanceof KinwatchError) return error;
  const code =
    typeof error === "object" && error !== null && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  const why = error instanceof Error ? error.message : systemCode(error);
  if (code === 11 || code === 26) {
    return new KinwatchError(
      "KW_STATE_CORRUPT",
      `The database ${file} is damaged: ${why}`,
      "Move it away and keep it, then restore a copy or start anew: kinwatch learns from the logs again and never replaces it by itself",
      { cause: error },
    );
  }
  if (code === 5 || code === 6) {
    return new KinwatchError(
      "KW_STATE_LOCKED",
      `The database ${file} is in use: ${why}`,
      "Stop the other kinwatch, or give this one a state directory of its own",
      { cause: error },
    );
  }
  return new KinwatchError(
    "KW_STATE_UNUSABLE",
    `Cannot use the database ${file}: ${why}`,
    "See that the folder exists, may be written by this user, and has room",
    { cause: error },
  );
}
