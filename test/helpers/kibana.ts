/** Reads saved objects as Kibana will: out of the NDJSON, with the JSON texts in their attributes taken apart. */
import type { Reference } from "../../agent/fleet/saved-object.ts";

export interface ReadObject {
  readonly type: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly references: readonly Reference[];
  readonly coreMigrationVersion: string;
  readonly typeMigrationVersion: string;
}

export interface ReadColumn {
  readonly label: string;
  readonly operationType: string;
  readonly sourceField: string;
  readonly isBucketed: boolean;
  readonly dataType: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly filter?: { readonly query: string };
  readonly reducedTimeRange?: string;
}

export interface ReadLens {
  readonly visualizationType: string;
  readonly references: readonly Reference[];
  readonly state: {
    readonly query: { readonly query: string };
    readonly visualization: Readonly<Record<string, unknown>>;
    readonly datasourceStates: {
      readonly formBased: {
        readonly layers: Readonly<
          Record<
            string,
            {
              readonly columns: Readonly<Record<string, ReadColumn>>;
              readonly columnOrder: readonly string[];
            }
          >
        >;
      };
    };
  };
}

export interface ReadPanel {
  readonly type: string;
  readonly title: string;
  readonly panelIndex: string;
  readonly panelRefName?: string;
  readonly gridData: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
    readonly i: string;
  };
  readonly embeddableConfig: {
    readonly attributes?: ReadLens;
    readonly timeRange?: { readonly from: string; readonly to: string };
  };
}

export interface ReadControl {
  readonly explicitInput: { readonly id: string; readonly fieldName: string; readonly title: string };
}

/** What a search looks for, in a saved search or a dashboard. */
export interface SearchSource {
  readonly query: { readonly query: string };
  readonly filter: readonly {
    readonly meta: { readonly key: string; readonly indexRefName: string };
    readonly query: object;
  }[];
  readonly indexRefName?: string;
}

export function readNdjson<Document>(text: string): Document[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Document);
}

export function panelsOf({ attributes }: ReadObject): ReadPanel[] {
  return JSON.parse(String(attributes["panelsJSON"])) as ReadPanel[];
}

export function controlsOf({ attributes }: ReadObject): ReadControl[] {
  const { panelsJSON } = attributes["controlGroupInput"] as { readonly panelsJSON: string };
  return Object.values(JSON.parse(panelsJSON) as Record<string, ReadControl>);
}

export function searchSourceOf({ attributes }: ReadObject): SearchSource {
  const { searchSourceJSON } = attributes["kibanaSavedObjectMeta"] as { readonly searchSourceJSON: string };
  return JSON.parse(searchSourceJSON) as SearchSource;
}

/** Of the one layer that a panel of ours has. */
export function columnsOf({ state }: ReadLens): readonly (readonly [id: string, column: ReadColumn])[] {
  const layers = Object.values(state.datasourceStates.formBased.layers);
  return layers.flatMap(({ columns, columnOrder }) =>
    columnOrder.map((id) => [id, columns[id] as ReadColumn] as const),
  );
}
