/**
 * What a server holds for our data streams: for each a component template, with all that is ours, and an index template that
 * joins it to the stock ones. Who wants something else writes kinwatch@custom, which comes last and is nobody's but his.
 */
import { type Stream, streams } from "./field.ts";
import { allMappings, type Mappings } from "./mappings.ts";

export interface TemplateOptions {
  readonly retention: Readonly<Record<Stream, Retention>>;
  readonly serverless: boolean; // has no ILM, and refuses its settings
  readonly failureStore: boolean; // since 8.19 and 9.1
}

/** Such as "90d"; or until somebody deletes it. */
export type Retention = string;
export const FOREVER = "forever";

/**
 * Alerts: an intrusion may be found late, and there are few. Events: what is new to the fleet is what is not among them, so that
 * half a year tells a yearly visitor from a monthly one. Health: a document a minute and host, asked for while a gap is fresh.
 */
export const defaultRetention: TemplateOptions["retention"] = {
  alerts: "365d",
  events: "180d",
  health: "30d",
};

export interface Asset {
  readonly kind: "component_template" | "index_template"; // PUT /_<kind>/<name>
  readonly name: string;
  readonly body: ComponentTemplate | IndexTemplate;
}

export interface ComponentTemplate {
  readonly template: {
    readonly settings?: { readonly "index.lifecycle.prefer_ilm": false };
    readonly mappings: Mappings;
    readonly lifecycle: { readonly enabled: true; readonly data_retention?: string };
    readonly data_stream_options?: { readonly failure_store: { readonly enabled: true } };
  };
  readonly _meta: Meta;
}

export interface IndexTemplate {
  readonly index_patterns: readonly string[];
  readonly priority: number;
  readonly data_stream: { readonly hidden: false };
  readonly composed_of: readonly string[];
  readonly ignore_missing_component_templates: readonly string[];
  readonly allow_auto_create: true; // whatever action.auto_create_index says: hosts make their streams by writing to them
  readonly _meta: Meta;
}

interface Meta {
  readonly description: string;
  readonly managed_by: "kinwatch";
}

/** Over the stock logs-*-* (100) and an integration's (200). */
const PRIORITY = 250;

export const componentName = (stream: Stream): string => `kinwatch@${stream}`;

/** In the order in which a server can take them. */
export function templates(options: TemplateOptions): Asset[] {
  return [
    ...streams.map((stream) => componentTemplate(stream, options)),
    ...streams.map((stream) => indexTemplate(stream)),
  ];
}

function componentTemplate(stream: Stream, { retention, serverless, failureStore }: TemplateOptions): Asset {
  const keep = retention[stream];
  const body: ComponentTemplate = {
    template: {
      // logs@settings names an ILM policy, which would else win over our retention.
      ...(serverless ? {} : { settings: { "index.lifecycle.prefer_ilm": false } }),
      mappings: allMappings[stream],
      lifecycle: { enabled: true, ...(keep === FOREVER ? {} : { data_retention: keep }) },
      ...(failureStore ? { data_stream_options: { failure_store: { enabled: true } } } : {}),
    },
    _meta: meta(`Fields and retention of kinwatch's ${stream}; to change them, write kinwatch@custom`),
  };
  return { kind: "component_template", name: componentName(stream), body };
}

function indexTemplate(stream: Stream): Asset {
  const before = ["ecs@mappings", "logs@settings"]; // stock, not on every server
  const after = ["logs@custom", "kinwatch@custom"]; // the operator's
  const body: IndexTemplate = {
    index_patterns: [`logs-kinwatch.${stream}-*`],
    priority: PRIORITY,
    data_stream: { hidden: false },
    composed_of: [...before, componentName(stream), ...after],
    ignore_missing_component_templates: [...before, ...after],
    allow_auto_create: true,
    _meta: meta(`Data streams of kinwatch's ${stream}`),
  };
  return { kind: "index_template", name: `logs-kinwatch.${stream}`, body };
}

function meta(description: string): Meta {
  return { description, managed_by: "kinwatch" };
}
