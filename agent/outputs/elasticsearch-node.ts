/** One node of the server, and what went wrong with it as an error that says what to do. */
import type { Dispatcher } from "undici";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";
import { readAnswer } from "./answer-body.ts";
import { openDispatcher, type Trust } from "./server-dispatcher.ts";

export interface Question {
  readonly method: "GET" | "PUT" | "POST" | "DELETE" | "HEAD";
  readonly path: string; // below the address, with its query
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer; // left out: none
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface NodeOptions extends Trust {
  readonly timeoutMs: number; // for the answer to begin, and between two parts of it
}

const answerMax = 16 * 1_048_576; // bytes: that of a bulk request is some 100 a document
const untrusted =
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME|INVALID_CA|PATH_LENGTH_)/;

export class ElasticsearchNode {
  readonly url: URL;
  readonly #options: NodeOptions;
  #dispatcher: Promise<Dispatcher> | undefined;

  constructor(url: string, options: NodeOptions) {
    this.url = new URL(url);
    this.#options = options;
  }

  /** @throws KW_ELASTICSEARCH_UNREACHABLE, KW_ELASTICSEARCH_UNTRUSTED, KW_ELASTICSEARCH_ANSWER_INVALID */
  async ask({ method, path, headers, body }: Question, signal?: AbortSignal): Promise<Answer> {
    const { timeoutMs } = this.#options;
    try {
      this.#dispatcher ??= openDispatcher(this.url, this.#options);
      const dispatcher = await untilAborted(this.#dispatcher, signal);
      const answer = await dispatcher.request({
        origin: this.url.origin,
        path: `${this.url.pathname.replace(/\/$/, "")}${path}`,
        method,
        headers: headers ?? {},
        body: body ?? null,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal: signal ?? null,
      });
      return { status: answer.statusCode, headers: answer.headers, body: await whole(answer.body, this.url) };
    } catch (error) {
      if (!signal?.aborted) this.close(); // a certificate may have been renewed, an address may be another's by now
      throw errorOf(this.url, error);
    }
  }

  /** Waits for nobody: who looks for an authority in a chain may take his time. */
  close(): void {
    const opened = this.#dispatcher;
    this.#dispatcher = undefined;
    opened?.then((dispatcher) => dispatcher.destroy()).catch(() => {}); // it never came to be
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", abort));
}

async function whole(body: AsyncIterable<Buffer>, url: URL): Promise<Buffer> {
  const read = await readAnswer(body, answerMax);
  if (read !== undefined) return read;
  throw new KinwatchError(
    "KW_ELASTICSEARCH_ANSWER_INVALID",
    `The answer of ${url.origin} is longer than ${answerMax} bytes`,
    "See whether Elasticsearch answers there",
  );
}

function errorOf(url: URL, error: unknown): KinwatchError {
  if (error instanceof KinwatchError) return error;
  const code = systemCode(error);
  const reason = printable(error instanceof Error && error.message !== "" ? error.message : code, 300);
  if (code.startsWith("ERR_OSSL_")) {
    return new KinwatchError(
      "KW_ELASTICSEARCH_TLS_FILE",
      `A certificate or key of output.elasticsearch cannot be read: ${reason}`,
      "See with openssl x509 or openssl pkey which it is, and put it right",
      { cause: error },
    );
  }
  if (untrusted.test(code)) {
    return new KinwatchError(
      "KW_ELASTICSEARCH_UNTRUSTED",
      `The certificate of ${url.origin} is not trusted: ${reason}`,
      "Set output.elasticsearch.ca_file or ca_trusted_fingerprint to the authority that signed it; its name must be in it, and its time not over",
      { cause: error },
    );
  }
  return new KinwatchError(
    "KW_ELASTICSEARCH_UNREACHABLE",
    `${url.origin} does not answer: ${reason}`,
    "See whether the server runs and can be reached from here, and whether output.elasticsearch.urls names it",
    { cause: error },
  );
}
