/**
 * `npm run package [-- --arch aarch64] [--without runtime] [--release 2] [--quick] [--folder FOLDER]`: makes the RPM with rpmbuild. Fetches what is not of this checkout (Node.js, and for another architecture native code), by checksum.
 * The same sources give the same bytes: times are SOURCE_DATE_EPOCH's, or those of the last commit.
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import packageFile from "../package.json" with { type: "json" };
import { bundle, koffiPart } from "./bundle.ts";
import { cycloneDx, licenseTexts, type Part, partOf, partsOf, runtimePart } from "./parts.ts";
import { type Arch, fetchRuntime } from "./runtime.ts";
import { sourceDate } from "./source-date.ts";
import { writeTexts } from "./texts.ts";

const archs = { x86_64: "x64", aarch64: "arm64" } as const satisfies Record<string, Arch>;
const root = fileURLToPath(new URL("..", import.meta.url));
const build = join(root, "build");
const { version } = packageFile;

const { values } = parseArgs({
  options: {
    arch: { type: "string", default: process.arch === "arm64" ? "aarch64" : "x86_64" },
    without: { type: "string", multiple: true, default: [] },
    release: { type: "string", default: "1" },
    quick: { type: "boolean", default: false }, // compressed little
    folder: { type: "string", default: join(build, "rpm") },
  },
});
const machine = values.arch as keyof typeof archs;
const arch = archs[machine];
if (arch === undefined)
  throw new Error(`--arch is one of ${Object.keys(archs).join(", ")}, not ${values.arch}`);
const epoch = sourceDate();
const hasRuntime = !values.without.includes("runtime");

const folder = resolve(values.folder);
const sources = join(folder, "SOURCES");
const tree = join(folder, `kinwatch-${version}`);
for (const path of [sources, tree]) rmSync(path, { recursive: true, force: true });
for (const path of [sources, join(tree, "doc")]) mkdirSync(path, { recursive: true });

const modules = arch === process.arch ? join(root, "node_modules") : installModules();
const { metafile } = await bundle(join(tree, "program"), { modules, arch });
const native = koffiPart(arch);
const runtime = hasRuntime ? fetchRuntime(arch, join(build, "runtime")) : undefined;
const parts: Part[] = [
  ...partsOf(root, metafile, ["koffi"]),
  partOf(join(modules, native), native),
  ...(runtime === undefined ? [] : [runtimePart(runtime)]),
];

await writeTexts(tree, epoch);
for (const name of ["kinwatch.1", "kinwatch.toml.5"]) compress(join(tree, name));
for (const name of ["90-kinwatch.rules", "kinwatch.catalog", "kinwatch.sh"]) copyFrom("packaging", name);
for (const name of globSync("*", { cwd: join(root, "systemd") })) copyFrom("systemd", name);
copyFrom(".", "LICENSE");
writeFileSync(join(tree, "THIRD-PARTY-LICENSES"), licenseTexts(parts));
writeFileSync(join(tree, "doc/kinwatch.cdx.json"), cycloneDx(parts));
for (const name of ["README.md", "CHANGELOG.md", ...globSync("docs/**/*.md", { cwd: root })]) {
  cpSync(join(root, name), join(tree, "doc", name));
}

archive();
if (runtime !== undefined) copyFileSync(runtime.program, join(sources, `node-${runtime.version}`));
const spec = join(folder, "kinwatch.spec");
writeFileSync(spec, specText());
for (const file of buildRpm()) {
  process.stdout.write(`${relative(process.cwd(), file)} ${(statSync(file).size / 1e6).toFixed(1)} MB\n`);
}

/** What npm would install there. */
function installModules(): string {
  const place = join(build, "modules", machine);
  mkdirSync(place, { recursive: true });
  for (const name of ["package.json", "package-lock.json", ".npmrc"])
    copyFileSync(join(root, name), join(place, name));
  const args = [
    "ci",
    "--silent",
    "--omit=dev",
    "--ignore-scripts",
    "--os=linux",
    `--cpu=${arch}`,
    "--libc=glibc",
  ];
  execFileSync("npm", args, { cwd: place, stdio: ["ignore", "ignore", "inherit"] });
  return join(place, "node_modules");
}

function copyFrom(from: string, name: string): void {
  copyFileSync(join(root, from, name), join(tree, basename(name)));
}

function compress(file: string): void {
  writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 })); // without a name or a time in it
  rmSync(file);
}

function archive(): void {
  const same = [
    "--sort=name",
    `--mtime=@${epoch}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mode=go=rX,u+rw",
  ];
  const target = join(sources, `kinwatch-${version}.tar`);
  execFileSync("tar", [...same, "-cf", target, "-C", folder, basename(tree)]);
}

function specText(): string {
  const licenses = new Set([packageFile.license, ...parts.map(({ license }) => license)]);
  const marks: Readonly<Record<string, string>> = {
    VERSION: version,
    RELEASE: values.release,
    LICENSE: [...licenses].join(" AND "),
    NODE_VERSION: packageFile.dependencies.node,
    NODE_MAJOR: packageFile.dependencies.node.replace(/\..*/, ""),
  };
  const text = readFileSync(join(root, "packaging/kinwatch.spec"), "utf8");
  return text.replaceAll(/^(?!sed).*@([A-Z_]+)@.*$/gm, (line) =>
    line.replaceAll(/@([A-Z_]+)@/g, (mark, name: string) => marks[name] ?? mark),
  );
}

/** @returns the files it made */
function buildRpm(): string[] {
  const args = [
    "-bb",
    "--quiet",
    "--target",
    `${machine}-linux`,
    ...(hasRuntime ? [] : ["--without", "runtime"]),
  ];
  const defines = [
    ...(values.quick ? ["quick 1"] : []),
    `_topdir ${folder}`,
    `_rpmdir ${folder}`,

    "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
  ];
  execFileSync("rpmbuild", [...args, ...defines.flatMap((define) => ["--define", define]), spec], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch), LC_ALL: "C" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return globSync(`kinwatch-${version}-${values.release}.${machine}.rpm`, { cwd: folder }).map((name) =>
    join(folder, name),
  );
}
