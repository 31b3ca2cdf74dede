/** A few requests to Elasticsearch, and their answers: for commands, which ask and end. */
import type { ElasticsearchConfig } from "../config.ts";
import { jsonOf } from "./answer-body.ts";
import { ElasticsearchConnection } from "./elasticsearch-connection.ts";

export interface ServerRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string; // from the first slash on
  readonly body?: unknown; // JSON
}

export interface ServerAnswer {
  readonly status: number;
  readonly body: unknown; // its JSON; its text where it is none
}

/** @throws KW_ELASTICSEARCH_UNREACHABLE, KW_ELASTICSEARCH_UNTRUSTED; whatever the server answers is an answer */
export type SendRequest = (request: ServerRequest) => Promise<ServerAnswer>;

export interface OpenServer extends AsyncDisposable {
  readonly request: SendRequest;
}

/**
 * @param authorization the header's value; undefined: the server asks nobody who he is
 * @throws KW_ELASTICSEARCH_TLS_FILE
 */
export function openServer(config: ElasticsearchConfig, authorization: string | undefined): OpenServer {
  const connection = new ElasticsearchConnection(config, authorization);
  return {
    async request({ method, path, body }) {
      const sent =
        body === undefined
          ? {}
          : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const answer = await connection.ask({ method, path, ...sent });
      return { status: answer.status, body: jsonOf(answer.body) ?? answer.body.toString("utf8") };
    },
    [Symbol.asyncDispose]: async () => connection[Symbol.dispose](),
  };
}
