import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requestsToPrint } from "../../agent/cli/setup-files.ts";
import { differencesOf } from "../../agent/fleet/difference.ts";
import { streams } from "../../agent/fleet/field.ts";
import { fields } from "../../agent/fleet/fields.ts";
import { type Mapping, mappingsOf } from "../../agent/fleet/mappings.ts";
import {
  type ComponentTemplate,
  defaultRetention,
  type IndexTemplate,
  type TemplateOptions,
  templates,
} from "../../agent/fleet/templates.ts";

const usual: TemplateOptions = { retention: defaultRetention, serverless: false, failureStore: true };

/** A line a value, so that a change is read as what it is. */
function valueLines(requests: ReturnType<typeof requestsToPrint>): string {
  return requests
    .flatMap(({ method, path, body }) => [
      `${method} ${path}`,
      ...differencesOf({}, body).map((one) => `  ${one.path.replaceAll(".properties.", ".")}: ${one.want}`),
    ])
    .join("\n");
}

test("templates(): are what they were, or the change is looked at", (t) => {
  const golden = fileURLToPath(new URL("../samples/fleet/templates.golden.txt", import.meta.url));
  t.assert.fileSnapshot(requestsToPrint(usual), golden, { serializers: [valueLines] });
});

/** Each mapped field with its mapping, and those that are read in two ways twice. */
function mapped(
  properties: Readonly<Record<string, Mapping>>,
  above = "",
): [name: string, mapping: Mapping][] {
  return Object.entries(properties).flatMap(([name, mapping]): [string, Mapping][] => [
    ...(mapping.properties === undefined ? [[above + name, mapping] as [string, Mapping]] : []),
    ...mapped(mapping.properties ?? {}, `${above + name}.`),
    ...mapped(mapping.fields ?? {}, `${above + name}.`),
  ]);
}

for (const stream of streams) {
  const all = new Map(mapped(mappingsOf(stream).properties));
  test(`mappingsOf(): ${stream} have each of their fields, with its type, and none besides`, () => {
    const want = fields
      .filter((field) => field.streams.includes(stream))
      .map(({ name, type }) => [name, type]);
    const have = [...all].filter(([name]) => !/\.text$/.test(name)).map(([name, { type }]) => [name, type]);
    assert.deepEqual(have.toSorted(), want.toSorted());
  });

  test(`mappingsOf(): ${stream} leave half of a mapping's room to the operator`, () => {
    const objects = new Set(
      [...all.keys()].flatMap((name) => {
        const parts = name.split(".");
        return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("."));
      }),
    );
    const limit = 1_000; // index.mapping.total_fields.limit, which counts objects and second readings, too
    assert.ok(new Set([...all.keys(), ...objects]).size < limit / 2);
  });
}

test("mappingsOf(): what ECS has as words, too, can be asked for as words", () => {
  const words = mapped(mappingsOf("alerts").properties)
    .map(([name]) => name)
    .filter((name) => /\.text$/.test(name));
  for (const name of ["process.parent.executable", "process.command_line", "host.os.full", "user.name"])
    assert.ok(words.includes(`${name}.text`), name);
  assert.deepEqual(
    words.filter((name) => /^kinwatch\.|^rule\.|^package\.|\.group\.|host\.name/.test(name)),
    [],
  );
});

function bodiesOf<Body>(kind: "component_template" | "index_template", options = usual): Body[] {
  return templates(options)
    .filter((asset) => asset.kind === kind)
    .map(({ body }) => body as Body);
}

test("templates(): our own part stands between the stock ones and the operator's, who has the last word", () => {
  for (const { composed_of: parts, ignore_missing_component_templates: optional } of bodiesOf<IndexTemplate>(
    "index_template",
  )) {
    const [first, second, own = "", ...last] = parts;
    assert.deepEqual(
      [first, second, ...last],
      ["ecs@mappings", "logs@settings", "logs@custom", "kinwatch@custom"],
    );
    assert.match(own, /^kinwatch@(alerts|events|health)$/);
    assert.deepEqual(
      optional,
      parts.filter((name) => name !== own),
    );
  }
});

test("templates(): a server without ILM is told nothing of it, an older one nothing of a failure store", () => {
  const options = { ...usual, serverless: true, failureStore: false };
  for (const { template } of bodiesOf<ComponentTemplate>("component_template", options)) {
    assert.deepEqual(Object.keys(template).toSorted(), ["lifecycle", "mappings"]);
  }
  assert.doesNotMatch(JSON.stringify(templates(options)), /number_of_|prefer_ilm|"failure_store"/);
});

test("templates(): for ever is a lifecycle without an end", () => {
  const options = { ...usual, retention: { ...defaultRetention, alerts: "forever" } };
  const kept = bodiesOf<ComponentTemplate>("component_template", options).map(
    ({ template }) => template.lifecycle,
  );
  assert.deepEqual(kept, [
    { enabled: true },
    { enabled: true, data_retention: "180d" },
    { enabled: true, data_retention: "30d" },
  ]);
});
