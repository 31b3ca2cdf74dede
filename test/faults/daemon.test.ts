/** The daemon while what it stands on breaks: a log of our own making, no audit needed. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { alertMessageId } from "../../agent/outputs/journald.ts";
import { openStoreToRead } from "../../agent/store/store.ts";
import { scriptedInstallation } from "../helpers/installations-log.ts";
import { startJournald } from "../helpers/journald.ts";
import { program, startKinwatch } from "../helpers/kinwatch.ts";
import { needs } from "../helpers/real-parts.ts";

let serial = 100;

/** A command line of a usual length, so that some dozen alerts fill a pipe. */
const packages = Array.from({ length: 16 }, (_, index) => `kw-package-${index}-1.0-1.noarch.rpm`);

function installation(script: string, timeMs = Date.now()): string {
  serial += 2;
  return scriptedInstallation({
    script,
    timeMs,
    pid: 4_000_000 + serial,
    serial,
    args: ["rpm", "-i", ...packages],
  });
}

test("run: a full disk of the state is told, and costs no alert", { skip: needs("root") }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-full-"));
  const state = join(folder, "state");
  mkdirSync(state, { mode: 0o700 });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", state]);
  try {
    const log = join(folder, "audit.log");
    writeFileSync(log, installation("/opt/before.sh"));
    const config = join(folder, "kinwatch.toml");
    writeFileSync(
      config,
      `source.type = "audit-log"\nsource.audit_log = "${log}"\nstate.directory = "${state}"\n` +
        'output.journald.enabled = false\noutput.stdout.enabled = true\noutput.stdout.format = "pretty"\n',
      { mode: 0o600 },
    );
    await using running = startKinwatch(["run", "--config", config]);
    await running.until("stderr", /ready after/);
    appendFileSync(log, installation("/opt/first.sh"));
    await running.until("stdout", /first\.sh/);
    const filler = join(state, "filler");
    assert.throws(() => {
      for (let pages = 0; pages < 1_000; pages += 1) appendFileSync(filler, Buffer.alloc(4_096));
    }, /ENOSPC/);
    const told = running.stderr.length;
    for (let count = 0; count < 20; count += 1) appendFileSync(log, installation(`/opt/full${count}.sh`)); // more than is set aside
    await running.until("stderr", /KW_STATE_UNUSABLE/, { from: told });
    rmSync(filler);
    for (let count = 0; count < 20; count += 1) {
      const [shown] = await running.until("stdout", new RegExp(`full${count}\\.sh[^\n]*\n`));
      assert.ok(shown);
    }
    assert.doesNotMatch(running.stdout, /before\.sh/, "what was before the start is learned");
    const { status } = await running.kill("SIGTERM");
    assert.equal(status, 0);
  } finally {
    execFileSync("umount", ["-l", state]);
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A log, and a configuration that follows it. */
class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-slow-"));
  readonly log = join(this.folder, "audit.log");
  readonly state = join(this.folder, "state");
  readonly config = join(this.folder, "kinwatch.toml");
  readonly args = ["run", "--config", this.config];

  constructor(format: "pretty" | "ndjson", journald = false) {
    writeFileSync(this.log, "");
    const lines = [
      `source.type = "audit-log"\nsource.audit_log = "${this.log}"\nstate.directory = "${this.state}"\nlearn.from = "none"`,
      `output.journald.enabled = ${journald}\noutput.stdout.enabled = true\noutput.stdout.format = "${format}"`,
    ];
    writeFileSync(this.config, `${lines.join("\n")}\n`, { mode: 0o600 });
  }

  install(...names: readonly string[]): void {
    for (const name of names) appendFileSync(this.log, installation(`/opt/${name}.sh`));
  }

  /** Until the store has an alert of each. */
  async untilStored(names: readonly string[]): Promise<void> {
    for (let tries = 0; tries < 100; tries += 1) {
      using store = openStoreToRead(this.state);
      const text = [...store.alerts()].join();
      if (names.every((name) => text.includes(`/opt/${name}.sh`))) return;
      await sleep(50);
    }
    assert.fail("the store lacks some of the alerts");
  }

  /** The scripts that a start shows now, until this one. */
  async shown(last: string): Promise<string[]> {
    await using running = startKinwatch(this.args);
    await running.until("stdout", new RegExp(`new parent +/opt/${last}\\.sh`));
    assert.equal((await running.kill("SIGTERM")).status, 0);
    return [...running.stdout.matchAll(/new parent +\/opt\/(\w+)\.sh/g)].map(([, name = ""]) => name);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => prefix + index);

async function endsSoon(ended: Promise<unknown>): Promise<void> {
  const late = sleep(5_000, "late", { ref: false });
  assert.notEqual(await Promise.race([ended, late]), "late", "it ends within 5 s");
}

test("run: a pipe that nobody reads stops neither the watch nor the end, and what it has not taken is shown later", async () => {
  using world = new World("pretty");
  const pipe = join(world.folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const fd = openSync(pipe, constants.O_RDWR);
  const child = spawn(process.execPath, [program, ...world.args], { stdio: ["ignore", fd, "pipe"] });
  try {
    assert.ok(child.stderr);
    await once(child.stderr, "data"); // its first line, by which it has a state
    const many = names("many", 99); // more than the 64 KiB that a pipe holds, and below the limit of a rule
    world.install(...many);
    await world.untilStored(many);
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await endsSoon(ended);
    assert.deepEqual(await ended, [0, null]);
    const shown = await world.shown("many98");
    assert.ok(shown.length < 99, "what was taken is not shown again");
    assert.deepEqual(shown, many.slice(-shown.length), "in order, none left out");
  } finally {
    child.kill("SIGKILL");
    closeSync(fd);
  }
});

test("run: a terminal that was stopped holds up neither the watch nor the end", {
  skip: needs("terminal"),
}, async () => {
  using world = new World("pretty");
  const pty = await import("node-pty");
  const start = () => {
    const terminal = pty.spawn(process.execPath, [program, ...world.args], { cols: 80, rows: 50 });
    const seen = { text: "" };
    terminal.onData((text) => {
      seen.text += text;
    });
    const until = async (pattern: RegExp) => {
      for (let left = 100; !pattern.test(seen.text); left -= 1) {
        assert.ok(left > 0, `${pattern} did not come: ${seen.text}`);
        await sleep(50);
      }
    };
    const ended = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
    return { terminal, seen, until, ended };
  };
  {
    const { terminal, seen, until, ended } = start();
    await until(/ready after/);
    terminal.write("\u0013"); // Ctrl-S: termios(3), IXON
    await sleep(200);
    world.install("first", "second");
    await world.untilStored(["first", "second"]);
    assert.doesNotMatch(seen.text, /first\.sh/, "it is stopped");
    terminal.write("\u0011"); // Ctrl-Q
    await until(/first\.sh.*second\.sh/s);
    terminal.write("\u0013");
    await sleep(200);
    world.install("third", "fourth");
    await world.untilStored(["third", "fourth"]);
    terminal.kill("SIGTERM");
    await endsSoon(ended);
    assert.equal(await ended, 0);
  }
  assert.deepEqual(await world.shown("fourth"), ["third", "fourth"]);
});

test("run: a journal that was stopped holds up neither the terminal nor the end, and has all later", {
  skip: needs("root", "journald"),
}, async () => {
  using world = new World("pretty", true);
  await using journald = await startJournald();
  const many = names("journal", 30);
  {
    await using running = startKinwatch(world.args, { prefix: journald.prefix });
    await running.until("stderr", /ready after/);
    process.kill(journald.pid, "SIGSTOP");
    world.install(...many); // more than the queue of a socket holds: net.unix.max_dgram_qlen
    await running.until("stdout", /journal29\.sh/);
    const ended = running.kill("SIGTERM");
    await endsSoon(ended);
    assert.equal((await ended).status, 0);
    process.kill(journald.pid, "SIGCONT");
  }
  await using again = startKinwatch(world.args, { prefix: journald.prefix });
  await again.until("stderr", /ready after/);
  const entries = await journald.until(30, [`MESSAGE_ID=${alertMessageId}`, "KINWATCH_STAGE=raised"]);
  const parents = entries.map((entry) => String(entry["KINWATCH_PARENT_SCRIPT"]));
  assert.deepEqual(new Set(parents), new Set(many.map((name) => `/opt/${name}.sh`)));
});

test("replay: a reader that takes its time gets all, and is waited for", async () => {
  using world = new World("pretty");
  const many = names("replayed", 1_000);
  const startMs = Date.now();
  for (const [index, name] of many.entries()) // as many as a rule's limit allows in each of its intervals
    appendFileSync(world.log, installation(`/opt/${name}.sh`, startMs + index * 10_000));
  const { child, ...running } = startKinwatch(["replay", "--format", "pretty", world.log]);
  child.stdout?.pause();
  await sleep(1_500); // it has filled the pipe long since
  assert.equal(child.exitCode, null);
  child.stdout?.resume();
  const { status, stdout } = await running.ended;
  assert.equal(status, 0);
  const parents = [...stdout.matchAll(/new parent +\/opt\/(\w+)\.sh/g)].map(([, name]) => name);
  assert.deepEqual(parents, many);
});

test("run: a log that is not there is told, and followed once it is", async () => {
  using world = new World("pretty");
  rmSync(world.log);
  await using running = startKinwatch(world.args);
  await running.until("stderr", /KW_AUDIT_LOG_MISSING/);
  world.install("late");
  await running.until("stdout", /user +root\b.*late\.sh/s); // a raw log has numbers only
});
