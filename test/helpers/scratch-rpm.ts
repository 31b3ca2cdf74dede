/**
 * Small real packages, and a database of their own to install them in. The packages have no files but those that a test gives
 * them in a folder of its own, so nothing of the host changes; scriptlets run on the host as those of any package do. rpm finds its settings by HOME, so that its command line
 * is what people type, and its audit plug-in writes SOFTWARE_UPDATE records.
 */
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findProgram } from "./real-parts.ts";

export interface PackageOptions {
  readonly version?: string; // default: 1.0
  readonly post?: string; // a shell scriptlet that runs after the installation
  readonly requires?: string; // what no package provides makes rpm refuse
  readonly files?: Readonly<Record<string, string>>; // programs by their paths, with what is in them
}

export class ScratchRpm implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-packages-"));
  /** For whatever runs rpm here. */
  readonly environment: Readonly<Record<string, string>> = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: this.folder,
    LC_ALL: "C",
  };

  constructor() {
    const macros = {
      _dbpath: this.database,
      _topdir: join(this.folder, "build"),
      _tmppath: this.folder,
      __plugindir: pluginFolder(),
    };
    const lines = Object.entries(macros).map(([name, value]) => `%${name} ${value}\n`);
    writeFileSync(join(this.folder, ".rpmmacros"), lines.join(""));
    mkdirSync(macros._dbpath);
  }

  get database(): string {
    return join(this.folder, "database");
  }

  /** @returns the path of NAME-VERSION-1.noarch.rpm */
  build(name: string, { version = "1.0", post, requires, files = {} }: PackageOptions = {}): string {
    const spec = join(this.folder, `${name}-${version}.spec`);
    const lines = [
      `Name: ${name}`,
      `Version: ${version}`,
      "Release: 1",
      "Summary: empty",
      "License: none",
      "BuildArch: noarch",
      "Provides: /bin/sh", // which %post requires, and no package in this database has
      ...(requires === undefined ? [] : [`Requires: ${requires}`]),
      "%description\nempty",
      "%install",
      ...Object.entries(files).map(
        ([path, content]) =>
          `mkdir -p "%{buildroot}${dirname(path)}"\ncat > "%{buildroot}${path}" <<'END'\n${content}\nEND`,
      ),
      ...(post === undefined ? [] : [`%post\n${post}`]),
      "%files",
      ...Object.keys(files).map((path) => `%attr(755,root,root) "${path}"`),
    ];
    writeFileSync(spec, `${lines.join("\n")}\n`);
    const options = { env: this.environment, stdio: "pipe", timeout: 30_000 } as const;
    execFileSync(findProgram("rpmbuild") ?? "rpmbuild", ["-bb", "--quiet", spec], options);
    return join(this.folder, "build/RPMS/noarch", `${name}-${version}-1.noarch.rpm`);
  }

  /** Installs or upgrades with the real rpm. */
  install(...packages: readonly string[]): void {
    this.run("-U", "--nodeps", "--replacepkgs", ...packages);
  }

  run(...args: readonly string[]): void {
    const options = { env: this.environment, stdio: "pipe", timeout: 30_000 } as const;
    execFileSync(findProgram("rpm") ?? "rpm", args, options);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Debian's rpm looks for plug-ins where its package has none. */
function pluginFolder(): string {
  const told = execFileSync(findProgram("rpm") ?? "rpm", ["--eval", "%{__plugindir}"], {
    encoding: "utf8",
  }).trim();
  if (existsSync(join(told, "audit.so"))) return told;
  return globSync("/usr/lib*/{*/,}rpm-plugins/audit.so")[0]?.replace(/\/audit\.so$/, "") ?? told;
}
