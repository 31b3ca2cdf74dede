/** Kibana is not there to ask, so all that it would trip over is looked for here: in the very text that it is sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fields } from "../../agent/fleet/fields.ts";
import { kibanaObjects } from "../../agent/fleet/kibana-objects.ts";
import { terms } from "../../agent/fleet/lens-columns.ts";
import { ndjson } from "../../agent/fleet/saved-object.ts";
import {
  columnsOf,
  controlsOf,
  panelsOf,
  type ReadObject,
  type ReadPanel,
  readNdjson,
  searchSourceOf,
} from "../helpers/kibana.ts";
import { assertKql } from "../helpers/kibana-kql.ts";

const text = ndjson(kibanaObjects());
const objects = readNdjson<ReadObject>(text);
const dashboards = objects.filter(({ type }) => type === "dashboard");
const searches = objects.filter(({ type }) => type === "search");
const panels = dashboards.flatMap(panelsOf);

/** The streams that a data view of ours looks at. */
function streamsOf(dataViewId: string | undefined): string[] {
  const view = objects.find(({ type, id }) => type === "index-pattern" && id === dataViewId);
  const [, stream = ""] = /^logs-kinwatch\.(\*|[a-z]+)-\*$/.exec(String(view?.attributes["title"])) ?? [];
  assert.notEqual(stream, "", `${dataViewId}: a data view of ours`);
  return stream === "*" ? ["alerts", "events", "health"] : [stream];
}

function assertField(name: string, streams: readonly string[], where: string): void {
  const field = fields.find((one) => one.name === name && streams.every((stream) => isIn(one, stream)));
  assert.ok(field, `${where}: ${name} is a field of ${streams.join(", ")}`);
}

function isIn({ streams }: { readonly streams: readonly string[] }, stream: string): boolean {
  return streams.includes(stream);
}

function viewOf(object: ReadObject, name: string): string | undefined {
  return object.references.find((one) => one.type === "index-pattern" && one.name === name)?.id;
}

/** Names in the text that stand for a reference, such as "indexRefName". */
function namesOfReferences(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    /^(indexRefName|panelRefName)$/.test(key) ? [String(inner)] : namesOfReferences(inner),
  );
}

test("kibanaObjects(): a tag, four data views, three searches and the dashboard, each with an id of its own", () => {
  assert.deepEqual(
    objects.map(({ type }) => type),
    [...Array(1).fill("tag"), ...Array(4).fill("index-pattern"), ...Array(3).fill("search"), "dashboard"],
  );
  assert.equal(new Set(objects.map(({ id }) => id)).size, objects.length);
  for (const { id } of objects) assert.match(id, /^kinwatch-[a-z-]+$/);
  assert.equal(dashboards[0]?.attributes["title"], "kinwatch: fleet");
});

test("kibanaObjects(): the same each time, in the form of Kibana 8.9", () => {
  assert.equal(ndjson(kibanaObjects()), text);
  const versions = { "index-pattern": "8.0.0", search: "8.0.0", tag: "8.0.0", dashboard: "8.9.0" };
  for (const object of objects) {
    assert.equal(object.coreMigrationVersion, "8.8.0");
    assert.equal(object.typeMigrationVersion, versions[object.type as keyof typeof versions], object.type);
  }
  for (const panel of panels) assert.equal((panel as { readonly version?: string }).version, "8.9.0");
});

test("kibanaObjects(): what is referred to is there, and stands before", () => {
  for (const [index, { id, references }] of objects.entries()) {
    for (const reference of references) {
      const at = objects.findIndex((one) => one.type === reference.type && one.id === reference.id);
      assert.ok(at >= 0 && at < index, `${id}: ${reference.type} ${reference.id}`);
    }
    assert.equal(new Set(references.map(({ name }) => name)).size, references.length, `${id}: each once`);
  }
});

test("kibanaObjects(): each name in the attributes has its reference, and each reference its name", () => {
  for (const object of [...searches, ...dashboards]) {
    const used = namesOfReferences(searchSourceOf(object));
    if (object.type === "dashboard") {
      for (const control of controlsOf(object))
        used.push(`controlGroup_${control.explicitInput.id}:optionsListDataView`);
      for (const { panelIndex, panelRefName, embeddableConfig } of panelsOf(object)) {
        const layers = Object.keys(
          embeddableConfig.attributes?.state.datasourceStates.formBased.layers ?? {},
        );
        used.push(...layers.map((layer) => `${panelIndex}:indexpattern-datasource-layer-${layer}`));
        if (panelRefName !== undefined) used.push(`${panelIndex}:${panelRefName}`);
      }
    }
    const named = object.references.filter(({ type }) => type !== "tag").map(({ name }) => name);
    assert.deepEqual(named.toSorted(), used.toSorted(), object.id);
  }
});

test("kibanaObjects(): every field is in the list, for every stream that is looked at", () => {
  for (const search of searches) {
    const streams = streamsOf(viewOf(search, "kibanaSavedObjectMeta.searchSourceJSON.index"));
    for (const field of search.attributes["columns"] as string[]) assertField(field, streams, search.id);
    const { columns } = search.attributes["grid"] as { readonly columns: object };
    for (const field of Object.keys(columns)) assertField(field, streams, search.id);
  }
  for (const dashboard of dashboards) {
    for (const { explicitInput } of controlsOf(dashboard)) {
      const view = viewOf(dashboard, `controlGroup_${explicitInput.id}:optionsListDataView`);
      assertField(explicitInput.fieldName, streamsOf(view), explicitInput.id);
    }
    for (const { meta } of searchSourceOf(dashboard).filter)
      assertField(meta.key, streamsOf(viewOf(dashboard, meta.indexRefName)), "filter");
    for (const { panelIndex, streams, columns } of lensPanels(dashboard)) {
      for (const [, { sourceField, params }] of columns) {
        if (sourceField !== "___records___") assertField(sourceField, streams, panelIndex);
        if (params["sortField"] !== undefined) assertField(String(params["sortField"]), streams, panelIndex);
      }
    }
  }
});

