/**
 * A dashboard: panels on Kibana's grid of 48 columns. What a panel refers to stands in the dashboard's own list, behind the
 * panel's id and a colon; so an import finds all of it, and renames it where it must.
 */
import { dataViewReference, tagReference, type View } from "./data-views.ts";
import { type LensPanel, layerReferenceName, lensAttributes } from "./lens-panel.ts";
import { kibanaVersionMin, type Reference, type SavedObject, savedObject } from "./saved-object.ts";

/** In cells: a column is a 48th of the window, a row 20 pixels. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

interface PanelBase {
  readonly id: string; // within the dashboard
  readonly title: string;
  readonly place: Place;
  readonly since?: string; // its own time, until now, instead of the dashboard's
}
export type Panel = PanelBase & ({ readonly lens: LensPanel } | { readonly search: string });

export interface Control {
  readonly id: string;
  readonly title: string;
  readonly field: string;
}

export interface Dashboard {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly since: string; // what it shows when it is opened, until now
  readonly view: View; // of its filter and controls
  readonly controls: readonly Control[];
  readonly panels: readonly Panel[];
}

const filterReferenceName = "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index";

export function dashboardObject(dashboard: Dashboard): SavedObject {
  const { id, title, description, since, view, controls, panels } = dashboard;
  return savedObject(
    "dashboard",
    id,
    {
      title,
      description,
      version: 1,
      timeRestore: true,
      timeFrom: since,
      timeTo: "now",
      refreshInterval: { pause: true, value: 60_000 },
      optionsJSON: JSON.stringify({
        useMargins: true,
        syncColors: false,
        syncCursor: true,
        syncTooltips: false,
        hidePanelTitles: false,
      }),
      controlGroupInput: {
        controlStyle: "oneLine",
        chainingSystem: "HIERARCHICAL",
        panelsJSON: JSON.stringify(Object.fromEntries(controls.map(controlEntry))),
        ignoreParentSettingsJSON: JSON.stringify({
          ignoreFilters: false,
          ignoreQuery: false,
          ignoreTimerange: false,
          ignoreValidations: false,
        }),
      },
      panelsJSON: JSON.stringify(panels.map(panelEntry)),
      kibanaSavedObjectMeta: {
        searchSourceJSON: JSON.stringify({
          query: { query: "", language: "kuery" },
          filter: [ownDocuments],
        }),
      },
    },
    [
      ...panels.map(panelReference),
      ...controls.map((control) => dataViewReference(view, `controlGroup_${control.id}:optionsListDataView`)),
      dataViewReference(view, filterReferenceName),
      tagReference,
    ],
  );
}

const ownDocuments = {
  meta: {
    alias: null,
    disabled: false,
    negate: false,
    type: "phrase",
    key: "event.module",
    field: "event.module",
    params: { query: "kinwatch" },
    indexRefName: filterReferenceName,
  },
  query: { match_phrase: { "event.module": "kinwatch" } },
  $state: { store: "appState" },
};

function panelEntry(panel: Panel): object {
  const { id, title, place, since } = panel;
  const config = {
    enhancements: {},
    hidePanelTitles: false,
    ...(since === undefined ? {} : { timeRange: { from: since, to: "now" } }),
  };
  const common = { version: kibanaVersionMin, gridData: { ...place, i: id }, panelIndex: id, title };
  return "lens" in panel
    ? { ...common, type: "lens", embeddableConfig: { ...config, attributes: lensAttributes(panel.lens) } }
    : { ...common, type: "search", embeddableConfig: config, panelRefName: `panel_${id}` };
}

function panelReference(panel: Panel): Reference {
  return "lens" in panel
    ? dataViewReference(panel.lens.view, `${panel.id}:${layerReferenceName}`)
    : { type: "search", id: panel.search, name: `${panel.id}:panel_${panel.id}` };
}

function controlEntry({ id, title, field }: Control, order: number): [id: string, control: object] {
  const explicitInput = { id, fieldName: field, title, enhancements: {}, selectedOptions: [] };
  return [id, { order, width: "medium", grow: true, type: "optionsListControl", explicitInput }];
}
