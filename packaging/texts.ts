/** `node packaging/texts.ts [FOLDER]`: writes what is installed for people, their shells and the service manager, of what the program itself says. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { commandTree } from "./command-tree.ts";
import { bashCompletion, fishCompletion, zshCompletion } from "./completions.ts";
import { defaultConfigFile } from "./default-config.ts";
import { commandsPage, configurationPage } from "./man-pages.ts";
import { sourceDate } from "./source-date.ts";
import { tracefsScript } from "./tracefs-script.ts";

/** @param epoch seconds; the date of the pages */
export async function writeTexts(folder: string, epoch: number): Promise<void> {
  const tree = await commandTree();
  const texts = {
    "kinwatch.toml": defaultConfigFile(),
    "kinwatch.1": commandsPage(tree, epoch),
    "kinwatch.toml.5": configurationPage(epoch),
    "kinwatch.bash": bashCompletion(tree),
    _kinwatch: zshCompletion(tree),
    "kinwatch.fish": fishCompletion(tree),
    tracefs: tracefsScript(),
  };
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
}

if (import.meta.main) {
  const folder = process.argv[2] ?? fileURLToPath(new URL("../build/texts", import.meta.url));
  await writeTexts(resolve(folder), sourceDate());
}
