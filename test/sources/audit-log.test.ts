/**
 * The source against a model of the log: lines written, rotated, copied, cut away and removed at any moment between two
 * pieces, read by one follower after another from the position that was stored last.
 */
import assert from "node:assert/strict";
import { rmSync, truncateSync } from "node:fs";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { newCounters } from "../../agent/counters.ts";
import { AuditLogSource } from "../../agent/sources/audit-log.ts";
import type { LogCursor, LogPosition, Observation } from "../../agent/sources/source.ts";
import { LogFolder, record } from "../helpers/log-folder.ts";

const KEPT = 4;

/** A file of the model. */
interface Log {
  serials: number[];
  open: boolean; // the follower has it open: it must read it, whoever removes it
}

class Follower {
  readonly counters = newCounters();
  readonly seen: number[] = [];
  readonly unseen: number[] = [];
  /** Since a log was truncated last: an old position in it cannot be told from a new one. */
  readonly places: (LogPosition & { readonly serial: number })[] = [];
  readonly source: AuditLogSource;
  readonly #written: readonly string[];
  readonly #stop = new AbortController();
  readonly #observations: AsyncIterator<Observation>;

  constructor(path: string, cursor: LogCursor | undefined, written: readonly string[]) {
    this.#written = written;
    this.source = new AuditLogSource({
      path,
      cursor,
      stop: this.#stop.signal,
      counters: this.counters,
      report: () => {},
      watch: { follow: () => {}, wait: () => setImmediate() },
    });
    this.#observations = this.source[Symbol.asyncIterator]();
  }

  /** @returns whether all there is was read */
  async pull(piecesMax: number): Promise<boolean> {
    for (let pieces = 0; pieces < piecesMax; pieces += 1) {
      const { value } = await this.#observations.next();
      if (value.kind === "idle") return true;
      assert.equal(value.kind, "log");
      let { offset } = value.position;
      for (const line of (value.bytes.toString("latin1") as string).match(/.*\n/g) ?? []) {
        const serial = Number(/:(\d+)\)/.exec(line as string)?.[1]);
        assert.equal(line, this.#written[serial], "as it was written");
        (value.seen ? this.seen : this.unseen).push(serial);
        this.places.push({ ...value.position, offset, serial });
        offset += line.length;
      }
    }
    return false;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#observations.return?.();
    this.source[Symbol.dispose]();
  }
}

class Model implements Disposable {
  readonly files = new LogFolder(KEPT);
  readonly #written: string[] = []; // lines by serial
  #due = new Set<number>(); // the follower must read them
  #logs: Log[] = []; // newest first
  #isLive = false; // the newest is the live one
  #half: string | undefined;
  #from = 0; // the first line that the follower must hand on as not seen
  #stored: { readonly cursor: LogCursor; readonly serial: number } | undefined;
  #follower = new Follower(this.files.path, undefined, this.#written);

  append(lines: number, length: number): void {
    this.complete();
    for (let count = 0; count < lines; count += 1) {
      this.begin(length);
      this.complete();
    }
  }

