/**
 * Stands between kinwatch and a server, and breaks what passes: stalls, resets, answers that are lost or end in the middle, a
 * server that has no time, requests that are too long. What happens when is drawn from a seed.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { seededRandom } from "./seeded-random.ts";

export const faults = [
  "reset before",
  "lost answer",
  "half an answer",
  "stall",
  "429",
  "503 with Retry-After",
  "503 as a page",
] as const;
export type Fault = (typeof faults)[number];

export interface FaultProxyOptions {
  readonly seed: number;
  readonly share: number; // of requests that something happens to
  readonly bytesMax: number; // of a request, as it comes; longer ones are answered with 413
  readonly stallMs: number;
}

export class FaultProxy implements AsyncDisposable {
  /** Where the server is; undefined: nowhere at the moment. */
  upstream: string | undefined;
  readonly happened: Partial<Record<Fault | "413" | "passed" | "away", number>> = {};
  readonly #options: FaultProxyOptions;
  readonly #random: () => number;
  readonly #server = createServer((message, response) => void this.#pass(message, response));

  constructor(options: FaultProxyOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #pass(message: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await buffer(message);
      if (body.length > this.#options.bytesMax) {
        this.#note("413");
        plain(response, 413, "");
        return;
      }
      const isHit = this.#random() < this.#options.share;
      const fault = isHit ? faults[Math.floor(this.#random() * faults.length)] : undefined;
      this.#note(fault ?? "passed");
      if (fault === "reset before") response.destroy();
      else if (fault === "429") plain(response, 429, "{}");
      else if (fault === "503 with Retry-After") plain(response, 503, "{}", { "retry-after": "1" });
      else if (fault === "503 as a page") plain(response, 503, "<html>busy</html>");
      else if (fault === "stall") setTimeout(() => response.destroy(), this.#options.stallMs).unref();
      else {
        const { status, text } = await this.#ask(message, body);
        if (fault === "lost answer") response.destroy();
        else if (fault === "half an answer") {
          response.writeHead(status, { "content-length": String(text.length) });
          response.write(text.subarray(0, text.length / 2), () => response.destroy());
        } else plain(response, status, text);
      }
    } catch {
      this.#note("away");
      response.destroy();
    }
  }

  async #ask(
    { method, url, headers }: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; text: Buffer }> {
    const passed = request(`${this.upstream}${url}`, { method: method ?? "GET", headers });
    passed.end(body);
    const [answer] = (await once(passed, "response")) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, text: await buffer(answer) };
  }

  #note(what: Fault | "413" | "passed" | "away"): void {
    this.happened[what] = (this.happened[what] ?? 0) + 1;
  }
}

function plain(
  response: ServerResponse,
  status: number,
  body: Buffer | string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body);
}
