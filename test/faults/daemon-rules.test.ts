/** The daemon while its rule files change: a log of our own making, no audit needed. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openStoreToRead } from "../../agent/store/store.ts";
import { execution } from "../events/kernel-writer.ts";
import { exceptionToml } from "../helpers/exceptions.ts";
import { program, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { needs } from "../helpers/real-parts.ts";
import { goodRule } from "../helpers/rules.ts";
import { rulesOff } from "../helpers/rules-off.ts";

let serial = 100;

/** What audit writes when a parent starts a tool. */
function run(parent: string, tool: string, args: readonly string[] = []): string {
  serial += 2;
  const first = {
    pid: 4_000_000 + serial,
    ppid: 1,
    timeMs: Date.now(),
    serial,
    executable: `/opt/${parent}`,
  };
  const executable = `/usr/bin/${tool}`;
  const second = { ...first, pid: first.pid + 1, ppid: first.pid, serial: serial + 1, executable };
  const lines = [
    ...execution({ ...first, args: [parent] }),
    ...execution({ ...second, args: [tool, ...args] }),
  ];
  return `${lines.join("\n")}\n`;
}

function ruleOf(id: string, query: string): string {
  return goodRule
    .replace(/rule_id = "[^"]*"/, `rule_id = "${id}"`)
    .replace(/query = '''[^']*'''/, `query = '''\n${query}\n'''`)
    .replace("process.parent.name", "process.parent.executable");
}

