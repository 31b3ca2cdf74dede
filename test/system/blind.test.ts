/**
 * Somebody, or something, blinds the sensor on a host that is audited for real: it says what it cannot see while that lasts, and sees
 * again by itself, all that was written.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { textWidth } from "../../agent/outputs/text-width.ts";
import { type AuditHost, execRules, needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { daemonConfig } from "../helpers/daemon.ts";
import { kinwatch, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { asPlainUser, needs } from "../helpers/real-parts.ts";

class World implements AsyncDisposable {
  readonly host: AuditHost;
  readonly state: string;
  readonly config: string;
  readonly running: Running;

  private constructor(host: AuditHost) {
    this.host = host;
    const folder = join(host.folder, "kinwatch");
    this.state = join(folder, "state");
    this.config = daemonConfig(folder, { auditLog: host.logFile });
    this.running = startKinwatch(["run", "--config", this.config]);
  }

  static async start(): Promise<World> {
    const world = new World(await startAuditHost());
    await world.running.until("stderr", /ready after/);
    return world;
  }

  /** What looks like an installation, by a parent that was never seen. */
  install(name: string): void {
    const script = join(this.host.folder, name);
    writeFileSync(script, "#!/bin/sh\nrpm -U /none.rpm\n:\n");
    chmodSync(script, 0o755);
    spawnSync(script, { stdio: "ignore", timeout: 20_000 });
  }

  async alerts(name: string): Promise<void> {
    await this.running.until("stdout", new RegExp(`"script":"[^"]*/${name}"`), { timeoutMs: 30_000 });
  }

  async says(pattern: RegExp, timeoutMs = 30_000): Promise<void> {
    await this.running.until("stderr", pattern, { timeoutMs });
  }

  async status(...args: readonly string[]) {
    const { status, stdout } = await kinwatch(["status", "--config", this.config, ...args]);
    return { status, stdout };
  }

  async problems(): Promise<string[]> {
    const { stdout } = await this.status("--json");
    return JSON.parse(stdout).daemon.problems.map(({ code }: { code: string }) => code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
  }
}

const skip = needsAuditHost() || needs("rpm");

test("run: auditd stopped and started, audit turned off and on: both are said, and what is logged again alerts", {
  skip,
}, async () => {
  await using world = await World.start();
  const { host } = world;
  const well = await world.status("--format", "pretty");
  assert.equal(well.status, 0, well.stdout);
  assert.match(well.stdout, /^ {2}problems +none$/m);
  assert.match(well.stdout, new RegExp(`^ {2}watches +${host.logFile},`, "m"));

  await host.stop();
  await world.says(/KW_AUDIT_UNATTENDED/);
  assert.deepEqual(await world.problems(), ["KW_AUDIT_UNATTENDED"]);
  await host.start();
  await world.says(/seen again: KW_AUDIT_UNATTENDED is over/);
  world.install("attended.sh");
  await world.alerts("attended.sh");

  host.auditctl("-e", "0");
  await world.says(/KW_AUDIT_OFF/);
  const off = await world.status("--format", "pretty");
  assert.equal(off.status, 1);
  assert.match(off.stdout, /^ {2}problems +The kernel's audit is off/m);
  assert.deepEqual(
    off.stdout.split("\n").filter((line) => textWidth(line) > 80),
    [],
  );
  host.auditctl("-e", "1");
  await world.says(/seen again: KW_AUDIT_OFF is over/);
  world.install("on-again.sh");
  await world.alerts("on-again.sh");
  assert.deepEqual(await world.problems(), []);
});

test("run: the log deleted: said, read on as long as it is written, and the next one too", {
  skip,
}, async () => {
  await using world = await World.start();
  const { host } = world;
  rmSync(host.logFile);
  await world.says(/KW_AUDIT_LOG_MISSING/);
  assert.deepEqual(await world.problems(), ["KW_AUDIT_LOG_MISSING"]);
  world.install("into-the-deleted.sh"); // auditd writes on to the file that has no name
  await world.alerts("into-the-deleted.sh");
  await host.stop();
  await host.start(); // begins a new one
  world.install("into-the-new.sh");
  await world.alerts("into-the-new.sh");
  assert.deepEqual(await world.problems(), []);
});

test("run: rules deleted, and the kernel says nothing about it: an execution of its own that does not come tells", {
  skip,
}, async () => {
  await using world = await World.start();
  const { host } = world;
  host.auditctl("-D");
  await world.says(/KW_AUDIT_SILENT/, 100_000);
  assert.deepEqual(await world.problems(), ["KW_AUDIT_SILENT"]);
  host.load(execRules);
  world.install("with-rules.sh");
  await world.alerts("with-rules.sh");
  await world.says(/seen again: KW_AUDIT_SILENT is over/);
});

test("run: what the kernel loses is counted, told in its log, and named in alerts", { skip }, async () => {
  await using world = await World.start();
  const { host } = world;
  host.auditctl("-r", "1");
  for (let left = 20; left > 0; left -= 1) spawnSync("/bin/true");
  host.auditctl("-r", "0");
  await world.says(/not all was seen, or not whole: [^\n]*kernel_records_lost rose by \d+/);
  const { stdout } = await world.status("--json");
  const { counters, kernel } = JSON.parse(stdout).daemon.health;
  assert.ok(counters.kernel_records_lost >= 20 && counters.kernel_records_lost <= kernel.lost, stdout);
  world.install("after-loss.sh");
  await world.alerts("after-loss.sh");
  assert.match(world.running.stdout, /"coverage":\{[^}]*"kernel_records_lost":\d+/);
});

test("status: only root and the group of the daemon may ask it", {
  skip: skip || needs("plain-user"),
}, async () => {
  await using world = await World.start();
  const socket = join(world.state, "status.sock");
  assert.equal(statSync(socket).mode & 0o777, 0o660);
  for (const folder of [world.host.folder, join(world.host.folder, "kinwatch"), world.state])
    chmodSync(folder, 0o755);
  const script = `require("net").connect(${JSON.stringify(socket)}).on("error",(e)=>console.log(e.code)).on("data",()=>console.log("told"))`;
  const [file = "", ...args] = asPlainUser([process.execPath, "-e", script]) ?? [];
  assert.equal(spawnSync(file, args, { encoding: "utf8", timeout: 20_000 }).stdout, "EACCES\n");
  const { status } = await world.running.kill("SIGTERM");
  assert.equal(status, 0);
  assert.equal(existsSync(socket), false, "it goes with the daemon");
});