  /** Half a line. */
  begin(length: number): void {
    this.complete();
    const line = record(this.#written.length, "x".repeat(length));
    if (!this.#isLive) this.#logs.unshift({ serials: [], open: false });
    this.#isLive = true;
    this.#written.push(line);
    this.files.write(line.slice(0, length));
    this.#half = line.slice(length);
  }

  complete(): void {
    if (this.#half === undefined) return;
    this.files.write(this.#half);
    this.#half = undefined;
    this.#logs[0]?.serials.push(this.#written.length - 1);
    this.#due.add(this.#written.length - 1);
  }

  rotate(): void {
    this.#half = undefined; // its writer is gone
    this.files.rotate();
    this.#logs.unshift({ serials: [], open: false });
    this.#isLive = true;
    for (const log of this.#logs.splice(KEPT)) if (!log.open) this.#excuse(log);
  }

  truncate(): void {
    const [live] = this.#logs;
    if (!this.#isLive || live === undefined) return;
    this.#half = undefined;
    truncateSync(this.files.path);
    this.#follower.places.length = 0;
    this.#excuse(live);
    live.serials = [];
  }

  copyTruncate(): void {
    const [live] = this.#logs;
    const read = new Set([...this.#follower.seen, ...this.#follower.unseen]);
    // Of what nobody has begun to read nobody knows that it was cut away.
    if (!this.#isLive || !live?.serials.some((serial) => read.has(serial))) return;
    this.#half = undefined;
    this.files.copyTruncate();
    this.#follower.places.length = 0;
    this.#logs.splice(1, 0, { serials: live.serials, open: false });
    live.serials = [];
    for (const log of this.#logs.splice(KEPT)) if (!log.open) this.#excuse(log);
  }

  remove(): void {
    this.#half = undefined;
    this.files.close();
    rmSync(this.files.path, { force: true });
    for (const log of this.#logs.splice(0, this.#isLive ? 1 : 0)) if (!log.open) this.#excuse(log);
    this.#isLive = false;
  }

  /** Some pieces, or all there is. */
  async read(pieces: number): Promise<void> {
    if (!(await this.#follower.pull(pieces))) return;
    for (const log of this.#logs) log.open = true;
    const { seen, unseen, counters } = this.#follower;
    const read = [...seen, ...unseen];
    assert.deepEqual(
      read,
      [...new Set(read)].sort((a, b) => a - b),
      "in order, each once",
    );
    if (counters.logs_lost === 0) {
      assert.deepEqual(
        unseen.filter((serial) => serial < this.#from),
        [],
        "what was decided is seen",
      );
    }
    assert.deepEqual(
      seen.filter((serial) => serial >= this.#from),
      [],
      "what was not decided is not seen",
    );
    assert.deepEqual([...this.#due.difference(new Set(read))], [], "none is lost");
  }

  /** Keeps the position of a line, as the flow does that has dealt with all before it. */
  store(back: number): void {
    const place = this.#follower.places.at(-1 - back);
    const cursor = place && this.#follower.source.cursorAt(place);
    if (cursor !== undefined) this.#stored = { cursor, serial: place?.serial ?? 0 };
  }

  async restart(): Promise<void> {
    await this.#follower.end();
    const { cursor, serial: from = 0 } = this.#stored ?? {};
    this.#follower = new Follower(this.files.path, cursor, this.#written);
    this.#from = from;
    this.#due = new Set(this.#logs.flatMap(({ serials }) => serials));
    const isKept = this.#logs.some(({ serials }) => serials.includes(from - 1) && serials.includes(from));
    await this.#follower.pull(1);
    for (const log of this.#logs) log.open = true;
    if (isKept) assert.equal(this.#follower.counters.logs_lost, 0, "the position is in a log");
  }

  async end(): Promise<void> {
    await this.read(Number.POSITIVE_INFINITY);
    await this.#follower.end();
  }

  #excuse({ serials }: Log): void {
    for (const serial of serials) this.#due.delete(serial);
  }

  [Symbol.dispose](): void {
    this.files[Symbol.dispose]();
  }
}

type Command = (model: Model) => void | Promise<void>;

function command<T>(
  name: string,
  run: (model: Model, value: T) => void | Promise<void>,
  values: fc.Arbitrary<T>,
) {
  return values.map((value) =>
    Object.assign<Command, object>((model) => run(model, value), {
      [fc.toStringMethod]: () => `${name}(${fc.stringify(value)})`,
    }),
  );
}

// the kernel's longest: MAX_AUDIT_MESSAGE_LENGTH is 8970
const lengths = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 200 }) }, fc.constant(8_900));
const nothing = fc.constant(undefined);
const commands = fc.oneof(
  {
    weight: 6,
    arbitrary: command(
      "append",
      (model, [n, length]) => model.append(n, length),
      fc.tuple(fc.nat(9), lengths),
    ),
  },
  { weight: 2, arbitrary: command("begin", (model, length) => model.begin(length), lengths) },
  { weight: 1, arbitrary: command("complete", (model) => model.complete(), nothing) },
  { weight: 3, arbitrary: command("rotate", (model) => model.rotate(), nothing) },
  { weight: 1, arbitrary: command("truncate", (model) => model.truncate(), nothing) },
  { weight: 1, arbitrary: command("copyTruncate", (model) => model.copyTruncate(), nothing) },
  { weight: 1, arbitrary: command("remove", (model) => model.remove(), nothing) },
  { weight: 4, arbitrary: command("read", (model, n) => model.read(n), fc.constantFrom(1, 1, 2, 1e9)) },
  { weight: 2, arbitrary: command("store", (model, back) => model.store(back), fc.nat(6)) },
  { weight: 1, arbitrary: command("restart", (model) => model.restart(), nothing) },
);

test("AuditLogSource: hands on every line that can be read, in order, and again what was not decided", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(commands, { size: "+1" }), async (steps) => {
      using model = new Model();
      for (const step of steps) await step(model);
      await model.end();
    }),
    { numRuns: Number(process.env["KINWATCH_RUNS"] ?? 150) },
  );
});
