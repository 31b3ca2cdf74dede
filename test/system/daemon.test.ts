/** The main job on a real host: the kernel's audit, an auditd, the real rpm, the daemon as a process of its own. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { alertMessageId } from "../../agent/outputs/journald.ts";
import { type AuditHost, needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { alertsOf, daemonConfig } from "../helpers/daemon.ts";
import { startJournald } from "../helpers/journald.ts";
import { program, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { asPlainUser, needs } from "../helpers/real-parts.ts";
import { ScratchRpm } from "../helpers/scratch-rpm.ts";

const skip = needsAuditHost() || needs("rpm", "rpmbuild");
const ready = /ready after (\d+) ms/;

/** kinwatch with its configuration and state in the host's folder. */
class Daemon {
  readonly folder: string;
  readonly config: string;

  constructor(host: AuditHost, journald = false) {
    this.folder = join(host.folder, "kinwatch");
    this.config = daemonConfig(this.folder, { auditLog: host.logFile, journald });
  }

  /** @param prefix a command line that runs another: where a journal of our own is */
  async start(prefix: readonly string[] = []): Promise<Running> {
    const running = startKinwatch(["run", "--config", this.config], { prefix });
    await running.until("stderr", ready);
    return running;
  }

  /** A new script, which is a new parent. */
  script(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  }
}

/** Each is written when its outcome is known. */
async function alerts(running: Running, count: number): Promise<AlertDocument[]> {
  await running.until("stdout", new RegExp(`^(?:.*\n){${count}}`));
  return alertsOf(running.stdout);
}

function scriptsOf(found: readonly AlertDocument[]): (string | undefined)[] {
  return found.map(({ kinwatch }) => kinwatch.ancestry[0]?.script);
}

