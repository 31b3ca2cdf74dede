/**
 * Brings to Elasticsearch what waits for it, batch by batch, at its own pace: reading never waits for it. A row goes when the
 * server has its document; killed in between, it is sent once more under the same id. What the server will never take is set
 * aside with its reason; for all else it is asked again, later each time.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Counters } from "../counters.ts";
import { KinwatchError } from "../errors.ts";
import { type Shipment, streams } from "../store/shipments.ts";
import type { Store } from "../store/store.ts";
import { jsonOf } from "./answer-body.ts";
import { Backoff } from "./backoff.ts";
import { type BulkResult, bulkBody, bulkPath, type Kept, readBulkAnswer } from "./bulk.ts";
import type { ElasticsearchConnection } from "./elasticsearch-connection.ts";
import {
  BusyError,
  causeIn,
  notElasticsearch,
  refuseStatus,
  streamMissing,
  unauthorized,
} from "./elasticsearch-errors.ts";
import type { Answer } from "./elasticsearch-node.ts";
import { readShippingState, type ShippingState, writeShippingState } from "./shipping-state.ts";

const BATCH_DOCUMENTS = 500;
const BATCH_BYTES = 2 * 1_048_576; // before they are compressed: held in memory three times
const REQUIRE = "require_data_stream";
const ACTION_BYTES = 512; // of a line about a document: its stream and its id
const BATCH_STEP = 16; // documents more after a success, until the server finds a request too long again
const GATHER_MS = 1_000; // documents that are no alerts are sent together
const LOOK_MS = 250;

const compress = promisify(gzip);

export interface ShippingOptions {
  readonly store: Store;
  /** Makes a connection, by the configuration and the files as they are now. */
  readonly connect: () => ElasticsearchConnection;
  readonly counters: Counters;
  readonly report: (error: unknown) => void;
  readonly nowMs?: () => number; // monotonic
  readonly random?: () => number; // from 0 to 1
}

/** Until a person cures it: something about the access is wrong. */
const untilCured: ReadonlySet<string> = new Set([
  "KW_CONFIG_INSECURE",
  "KW_CONFIG_INVALID",
  "KW_CONFIG_UNREADABLE",
  "KW_ELASTICSEARCH_KEY_INSECURE",
  "KW_ELASTICSEARCH_KEY_INVALID",
  "KW_ELASTICSEARCH_KEY_UNREADABLE",
  "KW_ELASTICSEARCH_REFUSED",
  "KW_ELASTICSEARCH_STREAM_MISSING",
  "KW_ELASTICSEARCH_TLS_FILE",
  "KW_ELASTICSEARCH_UNTRUSTED",
]);

export class Shipping {
  readonly #options: ShippingOptions;
  readonly #nowMs: () => number;
  readonly #over = new AbortController();
  readonly #backoff: Backoff;
  readonly #lanes = [0, 1].map(() => Buffer.alloc(BATCH_BYTES + BATCH_DOCUMENTS * ACTION_BYTES));
  #connection: ElasticsearchConnection | undefined;
  #state: ShippingState;
  #requiresDataStream = true;
  #documentsMax = BATCH_DOCUMENTS;
  #retryAtMs = 0;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #letGo = 0; // as far as it was told
  #isBusy = false;
  #done: Promise<void> = Promise.resolve();

  constructor(options: ShippingOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#backoff = new Backoff(options.random ?? Math.random);
    this.#state = readShippingState(options.store);
  }

