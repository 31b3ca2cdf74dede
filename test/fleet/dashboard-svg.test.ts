import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { kibanaObjects } from "../../agent/fleet/kibana-objects.ts";
import { ndjson } from "../../agent/fleet/saved-object.ts";
import { dashboardSvg } from "../helpers/dashboard-svg.ts";
import { panelsOf, type ReadObject, readNdjson } from "../helpers/kibana.ts";

const objects = readNdjson<ReadObject>(ndjson(kibanaObjects()));
const docs = fileURLToPath(new URL("../../docs", import.meta.url));

/** With --test-update-snapshots it is drawn anew. */
test("docs/kibana-fleet.svg: is the dashboard as it is sent", (t) => {
  const fleet = objects.find(({ type }) => type === "dashboard");
  assert.ok(fleet);
  const svg = dashboardSvg(fleet, objects);
  t.assert.fileSnapshot(svg, join(docs, "kibana-fleet.svg"), { serializers: [String] });
  assert.equal(svg.match(/<rect /g)?.length, panelsOf(fleet).length + 1, "each panel, and the ground");
});

test("dashboardSvg(): text of a panel cannot become part of the drawing", () => {
  const panel = {
    type: "search",
    title: '"><script>&',
    panelIndex: "1",
    gridData: { x: 0, y: 0, w: 48, h: 9, i: "1" },
  };
  const dashboard = {
    type: "dashboard",
    id: "x",
    attributes: { title: "</text>", panelsJSON: JSON.stringify([{ ...panel, embeddableConfig: {} }]) },
    references: [],
    coreMigrationVersion: "",
    typeMigrationVersion: "",
  };
  const svg = dashboardSvg(dashboard, []);
  assert.match(svg, /&#34;&#62;&#60;script&#62;&#38;/);
  assert.doesNotMatch(svg, /<script|<\/text><\/text>/);
});
