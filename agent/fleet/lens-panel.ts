/**
 * A panel of Kibana's Lens: columns that are asked of one data view, and how they are shown, in the form that Lens 8.9 keeps
 * (x-pack/plugins/lens/public/visualizations). A panel is kept in its dashboard, by value. Four kinds of ours: a number, a
 * table, bars or lines, a donut.
 */
import { dataViewReference, type View } from "./data-views.ts";
import type { LensColumn } from "./lens-columns.ts";
import type { Reference } from "./saved-object.ts";

/** By their ids within the panel; buckets first, for Elasticsearch is asked in this order. */
export type Columns = Readonly<Record<string, LensColumn>>;

export interface LensPanel {
  readonly view: View;
  readonly query: string; // KQL; empty: all documents
  readonly columns: Columns;
  readonly kind: "lnsMetric" | "lnsDatatable" | "lnsXY" | "lnsPie";
  readonly visualization: Readonly<Record<string, unknown>>;
}

interface Asked {
  readonly view: View;
  readonly query?: string;
  readonly columns: Columns;
}

const layerId = "layer";
const layer = { layerId, layerType: "data" } as const;

/** One number: the first column. The second, if there is one, stands below it. */
export function metricPanel(asked: Asked, below?: { readonly prefix: string }): LensPanel {
  const [metricAccessor, secondaryMetricAccessor] = Object.keys(asked.columns);
  return panel("lnsMetric", asked, {
    ...layer,
    metricAccessor,
    ...(below === undefined ? {} : { secondaryMetricAccessor, secondaryPrefix: below.prefix }),
  });
}

/** How much the first column is of the second, as a bar. */
export function shareOfPanel(asked: Asked, subtitle: string): LensPanel {
  const [metricAccessor, maxAccessor] = Object.keys(asked.columns);
  return panel("lnsMetric", asked, {
    ...layer,
    metricAccessor,
    maxAccessor,
    subtitle,
    showBar: true,
    progressDirection: "horizontal",
  });
}

export function tablePanel(
  asked: Asked,
  sorting: { readonly columnId: string; readonly direction: "asc" | "desc" },
  widths: Readonly<Record<string, number>> = {}, // pixels; the others share what is left
): LensPanel {
  return panel("lnsDatatable", asked, {
    ...layer,
    columns: Object.keys(asked.columns).map((columnId) => ({
      columnId,
      isTransposed: false,
      ...(widths[columnId] === undefined ? {} : { width: widths[columnId] }),
    })),
    sorting,
    paging: { enabled: true, size: 10 },
    rowHeight: "single",
    rowHeightLines: 1,
  });
}

export interface Series {
  readonly type: "bar_stacked" | "bar_horizontal" | "line";
  readonly x: string; // ids of columns
  readonly split?: string;
  readonly colors?: Readonly<Record<string, string>>;
}

/** Bars or lines: a series for each column that is no bucket. */
export function seriesPanel(asked: Asked, { type, x, split, colors = {} }: Series): LensPanel {
  const accessors = valuesOf(asked.columns);
  const isOneSeries = accessors.length === 1 && split === undefined;
  const yes = { x: true, yLeft: true, yRight: true };
  return panel("lnsXY", asked, {
    legend: { isVisible: !isOneSeries, position: "right", showSingleSeries: false },
    valueLabels: type === "bar_horizontal" ? "show" : "hide",
    fittingFunction: "None",
    axisTitlesVisibilitySettings: { x: false, yLeft: false, yRight: false },
    tickLabelsVisibilitySettings: yes,
    gridlinesVisibilitySettings: yes,
    labelsOrientation: { x: 0, yLeft: 0, yRight: 0 },
    preferredSeriesType: type,
    layers: [
      {
        ...layer,
        accessors,
        seriesType: type,
        xAccessor: x,
        ...(split === undefined ? {} : { splitAccessor: split }),
        yConfig: Object.entries(colors).map(([forAccessor, color]) => ({ forAccessor, color })),
        position: "top",
        showGridlines: false,
      },
    ],
  });
}

export function donutPanel(asked: Asked, group: string): LensPanel {
  return panel("lnsPie", asked, {
    shape: "donut",
    layers: [
      {
        ...layer,
        primaryGroups: [group],
        metrics: valuesOf(asked.columns),
        numberDisplay: "value",
        categoryDisplay: "default",
        legendDisplay: "show",
        nestedLegend: false,
      },
    ],
  });
}

export const layerReferenceName = `indexpattern-datasource-layer-${layerId}`;

/** What a dashboard keeps of a panel. */
export function lensAttributes({ view, query, columns, kind, visualization }: LensPanel): object {
  const references: Reference[] = [dataViewReference(view, layerReferenceName)];
  return {
    title: "",
    type: "lens",
    visualizationType: kind,
    references,
    state: {
      visualization,
      query: { query, language: "kuery" },
      filters: [],
      datasourceStates: {
        formBased: {
          layers: { [layerId]: { columns, columnOrder: Object.keys(columns), incompleteColumns: {} } },
        },
      },
      internalReferences: [],
      adHocDataViews: {},
    },
  };
}

function panel(
  kind: LensPanel["kind"],
  { view, query = "", columns }: Asked,
  visualization: LensPanel["visualization"],
): LensPanel {
  return { view, query, columns, kind, visualization };
}

function valuesOf(columns: Columns): string[] {
  return Object.entries(columns).flatMap(([id, { isBucketed }]) => (isBucketed ? [] : [id]));
}