/** Runs it where rpm's database is a private one. */
function runScript(path: string, rpm: ScratchRpm): void {
  const { status, stderr } = spawnSync(path, { env: rpm.environment, encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
}

test("run: an installation by a new script alerts once, with chain, package, outcome and signature", {
  skip: skip || needs("journald"),
}, async (t) => {
  using rpm = new ScratchRpm();
  const first = rpm.build("kw-first");
  const second = rpm.build("kw-second");
  await using host = await startAuditHost();
  await using journald = await startJournald();
  const daemon = new Daemon(host, true);
  const installer = daemon.script("installer.sh", 'rpm -Uvh --replacepkgs "$1"; true'.replace("$1", first));
  const other = daemon.script("other.sh", `rpm -q kw-first; rpm -i --test ${second}; rpm -ivh ${second}`);
  await using running = await daemon.start(journald.prefix);
  runScript(installer, rpm);
  runScript(installer, rpm); // known now
  runScript(other, rpm); // its query and its dry run are no installations
  const found = await alerts(running, 2);
  assert.deepEqual(scriptsOf(found), [installer, other]);
  const [alert] = found;
  assert.ok(alert);
  assert.equal(alert.event.outcome, "success");
  assert.equal(alert.package?.name, "kw-first");
  assert.equal(alert.kinwatch.outcome, "installed");
  assert.deepEqual(
    alert.kinwatch.software_update.map(({ nevra, signature }) => [nevra, signature]),
    [["kw-first-1.0-1.noarch", "not verified"]],
  );
  assert.deepEqual(alert.process.args, ["rpm", "-Uvh", "--replacepkgs", first]);
  assert.equal(alert.kinwatch.ancestry.at(-1)?.pid, 1, "the chain reaches pid 1");
  const pids = alert.kinwatch.ancestry.map(({ pid }) => pid);
  assert.ok(pids.includes(process.pid), "this test is among the ancestors");
  assert.equal(alert.event.provider, "audit-log");

  const entries = await journald.until(4, [`MESSAGE_ID=${alertMessageId}`]);
  assert.deepEqual(
    entries.map((entry) => [entry["KINWATCH_PARENT_SCRIPT"], entry["KINWATCH_STAGE"]]),
    ["raised", "completed"].flatMap((stage) => [installer, other].map((script) => [script, stage])),
  );
  const [raised, , completed] = entries; // the outcome waits for a second without another record
  assert.match(
    String(completed?.["MESSAGE"]),
    /installer\.sh ran rpm .* kw-first-1\.0-1\.noarch installed, no verified signature/,
  );
  assert.match(String(completed?.["KINWATCH_ANCESTRY"]), /^installer\.sh < .+ < \S+$/);
  const lateMs = Number(raised?.["__REALTIME_TIMESTAMP"]) / 1_000 - Date.parse(alert["@timestamp"]);
  t.diagnostic(`from the execution to the alert in the journal: ${lateMs.toFixed(0)} ms`);
  assert.ok(lateMs < 2_000, `${lateMs} ms`);
});

test("run: what happened before the first start is learned", { skip }, async () => {
  using rpm = new ScratchRpm();
  const file = rpm.build("kw-before");
  await using host = await startAuditHost();
  const daemon = new Daemon(host);
  const old = daemon.script("old.sh", `rpm -U --replacepkgs ${file}`);
  const fresh = daemon.script("fresh.sh", `rpm -U --replacepkgs ${file}`);
  runScript(old, rpm);
  await host.record(/^type=SOFTWARE_UPDATE .*kw-before/);
  await using running = await daemon.start();
  runScript(old, rpm);
  runScript(fresh, rpm);
  assert.deepEqual(scriptsOf(await alerts(running, 1)), [fresh]);
});

test("run: after kill -9 nothing is lost, and what is repeated has the same id, over a rotation too", {
  skip,
}, async () => {
  using rpm = new ScratchRpm();
  const file = rpm.build("kw-killed");
  const slow = rpm.build("kw-slow", {
    post: "for i in $(seq 400); do [ -e $HOME/go ] && exit; /bin/sleep 0.05; done",
  });
  await using host = await startAuditHost();
  const daemon = new Daemon(host);
  const script = (name: string, path = file) => daemon.script(name, `rpm -U --replacepkgs ${path}`);
  const known = new Map<string, AlertDocument>(); // by id: who was killed before it noted that an alert is out writes it again
  const next = async (running: Running, last: string): Promise<string[]> => {
    await running.until("stdout", new RegExp(`/${last}".*\\n`));
    const fresh = alertsOf(running.stdout).filter(({ event }) => !known.has(event.id));
    for (const alert of fresh) known.set(alert.event.id, alert);
    return fresh.map(
      (alert) => `${basename(alert.kinwatch.ancestry[0]?.script ?? "")} ${alert.package?.name}`,
    );
  };
  {
    await using running = await daemon.start();
    runScript(script("one.sh"), rpm);
    assert.deepEqual(await next(running, "one.sh"), ["one.sh kw-killed"]);
    await running.kill("SIGKILL");
  }
  runScript(script("two.sh"), rpm); // nobody looks
  await host.rotate();
  runScript(script("three.sh"), rpm);
  const installing = spawn(script("four.sh", slow), { env: rpm.environment, stdio: "ignore" }); // its outcome is to come
  {
    await using running = await daemon.start();
    assert.deepEqual(await next(running, "three.sh"), ["two.sh kw-killed", "three.sh kw-killed"]);
    await running.kill("SIGKILL");
  }
  await host.rotate();
  writeFileSync(join(rpm.folder, "go"), "");
  await once(installing, "exit");
  {
    await using running = await daemon.start();
    runScript(join(daemon.folder, "one.sh"), rpm); // known
    runScript(script("five.sh"), rpm);
    assert.deepEqual(await next(running, "five.sh"), ["four.sh kw-slow", "five.sh kw-killed"]);
    const { status } = await running.kill("SIGTERM");
    assert.equal(status, 0);
  }
});

test("run: a terminal of 80 columns shows the alert and then its outcome", {
  skip: skip || needs("terminal"),
}, async () => {
  using rpm = new ScratchRpm();
  const file = rpm.build("kw-shown");
  await using host = await startAuditHost();
  const daemon = new Daemon(host);
  const script = daemon.script("shown.sh", `rpm -U ${file}`);
  writeFileSync(daemon.config, readFileSync(daemon.config, "utf8").replace('"ndjson"', '"pretty"'));
  let screen = "";
  const pty = await import("node-pty"); // where no compiler is, it is not there
  const terminal = pty.spawn(process.execPath, [program, "run", "--config", daemon.config], {
    cols: 80,
    rows: 50,
    env: { PATH: process.env["PATH"] ?? "", TERM: "xterm-256color" }, // CI and NO_COLOR would take the colours away
  });
  terminal.onData((text) => {
    screen += text;
  });
  const until = async (pattern: RegExp) => {
    for (let left = 200; !pattern.test(screen); left -= 1) {
      assert.ok(left > 0, `${pattern} did not come: ${screen}`);
      await sleep(100);
    }
  };
  try {
    await until(ready);
    runScript(script, rpm);
    await until(/kw-shown-1\.0-1\.noarch/);
    const shown = screen.slice(screen.search(ready));
    const lines = stripVTControlCharacters(shown).split("\r\n").slice(1);
    assert.ok(lines.some((line) => line.includes("shown.sh")));
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
    assert.ok(screen.includes("\u001b["), "in colours");
  } finally {
    terminal.kill("SIGTERM");
  }
});

test("run: a plain user without the audit log watches /proc", {
  skip: needs("plain-user", "rpm", "rpmbuild"),
}, async () => {
  using rpm = new ScratchRpm();
  const file = rpm.build("kw-plain", { post: "/bin/sleep 0.05" }); // an empty package takes 10 ms, less than /proc tells of
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-plain-"));
  try {
    const script = join(folder, "plain.sh");
    writeFileSync(script, `#!/bin/sh\nrpm -i --nodeps --replacepkgs ${file}\nexit 0\n`);
    chmodSync(script, 0o755);
    execFileSync("chmod", ["-R", "a+rwX", rpm.folder, folder]);
    const prefix = asPlainUser([]) ?? [];
    await using running = startKinwatch(["run", "--state", join(folder, "state")], { prefix, cwd: "/" });
    await running.until("stderr", ready);
    const [command = "", ...args] = [...prefix, script];
    spawnSync(command, args, { env: rpm.environment, timeout: 60_000 });
    await running.until("stdout", /plain\.sh/);
    assert.match(running.stderr, /procfs|\/proc/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