test("kibanaObjects(): every query is KQL that asks for fields of the streams that are looked at", () => {
  let queries = 0;
  for (const search of searches) {
    const { query } = searchSourceOf(search).query;
    assertKql(query, streamsOf(viewOf(search, "kibanaSavedObjectMeta.searchSourceJSON.index")));
    queries += 1;
  }
  for (const dashboard of dashboards) {
    for (const { streams, columns, lens } of lensPanels(dashboard)) {
      const own = lens.state.query.query;
      const asked = [own, ...columns.map(([, { filter }]) => filter?.query ?? "")].filter(
        (one) => one !== "",
      );
      for (const query of asked) assertKql(query, streams);
      queries += asked.length;
    }
  }
  assert.ok(queries > 15, `${queries} queries`);
});

test("kibanaObjects(): a panel shows columns that it asks for, and asks for its buckets first", () => {
  const accessors =
    /^(metricAccessor|secondaryMetricAccessor|maxAccessor|xAccessor|splitAccessor|columnId|forAccessor)$/;
  const lists = /^(accessors|metrics|primaryGroups)$/;
  const shownIn = (value: unknown): string[] =>
    Object.entries(value ?? {}).flatMap(([key, inner]) => {
      if (accessors.test(key)) return [String(inner)];
      if (lists.test(key)) return inner as string[];
      return typeof inner === "object" ? shownIn(inner) : [];
    });
  for (const dashboard of dashboards) {
    for (const { panelIndex, columns, lens } of lensPanels(dashboard)) {
      const ids = columns.map(([id]) => id);
      assert.deepEqual(
        [...new Set(shownIn(lens.state.visualization))].toSorted(),
        ids.toSorted(),
        panelIndex,
      );
      const buckets = columns.map(([, { isBucketed }]) => isBucketed);
      assert.deepEqual(
        buckets,
        buckets.toSorted((a, b) => Number(b) - Number(a)),
        panelIndex,
      );
      for (const [, { params }] of columns) {
        const { columnId } = (params["orderBy"] ?? {}) as { readonly columnId?: string };
        if (columnId !== undefined) assert.ok(ids.includes(columnId), `${panelIndex}: ${columnId}`);
      }
      const numbers = columns.filter(([, { isBucketed, dataType }]) => !isBucketed && dataType === "number");
      if (lens.visualizationType !== "lnsDatatable")
        assert.equal(numbers.length, buckets.filter((is) => !is).length, `${panelIndex}: shows numbers`);
    }
  }
});

test("kibanaObjects(): panels lie on the grid of 48 columns, none over another, none in the air", () => {
  assert.ok(panels.length > 10, `${panels.length} panels`);
  assert.equal(new Set(panels.map(({ panelIndex }) => panelIndex)).size, panels.length);
  const taken = new Map<string, string>(); // cell to panel
  for (const { panelIndex, gridData } of panels) {
    const { x, y, w, h, i } = gridData;
    assert.equal(i, panelIndex);
    assert.ok([x, y, w, h].every(Number.isInteger) && x >= 0 && y >= 0 && w > 0 && h > 0, panelIndex);
    assert.ok(x + w <= 48, `${panelIndex} ends at column ${x + w}`);
    for (const cell of cellsOf(gridData)) {
      assert.equal(taken.get(cell), undefined, `${panelIndex} lies over ${taken.get(cell)} at ${cell}`);
      taken.set(cell, panelIndex);
    }
  }
  const rows = Math.max(...panels.map(({ gridData }) => gridData.y + gridData.h));
  assert.equal(taken.size, rows * 48, "no hole, which Kibana would close by moving panels up");
});

test("kibanaObjects(): each panel and search has a title, and no two of a dashboard the same", () => {
  for (const dashboard of dashboards) {
    const titles = panelsOf(dashboard).map(({ title }) => title);
    for (const title of titles) assert.match(title, /^[A-Z]/);
    assert.equal(new Set(titles).size, titles.length, "a person tells them apart");
  }
});

test("terms(): a field that is in no document, or that cannot be counted by, is a defect of ours", () => {
  assert.throws(() => terms("Nothing", "process.parent.nothing", 1), /no such field/);
  assert.throws(() => terms("Text", "message", 1), /match_only_text/);
});

function* cellsOf({ x, y, w, h }: ReadPanel["gridData"]): Generator<string> {
  for (let row = y; row < y + h; row++)
    for (let column = x; column < x + w; column++) yield `${column},${row}`;
}

function lensPanels(dashboard: ReadObject) {
  return panelsOf(dashboard).flatMap(({ panelIndex, embeddableConfig: { attributes: lens } }) => {
    if (lens === undefined) return [];
    const [layer] = Object.keys(lens.state.datasourceStates.formBased.layers);
    const view = viewOf(dashboard, `${panelIndex}:indexpattern-datasource-layer-${layer}`);
    return [{ panelIndex, lens, columns: columnsOf(lens), streams: streamsOf(view) }];
  });
}
