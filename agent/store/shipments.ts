/**
 * What waits for Elasticsearch, in the same file and the same transactions as the terms and the position in the log. It is
 * bounded by bytes; what is over goes, the least important first, the oldest of it first, and is counted.
 */
import type { Counters } from "../counters.ts";
import type { Database, Row } from "./database.ts";
import { packed, unpacked, unpackedLength } from "./shipment-document.ts";

export const streams = ["alerts", "health", "events"] as const; // by their rank
export type Stream = (typeof streams)[number];

export interface Shipment {
  readonly rank: number;
  readonly sequence: number;
  readonly id: string;
  readonly stream: string; // the data stream
  readonly document: Buffer; // JSON in UTF-8
}

export interface Refusal {
  readonly sequence: number;
  readonly reason: string;
}

export interface RefusedShipment extends Shipment {
  readonly reason: string;
}

export interface Totals {
  readonly documents: number;
  readonly bytes: number;
}

const rowBytes = 100; // of a row beside its document and id, with its place in the indices
const documentMax = 16 * 1_048_576; // bytes; its parts are bounded, and sum up to less than one
const letGoMax = 1_000; // rows that are looked at at a time

export class Shipments {
  readonly #database: Database;
  readonly #counters: Counters | undefined;
  readonly #bytesMax: number;
  #memory = Buffer.alloc(0); // of the batch that was read last

  constructor(database: Database, counters: Counters | undefined, bytesMax: number) {
    this.#database = database;
    this.#counters = counters;
    this.#bytesMax = bytesMax;
  }

  /**
   * Within the caller's transaction. One that waits already, or is refused, stays as it is.
   * @param dataStream its name
   * @param json the document
   * @param isOpen its outcome is awaited: complete() tells it
   */
  add(stream: Stream, dataStream: string, id: string, json: string, isOpen = false): void {
    const document = packed(json);
    const bytes = document.length + id.length + rowBytes;
    const sql =
      "INSERT INTO shipments (id, stream, rank, state, bytes, document) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    const values = [id, dataStream, streams.indexOf(stream), isOpen ? "open" : "waiting", bytes, document];
    if (this.#database.run(sql, ...values) > 0) this.#letGo();
  }

  /** The document of one whose outcome is awaited; undefined: there is none of this id. */
  open(id: string): string | undefined {
    const sql = "SELECT document FROM shipments WHERE id = ? AND state = 'open'";
    const row = this.#database.get(sql, id);
    return row && documentOf(row).toString("utf8");
  }

  openIds(): string[] {
    return this.#database
      .all("SELECT id FROM shipments WHERE state = 'open'")
      .map((row) => String(row["id"]));
  }

  complete(id: string, json: string): void {
    const document = packed(json);
    const sql =
      "UPDATE shipments SET state = 'waiting', document = ?, bytes = ? WHERE id = ? AND state = 'open'";
    this.#database.run(sql, document, document.length + id.length + rowBytes, id);
  }

  /**
   * What goes next: by rank, then in the order in which it came about. Their documents are in memory that the next call uses again.
   * @param bytesMax of the documents, but one at least
   * @param after left out: from the first one on
   */
  next(documentsMax: number, bytesMax: number, after?: Pick<Shipment, "rank" | "sequence">): Shipment[] {
    const sql =
      "SELECT rank, sequence, id, stream, document FROM shipments WHERE state = 'waiting' AND (rank, sequence) > (?, ?) ORDER BY rank, sequence LIMIT ?";
    const next: Shipment[] = [];
    let bytes = 0;
    for (const row of this.#database.all(sql, after?.rank ?? -1, after?.sequence ?? 0, documentsMax)) {
      const length = lengthOf(row);
      if (next.length > 0 && bytes + length > bytesMax) break;
      if (this.#memory.length < bytes + length) this.#memory = Buffer.alloc(Math.max(bytesMax, length)); // of the first one only
      next.push(shipmentOf(row, this.#memory.subarray(bytes)));
      bytes += length;
    }
    return next;
  }

  /** Whether something waits. @param stream left out: of any */
  isWaiting(stream?: Stream): boolean {
    return this.#sum("waiting", stream).documents > 0;
  }

  /** The server has them. Within the caller's transaction, as refuse(). */
  taken(sequences: readonly number[]): void {
    for (const sequence of sequences)
      this.#database.run("DELETE FROM shipments WHERE sequence = ?", sequence);
  }

  /** The server will never take them as they are: they stay for a person to look at. */
  refuse(refusals: readonly Refusal[]): void {
    const sql = "UPDATE shipments SET state = 'refused', reason = ? WHERE sequence = ?";
    for (const { sequence, reason } of refusals) this.#database.run(sql, reason, sequence);
  }

  /** Such as were refused, the oldest first; some at a time, for the reason that Store.alerts() has. */
  *refused(prefix = ""): Generator<RefusedShipment> {
    const sql =
      "SELECT rank, sequence, id, stream, document, reason FROM shipments WHERE state = 'refused' AND sequence > ? AND substr(id, 1, length(?)) = ? ORDER BY sequence LIMIT 100";
    for (let last = 0; ; ) {
      const rows = this.#database.all(sql, last, prefix, prefix);
      if (rows.length === 0) return;
      for (const row of rows)
        yield { ...shipmentOf(row, Buffer.alloc(lengthOf(row))), reason: String(row["reason"]) };
      last = Number(rows.at(-1)?.["sequence"]);
    }
  }

  /** Such as were refused are tried again. @returns how many */
  retry(sequences: readonly number[]): number {
    const sql =
      "UPDATE shipments SET state = 'waiting', reason = NULL WHERE sequence = ? AND state = 'refused'";
    return this.#eachOf(sequences, sql);
  }

  /** Such as were refused go. @returns how many */
  discard(sequences: readonly number[]): number {
    return this.#eachOf(sequences, "DELETE FROM shipments WHERE sequence = ? AND state = 'refused'");
  }

  /** All that waits or may come to wait; and what was refused. */
  totals(): { readonly waiting: Totals; readonly refused: Totals } {
    const [open, waiting, refused] = (["open", "waiting", "refused"] as const).map((state) =>
      this.#sum(state),
    );
    return {
      waiting: {
        documents: (open?.documents ?? 0) + (waiting?.documents ?? 0),
        bytes: (open?.bytes ?? 0) + (waiting?.bytes ?? 0),
      },
      refused: refused ?? { documents: 0, bytes: 0 },
    };
  }

  #eachOf(sequences: readonly number[], sql: string): number {
    let changed = 0;
    this.#database.transaction(() => {
      for (const sequence of sequences) changed += this.#database.run(sql, sequence);
    });
    return changed;
  }

  #sum(state: "open" | "waiting" | "refused", stream?: Stream): Totals {
    const rank = stream === undefined ? "" : `AND rank = ${streams.indexOf(stream)}`;
    const sql = `SELECT sum(documents) AS documents, sum(bytes) AS bytes FROM shipment_totals WHERE state = ? ${rank}`;
    const row = this.#database.get(sql, state);
    return { documents: Number(row?.["documents"] ?? 0), bytes: Number(row?.["bytes"] ?? 0) };
  }

