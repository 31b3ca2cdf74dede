/** The package as rpmbuild makes it: what is in it, whose it is, and that the same sources give the same bytes. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import packageFile from "../../package.json" with { type: "json" };
import runtimeFile from "../../packaging/runtime.json" with { type: "json" };
import { findProgram, needs } from "../helpers/real-parts.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kinwatch-rpm-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function build(name: string, ...options: string[]): string {
  const target = join(folder, name);
  const args = [join(root, "packaging/package.ts"), "--quick", "--folder", target, ...options];
  const { status, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: 240_000,
    cwd: folder,
  });
  assert.equal(status, 0, stderr);
  const arch = options.includes("aarch64") ? "aarch64" : "x86_64";
  return join(target, `kinwatch-${packageFile.version}-1.${arch}.rpm`);
}

function rpm(...args: string[]): string {
  return execFileSync(findProgram("rpm") ?? "", args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 64e6,
  });
}

function unpacked(file: string): string {
  const target = `${file}.files`;
  mkdirSync(target);
  execFileSync("sh", ["-c", 'rpm2cpio "$1" | (cd "$2" && cpio -idm --quiet)', "sh", file, target]);
  return target;
}

test("runtime.json: is the Node.js that the tests run on", () => {
  assert.equal(runtimeFile.version, packageFile.dependencies.node);
  assert.equal(`v${runtimeFile.version}`, process.version);
});

describe("rpm", {
  skip: needs("rpmbuild", "rpm") || (process.arch === "x64" ? false : "is of x86_64 here"),
}, () => {
  let file: string;
  let files: string;
  before(() => {
    file = build("one");
    files = unpacked(file);
  });

  test("rpm: twice the same bytes, built in other folders", () => {
    const [first, second] = [file, build("two/deeper")].map((path) =>
      createHash("sha256").update(readFileSync(path)).digest("hex"),
    );
    assert.equal(first, second);
  });

  test("rpm: all is root's, and nobody else may write any of it or become somebody by it", () => {
    const rows = rpm(
      "-qp",
      "--qf",
      "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\\n]",
      file,
    );
    const list = rows.trim().split("\n");
    assert.ok(list.length > 100);
    for (const row of list) assert.match(row, /^[d-]rw[x-]r-[x-](r-[x-]|---) root root \//, row);
  });

  test("rpm: has what an operator looks for, configuration as such", () => {
    const has = new Set(rpm("-qpl", file).split("\n"));
    const wanted = [
      "/usr/bin/kinwatch",
      "/usr/lib/kinwatch/bin/node",
      "/usr/lib/systemd/system/kinwatch.service",
      "/usr/lib/systemd/system-preset/85-kinwatch.preset",
      "/usr/lib/systemd/catalog/kinwatch.catalog",
      "/usr/lib/sysusers.d/kinwatch.conf",
      "/usr/lib/tmpfiles.d/kinwatch.conf",
      "/usr/share/man/man1/kinwatch.1.gz",
      "/usr/share/man/man5/kinwatch.toml.5.gz",
      "/usr/share/bash-completion/completions/kinwatch",
      "/usr/share/licenses/kinwatch/THIRD-PARTY-LICENSES",
      "/usr/share/doc/kinwatch/kinwatch.cdx.json",
      "/usr/share/doc/kinwatch/docs/errors.md",
    ];
    for (const path of wanted) assert.ok(has.has(path), path);
    const config = ["/etc/audit/rules.d/90-kinwatch.rules", "/etc/kinwatch/kinwatch.toml"];
    assert.deepEqual(rpm("-qpc", file).trim().split("\n"), config);
  });

  test("rpm: no path and no name of the machine that built it", () => {
    const traces = [root, folder, homedir() === "/root" ? root : homedir(), "/BUILDROOT/"];
    const found = traces.filter(
      (trace) =>
        spawnSync("grep", ["-rqF", "--exclude=node", "--exclude=koffi.node", "--", trace, files]).status ===
        0,
    );
    assert.deepEqual(found, []);
    const header = rpm("-qp", "--qf", "%{BUILDHOST} %{BUILDTIME} %{VENDOR} %{PACKAGER}", file);
    assert.match(header, /^kinwatch \d+ /);
    assert.ok(!header.includes(hostname()) || hostname() === "kinwatch");
  });

  test("rpm: the program in it runs, by the Node.js in it", () => {
    const lib = join(files, "usr/lib/kinwatch");
    const run = (...args: string[]) =>
      execFileSync(join(lib, "bin/node"), [join(lib, "kinwatch.js"), ...args], { encoding: "utf8" });
    assert.equal(run("--version").trim(), packageFile.version);
    assert.match(run("explain-command", "rpm -Uvh x.rpm"), /install/);
  });

  test("rpm: its scriptlets are what a shell of POSIX takes", () => {
    for (const name of ["POSTIN", "PREUN", "POSTUN"]) {
      const script = rpm("-qp", "--qf", `%{${name}}`, file);
      assert.ok(script.length > 50, name);
      const { stderr } = spawnSync("sh", ["-n"], { input: script, encoding: "utf8" });
      assert.equal(stderr, "", name);
      assert.deepEqual(script.match(/echo "[^"]{79,}"/g), null, name);
    }
  });

  test("rpm: names each part of others in it, with its licence and where its flaws are listed", () => {
    const list = JSON.parse(readFileSync(join(files, "usr/share/doc/kinwatch/kinwatch.cdx.json"), "utf8"));
    assert.equal(list.bomFormat, "CycloneDX");
    const parts: {
      name: string;
      version: string;
      purl: string;
      cpe?: string;
      licenses: unknown[];
      hashes?: unknown[];
    }[] = list.components;
    const names = parts.map(({ name }) => name);
    for (const name of [
      "node",
      "koffi",
      "@koromix/koffi-linux-x64",
      "undici",
      "zod",
      "pino",
      "chokidar",
      "fflate",
    ])
      assert.ok(names.includes(name), name);
    assert.ok(!names.includes("esbuild") && !names.includes("typescript"));
    const licenses = readFileSync(join(files, "usr/share/licenses/kinwatch/THIRD-PARTY-LICENSES"), "utf8");
    for (const { name, version, purl, cpe, licenses: own, hashes } of parts) {
      assert.match(purl, /^pkg:(npm|github)\/.+@/);
      assert.ok(cpe !== undefined || hashes?.length === 1, name);
      assert.equal(own.length, 1);
      assert.ok(licenses.includes(`${name} ${version} (`), name);
    }
  });

  test("rpm: rpmlint has nothing to say that is not meant", { skip: needs("rpmlint") }, () => {
    const args = ["-c", join(root, "packaging/rpmlint.toml"), file];
    const { stdout } = spawnSync(findProgram("rpmlint") ?? "", args, { encoding: "utf8", timeout: 120_000 });
    assert.match(stdout, /; 0 errors, 0 warnings/, stdout);
  });

  test("rpm: one that runs on the distribution's Node.js has none, and asks for it", () => {
    const small = build("small", "--without", "runtime");
    assert.doesNotMatch(rpm("-qpl", small), /bin\/node$/m);
    assert.match(rpm("-qp", "--requires", small), /^\(nodejs >= 1:\d+ or nodejs\d+\)$/m);
    assert.match(readFileSync(join(unpacked(small), "usr/bin/kinwatch"), "utf8"), /exec \/usr\/bin\/node /);
  });

  test("rpm: of another architecture", { skip: needs("aarch64-strip") }, () => {
    const foreign = build("foreign", "--arch", "aarch64");
    const place = unpacked(foreign);
    const kinds = ["bin/node", "node_modules/@koromix/koffi-linux-arm64/linux_arm64/koffi.node"].map((name) =>
      readFileSync(join(place, "usr/lib/kinwatch", name)).readUInt16LE(18),
    );
    assert.deepEqual(kinds, [183, 183]); // EM_AARCH64, elf(5)
    assert.equal(rpm("-qp", "--qf", "%{ARCH}", foreign), "aarch64");
  });
});
