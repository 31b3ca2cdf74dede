/** Whose package an installer is, on a real host: audit, an auditd, rpm with a database of its own, dpkg, the daemon. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { type AuditHost, needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { kinwatch, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { needs } from "../helpers/real-parts.ts";
import { rulesOff } from "../helpers/rules-off.ts";
import { ScratchRpm } from "../helpers/scratch-rpm.ts";

const skip =
  needsAuditHost() ||
  needs("rpm", "rpmbuild", "root") ||
  (existsSync("/var/lib/rpm") ? false : "lacks /var/lib/rpm");

class World {
  readonly host: AuditHost;
  readonly rpm: ScratchRpm;
  readonly folder: string;
  readonly config: string;

  constructor(host: AuditHost, rpm: ScratchRpm, exceptions: string) {
    this.host = host;
    this.rpm = rpm;
    this.folder = join(realpathSync(host.folder), "kinwatch");
    this.config = join(this.folder, "kinwatch.toml");
    mkdirSync(join(this.folder, "exceptions.d"), { mode: 0o700, recursive: true });
    writeFileSync(
      this.config,
      `${rulesOff}\n[source]\naudit_log = "${host.logFile}"\n[state]\ndirectory = "state"\n[exceptions]\ndirectory = "exceptions.d"\n` +
        '[output.journald]\nenabled = false\n[output.stdout]\nenabled = true\nformat = "ndjson"\n',
      { mode: 0o600 },
    );
    if (exceptions !== "") writeFileSync(this.path("exceptions.d/owned.toml"), exceptions, { mode: 0o600 });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** In a namespace of its own, where the scratch database is the host's. */
  async start(): Promise<Running> {
    const mount = 'mount --bind "$0" /var/lib/rpm && exec "$@"';
    const prefix = ["unshare", "-m", "sh", "-c", mount, this.rpm.database];
    const running = startKinwatch(["run", "--config", this.config], { prefix });
    await running.until("stderr", /ready after/);
    return running;
  }

  script(name: string, text: string): string {
    writeFileSync(this.path(name), `#!/bin/sh\n${text}\n`);
    chmodSync(this.path(name), 0o755);
    return this.path(name);
  }

  run(path: string, ...prefix: readonly string[]): void {
    const [command = "", ...args] = [...prefix, path];
    const { environment: env } = this.rpm;
    const { status, stderr } = spawnSync(command, args, { env, encoding: "utf8", timeout: 60_000 });
    assert.equal(status, 0, stderr);
  }
}

async function alerts(running: Running, count: number): Promise<AlertDocument[]> {
  await running.until("stdout", new RegExp(`^(?:.*\n){${count}}`));
  return running.stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AlertDocument);
}

/** An empty package takes a few milliseconds: who installs it would be over before the log is read. */
const stays = "/bin/sleep 1.5";
const owned = `[[exception]]\nid = "owned"\npackage_owner = "kw-deploy"\nreason = "ours"\nauthor = "admin"\n`;

