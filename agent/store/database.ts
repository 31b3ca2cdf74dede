/** An SQLite database behind few calls; what goes wrong in any of them is a KinwatchError. sqlite.org/rescode.html */
import assert from "node:assert/strict";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { type ErrorCode, KinwatchError, systemCode } from "../errors.ts";

export type Row = Readonly<Record<string, SQLOutputValue>>;
type Value = string | number | Uint8Array;

const remedies = {
  KW_STATE_CORRUPT:
    "Stop kinwatch and move the state folder away, or put back a copy of it. With an empty folder it learns anew; it replaces nothing by itself",
  KW_STATE_LOCKED: "Stop the other kinwatch, or give this one a state folder of its own",
  KW_STATE_UNUSABLE: "See that the user of kinwatch owns the state folder, and that its disk has room",
} as const satisfies Partial<Record<ErrorCode, string>>;

export class Database implements Disposable {
  readonly file: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>(); // one for each text in store.ts

  /** @param waitMs how long a lock of another process is waited for */
  constructor(file: string, { readOnly = false, waitMs = 5_000 } = {}) {
    this.file = file;
    this.#database = this.#attempt(() => new DatabaseSync(file, { readOnly, timeout: waitMs }));
  }

  exec(sql: string): void {
    this.#attempt(() => this.#database.exec(sql));
  }

  get(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#attempt(() => this.#statement(sql).get(...values));
  }

  all(sql: string, ...values: readonly Value[]): Row[] {
    return this.#attempt(() => this.#statement(sql).all(...values));
  }

  /** @returns how many rows it changed */
  run(sql: string, ...values: readonly Value[]): number {
    return this.#attempt(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** All of `work` or nothing of it. */
  transaction<T>(work: () => T): T {
    assert(!this.#database.isTransaction, "a transaction inside another would end it");
    this.run("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.run("COMMIT");
      return result;
    } catch (error) {
      // A full or failing disk may have undone it already. sqlite.org/lang_transaction.html, section 3.1
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #attempt<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw stateError(this.file, error);
    }
  }
}

/** @param error of SQLite, or of a system call on the file or its folder */
export function stateError(file: string, error: unknown): KinwatchError {
  if (error instanceof KinwatchError) return error;
  const isSqlite = error instanceof Error && "errcode" in error;
  const result = isSqlite ? Number(error.errcode) & 0xff : 0; // the upper bits only tell more of the same
  const why = isSqlite ? error.message : systemCode(error);
  const options = { cause: error };
  if (result === 11 || result === 26) return corrupt(file, why, options); // SQLITE_CORRUPT, SQLITE_NOTADB
  if (result === 5 || result === 6) {
    return new KinwatchError(
      "KW_STATE_LOCKED",
      `${file} is in use: ${why}`,
      remedies.KW_STATE_LOCKED,
      options,
    );
  }
  return new KinwatchError(
    "KW_STATE_UNUSABLE",
    `Cannot use ${file}: ${why}`,
    remedies.KW_STATE_UNUSABLE,
    options,
  );
}

export function corrupt(file: string, why: string, options?: ErrorOptions): KinwatchError {
  return new KinwatchError(
    "KW_STATE_CORRUPT",
    `The database ${file} is damaged: ${why}`,
    remedies.KW_STATE_CORRUPT,
    options,
  );
}
