/** What is inside of an installed kinwatch that others wrote: for its licences, and for who asks whether a flaw concerns it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import packageFile from "../package.json" with { type: "json" };
import lockFile from "../package-lock.json" with { type: "json" };
import type { Runtime } from "./runtime.ts";

export interface Part {
  readonly name: string;
  readonly version: string;
  readonly license: string; // SPDX
  readonly licenseText: string;
  readonly purl: string; // github.com/package-url/purl-spec
  readonly cpe?: string; // by which flaws are listed, where nothing else is
  readonly sha512?: string; // of the archive that was installed, in hexadecimal
}

/**
 * @param metafile of the bundle
 * @param beside names of packages that are installed beside it
 */
export function partsOf(root: string, metafile: Metafile, beside: readonly string[]): Part[] {
  const names = new Set(beside);
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
      if (name !== undefined && bytesInOutput > 0) names.add(name);
    }
  }
  return [...names].sort().map((name) => partOf(join(root, "node_modules", name), name));
}

export function partOf(folder: string, name: string): Part {
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const packages: Readonly<Record<string, object>> = lockFile.packages;
  const { integrity } = packages[`node_modules/${name}`] as { readonly integrity: string };
  const sha512 = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
  return {
    name,
    version,
    license,
    licenseText: licenseTextIn(folder),
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    sha512,
  };
}

export function runtimePart({ version, license }: Runtime): Part {
  return {
    name: "node",
    version,
    license: "MIT",
    licenseText: readFileSync(license, "utf8"),
    purl: `pkg:github/nodejs/node@v${version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
  };
}

function licenseTextIn(folder: string): string {
  const files = readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  return files.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
}

/** Each part's own words; those that several have are written once. */
export function licenseTexts(parts: readonly Part[]): string {
  const heads = new Map<string, string[]>();
  for (const { name, version, license, licenseText } of parts) {
    const text = licenseText.replaceAll("\r\n", "\n").trim();
    heads.set(text, [...(heads.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const line = "-".repeat(72);
  return [...heads].map(([text, names]) => `${line}\n${names.join("\n")}\n${line}\n\n${text}\n`).join("\n");
}

/** CycloneDX 1.6, cyclonedx.org/docs/1.6/json. Without a time and a number of its own: the same parts give the same bytes. */
export function cycloneDx(parts: readonly Part[]): string {
  const components = parts.map(({ name, version, license, purl, cpe, sha512 }) => ({
    type: cpe === undefined ? "library" : "application",
    "bom-ref": purl,
    name,
    version,
    licenses: [{ license: { id: license } }],
    ...(cpe === undefined ? {} : { cpe }),
    purl,
    ...(sha512 === undefined ? {} : { hashes: [{ alg: "SHA-512", content: sha512 }] }),
  }));
  const { name, version, description, license } = packageFile;
  const own = `pkg:generic/${name}@${version}`;
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(components))}`,
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": own,
        name,
        version,
        description,
        licenses: [{ license: { id: license } }],
        purl: own,
      },
    },
    components,
    dependencies: [{ ref: own, dependsOn: parts.map(({ purl }) => purl) }],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** By what it is of, as RFC 9562 has it in section 5.8. */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
