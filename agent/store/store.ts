/**
 * The one SQLite file. What belongs together is one transaction: the terms, the alert, what the outputs still have to take,
 * and the position in the log. A kill at any moment repeats an alert with the same id or none; it loses none.
 */
import type { Counters } from "../counters.ts";
import type { Term } from "../rules/term.ts";
import type { LogCursor } from "../sources/source.ts";
import type { Database, Row } from "./database.ts";
import { Shipments } from "./shipments.ts";
import {
  openState,
  openStateInMemory,
  openStateToChange,
  openStateToRead,
  type StateFile,
} from "./state-file.ts";
import type { StateLock } from "./state-lock.ts";
import { termsMax } from "./stored-terms.ts";

export interface StoreOptions {
  readonly counters: Counters;
  readonly limits?: Partial<Record<keyof typeof limitsByDefault, number>>;
  /** How much may wait for Elasticsearch. */
  readonly shipmentBytesMax?: number;
}

/** Rows. What is over goes, the oldest first, and is counted. */
const limitsByDefault = {
  alerts: 100_000, // some 600 MB; a host raises a few a week, a flood of a new parent a second is over a day
  terms: termsMax, // a forgotten one raises an alert again, it silences none
  outbox: 50_000, // below `alerts`, so that there are always delivered alerts to let go before the others
} as const;

const FREE_PAGES_MAX = 5_000; // 20 MB, for the next time that documents wait
const PAGES_AT_ONCE = 2_000; // some 50 ms

export interface OutboxRow {
  readonly sequence: number;
  readonly output: string;
  readonly stage: "raised" | "completed";
  readonly document: string; // JSON
}

/** Who takes an alert when it is raised, and who when it is complete. */
export type Outputs = Readonly<Record<OutboxRow["stage"], readonly string[]>>;

/** How many alerts a rule raised in an interval. */
export interface Signals {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly raised: number;
  readonly held: number; // above the rule's limit: stored, and not handed to outputs one by one
  readonly sample: readonly string[]; // ids of the first of these
}

export interface ExceptionHits {
  readonly hits: number;
  readonly lastMs: number; // by the events' time
}

export interface ChangedAlert {
  readonly document: string; // JSON
  readonly changed: number;
}

export class Store implements Disposable {
  readonly #database: Database;
  readonly #lock: StateLock | undefined;
  readonly #counters: Counters | undefined;
  readonly #room = new Map<string, number>(); // rows by table that fit at least: counting reads them all
  readonly #limits: Readonly<Record<keyof typeof limitsByDefault, number>>;
  readonly shipments: Shipments;
  #version: number;

  /**
   * @param where the folder of kinwatch.db, made when it is missing; undefined: in memory, for one replay
   * @param options undefined: to read only
   * @throws KW_STATE_LOCKED, KW_STATE_CORRUPT, KW_STATE_NEWER, KW_STATE_UNUSABLE; later calls too
   */
  constructor(where: string | StateFile | undefined, options: StoreOptions | undefined) {
    const state =
      where === undefined ? openStateInMemory() : typeof where === "string" ? openState(where) : where;
    this.#database = state.database;
    this.#lock = state.lock;
    this.#counters = options?.counters;
    this.#limits = { ...limitsByDefault, ...options?.limits };
    this.#version = this.#dataVersion();
    const bytesMax = options?.shipmentBytesMax ?? Number.POSITIVE_INFINITY;
    this.shipments = new Shipments(this.#database, this.#counters, bytesMax);
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }

  meta(key: string): string | undefined {
    const value = this.#database.get("SELECT value FROM meta WHERE key = ?", key)?.["value"];
    return typeof value === "string" ? value : undefined;
  }

  setMeta(key: string, value: string): void {
    const sql = "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value";
    this.#database.run(sql, key, value);
  }

  cursor(): LogCursor | undefined {
    const text = this.meta("cursor");
    return text === undefined ? undefined : (JSON.parse(text) as LogCursor);
  }

  setCursor(cursor: LogCursor): void {
    this.setMeta("cursor", JSON.stringify(cursor));
  }

  /** When a term was seen last; undefined: never. */
  lastSeenMs(rule: string, scope: string, { field, value }: Term): number | undefined {
    const sql = "SELECT last_seen_ms FROM terms WHERE rule = ? AND scope = ? AND field = ? AND value = ?";
    const row = this.#database.get(sql, rule, scope, field, JSON.stringify(value));
    return row === undefined ? undefined : Number(row["last_seen_ms"]);
  }

  /** @param learned taken for granted, if this is the first time */
  see(rule: string, scope: string, { field, value }: Term, timeMs: number, learned: boolean): void {
    const sql =
      "INSERT INTO terms VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET last_seen_ms = max(last_seen_ms, excluded.last_seen_ms)";
    const seenMs = Math.trunc(timeMs);
    this.#database.run(sql, rule, scope, field, JSON.stringify(value), seenMs, seenMs, learned ? 1 : 0);
    this.#letGo(
      "terms",
      "DELETE FROM terms WHERE (rule, scope, field, value) IN (SELECT rule, scope, field, value FROM terms ORDER BY last_seen_ms LIMIT ?)",
    );
  }

