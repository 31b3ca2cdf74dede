/** What `setup elasticsearch` would send, as JSON for who deploys by other tools: a file each, or one object on standard output. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { KinwatchError, systemCode } from "../errors.ts";
import { apiKeyRequest } from "../fleet/api-key.ts";
import { pathOf } from "../fleet/server-plan.ts";
import { type TemplateOptions, templates } from "../fleet/templates.ts";
import { printable } from "../printable.ts";
import { replaceFile } from "./replace-file.ts";

/** In the order in which a server can take them. */
export function requestsToPrint(options: TemplateOptions): { method: string; path: string; body: unknown }[] {
  return [
    ...templates(options).map((asset) => ({ method: "PUT", path: pathOf(asset), body: asset.body })),
    { method: "POST", path: "/_security/api_key", body: apiKeyRequest("HOSTNAME") },
  ];
}

export function allInOne(options: TemplateOptions): string {
  const requests = requestsToPrint(options).map(({ method, path, body }) => [`${method} ${path}`, body]);
  return json(Object.fromEntries(requests));
}

/**
 * Below the folder as in the address: _index_template/NAME.json.
 * @returns their paths
 * @throws KW_SETUP_UNWRITABLE
 */
export function writeFiles(folder: string, options: TemplateOptions): string[] {
  return requestsToPrint(options).map(({ path, body }) =>
    writeAsset(join(folder, `${path.slice(1)}.json`), json(body)),
  );
}

/**
 * @returns its path
 * @throws KW_SETUP_UNWRITABLE
 */
export function writeAsset(file: string, text: string): string {
  try {
    mkdirSync(dirname(file), { recursive: true });
    replaceFile(file, { unfinished: `${file}.new`, mode: 0o644 }, (fd) => writeFileSync(fd, text));
  } catch (cause) {
    throw new KinwatchError(
      "KW_SETUP_UNWRITABLE",
      `Cannot write ${printable(file, 200)}: ${systemCode(cause)}`,
      "Name a folder that you may write, or - for standard output",
      { cause },
    );
  }
  return file;
}

function json(body: unknown): string {
  return `${JSON.stringify(body, undefined, 2)}\n`;
}
