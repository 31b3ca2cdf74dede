/** One request to Kibana, and its answer: for commands, which ask a few things and end. Its imports take a file, as a browser sends one. */
import { FormData } from "undici";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";
import { jsonOf, readAnswer } from "./answer-body.ts";
import { openDispatcher } from "./server-dispatcher.ts";
import type { TlsOptions } from "./server-trust.ts";

export interface KibanaRequest {
  readonly method: "GET" | "POST";
  readonly path: string; // from the first slash on, below the space
  readonly file?: { readonly name: string; readonly text: string }; // its ending tells Kibana what it is
}

export interface KibanaAnswer {
  readonly status: number;
  readonly body: unknown; // its JSON; its text where it is none
  readonly location: string | undefined; // where it sends on to, which is not followed: it would be sent the credentials
}

/** @throws KW_SETUP_KIBANA_UNREACHABLE; whatever Kibana answers is an answer */
export type AskKibana = (request: KibanaRequest) => Promise<KibanaAnswer>;

export interface KibanaConnection {
  readonly url: string; // with the base path, if a proxy has one
  readonly space: string | undefined; // undefined: the default space
  readonly tls: TlsOptions;
  readonly authorization: string | undefined; // the header's value
  readonly timeMsMax?: number;
}

export interface OpenKibana extends AsyncDisposable {
  readonly ask: AskKibana;
}

const TIME_MS = 120_000; // an import is looked through object by object
const ANSWER_MAX = 8_388_608; // bytes; the answers to our imports are a thousandth of it

export function openKibana({ url, space, tls, authorization, timeMsMax }: KibanaConnection): OpenKibana {
  const timeMs = timeMsMax ?? TIME_MS;
  const base = new URL(url);
  const dispatcher = openDispatcher(base, { tls, fingerprint: "" });
  const above = base.pathname.replace(/\/+$/, "") + (space === undefined ? "" : `/s/${space}`);
  const headers = {
    accept: "application/json",
    "kbn-xsrf": "kinwatch", // without it Kibana takes a request for another site's (cross-site request forgery)
    ...(authorization === undefined ? {} : { authorization }),
  };

  const secrets = secretsIn(authorization);

  async function ask({ method, path, file }: KibanaRequest): Promise<KibanaAnswer> {
    const answer = await (await dispatcher).request({
      origin: base.origin,
      path: above + path,
      method,
      headers,
      body: file === undefined ? null : formOf(file),
      headersTimeout: timeMs,
      bodyTimeout: timeMs,
      signal: AbortSignal.timeout(2 * timeMs), // in all, however slowly it drips
    });
    const text = without(secrets, await textOf(answer.body));
    const { location } = answer.headers;
    const onward = Array.isArray(location) ? location[0] : location;
    return {
      status: answer.statusCode,
      body: jsonOf(text) ?? text,
      location: onward === undefined ? undefined : without(secrets, onward),
    };
  }

  return {
    async ask(request) {
      try {
        return await ask(request);
      } catch (error) {
        throw new KinwatchError(
          "KW_SETUP_KIBANA_UNREACHABLE",
          `No whole answer to ${request.method} ${printable(request.path, 200)} from ${printable(url, 200)}: ${printable(failureOf(error), 300)}`,
          "Check the address, the way to it, and --ca-file if its certificate is of a CA of your own",
        );
      }
    },
    [Symbol.asyncDispose]: async () => (await dispatcher).destroy(),
  };
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const read = await readAnswer(body, ANSWER_MAX);
  if (read === undefined) throw new Error(`more than ${ANSWER_MAX} bytes came`);
  return read.toString("utf8");
}

/** Node says of several addresses of a name that all failed, and hides why. */
function failureOf(error: unknown): string {
  const [first] = error instanceof AggregateError ? error.errors : [error];
  return systemCode(first);
}

function formOf({ name, text }: { readonly name: string; readonly text: string }): FormData {
  const form = new FormData();
  form.append("file", new File([text], name, { type: "application/x-ndjson" }));
  return form;
}

/** In all its forms: what answers may show what it was asked with, and we show what it answers. */
function secretsIn(authorization: string | undefined): string[] {
  if (authorization === undefined) return [];
  const encoded = authorization.slice(authorization.indexOf(" ") + 1);
  const pair = Buffer.from(encoded, "base64").toString("utf8");
  const plain = [encoded, pair, pair.slice(pair.indexOf(":") + 1)].filter((secret) => secret !== "");
  return [...plain, ...plain.map((secret) => JSON.stringify(secret).slice(1, -1))];
}

function without(secrets: readonly string[], text: string): string {
  return secrets.reduce((left, secret) => left.replaceAll(secret, "[removed]"), text);
}
