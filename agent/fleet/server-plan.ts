/** What would have to change on a server, found by asking it; nothing is changed here but by apply() and what follows it. */
import type { SendRequest, ServerRequest } from "../outputs/elasticsearch-request.ts";
import { type Difference, differencesOf } from "./difference.ts";
import { type Stream, streams } from "./field.ts";
import { acknowledged, granted, isTable, type Table, unexpected } from "./server-answer.ts";
import {
  type Asset,
  componentName,
  defaultRetention,
  FOREVER,
  type TemplateOptions,
  templates,
} from "./templates.ts";

/** What is left out is asked of the server. */
export interface Wishes {
  readonly retention: Readonly<Partial<TemplateOptions["retention"]>>;
  readonly serverless?: boolean | undefined;
  readonly failureStore?: boolean | undefined;
}

export interface Change {
  readonly asset: Asset;
  readonly differences: readonly Difference[] | undefined; // undefined: it is not there
}

export interface Plan {
  readonly options: TemplateOptions;
  readonly changes: readonly Change[];
}

/** @throws KW_SETUP_… where the server does not answer, or otherwise than Elasticsearch does */
export async function planOf(request: SendRequest, wishes: Wishes): Promise<Plan> {
  const retention = { ...defaultRetention };
  for (const stream of streams) {
    const there = await readAsset(request, "component_template", componentName(stream));
    retention[stream] = wishes.retention[stream] ?? retentionIn(there) ?? retention[stream];
  }
  const options: TemplateOptions = {
    retention,
    serverless: wishes.serverless ?? (await isServerless(request)),
    failureStore:
      wishes.failureStore ??
      (await accepts(request, { data_stream_options: { failure_store: { enabled: true } } })),
  };
  const changes: Change[] = [];
  for (const asset of templates(options)) {
    const there = await readAsset(request, asset.kind, asset.name);
    const differences = there === undefined ? undefined : differencesOf(there, asset.body);
    if (differences === undefined || differences.length > 0) changes.push({ asset, differences });
  }
  return { options, changes };
}

export async function applyChange(request: SendRequest, { asset }: Change): Promise<void> {
  const put: ServerRequest = { method: "PUT", path: pathOf(asset), body: asset.body };
  acknowledged(put, await request(put));
}

export function pathOf({ kind, name }: Pick<Asset, "kind" | "name">): string {
  return `/_${kind}/${name}`;
}

/** Our data streams that are there: templates are of those to come. */
export async function existingStreams(request: SendRequest): Promise<string[]> {
  const asked: ServerRequest = { method: "GET", path: "/_resolve/index/logs-kinwatch.*-*" };
  const { data_streams: found } = granted(asked, await request(asked));
  if (!Array.isArray(found)) throw unexpected(asked, found);
  const names = found.map((one) => (isTable(one) ? one["name"] : undefined));
  return names.filter((name) => typeof name === "string").filter((name) => streamOf(name) !== undefined);
}

/** What gives a data stream that is there what its template says now. */
export function renewals(name: string, { retention, failureStore }: TemplateOptions): ServerRequest[] {
  const stream = streamOf(name);
  if (stream === undefined) return [];
  const keep = retention[stream];
  const path = encodeURIComponent(name);
  return [
    { method: "POST", path: `/${path}/_rollover` },
    {
      method: "PUT",
      path: `/_data_stream/${path}/_lifecycle`,
      body: keep === FOREVER ? {} : { data_retention: keep },
    },
    ...(failureStore
      ? [
          {
            method: "PUT" as const,
            path: `/_data_stream/${path}/_options`,
            body: { failure_store: { enabled: true } },
          },
        ]
      : []),
  ];
}

function streamOf(name: string): Stream | undefined {
  return streams.find((stream) => name.startsWith(`logs-kinwatch.${stream}-`));
}

/** What somebody chose stays, unless he is asked again. */
function retentionIn(there: Table | undefined): string | undefined {
  const lifecycle = tableAt(tableAt(there, "template"), "lifecycle");
  if (lifecycle === undefined) return undefined;
  const keep = lifecycle["data_retention"] ?? FOREVER;
  return typeof keep === "string" ? keep : undefined;
}

/** Who may not ask what the server is, or a server that does not say it, is told apart by what it takes. */
async function isServerless(request: SendRequest): Promise<boolean> {
  const { status, body } = await request({ method: "GET", path: "/" });
  const version = isTable(body) && status === 200 ? tableAt(body, "version") : undefined;
  if (version?.["build_flavor"] === "serverless") return true;
  return !(await accepts(request, { settings: { "index.lifecycle.prefer_ilm": false } }));
}

/** By a template that is tried and not kept: versions say less, as of servers that are built without a part. */
async function accepts(request: SendRequest, template: Table): Promise<boolean> {
  const asked: ServerRequest = {
    method: "POST",
    path: "/_index_template/_simulate",
    body: { index_patterns: ["kinwatch-tried-*"], priority: 1_000_000, data_stream: {}, template },
  };
  const answer = await request(asked);
  if (answer.status === 400) return false;
  granted(asked, answer);
  return true;
}

async function readAsset(
  request: SendRequest,
  kind: Asset["kind"],
  name: string,
): Promise<Table | undefined> {
  const asked: ServerRequest = { method: "GET", path: pathOf({ kind, name }) };
  const answer = await request(asked);
  if (answer.status === 404 && isTable(answer.body) && "error" in answer.body) return undefined;
  const list = granted(asked, answer)[`${kind}s`];
  const one: unknown = Array.isArray(list) ? list[0] : undefined;
  const there = isTable(one) ? one[kind] : undefined;
  if (!isTable(there)) throw unexpected(asked, answer.body);
  return there;
}

function tableAt(table: Table | undefined, name: string): Table | undefined {
  const inner = table?.[name];
  return isTable(inner) ? inner : undefined;
}