test("run: a script of a package is excepted by its package, a foreign one is told to be of none", {
  skip,
}, async (t) => {
  using rpm = new ScratchRpm();
  const file = rpm.build("kw-installed");
  await using host = await startAuditHost();
  const world = new World(host, rpm, owned);
  const install = `rpm -U --replacepkgs ${file}`;
  const ours = world.path("ours.sh");
  rpm.install(rpm.build("kw-deploy", { files: { [ours]: `#!/bin/sh\n${install}\n${stays}` } }));
  const foreign = world.script("foreign.sh", `${install}\n${stays}`);
  await using running = await world.start();
  world.run(ours);
  world.run(foreign);
  world.run(ours);
  const [alert = assert.fail(), ...more] = await alerts(running, 1);
  assert.equal(alert.kinwatch.ancestry[0]?.script, foreign, JSON.stringify(alert.kinwatch.ancestry[0]));
  const [parent] = alert.kinwatch.ancestry;
  assert.deepEqual(parent?.script_package_owner, { result: "none" });
  assert.equal(parent?.package_owner?.result, existsSync("/var/lib/dpkg/status") ? "owned" : "none");
  t.diagnostic(`of the tool: ${JSON.stringify(alert.kinwatch.package_owner)}`);
  const question = ["exceptions", "test", alert.event.id, "--format", "pretty", "--config", world.config];
  const refused = await kinwatch(question);
  assert.deepEqual(
    [refused.status, refused.stdout],
    [1, "owned: does not, by package_owner: package owner kw-deploy\n"],
  );
  const shown = await kinwatch([
    "alerts",
    "show",
    alert.event.id,
    "--format",
    "pretty",
    "--config",
    world.config,
  ]);
  assert.match(shown.stdout, /owned by {2}script: no package; interpreter: \S+/);
  rpm.install(rpm.build("kw-late", { files: { [foreign]: `#!/bin/sh\n${install}\n${stays}` } }));
  const adopted = world.script("adopted.sh", `${install}\n${stays}`);
  world.run(adopted);
  world.run(ours);
  const all = await alerts(running, 2);
  assert.deepEqual(
    [...more, ...all.slice(1)].map(({ kinwatch: { ancestry } }) => ancestry[0]?.script),
    [adopted],
  );
  const { status, stderr } = await running.kill("SIGTERM");
  assert.equal(status, 0, stderr);
  const hits = await kinwatch(["exceptions", "list", "--format", "ndjson", "--config", world.config]);
  assert.equal(JSON.parse(hits.stdout).hits, 3);
});

test("run: a foreign script that becomes rpm, one mounted over a packaged one, and other code before one, are not the package's", {
  skip,
}, async () => {
  using rpm = new ScratchRpm();
  const file = rpm.build("kw-installed", { post: stays });
  await using host = await startAuditHost();
  const world = new World(host, rpm, owned);
  const [ours, second, third] = ["ours.sh", "second.sh", "third.sh"].map((name) => world.path(name)) as [
    string,
    string,
    string,
  ];
  const other = world.script("other.sh", `exec rpm -U --replacepkgs ${file}`);
  rpm.install(
    rpm.build("kw-deploy", {
      files: {
        [ours]: `#!/bin/sh\n${other}\n${stays}`,
        [second]: "",
        [third]: `#!/bin/sh\nrpm -U --replacepkgs ${file}\n${stays}`,
      },
    }),
  );
  await using running = await world.start();
  world.run(ours);
  const bound = world.path("bound.sh");
  writeFileSync(bound, `#!/bin/sh\nrpm -U --replacepkgs ${file}\n${stays}\n`, { mode: 0o755 });
  world.run(second, "unshare", "-m", "sh", "-c", `mount --bind ${bound} ${second} && "$0"; exit`);
  world.run(third); // excepted
  world.run(third, "/bin/sh", "-u");
  const all = await alerts(running, 3);
  assert.deepEqual(
    all.map(({ kinwatch: { ancestry } }) => ancestry[0]?.script_options_changed),
    [undefined, undefined, true],
  );
  assert.deepEqual(
    all
      .slice(0, 2)
      .map(({ kinwatch: { ancestry, previous_images } }) => [
        ancestry[0]?.script,
        ancestry[0]?.script_package_owner?.result,
        previous_images[0]?.script,
        previous_images[0]?.script_package_owner?.result,
      ]),
    [
      [ours, "owned", other, "none"],
      [second, "unknown", undefined, undefined],
    ],
  );
});

test("run: what kinwatch asks rpm is no installation, and asks nothing more", { skip }, async () => {
  using rpm = new ScratchRpm();
  const file = rpm.build("kw-installed");
  await using host = await startAuditHost();
  const world = new World(host, rpm, "");
  await using running = await world.start();
  world.run(world.script("first.sh", `rpm -U --replacepkgs ${file}\n${stays}`));
  await alerts(running, 1);
  await host.record(/^type=EXECVE .*"-qf"/);
  world.run(world.script("second.sh", `rpm -U --replacepkgs ${file}\n${stays}`));
  await alerts(running, 2);
  const asked = readFileSync(host.logFile, "utf8").match(/^type=EXECVE .*"-qf"/gm) ?? [];
  assert.ok(asked.length >= 2 && asked.length <= 4, `${asked.length} questions for 2 alerts`);
  assert.equal(running.stdout.split("\n").length - 1, 2);
});
