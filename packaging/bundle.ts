/**
 * Makes of the sources what is installed: JavaScript in a few files, which load in a fraction of the time and memory of 300, and
 * beside them what they read. The same sources give the same bytes.
 *
 *   node packaging/bundle.ts [folder]    build/bundle without one
 */
import { cpSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildResult, build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const agent = join(root, "agent");

/**
 * @param modules the folder node_modules with the native code that is wanted
 * @returns what went into it, for the list of its parts
 */
export async function bundle(
  target: string,
  { modules, arch }: { readonly modules: string; readonly arch: NodeJS.Architecture },
): Promise<BuildResult<{ metafile: true }>> {
  rmSync(target, { recursive: true, force: true });
  for (const file of nativeFiles(arch)) cpSync(join(modules, file), join(target, "node_modules", file));
  return await build({
    absWorkingDir: root,
    entryPoints: ["agent/cli/kinwatch.js", "agent/sources/scan-worker.ts"],
    outdir: target,
    entryNames: "[name]",
    chunkNames: "part-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node26",
    minifySyntax: true,
    minifyWhitespace: true, // names stay, for the traces in a bug report
    legalComments: "none", // the licences are installed as files
    metafile: true,
    logLevel: "warning",
    // In packages that are CommonJS esbuild leaves the name require. esbuild.github.io/content-types/#node-require
    banner: { js: 'const require=process.getBuiltinModule("module").createRequire(import.meta.url);' },
    plugins: [filesBeside(target), smallerPackages],
  });
}

/** The package with koffi's native code. */
export function koffiPart(arch: NodeJS.Architecture): string {
  return `@koromix/koffi-linux-${arch}`;
}

/** Of koffi, which is no part of the bundle: its own code looks for the native part by the name of a package. */
function nativeFiles(arch: NodeJS.Architecture): string[] {
  const part = koffiPart(arch);
  return [
    ...["package.json", "index.cjs", "src/koffi/index.cjs", "src/koffi/src/static.cjs"].map(
      (file) => `koffi/${file}`,
    ),
    ...["package.json", "index.js", `linux_${arch}/koffi.node`].map((file) => `${part}/${file}`),
  ];
}

/**
 * All JavaScript is in one folder, wherever its source was: what a source reads by `new URL(path, import.meta.url)` is copied
 * to its place below agent/, and the path is written anew. A path without an ending is of a checkout only.
 */
function filesBeside(target: string): Plugin {
  return {
    name: "files-beside",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/, namespace: "file" }, ({ path: source }) => {
        if (!source.startsWith(`${agent}/`)) return undefined;
        const text = readFileSync(source, "utf8");
        const contents = text.replaceAll(
          /new URL\("([^"]*(?:\w\.\w+|\/))", import\.meta\.url\)/g,
          (_, path: string) =>
            `new URL("${moved(target, resolve(dirname(source), path), path)}", import.meta.url)`,
        );
        return { contents, loader: "ts" };
      });
    },
  };
}

function moved(target: string, file: string, path: string): string {
  if (file.endsWith(".ts")) return path.replace(/^.*\/(.+)\.ts$/, "./$1.js"); // an entry point
  const place = relative(agent, file).replace(/^(\.\.\/)+/, "");
  cpSync(file, join(target, place), { recursive: true });
  return path.endsWith("/") ? `./${place}/` : `./${place}`;
}

/** Without what we never call: most of undici, and Zod's words in 60 languages. */
const smallerPackages: Plugin = {
  name: "smaller-packages",
  setup({ onResolve, resolve: resolved }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: join(root, "packaging/undici-parts.cjs") }));
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ path, kind, resolveDir }) =>
      resolved(path.replace("index", "en"), { kind, resolveDir }),
    );
  },
};

if (import.meta.main) {
  const modules = join(root, "node_modules");
  const target = resolve(process.argv[2] ?? join(root, "build/bundle"));
  const { metafile } = await bundle(target, { modules, arch: process.arch });
  const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
  process.stdout.write(`${Object.keys(metafile.outputs).length} files, ${Math.round(bytes / 1000)} KB\n`);
}
