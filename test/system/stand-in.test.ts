/** The audit log falls silent, or comes late: another source has its turn meanwhile, and each installation alerts once. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AuditHost, execRules, needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { alertsOf, daemonConfig } from "../helpers/daemon.ts";
import { kinwatch, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { LineageRun } from "../helpers/lineage-run.ts";
import { needs } from "../helpers/real-parts.ts";
import { ScratchRpm } from "../helpers/scratch-rpm.ts";

const skip = needsAuditHost() || needs("rpm", "rpmbuild");

class World implements AsyncDisposable {
  readonly host: AuditHost;
  readonly rpm = new ScratchRpm();
  readonly installs: LineageRun;
  readonly config: string;
  readonly running: Running;
  #round = 0;

  /** @param tracefs false: /proc stands in */
  constructor(host: AuditHost, tracefs = true) {
    this.host = host;
    this.installs = new LineageRun(host.folder, this.rpm);
    this.config = daemonConfig(join(host.folder, "kinwatch"), { auditLog: host.logFile, tracefs });
    this.running = startKinwatch(["run", "--config", this.config]);
  }

  says(pattern: RegExp): Promise<void> {
    return this.running.until("stderr", pattern, { timeoutMs: 60_000 }).then(() => {});
  }

  /** By a script that was never seen; its alert is there at the end. @returns by which source it was told */
  async install(): Promise<string | undefined> {
    const [one] = this.installs.cases.filter(({ name }) => name === "script");
    assert.ok(one);
    this.#round += 1;
    await this.installs.run(one, this.#round);
    await this.installs.alerted(() => this.running.stdout, 30);
    assert.deepEqual(this.installs.missing(this.running.stdout), []);
    return alertsOf(this.running.stdout).at(-1)?.event.provider;
  }

  async health() {
    const { stdout } = await kinwatch(["status", "--config", this.config, "--json"]);
    const { problems, health } = JSON.parse(stdout).daemon;
    return { problems: problems.map(({ code }: { code: string }) => code), source: health.source };
  }

  /** Each with its true parent, and none twice. */
  judge(): void {
    const alerts = alertsOf(this.running.stdout);
    const all = this.installs.judge(alerts);
    assert.deepEqual(
      all.filter(({ verdict }) => verdict !== "true"),
      [],
    );
    assert.equal(alerts.length, all.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
    this.rpm[Symbol.dispose]();
  }
}

const standIn = needs("tracefs") ? "procfs" : "tracefs";
test(`run: auto: auditd is stopped: ${standIn} stands in, and the log is taken back`, {
  skip,
  timeout: 300_000,
}, async () => {
  await using world = new World(await startAuditHost());
  await world.says(/ready after/);
  assert.equal(await world.install(), "audit-log");
  await world.host.stop();
  await world.says(/has to stand in[\s\S]*ready after/);
  assert.deepEqual(await world.health(), { problems: ["KW_AUDIT_LOG_REPLACED"], source: standIn });
  assert.equal(await world.install(), standIn);
  await world.host.start();
  const between = world.install(); // audit and the other one see it
  await world.says(/it is followed from here on[\s\S]*ready after/);
  await between;
  assert.equal(await world.install(), "audit-log");
  assert.deepEqual(await world.health(), { problems: [], source: "audit-log" });
  world.judge();
});

test("run: auto: an auditd that is started later is followed then", {
  skip,
  timeout: 300_000,
}, async (t: TestContext) => {
  const host = new AuditHost();
  await host.lock();
  await using world = new World(host, false);
  await world.says(/ready after/);
  const { problems, source } = await world.health();
  t.diagnostic(`at first: ${source}`);
  assert.deepEqual(problems, [], "nobody relied on a log");
  assert.equal(await world.install(), source);
  await host.start();
  host.auditctl("-D");
  host.load(execRules);
  await world.says(/it is followed from here on[\s\S]*ready after/);
  assert.equal(await world.install(), "audit-log");
  world.judge();
});