class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-reload-"));
  readonly log = join(this.folder, "audit.log");
  readonly rules = join(this.folder, "rules.d");
  readonly exceptions = join(this.folder, "exceptions.d");
  readonly state = join(this.folder, "state");
  readonly config = join(this.folder, "kinwatch.toml");

  constructor() {
    writeFileSync(this.log, "");
    const lines = [
      rulesOff,
      `rules.directories = ["${this.rules}"]\nexceptions.directory = "${this.exceptions}"`,
      `source.type = "audit-log"\nsource.audit_log = "${this.log}"\nstate.directory = "${this.state}"`,
      'output.journald.enabled = false\noutput.stdout.enabled = true\noutput.stdout.format = "ndjson"',
    ];
    writeFileSync(this.config, `${lines.join("\n")}\n`, { mode: 0o600 });
  }

  append(text: string): void {
    appendFileSync(this.log, text);
  }

  rule(name: string, text: string): void {
    writeFileSync(join(this.rules, name), text, { mode: 0o644 });
  }

  remove(name: string): void {
    rmSync(join(this.rules, name));
  }

  start(): Running {
    return startKinwatch(["run", "--config", this.config]);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a change makes the daemon say. */
async function says(running: Running, pattern: RegExp, change: () => void): Promise<void> {
  const from = running.stderr.length;
  change();
  await running.until("stderr", pattern, { from });
}

async function raised(running: Running, parent: string): Promise<void> {
  await running.until("stdout", new RegExp(`"parent":\\{[^\n]*"executable":"/opt/${parent}"[^\n]*\n`));
}

/** Rule and parent of each alert so far, but for those of marks. */
function alerts({ stdout }: Running): string[] {
  const lines = stdout.split("\n").slice(0, -1);
  const all = lines.map((line) => {
    const { rule, process } = JSON.parse(line);
    return `${rule.id} ${process.parent.executable}`;
  });
  return all.filter((alert) => !alert.startsWith("package-installed-by-new-parent "));
}

let marks = 0;

/** All that was appended is read. */
async function marked(world: World, running: Running): Promise<void> {
  marks += 1;
  const mark = `mark${marks}`;
  world.append(run(mark, "rpm", ["-i", "a.rpm"]));
  await raised(running, mark);
}

test("run: a rule that is added, broken, mended and removed counts at once, with what its log knows of the past", async () => {
  using world = new World();
  world.append(run("usual", "hammer"));
  await using running = world.start();
  await running.until("stderr", /ready after/);
  world.append(run("lately", "hammer"));
  await marked(world, running);
  await says(running, /known to them: tools/, () => {
    mkdirSync(world.rules);
    world.rule("tools.toml", ruleOf("tools", "process.name:hammer"));
  });
  world.append(run("usual", "hammer") + run("lately", "hammer") + run("first", "hammer"));
  await raised(running, "first");

  await says(running, /tools\.toml:30:\d+: [^\n]*KW_RULE_QUERY_INVALID/, () =>
    world.rule("tools.toml", ruleOf("tools", "process.name:(hammer")),
  );
  world.append(run("second", "hammer"));
  await raised(running, "second");

  world.append(run("third", "chisel"));
  await marked(world, running);
  await says(running, /changed: tools[^\n]*\n[^\n]*known to them: tools/, () =>
    world.rule("tools.toml", ruleOf("tools", "process.name:chisel")),
  );
  world.append(run("other", "hammer") + run("third", "chisel") + run("fourth", "chisel"));
  await raised(running, "fourth");

  await says(running, /none has changed/, () => running.child.kill("SIGHUP"));

  await says(running, /gone: tools/, () => world.remove("tools.toml"));
  world.append(run("nobody", "chisel"));
  await says(running, /new: saws/, () => world.rule("saws.toml", ruleOf("saws", "process.name:saw")));
  world.append(run("fifth", "saw"));
  await raised(running, "fifth");
  assert.deepEqual(alerts(running), [
    "tools /opt/first",
    "tools /opt/second",
    "tools /opt/fourth",
    "saws /opt/fifth",
  ]);
  const { status } = await running.kill("SIGTERM");
  assert.equal(status, 0);

  await using again = world.start();
  await again.until("stderr", /ready after/);
  world.append(run("fifth", "saw") + run("sixth", "saw"));
  await raised(again, "sixth");
  assert.deepEqual(alerts(again), ["saws /opt/sixth"], "a restart judges nothing again");
});

test("run: a rule that comes before there is a past says so, and a folder may come later than what is above it", async () => {
  using world = new World();
  await using running = world.start();
  await running.until("stderr", /ready after/);
  await says(running, /nothing is retained for these to learn from[^\n]*: tools/, () => {
    mkdirSync(world.rules);
    world.rule("tools.toml", ruleOf("tools", "process.name:hammer"));
  });
  world.append(run("first", "hammer"));
  await raised(running, "first");
});

test("run: an exception counts as soon as it is written, and no longer than it is there", async () => {
  using world = new World();
  await using running = world.start();
  await running.until("stderr", /ready after/);
  const file = join(world.exceptions, "ours.toml");
  await says(running, /exceptions loaded again: new: ours/, () => {
    mkdirSync(world.exceptions);
    writeFileSync(file, exceptionToml('parent = "/opt/excepted"', "ours"), { mode: 0o644 });
  });
  world.append(run("excepted", "rpm", ["-i", "a.rpm"]));
  await marked(world, running);
  assert.doesNotMatch(running.stdout, /excepted/);
  await says(running, /exceptions loaded again: gone: ours/, () => rmSync(file));
  world.append(run("excepted", "rpm", ["-i", "a.rpm"]));
  await raised(running, "excepted"); // it is no history either
});

test("run: an alert whose rule has gone gets its outcome all the same", async () => {
  using world = new World();
  mkdirSync(world.rules);
  world.rule("installs.toml", `${ruleOf("installs", "process.name:rpm")}\n[kinwatch]\non = "installation"\n`);
  await using running = world.start();
  await running.until("stderr", /ready after/);
  const awaited = async (count: number) => {
    for (let tries = 0; ; tries += 1) {
      using store = openStoreToRead(world.state);
      const ids = store.awaiting();
      if (ids.length === count) return;
      assert.ok(tries < 200, `${ids.length} alerts await their outcome, and not ${count}`);
      await sleep(50);
    }
  };
  world.append(run("first", "rpm", ["-i", "a.rpm"]));
  await awaited(2);
  await running.until("stdout", /"installs"[^\n]*\n/);
  await says(running, /gone: installs/, () => world.remove("installs.toml"));
  await says(running, /new: tools/, () => world.rule("tools.toml", ruleOf("tools", "process.name:hammer")));
  await awaited(0);
  assert.deepEqual(alerts(running), ["installs /opt/first"]);
});

test("run: the end of the terminal that it was started on ends it, a hangup alone does not", {
  skip: needs("terminal"),
}, async () => {
  using world = new World();
  const pty = await import("node-pty");
  const terminal = pty.spawn(process.execPath, [program, "run", "--config", world.config], { cols: 200 });
  const seen = { text: "" };
  terminal.onData((text) => {
    seen.text += text;
  });
  const until = async (isSo: () => boolean) => {
    for (let left = 200; !isSo(); left -= 1) {
      assert.ok(left > 0, seen.text);
      await sleep(50);
    }
  };
  after(() => isAlive(terminal.pid) && process.kill(terminal.pid, "SIGKILL"));
  await until(() => /ready after/.test(seen.text));
  process.kill(terminal.pid, "SIGHUP");
  await until(() => /none has changed/.test(seen.text));
  const ended = new Promise((resolve) => terminal.onExit(resolve));
  (terminal as unknown as { destroy(): void }).destroy(); // closes our end, as a terminal emulator does when it ends
  assert.deepEqual(await Promise.race([ended, sleep(10_000, "it goes on", { ref: false })]), {
    exitCode: 0,
    signal: 0,
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
