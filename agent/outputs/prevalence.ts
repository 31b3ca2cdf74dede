/**
 * On how many other hosts of the fleet the like of an installation was seen: the same parent, and the same package where its name
 * is known. Asked of the events that all hosts send, beside the pass, which waits for no answer: what has not come when the alert
 * is complete is named as missing.
 */
import { createHash } from "node:crypto";
import type { PrevalenceDocument } from "../alert/alert-document.ts";
import type { PrevalenceQuestion } from "../alert/prevalence-question.ts";
import { jsonOf } from "./answer-body.ts";
import type { ElasticsearchConnection } from "./elasticsearch-connection.ts";
import { notElasticsearch, refuseStatus } from "./elasticsearch-errors.ts";

export interface PrevalenceOptions {
  /** With the key that may read; makes it anew after a failure. */
  readonly connect: () => ElasticsearchConnection;
  readonly namespace: string;
  readonly days: number;
  readonly hostId: () => string | undefined; // of this host, which does not count
  readonly report: (error: unknown) => void;
  readonly nowMs?: () => number; // monotonic
}

interface Asked {
  readonly atMs: number;
  answer: PrevalenceDocument | undefined; // undefined: it has not come yet
}

const WAIT_MS = 5_000; // an alert waits 10 s for its outcome at most
const FRESH_MS = 600_000;
const REMEMBERED_MAX = 1_000;
const OPEN_MAX = 4; // a flood of alerts must not become one of questions

export class Prevalence {
  readonly #options: PrevalenceOptions;
  readonly #asked = new Map<string, Asked>();
  #connection: ElasticsearchConnection | undefined;
  #open = 0;

  constructor(options: PrevalenceOptions) {
    this.#options = options;
  }

  /** Begins to ask, unless that is known already. */
  ask(question: PrevalenceQuestion): void {
    const key = keyOf(question);
    const nowMs = this.#nowMs();
    const known = this.#asked.get(key);
    if (known !== undefined && nowMs - known.atMs < FRESH_MS && known.answer?.status !== "failed") return;
    if (this.#open >= OPEN_MAX) return;
    const asked: Asked = { atMs: nowMs, answer: undefined };
    this.#asked.delete(key);
    this.#asked.set(key, asked);
    for (const oldest of this.#asked.keys()) {
      if (this.#asked.size <= REMEMBERED_MAX) break;
      this.#asked.delete(oldest);
    }
    void this.#find(question, asked);
  }

  /** What is known of it by now. */
  answer(question: PrevalenceQuestion): PrevalenceDocument {
    const asked = this.#asked.get(keyOf(question));
    const { days } = this.#options;
    if (asked === undefined) return { days, status: "not asked" };
    return asked.answer ?? { days, status: "no answer in time" };
  }

  async #find(question: PrevalenceQuestion, asked: Asked): Promise<void> {
    const { connect, days, namespace, hostId, report } = this.#options;
    this.#open += 1;
    let connection: ElasticsearchConnection | undefined;
    try {
      connection = this.#connection ??= connect();
      const answer = await connection.ask(
        {
          method: "POST",
          path: `/logs-kinwatch.events-${namespace}/_search?ignore_unavailable=true&filter_path=aggregations`,
          headers: { "content-type": "application/json" },
          body: JSON.stringify(searchOf(question, days, hostId())),
        },
        AbortSignal.timeout(WAIT_MS),
      );
      refuseStatus(answer);
      const counts = countsIn(jsonOf(answer.body));
      if (answer.status !== 200 || counts === undefined) throw notElasticsearch(answer);
      asked.answer = { ...counts, days, status: "known" };
    } catch (error) {
      asked.answer = { days, status: "failed" };
      if (connection === this.#connection) this.#connection = undefined; // others may be asking by it still
      report(error);
    } finally {
      this.#open -= 1;
    }
  }

  [Symbol.dispose](): void {
    this.#connection?.[Symbol.dispose]();
  }

  #nowMs(): number {
    return (this.#options.nowMs ?? (() => performance.now()))();
  }
}

function searchOf(
  { executable, script, packages }: PrevalenceQuestion,
  days: number,
  hostId: string | undefined,
) {
  const filter = [
    { term: { "process.parent.executable": executable } },
    ...(script === undefined ? [] : [{ term: { "kinwatch.ancestry.script": script } }]),
    ...(packages.length === 0 ? [] : [{ terms: { "kinwatch.software_update.name": packages } }]),
  ];
  const hosts = { cardinality: { field: "host.id", precision_threshold: 3_000 } };
  return {
    size: 0,
    track_total_hits: false,
    query: {
      bool: {
        filter: [{ range: { "@timestamp": { gte: `now-${days}d` } } }],
        must_not: hostId === undefined ? [] : [{ term: { "host.id": hostId } }],
      },
    },
    aggs: { fleet: hosts, like: { filter: { bool: { filter } }, aggs: { hosts } } },
  };
}

/** undefined: it is no such answer. Without any event there are no aggregations. */
function countsIn(answer: unknown): { readonly hosts: number; readonly fleet_hosts: number } | undefined {
  const found = answer as { aggregations?: { fleet?: Count; like?: { hosts?: Count } } } | undefined;
  if (found !== undefined && found.aggregations === undefined) return { hosts: 0, fleet_hosts: 0 };
  const [hosts, fleet] = [found?.aggregations?.like?.hosts?.value, found?.aggregations?.fleet?.value];
  return typeof hosts === "number" && typeof fleet === "number" ? { hosts, fleet_hosts: fleet } : undefined;
}

interface Count {
  readonly value?: unknown;
}

function keyOf({ executable, script, packages }: PrevalenceQuestion): string {
  return createHash("sha256")
    .update(JSON.stringify([executable, script, packages]))
    .digest("base64");
}
