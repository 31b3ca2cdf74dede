/**
 * The server, which may have several nodes: one that does not answer rests for a while, and the next is asked. All that is asked
 * may be asked again: documents carry their ids. Made anew where something about the access is wrong, so that files that were
 * corrected meanwhile count without a restart.
 */
import packageFile from "../../package.json" with { type: "json" };
import type { ElasticsearchConfig } from "../config.ts";
import { type Answer, ElasticsearchNode, type Question } from "./elasticsearch-node.ts";
import { readTlsFiles } from "./server-trust.ts";

const REST_MS_MIN = 1_000;
const REST_MS_MAX = 60_000;
const away: ReadonlySet<number> = new Set([502, 503, 504]); // of a node, or of what stands before it

interface Place {
  readonly node: ElasticsearchNode;
  restsUntilMs: number;
  restMs: number;
}

export class ElasticsearchConnection implements Disposable {
  readonly #places: readonly Place[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #nowMs: () => number;
  #at = 0; // of the node that answered last

  /**
   * @param authorization the header's value; undefined: it is not said who asks
   * @throws KW_ELASTICSEARCH_TLS_FILE
   */
  constructor(
    config: ElasticsearchConfig,
    authorization: string | undefined,
    nowMs = () => performance.now(),
  ) {
    const { urls, ca_trusted_fingerprint: fingerprint, timeout: timeoutMs } = config;
    const tls = readTlsFiles(config);
    this.#places = urls.map((url) => ({
      node: new ElasticsearchNode(url, { tls, fingerprint, timeoutMs }),
      restsUntilMs: 0,
      restMs: REST_MS_MIN,
    }));
    this.#headers = {
      "user-agent": `kinwatch/${packageFile.version}`,
      accept: "application/json",
      ...(authorization === undefined ? {} : { authorization }),
    };
    this.#nowMs = nowMs;
  }

  /**
   * Asks the node that answered last, then the others; such as rest come last.
   * @throws what the last one threw: KW_ELASTICSEARCH_UNREACHABLE, KW_ELASTICSEARCH_UNTRUSTED, KW_ELASTICSEARCH_ANSWER_INVALID
   */
  async ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    const headers = { ...this.#headers, ...question.headers };
    let answer: Answer | undefined;
    let failure: unknown;
    for (const place of this.#inTurn()) {
      try {
        answer = await place.node.ask({ ...question, headers }, signal);
        if (!away.has(answer.status)) {
          this.#at = this.#places.indexOf(place);
          place.restMs = REST_MS_MIN;
          return answer;
        }
      } catch (error) {
        if (signal?.aborted) throw error;
        failure = error;
      }
      place.restsUntilMs = this.#nowMs() + place.restMs;
      place.restMs = Math.min(2 * place.restMs, REST_MS_MAX);
    }
    if (answer !== undefined) return answer; // a 503 tells more than the silence of another node
    throw failure;
  }

  [Symbol.dispose](): void {
    for (const { node } of this.#places) node.close();
  }

  #inTurn(): Place[] {
    const nowMs = this.#nowMs();
    const turn = [...this.#places.slice(this.#at), ...this.#places.slice(0, this.#at)];
    const isAwake = ({ restsUntilMs }: Place): boolean => restsUntilMs <= nowMs;
    const resting = turn
      .filter((place) => !isAwake(place))
      .toSorted((a, b) => a.restsUntilMs - b.restsUntilMs);
    return [...turn.filter(isAwake), ...resting];
  }
}
