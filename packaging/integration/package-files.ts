/**
 * The integration package: what Fleet installs for our data streams, as files of the published package specification, in the
 * form that a build has (saved objects as text, fields with their types). kinwatch writes its documents by itself, so that no
 * data stream has an input. All of it comes from the same lists as `kinwatch setup`.
 */
import { stringify } from "yaml";
import { detectionRules } from "../../agent/fleet/detection-rules.ts";
import { type Stream, streams } from "../../agent/fleet/field.ts";
import { fields } from "../../agent/fleet/fields.ts";
import { kibanaObjects } from "../../agent/fleet/kibana-objects.ts";
import { allMappings, type Mapping } from "../../agent/fleet/mappings.ts";

export interface PackageSources {
  readonly version: string;
  readonly readme: string; // Markdown; the tables of fields are put below
  readonly icon: string; // SVG
  readonly license: string;
  readonly samples: Readonly<Record<Stream, string>>; // a document each, JSON
}

const titles: Readonly<Record<Stream, string>> = {
  alerts: "kinwatch alerts",
  events: "kinwatch events",
  health: "kinwatch health",
};
const folders: Readonly<Record<string, string>> = { "index-pattern": "index_pattern" }; // else named as the type

/** By path below the package's folder. */
export function packageFiles({
  version,
  readme,
  icon,
  license,
  samples,
}: PackageSources): Map<string, string> {
  return new Map([
    ["manifest.yml", yaml(manifest(version))],
    ["changelog.yml", yaml(changelog(version))],
    ["LICENSE.txt", license],
    ["docs/README.md", `${readme}\n## Exported fields\n${streams.map(fieldTable).join("")}`],
    ["img/kinwatch.svg", icon],
    ...streams.flatMap((stream) => dataStreamFiles(stream, samples[stream])),
    ...kibanaObjects().map((object) =>
      asset(`kibana/${folders[object.type] ?? object.type}/${object.id}.json`, object),
    ),
    ...detectionRules.map(securityRule),
  ]);
}

function manifest(version: string): object {
  return {
    format_version: "3.0.0", // the least that asks for what is checked; a later one would ask for a later Kibana
    name: "kinwatch",
    title: "kinwatch",
    version,
    description:
      "Alerts, installations and health of kinwatch on Linux hosts: who installs packages, and by which parent process.",
    type: "integration",
    categories: ["security", "os_system"],
    source: { license: "Apache-2.0" },
    conditions: {
      kibana: { version: "^8.9.0 || ^9.0.0" },
      elastic: { subscription: "basic", capabilities: ["security"] },
    },
    icons: [{ src: "/img/kinwatch.svg", title: "kinwatch", size: "32x32", type: "image/svg+xml" }],
    owner: { github: "kinwatch", type: "community" },
  };
}

function changelog(version: string): object[] {
  const change = {
    description: "Data streams, dashboard, searches and detection rules of this version of kinwatch.",
    type: "enhancement",
    link: "CHANGELOG.md", // kinwatch's own
  };
  return [{ version, changes: [change] }];
}

function dataStreamFiles(stream: Stream, sample: string): [path: string, text: string][] {
  const { dynamic, date_detection } = allMappings[stream];
  const about = {
    title: titles[stream],
    type: "logs",
    dataset: `kinwatch.${stream}`,
    elasticsearch: { index_template: { mappings: { dynamic, date_detection } } },
  };
  const folder = `data_stream/${stream}`;
  return [
    [`${folder}/manifest.yml`, yaml(about)],
    [`${folder}/fields/fields.yml`, yaml(fieldsOf(stream).map(packageField))],
    [`${folder}/sample_event.json`, sample],
  ];
}

interface NamedMapping {
  readonly name: string;
  readonly mapping: Mapping;
}

/** As Elasticsearch is told by `setup elasticsearch`, in whole names. */
function fieldsOf(stream: Stream): NamedMapping[] {
  return leavesOf(allMappings[stream].properties, "");
}

function leavesOf(properties: Readonly<Record<string, Mapping>>, above: string): NamedMapping[] {
  return Object.entries(properties).flatMap(([name, mapping]) => {
    const { properties: inner } = mapping;
    return inner === undefined ? [{ name: above + name, mapping }] : leavesOf(inner, `${above}${name}.`);
  });
}

function packageField({
  name,
  mapping: { type, value, ignore_above, fields: others },
}: NamedMapping): object {
  return {
    name,
    type,
    description: meaningOf(name),
    ...(value === undefined ? {} : { value }),
    ...(ignore_above === undefined ? {} : { ignore_above }),
    ...(others === undefined
      ? {}
      : {
          multi_fields: Object.entries(others).map(([inner, mapping]) => ({
            name: inner,
            type: mapping.type,
          })),
        }),
  };
}

function fieldTable(stream: Stream): string {
  const rows = fieldsOf(stream).map(
    ({ name, mapping }) => `| ${name} | ${meaningOf(name)} | ${mapping.type} |\n`,
  );
  return `\n### ${titles[stream]}\n\n| Field | Description | Type |\n|---|---|---|\n${rows.join("")}`;
}

function meaningOf(name: string): string {
  return fields.find((field) => field.name === name)?.meaning ?? "";
}

/** What a package brings is offered below Kibana's own rules: whether one is on, and what it does, is then Kibana's to keep. */
function securityRule(rule: (typeof detectionRules)[number]): [path: string, text: string] {
  const { enabled, immutable, actions, exceptions_list, ...attributes } = rule;
  const id = `${rule.rule_id}_${rule["version"]}`;
  return asset(`kibana/security_rule/${id}.json`, { id, type: "security-rule", attributes });
}

function asset(path: string, object: object): [path: string, text: string] {
  return [path, `${JSON.stringify(object, undefined, 2)}\n`];
}

function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}
