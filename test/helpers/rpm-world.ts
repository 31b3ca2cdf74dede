/**
 * A private world for the real rpm: empty packages made with rpmbuild, databases of its own in a temporary folder, and
 * scripts in the place of rpmkeys and the like. Nothing outside of the folder is written: the packages have no files, the
 * databases lie where HOME/.rpmmacros says, and RPM_POPTEXEC_PATH leads rpm to our scripts.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "./real-parts.ts";

export interface RealRun {
  readonly status: number | null; // null: it did not end in time
  readonly stdout: string;
  readonly stderr: string;
  readonly gained: number; // entries that a database has more
  readonly lost: number; // entries that a database has no more
  readonly became: string | undefined; // the command line of the program that rpm became
}

const siblings = ["rpmkeys", "rpmdb", "rpmsign", "rpmspec"];
const runMsMax = 2_000; // a run takes about 10 ms

/** One world at one time runs one rpm. */
export class RpmWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-rpm-"));
  readonly home = join(this.folder, "home");
  readonly root = join(this.folder, "root");
  readonly otherDatabase = join(this.folder, "other");
  readonly relocation = join(this.folder, "relocated"); // a prefix that all packages have
  readonly #rpm = findProgram("rpm") ?? "rpm";
  readonly #database = join(this.folder, "database");
  readonly #package = join(this.folder, "new.rpm");
  readonly #template: string;

  constructor(popt: string) {
    for (const path of [this.home, this.#path("bin"), this.#path("cwd"), this.relocation]) mkdirSync(path);
    writeFileSync(
      join(this.home, ".rpmmacros"),
      `%_dbpath ${this.#database}\n%_db_backend sqlite\n%_topdir ${this.folder}/build\n%_tmppath ${this.folder}\n`,
    );
    for (const name of siblings) {
      writeFileSync(this.#path("bin", name), `#!/bin/sh\necho "became ${name} $*"\n`);
      chmodSync(this.#path("bin", name), 0o755);
    }
    linkSync(this.#build("2.0"), this.#package);
    this.#template = this.#install(this.#build("1.0"), "template");
    writeFileSync(join(this.home, ".popt"), popt);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /**
   * Runs rpm where version 1.0 of "kw" is installed. Each word that can be a file name is a package file of version 2.0
   * there, so that every mode that installs finds good packages.
   */
  async run(
    argv0: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<RealRun> {
    const databases = [this.#database, this.otherDatabase].flatMap((path) => [path, join(this.root, path)]);
    rmSync(this.#path("cwd"), { recursive: true });
    mkdirSync(this.#path("cwd"));
    for (const name of new Set(args.filter((arg) => /^[^/]{1,200}$/.test(arg) && !/^\.{1,2}$/.test(arg))))
      linkSync(this.#package, this.#path("cwd", name));
    for (const database of databases) {
      rmSync(database, { recursive: true, force: true });
      cpSync(this.#template, database, { recursive: true });
    }
    const stamps = databases.map(stampOf);
    const run = await this.#spawn(argv0, args, environment);
    let gained = 0;
    let lost = 0;
    databases.forEach((database, index) => {
      if (stampOf(database) === stamps[index]) return;
      const entries = this.#entries(database);
      if (entries.some((entry) => entry !== "1")) gained++; // the template's only entry is the first
      if (!entries.includes("1")) lost++;
    });
    return { ...run, gained, lost, became: /^became (.*)$/m.exec(run.stdout)?.[1] };
  }

  #spawn(argv0: string, args: readonly string[], environment: Readonly<Record<string, string>>) {
    type Ended = Pick<RealRun, "status" | "stdout" | "stderr">;
    return new Promise<Ended>((resolve, reject) => {
      const child = spawn(this.#rpm, args, {
        argv0,
        cwd: this.#path("cwd"),
        env: { ...this.#environment(), ...environment },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: runMsMax,
        killSignal: "SIGKILL",
      });
      const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
      child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
      child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
      child.on("error", reject);
      child.on("close", (status) => {
        resolve({
          status,
          stdout: Buffer.concat(stdout).toString(),
          stderr: Buffer.concat(stderr).toString(),
        });
      });
    });
  }

  #environment(): Record<string, string> {
    const path = process.env["PATH"] ?? "/usr/bin:/bin";
    return { PATH: path, HOME: this.home, LC_ALL: "C", RPM_POPTEXEC_PATH: this.#path("bin") };
  }

  #path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  #build(version: string): string {
    const spec = this.#path(`${version}.spec`);
    writeFileSync(
      spec,
      `Name: kw\nVersion: ${version}\nRelease: 1\nSummary: empty\nLicense: none\nBuildArch: noarch\n` +
        `Prefix: ${this.relocation}\n%description\nempty\n%files\n`,
    );
    const options = { env: this.#environment(), stdio: "pipe" } as const;
    execFileSync(findProgram("rpmbuild") ?? "rpmbuild", ["-bb", "--quiet", spec], options);
    return this.#path(`build/RPMS/noarch/kw-${version}-1.noarch.rpm`);
  }

  #install(path: string, name: string): string {
    const template = this.#path(name);
    const options = { env: this.#environment(), stdio: "pipe" } as const;
    execFileSync(this.#rpm, ["-i", "--dbpath", template, path], options);
    return template;
  }

  #entries(database: string): string[] {
    const args = ["-qa", "--qf", "%{dbinstance}\\n", "--dbpath", database];
    const options = { env: { ...this.#environment(), HOME: this.folder }, encoding: "utf8" } as const;
    const lines = execFileSync(this.#rpm, args, options).split("\n");
    return lines.filter((line) => line !== "");
  }
}

/** Changes with each transaction, and mostly with nothing else. */
function stampOf(database: string): string {
  if (!existsSync(database)) return "";
  return readdirSync(database)
    .map((name) => {
      const { size, mtimeMs } = statSync(join(database, name));
      return `${name} ${size} ${mtimeMs}`;
    })
    .join();
}
