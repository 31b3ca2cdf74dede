/** Which server a setup asks, and as whom: of the configuration, with options over it. Its credentials are the administrator's own. */
import type { Command } from "commander";
import { type Config, type ElasticsearchConfig, isLoopback } from "../config.ts";
import { KinwatchError } from "../errors.ts";
import { apiKeyHeader } from "../outputs/elasticsearch-key.ts";
import { printable } from "../printable.ts";
import { readSecretLine, unusable } from "./secret-file.ts";

export interface ConnectionOptions {
  readonly url?: readonly string[];
  readonly caFile?: string;
  readonly allowPlainHttp?: boolean;
  readonly adminKeyFile?: string;
  readonly adminUserFile?: string;
}

export function addConnectionOptions(command: Command): Command {
  return command
    .option("--url <url>", "the server, instead of output.elasticsearch.urls; repeatable", collect)
    .option("--ca-file <file>", "CA certificates (PEM), instead of output.elasticsearch.ca_file")
    .option("--allow-plain-http", "send credentials without TLS to other hosts than this one")
    .option("--admin-key-file <file>", "an administrator's API key, id:key or encoded")
    .option("--admin-user-file <file>", "or an administrator's user:password");
}

/** @throws KW_ARGUMENT_INVALID, KW_SETUP_PLAIN_HTTP */
export function serverOf(options: ConnectionOptions, { output }: Config): ElasticsearchConfig {
  const { elasticsearch } = output;
  const urls = options.url === undefined ? elasticsearch.urls : [...options.url];
  const allowPlainHttp = options.allowPlainHttp ?? elasticsearch.allow_plain_http;
  for (const url of urls) checkUrl(url, { server: "Elasticsearch", allowPlainHttp });
  if (options.caFile === undefined) return { ...elasticsearch, urls };
  return { ...elasticsearch, urls, ca_file: options.caFile, ca_trusted_fingerprint: "" };
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** @throws KW_ARGUMENT_INVALID, KW_SETUP_PLAIN_HTTP */
export function checkUrl(
  text: string,
  {
    server,
    allowPlainHttp,
  }: { readonly server: "Elasticsearch" | "Kibana"; readonly allowPlainHttp: boolean },
): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // What stands before an @ may be a password: it is not quoted.
  if (url !== undefined && (url.username !== "" || url.password !== ""))
    throw invalid(`An address of ${server} names a user`, "Give --admin-user-file instead");
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "")
    throw invalid(
      `No address of ${server}: ${printable(text, 200)}`,
      `Write it as ${server === "Kibana" ? "https://kibana.example:5601" : "https://es.example:9200"}`,
    );
  if (url.protocol === "http:" && !isLoopback(text) && !allowPlainHttp)
    throw new KinwatchError(
      "KW_SETUP_PLAIN_HTTP",
      `Refusing ${printable(text, 200)}: credentials would cross the network for all to read`,
      "Use https://, or give --allow-plain-http",
    );
}

/**
 * @returns the header; undefined: the server asks nobody who he is
 * @throws KW_ARGUMENT_INVALID, KW_SETUP_CREDENTIAL_UNUSABLE
 */
export function authorizationOf({
  adminKeyFile,
  adminUserFile,
}: Pick<ConnectionOptions, "adminKeyFile" | "adminUserFile">): string | undefined {
  if (adminKeyFile !== undefined && adminUserFile !== undefined)
    throw invalid("Both --admin-key-file and --admin-user-file are given", "Give one of them");
  if (adminUserFile !== undefined) {
    const pair = readSecretLine(adminUserFile);
    if (!/^[^:]+:./.test(pair)) throw unusable(adminUserFile, "not user:password");
    return `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  if (adminKeyFile === undefined) return undefined;
  const header = apiKeyHeader(readSecretLine(adminKeyFile));
  if (header === undefined) throw unusable(adminKeyFile, "neither id:key nor its encoded form");
  return header;
}

function invalid(what: string, remedy: string): KinwatchError {
  return new KinwatchError("KW_ARGUMENT_INVALID", what, remedy);
}
