/** A whole host with packages of this checkout to install, and questions that tests ask of a kinwatch there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import packageFile from "../../package.json" with { type: "json" };
import { bootWholeHost, type WholeHost } from "./whole-host.ts";

const MINUTE = 60_000;
const selftestPackage = "/usr/lib/kinwatch/cli/kinwatch-selftest-1-1.noarch.rpm";
const { version } = packageFile;

const newParent = "package-installed-by-new-parent";

export class InstalledHost implements AsyncDisposable {
  readonly #folder: string;
  readonly host: WholeHost;

  private constructor(folder: string, host: WholeHost) {
    this.#folder = folder;
    this.host = host;
  }

  /** @param files scripts that lie in /media, by their names */
  static async boot(
    releases: readonly number[],
    files: Readonly<Record<string, string>> = {},
  ): Promise<InstalledHost> {
    const folder = mkdtempSync(join(tmpdir(), "kinwatch-installed-"));
    try {
      for (const release of releases) build(folder, release);
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      const packages = releases.map((release) => `kinwatch-${version}-${release}.x86_64.rpm`);
      const host = await bootWholeHost(
        [...packages, ...Object.keys(files)].map((name) => join(folder, name)),
      );
      return new InstalledHost(folder, host);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  run(script: string, timeoutMs = MINUTE) {
    return this.host.run(script, timeoutMs);
  }

  ok(script: string, timeoutMs = MINUTE) {
    return this.host.ok(script, timeoutMs);
  }

  /** @param how "-i", "-U" and such. @returns what it told */
  rpm(release: number, how: string): Promise<string> {
    // Debian's rpm knows no package of the host, and says each time that it is not meant to be used.
    return this.ok(
      `rpm ${how} --nodeps --force-debian /media/kinwatch-${version}-${release}.x86_64.rpm 2>&1`,
      2 * MINUTE,
    );
  }

  /** Tries a condition of the shell until it holds. */
  async until(condition: string, seconds = 90): Promise<void> {
    const { status } = await this.run(
      `end=$(($(date +%s) + ${seconds})); while [ $(date +%s) -lt $end ]; do { ${condition}; } >/dev/null 2>&1 && exit 0; sleep 0.2; done; exit 1`,
      (seconds + 60) * 1_000,
    );
    if (status === 0) return;
    assert.fail(
      `not within ${seconds} s: ${condition}\n${await this.ok("journalctl -u kinwatch -n 30 --no-pager -o cat")}`,
    );
  }

  /** The service is ready, and has read what was logged before. */
  async watching(): Promise<void> {
    await this.until(
      "systemctl -q is-active kinwatch && systemctl show -P StatusText kinwatch | grep -q ^Watching",
    );
  }

  /** A command line that installs a package, into a database of its own. */
  rpmLine(name: string): string {
    return `rpm --force-debian --dbpath /opt/deploy/db-${name} -i --force ${selftestPackage}`;
  }

  /** A script below /opt/deploy that installs a package, into a database of its own, and the program that nobody has seen. */
  async parent(name: string): Promise<string> {
    const script = `/opt/deploy/${name}.sh`;
    await this.ok(
      `mkdir -p /opt/deploy/db-${name} && printf '#!/bin/sh\\n${this.rpmLine(name)}\\nexit $?\\n' >${script} && chmod 755 ${script}`,
    );
    return script;
  }

  /** Of the rule on new parents. An alert that is there twice is an error. */
  async scriptsThatAlerted(): Promise<string[]> {
    const alerts = await this.#newParents();
    const scripts = alerts.flatMap(({ kinwatch }) => kinwatch.ancestry[0]?.script ?? []);
    assert.deepEqual(
      scripts.filter((script, index) => scripts.indexOf(script) !== index),
      [],
      "alerted twice",
    );
    return scripts;
  }

  /** Those on new parents that tell of a database's package, by rpmLine(); there is one at the end. */
  async alertsOf(name: string): Promise<AlertDocument[]> {
    const dbpath = `/opt/deploy/db-${name}`;
    await this.until(
      `kinwatch alerts list --format ndjson | grep -F '"${dbpath}"' | grep -qF '"id":"${newParent}"'`,
      150,
    );
    return (await this.#newParents()).filter(({ process }) => process.args?.includes(dbpath));
  }

  async #newParents(): Promise<AlertDocument[]> {
    const text = await this.ok("kinwatch alerts list --format ndjson");
    const alerts = text
      .split("\n")
      .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as AlertDocument] : []));
    return alerts.filter(({ rule }) => rule.id === newParent);
  }

  async untilAlerted(script: string): Promise<void> {
    await this.until(`kinwatch alerts list --format ndjson | grep -qF '"${script}"'`);
    assert.ok((await this.scriptsThatAlerted()).includes(script), script);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function build(folder: string, release: number): void {
  const program = fileURLToPath(new URL("../../packaging/package.ts", import.meta.url));
  const args = [program, "--quick", "--release", String(release), "--folder", folder];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 4 * MINUTE });
  assert.equal(status, 0, stderr);
}