  #letGo(): void {
    let over =
      Number(this.#database.get("SELECT sum(bytes) AS bytes FROM shipment_totals")?.["bytes"]) -
      this.#bytesMax;
    const sql = "SELECT sequence, bytes FROM shipments WHERE rank = ? ORDER BY sequence LIMIT ?";
    for (let rank = streams.length - 1; rank >= 0 && over > 0; ) {
      const rows = this.#database.all(sql, rank, letGoMax);
      for (const { sequence, bytes } of rows) {
        if (over <= 0) break;
        this.taken([Number(sequence)]);
        over -= Number(bytes);
        if (this.#counters !== undefined) this.#counters[`shipments_${streams[rank] as Stream}_let_go`] += 1;
      }
      if (rows.length < letGoMax) rank -= 1;
    }
  }
}

function shipmentOf(row: Row, memory: Buffer): Shipment {
  return {
    rank: Number(row["rank"]),
    sequence: Number(row["sequence"]),
    id: String(row["id"]),
    stream: String(row["stream"]),
    document: documentOf(row, memory),
  };
}

/** Empty where it is damaged: the server refuses it then, and a person is told. */
function documentOf(row: Row, memory: Buffer = Buffer.alloc(lengthOf(row))): Buffer {
  const { document } = row;
  return (document instanceof Uint8Array ? unpacked(document, memory) : undefined) ?? Buffer.alloc(0);
}

/** Of a document that is taken out; one that says to be longer than any of ours is damaged. */
function lengthOf({ document }: Row): number {
  const length = document instanceof Uint8Array ? (unpackedLength(document) ?? 0) : 0;
  return length > documentMax ? 0 : length;
}
