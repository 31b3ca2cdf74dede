/**
 * The Node.js that is installed with kinwatch: the project's own build for an architecture, out of the npm package that has it.
 * What comes is what it was when its checksum was written down, whoever sends it.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import runtime from "./runtime.json" with { type: "json" };

export type Arch = keyof typeof runtime.integrity;

export interface Runtime {
  readonly version: string;
  readonly program: string; // path of node
  readonly license: string; // path of its licence, and of all that is inside it
}

/** GNU's strip knows one architecture, and has its name before its own for another. */
const strips: Readonly<Record<Arch, readonly string[]>> = {
  x64: ["x86_64-linux-gnu-strip", "strip"],
  arm64: ["aarch64-linux-gnu-strip", "strip"],
};

/** @param folder where it is kept for the next time */
export function fetchRuntime(arch: Arch, folder: string): Runtime {
  const name = `node-linux-${arch}`;
  const target = join(folder, `${name}-${runtime.version}`);
  if (!existsSync(target)) {
    const making = `${target}.making`;
    rmSync(making, { recursive: true, force: true });
    mkdirSync(making, { recursive: true });
    execFileSync("npm", ["pack", "--silent", `${name}@${runtime.version}`, "--pack-destination", making]);
    const archive = join(making, `${name}-${runtime.version}.tgz`);
    verify(archive, runtime.integrity[arch]);
    execFileSync("tar", [
      "-xzf",
      archive,
      "-C",
      making,
      "--strip-components=1",
      "package/bin",
      "package/LICENSE",
    ]);
    rmSync(archive);
    strip(join(making, "bin/node"), arch);
    renameSync(making, target);
  }
  return { version: runtime.version, program: join(target, "bin/node"), license: join(target, "LICENSE") };
}

function verify(archive: string, expected: string): void {
  const came = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (came !== expected) throw new Error(`${archive} should be ${expected} and is ${came}`);
}

/** Its table of symbols is a fifth of it, and only a debugger's. What native code calls is in another one, which stays. */
function strip(program: string, arch: Arch): void {
  for (const tool of strips[arch]) {
    try {
      execFileSync(tool, ["--strip-all", program], { stdio: "ignore" });
      return;
    } catch {} // there is none of that name, or it is another architecture's
  }
  throw new Error(`None of ${strips[arch].join(", ")} takes ${program}: install binutils for ${arch}`);
}