  /**
   * Begins to send what waits, if it is time to.
   * @param posted whether something may wait that did not before
   */
  begin(posted: boolean): void {
    const nowMs = this.#nowMs();
    if (this.#isBusy || this.#over.signal.aborted || nowMs < this.#retryAtMs) return;
    if (!posted && nowMs - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    this.#tellLetGo();
    if (this.#isTime(nowMs)) this.#done = this.#ship();
  }

  /** For the last time: what is not sent by then stays in the store. */
  async finish(limitMs: number): Promise<void> {
    const timer = setTimeout(() => this.#over.abort(), limitMs);
    await this.#done;
    if (!this.#over.signal.aborted && this.#nowMs() >= this.#retryAtMs) await this.#ship();
    clearTimeout(timer);
    this.#over.abort();
    this.#disconnect();
  }

  #isTime(nowMs: number): boolean {
    const { store, report } = this.#options;
    try {
      return store.shipments.isWaiting(nowMs - this.#sentAtMs < GATHER_MS ? "alerts" : undefined);
    } catch (error) {
      report(error); // the state's: who writes it waits for it, and this is looked at again
      return false;
    }
  }

  #tellLetGo(): void {
    const { counters, report } = this.#options;
    const gone = streams.reduce((sum, stream) => sum + counters[`shipments_${stream}_let_go`], 0);
    if (gone > this.#letGo) report(full(gone - this.#letGo));
    this.#letGo = gone;
  }

  /** Two batches are on their way at a time: the server indexes one with one thread, while the other is read and compressed. */
  async #ship(): Promise<void> {
    this.#isBusy = true;
    const sending: Promise<KinwatchError | undefined>[] = [];
    try {
      let last: Shipment | undefined; // of those that were begun
      let left: KinwatchError | undefined; // why some wait for another time
      const settled = async (): Promise<void> => {
        for (const one of await Promise.all(sending)) left ??= one;
      };
      for (let lane = 0; !this.#over.signal.aborted; lane = (lane + 1) % this.#lanes.length) {
        const before = await sending[lane];
        left ??= before;
        if (last !== undefined && left === undefined && this.#isOvertaken(last)) {
          await settled();
          last = left === undefined ? undefined : last;
        }
        const read = this.#options.store.shipments.next(this.#documentsMax, BATCH_BYTES, last);
        if (read.length === 0 && last === undefined) break;
        last = read.at(-1);
        if (read.length === 0) {
          await settled(); // then what came meanwhile, or was too long
          if (left !== undefined) throw left;
          continue;
        }
        const batch = this.#whole(read);
        if (batch.length > 0) sending[lane] = awaited(this.#send(batch, bulkBody(batch, this.#lanes[lane])));
      }
      this.#options.store.shrink();
    } catch (error) {
      await Promise.allSettled(sending);
      if (!this.#over.signal.aborted) await this.#rest(error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Alerts that came while others are sent do not wait for all of those. */
  #isOvertaken({ rank }: Shipment): boolean {
    return rank > 0 && this.#options.store.shipments.isWaiting("alerts");
  }

  /** Without such as the disk has damaged: a person is told of them, the server is not. */
  #whole(read: readonly Shipment[]): Shipment[] {
    const whole = read.filter(({ document }) => document.length > 0);
    const damaged = read.filter(({ document }) => document.length === 0);
    const refused = damaged.map(({ sequence }) => ({
      sequence,
      reason: "it was damaged while it waited here",
    }));
    if (refused.length > 0) this.#settle({ taken: [], failureStored: 0, refused, kept: [] });
    return whole;
  }

  /**
   * @returns why some wait for another time, which is no reason for the others to wait
   * @throws why all do
   */
  async #send(batch: readonly Shipment[], body: Buffer): Promise<KinwatchError | undefined> {
    const answer = await this.#ask(await compress(body, { level: 1 }));
    this.#sentAtMs = this.#nowMs();
    if (answer.status === 413) {
      this.#shrink(batch, answer);
      return undefined;
    }
    const result = answer.status === 200 ? readBulkAnswer(batch, jsonOf(answer.body)) : undefined;
    if (result === undefined) throw notElasticsearch(answer);
    this.#settle(result);
    const [kept] = result.kept;
    if (kept !== undefined) {
      const error = errorOf(kept, `${result.kept.length} of ${batch.length}: ${kept.cause}`);
      if (error instanceof BusyError) throw error;
      return error;
    }
    this.#documentsMax = Math.min(this.#documentsMax + BATCH_STEP, BATCH_DOCUMENTS);
    this.#backoff.succeed();
    return undefined;
  }

  async #ask(body: Buffer): Promise<Answer> {
    this.#connection ??= this.#options.connect();
    const headers = { "content-type": "application/x-ndjson", "content-encoding": "gzip" };
    const path = bulkPath(this.#requiresDataStream);
    const answer = await this.#connection.ask({ method: "POST", path, headers, body }, this.#over.signal);
    refuseStatus(answer);
    if (!path.includes(REQUIRE) || answer.status !== 400 || !causeIn(answer).includes(REQUIRE)) return answer;
    this.#requiresDataStream = false; // a server before 8.13
    return await this.#ask(body);
  }

  /** The server takes no request as long as this one: fewer documents, down to one, which it then never takes. */
  #shrink(batch: readonly Shipment[], answer: Answer): void {
    this.#documentsMax = Math.max(1, Math.floor(batch.length / 2));
    if (batch.length > 1) return;
    const refused = batch.map(({ sequence, document }) => ({
      sequence,
      reason: `${document.length} bytes are more than the server takes: ${causeIn(answer)}`,
    }));
    this.#settle({ taken: [], failureStored: 0, refused, kept: [] });
  }

  #settle({ taken, failureStored, refused, kept }: BulkResult): void {
    const { store, counters, report } = this.#options;
    const isSuccess = taken.length > 0 && kept.length === 0;
    const { failed, ...state } = this.#state;
    const now = taken.length > 0 ? { ...state, succeededMs: Date.now() } : state;
    this.#state = isSuccess || failed === undefined ? now : { ...now, failed };
    store.transaction(() => {
      store.shipments.taken(taken);
      store.shipments.refuse(refused);
      writeShippingState(store, this.#state);
    });
    counters.shipments_delivered += taken.length;
    counters.shipments_failure_stored += failureStored;
    counters.shipments_refused += refused.length;
    if (refused[0] !== undefined) report(refusal(refused.length, refused[0].reason));
    if (failureStored > 0) report(failureStore(failureStored));
  }

  async #rest(error: unknown): Promise<void> {
    const { store, counters, report } = this.#options;
    counters.shipments_failed += 1;
    const code = error instanceof KinwatchError ? error.code : "";
    const isSlow = untilCured.has(code);
    const wantedMs = error instanceof BusyError ? error.retryAfterMs : 0;
    const restMs = this.#backoff.fail({ isSlow, wantedMs });
    this.#retryAtMs = this.#nowMs() + restMs;
    if (!(error instanceof BusyError)) this.#disconnect(); // what the files and the configuration say by the next try counts
    const [atMs, message] = [Date.now(), error instanceof Error ? error.message : String(error)];
    this.#state = { ...this.#state, failed: { code, message, atMs, retryAtMs: atMs + restMs } };
    report(error);
    try {
      store.transaction(() => writeShippingState(store, this.#state));
    } catch (cause) {
      report(cause);
    }
  }

  #disconnect(): void {
    this.#connection?.[Symbol.dispose]();
    this.#connection = undefined;
  }
}

/** Whose failure is told when it is waited for, which may be later than it fails. */
function awaited<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function errorOf({ why }: Kept, cause: string): KinwatchError {
  if (why === "unauthorized") return unauthorized(cause);
  return why === "missing" ? streamMissing(cause) : new BusyError(cause, 0);
}

function refusal(documents: number, reason: string): KinwatchError {
  return new KinwatchError(
    "KW_ELASTICSEARCH_DOCUMENT_REFUSED",
    `Elasticsearch will not take ${documents === 1 ? "a document" : `${documents} documents`}: ${reason}`,
    "They are set aside: kinwatch outbox list shows them, and outbox retry sends them again",
  );
}

function failureStore(documents: number): KinwatchError {
  return new KinwatchError(
    "KW_ELASTICSEARCH_FAILURE_STORE",
    `Elasticsearch put ${documents === 1 ? "a document" : `${documents} documents`} into its failure store`,
    "They contradict its mapping, and no search finds them: correct it by kinwatch setup elasticsearch",
  );
}

function full(documents: number): KinwatchError {
  return new KinwatchError(
    "KW_OUTBOX_FULL",
    `Too much waits for Elasticsearch: ${documents === 1 ? "the oldest document was" : `the ${documents} oldest documents were`} let go of`,
    "See kinwatch status for why it takes nothing; output.elasticsearch.outbox_bytes_max is the limit",
  );
}
