/** One request to Elasticsearch, and its answer: for commands, which ask a few things and end. */
import { Agent } from "undici";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";

export interface ServerRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string; // from the first slash on
  readonly body?: unknown; // JSON
}

export interface ServerAnswer {
  readonly status: number;
  readonly body: unknown; // its JSON; its text where it is none
}

/** @throws KW_SETUP_UNREACHABLE; whatever the server answers is an answer */
export type SendRequest = (request: ServerRequest) => Promise<ServerAnswer>;

export interface ServerConnection {
  readonly urls: readonly string[]; // the first that can be reached is asked
  readonly ca: Buffer | undefined; // certificates, PEM; undefined: those of the system
  readonly authorization: string | undefined; // the header's value
}

export interface OpenServer extends AsyncDisposable {
  readonly request: SendRequest;
}

const TIME_MS = 30_000; // a cluster that changes its state may take this long
const ANSWER_MAX = 8_388_608; // bytes; our own templates are a hundredth of it

export function openServer({ urls, ca, authorization }: ServerConnection): OpenServer {
  const agent = new Agent({
    connect: { timeout: TIME_MS, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: TIME_MS,
    bodyTimeout: TIME_MS,
    maxResponseSize: ANSWER_MAX,
  });
  const headers = {
    accept: "application/json",
    ...(authorization === undefined ? {} : { authorization }),
  };

  async function ask(url: string, { method, path, body }: ServerRequest): Promise<ServerAnswer> {
    const base = new URL(url);
    const answer = await agent.request({
      origin: base.origin,
      path: base.pathname.replace(/\/+$/, "") + path,
      method,
      headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: jsonOf(text) };
  }

  return {
    async request(request) {
      const failures: string[] = [];
      for (const url of urls) {
        try {
          return await ask(url, request);
        } catch (error) {
          failures.push(`${printable(url, 200)}: ${printable(failureOf(error), 300)}`);
        }
      }
      throw new KinwatchError(
        "KW_SETUP_UNREACHABLE",
        `No answer to ${request.method} ${printable(request.path, 200)} from ${failures.join("; ")}`,
        "Check the address, the way to it, and --ca-file if its certificate is of a CA of your own",
      );
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

/** Node says of several addresses of a name that all failed, and hides why. */
export function failureOf(error: unknown): string {
  const [first] = error instanceof AggregateError ? error.errors : [error];
  return systemCode(first);
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