  /** A term that is known, if it still is: what was struck out meanwhile does not come back by this. */
  seeAgain(rule: string, scope: string, { field, value }: Term, timeMs: number): void {
    const sql =
      "UPDATE terms SET last_seen_ms = ? WHERE rule = ? AND scope = ? AND field = ? AND value = ? AND last_seen_ms < ?";
    const seenMs = Math.trunc(timeMs);
    this.#database.run(sql, seenMs, rule, scope, field, JSON.stringify(value), seenMs);
  }

  /** All terms of a rule. */
  forgetRule(rule: string): void {
    this.#database.run("DELETE FROM terms WHERE rule = ?", rule);
    this.#room.clear();
  }

  /** Whether another process has written since this was asked last: `kinwatch baseline` does. Costs a microsecond. */
  isChangedByOthers(): boolean {
    const version = this.#dataVersion();
    if (version === this.#version) return false;
    this.#version = version;
    this.#room.clear();
    return true;
  }

  /** Of a rule's latest interval. */
  signals(rule: string): Signals | undefined {
    const row = this.#database.get("SELECT * FROM signals WHERE rule = ?", rule);
    return row && signalsOf(row);
  }

  setSignals(rule: string, { fromMs, untilMs, raised, held, sample }: Signals): void {
    const sql = "INSERT OR REPLACE INTO signals VALUES (?, ?, ?, ?, ?, ?)";
    this.#database.run(sql, rule, fromMs, untilMs, raised, held, JSON.stringify(sample));
  }

  /** Rules with alerts that were held back, in intervals that are over. */
  heldSignals(timeMs: number): { readonly rule: string; readonly signals: Signals }[] {
    const sql = "SELECT * FROM signals WHERE held > 0 AND until_ms <= ? ORDER BY until_ms, rule";
    return this.#database
      .all(sql, Math.min(timeMs, Number.MAX_SAFE_INTEGER))
      .map((row) => ({ rule: String(row["rule"]), signals: signalsOf(row) }));
  }

  /** More hits of an exception, beside those that are there. */
  addHits(exception: string, { hits, lastMs }: ExceptionHits): void {
    const sql =
      "INSERT INTO exceptions VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET hits = hits + excluded.hits, last_hit_ms = max(last_hit_ms, excluded.last_hit_ms)";
    this.#database.run(sql, exception, hits, Math.trunc(lastMs));
  }

  /** By the id of the exception; of one that never held anything back there are none. */
  hits(): Map<string, ExceptionHits> {
    const rows = this.#database.all("SELECT * FROM exceptions");
    return new Map(
      rows.map((row) => [
        String(row["id"]),
        { hits: Number(row["hits"]), lastMs: Number(row["last_hit_ms"]) },
      ]),
    );
  }

  /**
   * @param isComplete nothing more will be known of it
   * @returns false when there is one with this id: it was raised before
   */
  addAlert(id: string, document: string, outputs: Outputs, isComplete = false): boolean {
    const sql = "INSERT INTO alerts VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
    if (this.#database.run(sql, id, this.lastChange() + 1, isComplete ? 1 : 0, document) === 0) return false;
    const { raised, completed } = outputs;
    this.#post(id, "raised", raised);
    if (isComplete)
      this.#post(
        id,
        "completed",
        completed.filter((output) => !raised.includes(output)),
      );
    this.#letGo(
      "alerts",
      "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE complete = 1 AND id NOT IN (SELECT alert FROM outbox) ORDER BY id LIMIT ?)",
    );
    return true;
  }

