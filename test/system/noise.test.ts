/** A busy host, for real: nothing that installs is missed, and no parent is a wrong one, over rotations, a kill, and pids that go round. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type AuditHost, needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { alertsOf, daemonConfig } from "../helpers/daemon.ts";
import { kinwatch, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { LineageRun } from "../helpers/lineage-run.ts";
import { Noise, noiseMark } from "../helpers/noise.ts";
import { needs } from "../helpers/real-parts.ts";
import { ScratchRpm } from "../helpers/scratch-rpm.ts";

const skip = needsAuditHost() || needs("rpm", "rpmbuild");
const kinds = ["script", "subshell", "exec-chain", "double-fork", "thread", "daemon", "pipeline"];
/** Whose parent has no record of its own. Without tracepoints it may be over before it is looked for. */
const unrecorded = needs("tracefs") ? ["subshell", "pipeline", "double-fork"] : [];

class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-noise-"));
  readonly host: AuditHost;
  readonly rpm = new ScratchRpm();
  readonly installs: LineageRun;
  readonly config: string;
  readonly #mayBeUnknown = new Set<string>();
  readonly #ended: string[] = []; // what daemons wrote that are gone
  running: Running;

  constructor(host: AuditHost) {
    this.host = host;
    chmodSync(this.folder, 0o755);
    this.installs = new LineageRun(this.folder, this.rpm);
    this.config = daemonConfig(join(this.folder, "kinwatch"), { auditLog: host.logFile });
    this.running = this.#start();
  }

  #start(): Running {
    return startKinwatch(["run", "--config", this.config]);
  }

  async kill(): Promise<void> {
    await this.running.kill("SIGKILL");
    this.#ended.push(this.running.stdout);
  }

  restart(): void {
    this.running = this.#start();
  }

  get output(): string {
    return [...this.#ended, this.running.stdout]
      .map((text) => text.slice(0, text.lastIndexOf("\n") + 1))
      .join("");
  }

  /** The n-th, by a kind of parent that takes its turn. @param unseen nobody watches: who is over may be anybody by then */
  async install(round: number, unseen = false): Promise<void> {
    const kind = kinds[round % kinds.length] ?? "";
    if (unseen || unrecorded.includes(kind)) this.#mayBeUnknown.add(`${kind}.${round + 1}`);
    const one = this.installs.cases.find(({ name }) => name === kind);
    if (one !== undefined) await this.installs.run(one, round + 1);
  }

  /**
   * Each alerted, once, and with its true parent or with the word that it is not known.
   * @returns how many are not known
   */
  async judge(): Promise<number> {
    await this.installs.alerted(() => this.output, 60);
    const byId = new Map(alertsOf(this.output).map((alert) => [alert.event.id, alert])); // a kill may repeat one under its id
    const files = [...byId.values()].flatMap(
      ({ process }) => process.args?.filter((arg) => arg.endsWith(".rpm")) ?? [],
    );
    assert.deepEqual(
      files.filter((file, index) => files.indexOf(file) !== index),
      [],
      "nothing twice",
    );
    const judged = this.installs.judge([...byId.values()]);
    const bad = judged.filter(
      ({ name, verdict }) =>
        verdict !== "true" && !(verdict === "unresolved" && this.#mayBeUnknown.has(name)),
    );
    assert.deepEqual(bad, []);
    return judged.filter(({ verdict }) => verdict === "unresolved").length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
    this.rpm[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

test("run: 1,000 executions a second for a minute, rotations, a kill: each installation alerts, and the counters explain the rest", {
  skip,
  timeout: 300_000,
}, async (t) => {
  await using world = new World(await startAuditHost({ settings: { num_logs: 99 } }));
  const { host } = world;
  await world.running.until("stderr", /ready after/);
  const lostBefore = host.status("lost");
  using noise = new Noise(1_000, 60);
  for (let round = 0; round < 30; round += 1) {
    const next = sleep(2_000);
    if ([7, 15, 23].includes(round)) await host.rotate();
    if (round === 11) await world.kill();
    if (round === 13) world.restart();
    await world.install(round, round >= 11 && round <= 13);
    await next;
  }
  const started = await noise.count();
  const unknown = await world.judge();
  await sleep(3_000);
  const { stdout } = await kinwatch(["status", "--config", world.config, "--json"]);
  const { counters } = JSON.parse(stdout).daemon.health;
  const log = host.log();
  const executed = log.match(/^type=SYSCALL .* syscall=(?:59|322|11|358) .*success=yes/gm)?.length ?? 0;
  const marked = log.match(new RegExp(` a1="${noiseMark}"`, "g"))?.length ?? 0;
  const lost = host.status("lost") - lostBefore;
  t.diagnostic(
    `${started} started, ${marked} logged, ${lost} records lost by the kernel, ${unknown} parents unknown`,
  );
  t.diagnostic(`${executed} executions in the log, ${counters.events_read} read`);
  assert.ok(started > 10_000, "too few to say anything");
  assert.ok(marked === started || lost > 0, "what is not logged the kernel has counted");
  const late = executed - counters.events_read; // the status itself was started since
  assert.ok(late >= 0 && late < 20, `${late} executions of the log were not read`);
  assert.deepEqual([counters.records_malformed, counters.logs_lost, counters.events_incomplete], [0, 0, 0]);
});

/** kernel.pid_max as it is asked for, until it is disposed of or we are killed. */
class PidMax implements AsyncDisposable {
  readonly #keeper = spawn(
    "sh",
    [
      "-c",
      "old=$(cat /proc/sys/kernel/pid_max); echo $0 >/proc/sys/kernel/pid_max; echo set; cat; echo $old >/proc/sys/kernel/pid_max",
      "2000",
    ],
    { stdio: ["pipe", "pipe", "ignore"], detached: true },
  );

  async set(): Promise<void> {
    await once(this.#keeper.stdout, "data");
    this.#keeper.stdout.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#keeper.stdin.end();
    await once(this.#keeper, "exit");
  }
}

test("run: pids that go round every two seconds: no parent is a wrong one", {
  skip,
  timeout: 300_000,
}, async (t) => {
  await using world = new World(await startAuditHost({ settings: { num_logs: 99 } }));
  await world.running.until("stderr", /ready after/);
  await using pidMax = new PidMax();
  await pidMax.set();
  assert.equal(readFileSync("/proc/sys/kernel/pid_max", "utf8").trim(), "2000");
  using noise = new Noise(1_000, 18);
  for (let round = 0; round < 16; round += 1) {
    const next = sleep(1_000);
    await world.install(round);
    await next;
  }
  const started = await noise.count();
  t.diagnostic(`${started} processes and more, ${(started / 1_700).toFixed(0)} rounds of the pids`);
  assert.ok(started > 1_700 * 5, "too few to go round");
  t.diagnostic(`${await world.judge()} parents unknown`);
});
