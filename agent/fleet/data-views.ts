/** Kibana's data views of our data streams, and the tag that what is ours bears. A data view names its fields by itself. */
import { type Stream, streams } from "./field.ts";
import { type Reference, type SavedObject, savedObject } from "./saved-object.ts";

export type View = Stream | "all";

const patterns: Readonly<Record<View, string>> = {
  alerts: "logs-kinwatch.alerts-*",
  events: "logs-kinwatch.events-*",
  health: "logs-kinwatch.health-*",
  all: "logs-kinwatch.*-*",
};

/** How numbers are shown. Kibana's formats, and their parameters, by field. */
const formats = {
  "kinwatch.health.memory_bytes": { id: "bytes" },
  "kinwatch.health.outbox.bytes": { id: "bytes" },
  "kinwatch.health.lag_ms": duration(),
  "kinwatch.health.uptime_ms": duration(),
  "kinwatch.health.cpu_ms": duration(),
};

export function dataViewId(view: View): string {
  return `kinwatch-${view}`;
}

export function dataViewReference(view: View, name: string): Reference {
  return { type: "index-pattern", id: dataViewId(view), name };
}

export function dataViews(): SavedObject[] {
  return [...streams, "all" as const].map((view) =>
    savedObject("index-pattern", dataViewId(view), {
      title: patterns[view],
      name: `kinwatch: ${view}`,
      timeFieldName: "@timestamp",
      allowNoIndex: true, // before the first document, too
      fields: "[]",
      fieldAttrs: "{}",
      fieldFormatMap: JSON.stringify(view === "health" || view === "all" ? formats : {}),
      runtimeFieldMap: "{}",
      sourceFilters: "[]",
      typeMeta: "{}",
    }),
  );
}

const tagId = "kinwatch-tag";
export const tagReference: Reference = { type: "tag", id: tagId, name: `tag-ref-${tagId}` };

export function tag(): SavedObject {
  return savedObject("tag", tagId, {
    name: "kinwatch",
    description: "Package installations and who did them, as kinwatch saw it.",
    color: "#2E7D6B",
  });
}

function duration(): object {
  return {
    id: "duration",
    params: {
      inputFormat: "milliseconds",
      outputFormat: "humanizePrecise",
      outputPrecision: 1,
      useShortSuffix: true,
    },
  };
}
