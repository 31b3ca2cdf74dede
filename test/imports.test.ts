/**
 * Draws the arrows between the parts from the sources, so that the tree of files stays the data flow: who imports whom
 * decides what can be replayed, tested and read by itself.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";

/** In the order of the flow: a stage imports stages before it, none after it. */
const flow = ["sources", "events", "lineage", "packages", "rules", "baseline", "store", "alert", "outputs"];
const stages = [...flow, "fleet", "health", "cli"]; // fleet tells servers of the documents: nothing flows through it

/** Leaves that other leaves stand on; they import only each other. All other leaves import only them. */
const ground = [
  "errors.ts",
  "printable.ts",
  "duration.ts",
  "toml-position.ts",
  "toml-schema.ts",
  "toml-string.ts",
  "trusted-file.ts",
];

/** Who may touch files, sockets, processes, time and native code. The rest are functions of what they are given. */
const world =
  /^(sources|store|outputs|health|cli)\/|^packages\/(package-database|package-owner|popt-files)\.ts$|^(trusted-file|native)\.ts$/;
const worldExceptions: Readonly<Record<string, RegExp>> = {
  "node:timers/promises": /^clock\.ts$/,
  "node:perf_hooks": /^clock\.ts$/,
  pino: /^log\.ts$/,
  "@elastic/ecs-pino-format": /^log\.ts$/,
};
const harmless =
  /^(node:(assert(\/strict)?|buffer|crypto|path|string_decoder|url|util)|zod|smol-toml|fastest-levenshtein)$/;

type Sources = ReadonlyMap<string, string>; // text by path below agent/

/** @returns a line for each arrow that must not be */
function wrongArrows(sources: Sources): string[] {
  const arrows = [...sources].flatMap(([from, text]) =>
    importsOf(text).map((to) => ({ from, to: targetOf(from, to) })),
  );
  const wrong = arrows.flatMap(({ from, to }) => {
    const reason = to.endsWith(".ts") ? reasonAgainst(from, to, sources) : reasonAgainstOutside(from, to);
    return reason ? [`${from} imports ${to}: ${reason}`] : [];
  });
  for (const from of sources.keys()) {
    const seen = new Set(arrows.filter((arrow) => arrow.from === from).map(({ to }) => to.split("/")[0]));
    if (from !== "main.ts" && flow.every((stage) => seen.has(stage)))
      wrong.push(`${from}: only main.ts sees every stage`);
  }
  return [...wrong, ...cycles(arrows)];
}

function reasonAgainst(from: string, to: string, sources: Sources): string | undefined {
  if (!sources.has(to)) return "no such file";
  const stage = stageOf(from);
  const toStage = stageOf(to);
  if (from === "main.ts") return toStage === "cli" ? "the flow does not know who started it" : undefined;
  if (to === "main.ts") return stage === "cli" ? undefined : "only cli/ starts the flow";
  if (stage === undefined && toStage !== undefined) return "a leaf imports no stage";
  if (stage === undefined && !ground.includes(to)) return "a leaf imports only the leaves on the ground";
  if (ground.includes(from) && !ground.includes(to)) return "a leaf on the ground imports only its like";
  if (stage === undefined || toStage === undefined || stage === toStage) return undefined;
  if (!stages.includes(stage) || !stages.includes(toStage)) return "this folder has no place in the flow";
  if (stage === "health") return "health/ imports only leaves";
  return stages.indexOf(toStage) > stages.indexOf(stage) ? "imports point up the flow" : undefined;
}

function reasonAgainstOutside(from: string, to: string): string | undefined {
  if (harmless.test(to) || world.test(from) || worldExceptions[to]?.test(from)) return undefined;
  return "only the ends of the flow touch files, sockets, processes and time";
}

function cycles(arrows: readonly { readonly from: string; readonly to: string }[]): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) found.push(`${[...way.slice(way.indexOf(file)), file].join(" → ")}: a circle`);
    if (way.includes(file) || done.has(file)) return;
    for (const { from, to } of arrows) if (from === file) visit(to, [...way, file]);
    done.add(file);
  };
  for (const { from } of arrows) visit(from, []);
  return found;
}

/** Undefined for leaves and main.ts. */
function stageOf(file: string): string | undefined {
  return file.includes("/") ? file.split("/")[0] : undefined;
}

