/** /etc/kinwatch/kinwatch.toml as it is installed: every key with what it is for, and its default behind a comment sign. */
import { stringify } from "smol-toml";
import { configKeys } from "../agent/config.ts";
import type { Key } from "../agent/toml-schema.ts";
import { wrapped } from "./wrapped.ts";

const WIDTH = 78;

const head = `Configuration of kinwatch: kinwatch.toml(5), https://toml.io. Each key stands here with its
default; take the # away from one to change it, and from the [table] above it. A mistake is told with its line, and leaves the
daemon as it is: kinwatch check; then systemctl restart kinwatch.`;

export function defaultConfigFile(): string {
  const tables = new Map<string, Key[]>();
  for (const key of configKeys) {
    const table = key.path.slice(0, -1).join(".");
    tables.set(table, [...(tables.get(table) ?? []), key]);
  }
  const parts = [...tables].map(([table, keys]) => [`#[${table}]`, ...keys.map(described)].join("\n\n"));
  return `${[commented(head), ...parts].join("\n\n")}\n`;
}

function described({ path, purpose, expects, unit, default: value }: Key): string {
  const name = String(path.at(-1));
  return [
    commented(purpose),
    commented(`Values: ${expects}${unit === undefined ? "" : ` (${unit})`}`),
    `#${stringify({ [name]: value }).trim()}`,
  ].join("\n");
}

function commented(text: string): string {
  return wrapped(text, WIDTH)
    .map((line) => `# ${line}`)
    .join("\n");
}
