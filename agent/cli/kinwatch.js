/**
 * The command that people type. A checkout runs from its sources: what was compiled once is kept beside the packages, which
 * halves the time of a start. It must be said before anything else is loaded, and in JavaScript, so that the compiler for
 * types need not be loaded either. Threads are told by the environment.
 */
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

if (existsSync(new URL("./program.ts", import.meta.url))) {
  const folder = fileURLToPath(new URL("../../node_modules/.cache/kinwatch", import.meta.url));
  process.env.NODE_COMPILE_CACHE ??= folder;
  enableCompileCache(folder);
}
const [command = "", ...words] = process.argv.slice(2);
// Memory is a host's, which is not ours, and the daemon is idle nearly always: else V8 lets what is young take 32 MB, and the
// rest grow to twice of what is used before it is looked through.
if (command === "run") {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--heap-growing-percent=30");
}
if (command === "replay" || command === "events")
  (await import("../sources/scan-thread.ts")).prepareScan(words); // it starts while the rest is loaded
await import("./program.ts");