function targetOf(from: string, to: string): string {
  return to.startsWith(".") ? posix.join(posix.dirname(from), to) : to;
}

/** Types count too: a type is knowledge of the other file. */
function importsOf(text: string): string[] {
  const forms = [
    /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import\s*["']([^"']+)["']/gm,
    /\b(?:import|require|getBuiltinModule)\(\s*["'`]([^"'`]+)["'`]/g,
  ];
  return forms.flatMap((form) => [...code(text).matchAll(form)].map((match) => match[1] ?? ""));
}

/** Without its comments; one at the end of a line may stay, where no import can be. */
function code(text: string): string {
  return text.replace(/\/\*.*?\*\//gs, "").replace(/^\s*\/\/.*$/gm, "");
}

const agent = new URL("../agent/", import.meta.url);
const sources: Sources = new Map(
  globSync("**/*.ts", { cwd: agent }).map((path) => [path, readFileSync(new URL(path, agent), "utf8")]),
);

test("wrongArrows(): the sources have none", () => {
  assert.ok(sources.has("errors.ts") && sources.size > 10, "found the sources");
  assert.deepEqual(wrongArrows(sources), []);
});

test("importsOf(): finds at least one import in every file that says so", () => {
  for (const [path, text] of sources) {
    if (/^import /m.test(text)) assert.notEqual(importsOf(text).length, 0, path);
  }
});

/** The same log gives the same alerts: no clock, no chance, no environment between the ends of the flow. */
const globals =
  /\b(Date\.now\(|new Date\(\)|performance\.|set(Timeout|Interval|Immediate)\(|fetch\(|process\.(env|cwd|hrtime)\b|Math\.random|Temporal\.Now)/;
const plain = /^(events|lineage|packages|rules|baseline|alert|fleet)\//;

test("sources: the stages between the ends ask nobody for the time", () => {
  const asking = [...sources].filter(
    ([path, text]) => plain.test(path) && !world.test(path) && globals.test(code(text)),
  );
  assert.deepEqual(
    asking.map(([path]) => path),
    [],
  );
  assert.match("const now = Date.now();", globals);
});

const none = undefined;
const rows = [
  { why: "a stage before", file: "alert/a.ts", text: 'import type { A } from "../rules/b.ts";', want: none },
  {
    why: "a stage after",
    file: "rules/b.ts",
    text: 'import type { A } from "../alert/a.ts";',
    want: /^rules\/b\.ts imports alert\/a\.ts: .*up the flow/,
  },
  {
    why: "over several lines",
    file: "rules/b.ts",
    text: 'import {\n  a,\n  b,\n} from "../alert/a.ts";',
    want: /up the flow/,
  },
  { why: "handed on", file: "rules/b.ts", text: 'export { a } from "../alert/a.ts";', want: /up the flow/ },
  { why: "for its effect", file: "rules/b.ts", text: 'import "../alert/a.ts";', want: /up the flow/ },
  {
    why: "at run time",
    file: "rules/b.ts",
    text: 'const a = await import("../alert/a.ts");',
    want: /up the flow/,
  },
  { why: "in a type", file: "rules/b.ts", text: 'let a: import("../alert/a.ts").A;', want: /up the flow/ },
  {
    why: "in a comment it is none",
    file: "rules/b.ts",
    text: '// import "../alert/a.ts";\n/*\nimport "../alert/a.ts";\n*/',
    want: none,
  },
  { why: "the same stage", file: "rules/b.ts", text: 'import { c } from "./c.ts";', want: none },
  {
    why: "a leaf, from anywhere",
    file: "alert/a.ts",
    text: 'import { KinwatchError } from "../errors.ts";',
    want: none,
  },
  {
    why: "a stage, from a leaf",
    file: "clock.ts",
    text: 'import { a } from "./alert/a.ts";',
    want: /a leaf imports no stage/,
  },
  {
    why: "the ground, from a leaf",
    file: "clock.ts",
    text: 'import { KinwatchError } from "./errors.ts";',
    want: none,
  },
  {
    why: "another leaf, from a leaf",
    file: "clock.ts",
    text: 'import { a } from "./log.ts";',
    want: /only the leaves on the ground/,
  },
  {
    why: "another leaf, from the ground",
    file: "errors.ts",
    text: 'import { a } from "./log.ts";',
    want: /ground/,
  },
  {
    why: "anything but leaves, from health",
    file: "health/h.ts",
    text: 'import { a } from "../store/s.ts";',
    want: /health\/ imports only leaves/,
  },
  {
    why: "health, from a command",
    file: "cli/k.ts",
    text: 'import { h } from "../health/h.ts";',
    want: none,
  },
  { why: "main.ts, from a command", file: "cli/k.ts", text: 'import { run } from "../main.ts";', want: none },
  {
    why: "main.ts, from a stage",
    file: "alert/a.ts",
    text: 'import { run } from "../main.ts";',
    want: /only cli\//,
  },
  {
    why: "a command, from main.ts",
    file: "main.ts",
    text: 'import { a } from "./cli/k.ts";',
    want: /does not know/,
  },
  {
    why: "a folder without a place",
    file: "alert/a.ts",
    text: 'import { a } from "../tools/t.ts";',
    want: /no place/,
  },
  {
    why: "a file that is not there",
    file: "alert/a.ts",
    text: 'import { a } from "./none.ts";',
    want: /no such file/,
  },
  {
    why: "files, from a plain stage",
    file: "alert/a.ts",
    text: 'import { readFileSync } from "node:fs";',
    want: /alert\/a\.ts imports node:fs: only the ends/,
  },
  {
    why: "files, by another way in",
    file: "alert/a.ts",
    text: 'process.getBuiltinModule("node:fs");',
    want: /only the ends/,
  },
  { why: "files, without node:", file: "alert/a.ts", text: 'import fs from "fs";', want: /only the ends/ },
  {
    why: "the database, from the rules",
    file: "rules/b.ts",
    text: 'import { DatabaseSync } from "node:sqlite";',
    want: /only the ends/,
  },
  {
    why: "native code, from the alert",
    file: "alert/a.ts",
    text: 'import koffi from "koffi";',
    want: /only the ends/,
  },
  {
    why: "timers, from main.ts",
    file: "main.ts",
    text: 'import { setTimeout } from "node:timers/promises";',
    want: /only the ends/,
  },
  {
    why: "timers, from the clock",
    file: "clock.ts",
    text: 'import { setTimeout } from "node:timers/promises";',
    want: none,
  },
  {
    why: "files, from a source",
    file: "sources/s.ts",
    text: 'import { openSync } from "node:fs";',
    want: none,
  },
  {
    why: "files, from the one reader of packages",
    file: "packages/package-owner.ts",
    text: 'import { openSync } from "node:fs";',
    want: none,
  },
  {
    why: "files, from another file of packages",
    file: "packages/popt.ts",
    text: 'import { openSync } from "node:fs";',
    want: /only the ends/,
  },
  { why: "paths are no files", file: "alert/a.ts", text: 'import { join } from "node:path";', want: none },
] as const;
for (const { why, file, text, want } of rows) {
  test(`wrongArrows(): ${want ? "refuses" : "allows"} ${why}`, () => {
    const others = [
      "alert/a.ts",
      "rules/b.ts",
      "rules/c.ts",
      "store/s.ts",
      "health/h.ts",
      "cli/k.ts",
      "tools/t.ts",
    ];
    const leaves = ["main.ts", "errors.ts", "clock.ts", "log.ts"];
    const tree = new Map([...others, ...leaves].map((path) => [path, ""]));
    const wrong = wrongArrows(tree.set(file, text));
    assert.equal(wrong.length, want ? 1 : 0, wrong.join("\n"));
    if (want) assert.match(wrong[0] ?? "", want);
  });
}

test("wrongArrows(): refuses circles, and a second file that sees every stage", () => {
  const circle = new Map([
    ["rules/a.ts", 'import "./b.ts";'],
    ["rules/b.ts", 'import "./c.ts";'],
    ["rules/c.ts", 'import "./b.ts";'],
  ]);
  assert.deepEqual(wrongArrows(circle), ["rules/b.ts → rules/c.ts → rules/b.ts: a circle"]);
  const all = new Map(flow.map((stage) => [`${stage}/x.ts`, ""]));
  all.set("cli/all.ts", flow.map((stage) => `import "../${stage}/x.ts";`).join("\n"));
  assert.deepEqual(wrongArrows(all), ["cli/all.ts: only main.ts sees every stage"]);
});
