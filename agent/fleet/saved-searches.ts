/** Saved searches: the documents themselves, in columns that a person can judge by. */
import { dataViewReference, tagReference, type View } from "./data-views.ts";
import { type SavedObject, savedObject } from "./saved-object.ts";

export interface SearchPage {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly view: View;
  readonly query: string; // KQL
  readonly columns: Readonly<Record<string, number | undefined>>; // fields, with their width in pixels where it is not shared out
}

/** Something is not seen, was lost, or is read late: what comes to an end by itself. */
export const notAllSeen =
  "kinwatch.health.problems:* or kinwatch.health.lost > 0 or kinwatch.health.lag_ms >= 60000";

/** What health documents are worth a look; documents that were refused for good are told of until somebody deals with them. */
const healthFindings = `${notAllSeen} or kinwatch.health.outbox.set_aside > 0`;

export const searchPages: readonly SearchPage[] = [
  {
    id: "kinwatch-search-alerts",
    title: "kinwatch: alerts",
    description: "Each alert: what happened, where, by whose doing, and what came of it.",
    view: "alerts",
    query: "event.kind: alert",
    columns: {
      "event.severity": 90,
      "rule.name": 240,
      "host.name": 150,
      "process.parent.executable": 240,
      "kinwatch.ancestry.script": 240,
      "process.command_line": 320,
      "package.name": 150,
      "kinwatch.outcome": 100,
      "kinwatch.signature": 110,
      "kinwatch.login_user.name": 120,
    },
  },
  {
    id: "kinwatch-search-installations",
    title: "kinwatch: installations",
    description: "Each installation of packages on any host, expected or not.",
    view: "events",
    query: "event.type: installation",
    columns: {
      "host.name": 150,
      "process.parent.executable": 240,
      "kinwatch.ancestry.script": 240,
      "process.command_line": 320,
      "package.name": 150,
      "package.version": 150,
      "kinwatch.package_count": 90,
      "kinwatch.outcome": 100,
      "kinwatch.signature": 110,
      "user.name": 110,
      "kinwatch.login_user.name": 120,
    },
  },
  {
    id: "kinwatch-search-health",
    title: "kinwatch: health findings",
    description: "Health documents of hosts that lost something, read late, or whose documents were refused.",
    view: "health",
    query: healthFindings,
    columns: {
      "host.name": 150,
      "event.reason": 240,
      "kinwatch.health.lost": 90,
      "kinwatch.health.lag_ms": 110,
      "kinwatch.health.outbox.set_aside": 110,
      "kinwatch.health.outbox.waiting": 110,
      "kinwatch.health.source": 110,
      "agent.version": 100,
      message: undefined,
    },
  },
];

export function savedSearches(): SavedObject[] {
  return searchPages.map(savedSearch);
}

function savedSearch({ id, title, description, view, query, columns }: SearchPage): SavedObject {
  const indexRefName = "kibanaSavedObjectMeta.searchSourceJSON.index";
  const widths = Object.entries(columns).flatMap(([field, width]) =>
    width === undefined ? [] : [[field, { width }]],
  );
  return savedObject(
    "search",
    id,
    {
      title,
      description,
      columns: Object.keys(columns),
      sort: [["@timestamp", "desc"]],
      grid: { columns: Object.fromEntries(widths) },
      hideChart: false,
      isTextBasedQuery: false,
      usesAdHocDataView: false,
      timeRestore: false,
      kibanaSavedObjectMeta: {
        searchSourceJSON: JSON.stringify({
          query: { query, language: "kuery" },
          filter: [],
          highlightAll: true,
          version: true,
          indexRefName,
        }),
      },
    },
    [dataViewReference(view, indexRefName), tagReference],
  );
}
