/**
 * `npm run package:integration [FOLDER]`: writes the integration package below build/integration or the folder, unpacked and as
 * the zip file that Kibana takes. The same sources give the same bytes.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { strToU8, zipSync } from "fflate";
import packageFile from "../../package.json" with { type: "json" };
import { packageFiles } from "./package-files.ts";

const timeless = new Date(1980, 0, 1); // the first that a zip file can say

const { version } = packageFile;
const target = resolve(process.argv[2] ?? fileURLToPath(new URL("../../build/integration", import.meta.url)));
const name = `kinwatch-${version}`;
const files = packageFiles({
  version,
  readme: read("README.md"),
  icon: read("icon.svg"),
  license: read("../../LICENSE"),
  samples: {
    alerts: read("samples/alerts.json"),
    events: read("samples/events.json"),
    health: read("samples/health.json"),
  },
});

rmSync(join(target, name), { recursive: true, force: true });
for (const [path, text] of files) {
  const file = join(target, name, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
const zip = zipSync(
  Object.fromEntries([...files].map(([path, text]) => [`${name}/${path}`, strToU8(text)])),
  {
    mtime: timeless,
  },
);
writeFileSync(join(target, `${name}.zip`), zip);
process.stderr.write(`wrote ${files.size} files to ${join(target, name)}, and ${name}.zip beside it\n`);

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), "utf8");
}
