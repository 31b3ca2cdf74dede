/**
 * Makes, opens and checks the database. It is made beside its name and renamed when it is whole: a file of that name that is
 * empty, cut off or another program's is damage, and is never taken for a first start, which would learn anew in silence.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { KinwatchError } from "../errors.ts";
import { corrupt, Database, stateError } from "./database.ts";
import { StateLock } from "./state-lock.ts";

const VERSION = 3;
const APPLICATION = 0x6b77_7431; // "kwt1"
const schema = readFileSync(new URL("schema.sql", import.meta.url), "utf8");

export interface StateFile {
  readonly database: Database;
  readonly lock: StateLock | undefined;
}

/** @param directory made when it is missing, for nobody else to look into */
export function openState(directory: string): StateFile {
  const file = fileIn(directory);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw stateError(directory, error);
  }
  const lock = new StateLock(directory);
  try {
    if (!isThere(file)) make(file);
    return { database: openChecked(file, "own"), lock };
  } catch (error) {
    lock[Symbol.dispose]();
    throw stateError(file, error);
  }
}

/** An empty state, for a kinwatch that starts later. */
export function makeState(directory: string): void {
  const { database, lock } = openState(directory);
  database[Symbol.dispose]();
  lock?.[Symbol.dispose]();
}

/** Beside the one that writes, if one does. */
export function openStateToRead(directory: string): StateFile {
  return openBeside(directory, "read");
}

/** Beside the daemon, if it runs: stored-terms.ts says why that is sound. */
export function openStateToChange(directory: string): StateFile {
  return openBeside(directory, "change");
}

/** Whether there is a state, sound or not. */
export function hasState(directory: string): boolean {
  return isThere(fileIn(directory));
}

function openBeside(directory: string, use: Use): StateFile {
  const file = fileIn(directory);
  if (!isThere(file)) {
    throw new KinwatchError(
      "KW_STATE_UNUSABLE",
      `There is no ${file}`,
      "Run kinwatch first, or name the folder where it keeps its state",
    );
  }
  return { database: openChecked(file, use), lock: undefined };
}

/**
 * What a start would find, without changing it; also beside the one that writes.
 * @throws KW_STATE_CORRUPT, KW_STATE_NEWER, KW_STATE_LOCKED, KW_STATE_UNUSABLE
 */
export function checkState(directory: string): "none" | "sound" {
  const file = fileIn(directory);
  if (!isThere(file)) {
    checkRemains(file);
    return "none";
  }
  using database = openChecked(file, "read");
  checkPages(database);
  return "sound";
}

export function openStateInMemory(): StateFile {
  const database = new Database(":memory:");
  database.exec(schema);
  return { database, lock: undefined };
}

function fileIn(directory: string): string {
  return join(directory, "kinwatch.db");
}

/** @throws KW_STATE_UNUSABLE where nobody can say: a state that may not be seen is not a missing one */
function isThere(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw stateError(file, error);
  }
}

/** SQLite would read what an older database left here into the new one. sqlite.org/howtocorrupt.html, section 1.4 */
function checkRemains(file: string): void {
  if (isThere(`${file}-wal`)) throw corrupt(file, `it is missing, but ${file}-wal is there`);
}

function make(file: string): void {
  checkRemains(file);
  const unfinished = `${file}.new`;
  for (const left of [unfinished, `${unfinished}-journal`]) rmSync(left, { force: true });
  closeSync(openSync(unfinished, "wx", 0o600)); // SQLite gives its other files the same mode
  {
    using database = new Database(unfinished);
    database.exec("PRAGMA auto_vacuum = INCREMENTAL"); // what an outage made of it is given back: Store.shrink()
    database.transaction(() => {
      database.exec(`${schema}; PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${VERSION}`);
    });
  }
  renameSync(unfinished, file);
  const folder = openSync(dirname(file), "r");
  fsyncSync(folder);
  closeSync(folder);
}

/** own: with the lock, all of it, an older version too. */
type Use = "own" | "change" | "read";

function openChecked(file: string, use: Use): Database {
  const database = new Database(file, { readOnly: use === "read" });
  try {
    if (use === "own") upgrade(database);
    check(database);
    if (use === "own") checkPages(database); // all of them: who only comes by should not read hundreds of megabytes
    // WAL: a commit is one append, and readers do not wait; FULL: it is on disk before an output has the alert.
    // sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous
    if (use !== "read") database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    return database;
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}

function check(database: Database): void {
  if (pragma(database, "application_id") !== APPLICATION) {
    throw corrupt(database.file, "it is empty, or another program's");
  }
  const version = pragma(database, "user_version");
  if (version > VERSION) {
    throw new KinwatchError(
      "KW_STATE_NEWER",
      `The database ${database.file} is of version ${version}, and this kinwatch knows up to ${VERSION}`,
      "Install the newer kinwatch again, or move the state folder away",
    );
  }
  if (version < VERSION) {
    throw new KinwatchError(
      "KW_STATE_OLDER",
      `The database ${database.file} is of version ${version}, and this kinwatch reads version ${VERSION}`,
      "Start the new kinwatch once: it brings its state along",
    );
  }
  using wanted = openStateInMemory().database;
  if (tablesOf(database) !== tablesOf(wanted)) {
    throw corrupt(database.file, "its tables are not those that kinwatch made");
  }
}

/**
 * From version 1, which did not know when a term was seen last, how many alerts a rule raised, nor any exceptions; and from
 * version 2, which knew of no documents for Elasticsearch.
 */
function upgrade(database: Database): void {
  if (pragma(database, "application_id") !== APPLICATION) return;
  const version = pragma(database, "user_version");
  if (version !== 1 && version !== 2) return;
  using wanted = openStateInMemory().database;
  const made = (name: string): string =>
    String(wanted.get("SELECT sql FROM sqlite_schema WHERE name = ?", name)?.["sql"]);
  database.transaction(() => {
    if (version === 1) {
      database.exec("ALTER TABLE terms RENAME TO old_terms");
      database.exec(`${made("terms")}; ${made("signals")}; ${made("exceptions")}`);
      database.exec(
        "INSERT INTO terms SELECT rule, scope, field, value, first_seen_ms, first_seen_ms, learned FROM old_terms",
      );
      database.exec("DROP TABLE old_terms");
    }
    database.exec(`${shipping.map(made).join("; ")}; PRAGMA user_version = ${VERSION}`);
  });
}

const shipping = [
  "shipments",
  "shipments_next",
  "shipments_oldest",
  "shipment_totals",
  "shipment_added",
  "shipment_gone",
  "shipment_changed",
];

function checkPages(database: Database): void {
  const findings = database.all("PRAGMA quick_check(1)").map((row) => String(Object.values(row)[0]));
  if (findings.join() !== "ok") throw corrupt(database.file, findings.join());
}

function tablesOf(database: Database): string {
  const rows = database.all("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
  return JSON.stringify(rows);
}

function pragma(database: Database, name: string): number {
  return Number(database.get(`PRAGMA ${name}`)?.[name]);
}
