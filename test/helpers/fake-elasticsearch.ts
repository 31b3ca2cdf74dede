/**
 * Answers bulk requests as Elasticsearch does, keeps what was created, and misbehaves as it is told to: for what a real server
 * cannot be brought to do at will.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

export interface BulkRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly bytes: number; // before they were compressed
  readonly documents: readonly { readonly index: string; readonly id: string; readonly document: unknown }[];
}

/** What comes back in place of an answer of its own; undefined: that. */
export type Misbehaviour = (request: BulkRequest, response: ServerResponse) => boolean | Promise<boolean>;

export class FakeElasticsearch implements AsyncDisposable {
  readonly stored = new Map<string, unknown>(); // by index and id
  readonly requests: BulkRequest[] = [];
  /** @returns whether it has answered */
  misbehaves: Misbehaviour = () => false;
  /** Of one document: undefined: it is stored. */
  refuses: (id: string) => { readonly status: number; readonly type: string } | undefined = () => undefined;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  /** @param tls left out: plain http */
  static async start(tls?: ServerOptions): Promise<FakeElasticsearch> {
    const server = tls === undefined ? createServer() : (createSecureServer(tls) as unknown as Server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FakeElasticsearch(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get ids(): string[] {
    return [...this.stored.keys()].map((key) => key.slice(key.indexOf(" ") + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await buffer(message);
      const text = (message.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
      const lines = text.split("\n").filter((line) => line !== "");
      const request: BulkRequest = {
        path: message.url ?? "",
        authorization: message.headers.authorization,
        bytes: text.length,
        documents: Array.from({ length: lines.length / 2 }, (_, at) => {
          const { create } = JSON.parse(lines[2 * at] ?? "");
          return { index: create._index, id: create._id, document: JSON.parse(lines[2 * at + 1] ?? "") };
        }),
      };
      this.requests.push(request);
      if (await this.misbehaves(request, response)) return;
      const items = request.documents.map(({ index, id, document }) =>
        this.#create(`${index} ${id}`, id, document),
      );
      answer(response, 200, { took: 1, errors: items.some(({ create }) => create.status > 299), items });
    } catch {
      response.destroy();
    }
  }

  #create(key: string, id: string, document: unknown) {
    const refusal = this.refuses(id);
    if (refusal !== undefined) return errorItem(refusal.status, refusal.type);
    if (this.stored.has(key)) return errorItem(409, "version_conflict_engine_exception");
    this.stored.set(key, document);
    return { create: { status: 201 } };
  }
}

export function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): true {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
  return true;
}

function errorItem(status: number, type: string) {
  return { create: { status, error: { type, reason: `of ${type}` } } };
}