  completeAlert(id: string, document: string, { completed }: Outputs): void {
    const sql = "UPDATE alerts SET document = ?, complete = 1, changed = ? WHERE id = ? AND complete = 0";
    if (this.#database.run(sql, document, this.lastChange() + 1, id) > 0)
      this.#post(id, "completed", completed);
  }

  alert(id: string): string | undefined {
    const document = this.#database.get("SELECT document FROM alerts WHERE id = ?", id)?.["document"];
    return document === undefined ? undefined : String(document);
  }

  /** The document of an alert whose outcome is awaited; undefined: there is none of this id, or it is complete. */
  awaitsOutcome(id: string): string | undefined {
    const row = this.#database.get("SELECT document FROM alerts WHERE id = ? AND complete = 0", id);
    return row === undefined ? undefined : String(row["document"]);
  }

  /** The ids of all alerts whose outcome is awaited. */
  awaiting(): string[] {
    const rows = this.#database.all("SELECT id FROM alerts WHERE complete = 0 ORDER BY id");
    return rows.map((row) => String(row["id"]));
  }

  /** The ids of the rules that raised these. */
  awaitingRules(): string[] {
    const sql =
      "SELECT DISTINCT document ->> '$.rule.id' AS rule FROM alerts WHERE complete = 0 ORDER BY rule";
    return this.#database.all(sql).map((row) => String(row["rule"]));
  }

  /**
   * The documents, the oldest first. Some at a time: a reading transaction that lasts as long as a person takes to look through
   * them would keep the daemon from cutting its journal (sqlite.org/wal.html, section 6).
   * @param prefix the beginning of an id, as a person types it
   * @param from no id before this one
   */
  *alerts(prefix = "", from = prefix): Generator<string> {
    const sql =
      "SELECT id, document FROM alerts WHERE id >= ? AND id > ? AND substr(id, 1, length(?)) = ? ORDER BY id LIMIT 20";
    for (let last = ""; ; ) {
      const rows = this.#database.all(sql, from, last, prefix, prefix);
      if (rows.length === 0) return;
      for (const row of rows) yield String(row["document"]);
      last = String(rows.at(-1)?.["id"]);
    }
  }

  /** How far the alerts have changed so far: for alertsSince(). */
  lastChange(): number {
    return Number(this.#database.get("SELECT max(changed) AS changed FROM alerts")?.["changed"] ?? 0);
  }

  /** What was raised or completed since, in this order; 100 at a time. */
  alertsSince(change: number): ChangedAlert[] {
    const sql = "SELECT document, changed FROM alerts WHERE changed > ? ORDER BY changed LIMIT 100";
    return this.#database
      .all(sql, change)
      .map((row) => ({ document: String(row["document"]), changed: Number(row["changed"]) }));
  }

  /** What an output has not taken yet, in the order in which it came about. */
  outbox(output: string, limit: number): OutboxRow[] {
    // The limit is part of the text: SQLite plans anew each time that another one may be bound.
    const sql = `SELECT sequence, output, stage, document FROM outbox JOIN alerts ON id = alert WHERE output = ? ORDER BY sequence LIMIT ${Math.trunc(limit)}`;
    return this.#database.all(sql, output).map((row) => ({
      sequence: Number(row["sequence"]),
      output: String(row["output"]),
      stage: row["stage"] === "raised" ? "raised" : "completed",
      document: String(row["document"]),
    }));
  }

  /** What waits for an output that is not there any more goes: nobody will take it, and alerts that wait are never let go. */
  keepOutputs(names: readonly string[]): void {
    const sql = "DELETE FROM outbox WHERE output NOT IN (SELECT value FROM json_each(?))";
    const gone = this.#database.run(sql, JSON.stringify(names));
    if (this.#counters !== undefined) this.#counters.outbox_let_go += gone;
  }

  taken(sequences: readonly number[]): void {
    this.transaction(() => {
      for (const sequence of sequences) this.#database.run("DELETE FROM outbox WHERE sequence = ?", sequence);
    });
  }

  /** Gives a little of the file's free room back to the disk, if there is much: the rest another time, so that nobody waits for it. */
  shrink(): void {
    const free = Number(this.#database.get("PRAGMA freelist_count")?.["freelist_count"]);
    if (free > FREE_PAGES_MAX) this.#database.exec(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`);
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
    this.#lock?.[Symbol.dispose]();
  }

  /** Changes when another connection has committed: sqlite.org/pragma.html#pragma_data_version */
  #dataVersion(): number {
    return Number(this.#database.get("PRAGMA data_version")?.["data_version"]);
  }

  #post(id: string, stage: OutboxRow["stage"], outputs: readonly string[]): void {
    const sql = "INSERT INTO outbox (output, stage, alert) VALUES (?, ?, ?)";
    for (const output of outputs) this.#database.run(sql, output, stage, id);
    this.#letGo(
      "outbox",
      "DELETE FROM outbox WHERE sequence IN (SELECT sequence FROM outbox ORDER BY sequence LIMIT ?)",
    );
  }

  #letGo(table: keyof typeof limitsByDefault, sql: string): void {
    const room = (this.#room.get(table) ?? 0) - 1;
    if (room >= 0) {
      this.#room.set(table, room);
      return;
    }
    const rows = Number(this.#database.get(`SELECT count(*) AS rows FROM ${table}`)?.["rows"]);
    this.#room.set(table, Math.max(0, this.#limits[table] - rows));
    if (rows <= this.#limits[table]) return;
    const gone = this.#database.run(sql, rows - this.#limits[table]);
    if (this.#counters !== undefined) this.#counters[`${table}_let_go`] += gone;
  }
}

function signalsOf(row: Row): Signals {
  return {
    fromMs: Number(row["from_ms"]),
    untilMs: Number(row["until_ms"]),
    raised: Number(row["raised"]),
    held: Number(row["held"]),
    sample: JSON.parse(String(row["sample"])) as string[],
  };
}

/** To look at alerts and terms, also while a daemon writes them. */
export function openStoreToRead(directory: string): Store {
  return new Store(openStateToRead(directory), undefined);
}

/** To set right what was refused, also while a daemon runs: whole transactions, for the reason that stored-terms.ts gives. */
export function openStoreToChange(directory: string): Store {
  return new Store(openStateToChange(directory), undefined);
}
