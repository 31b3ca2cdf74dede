/** The self-test beside a daemon, with the real rpm. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { textWidth } from "../../agent/outputs/text-width.ts";
import { openStoreToRead } from "../../agent/store/store.ts";
import { openTermsToRead } from "../../agent/store/stored-terms.ts";
import { kinwatch, type Running, startKinwatch } from "../helpers/kinwatch.ts";
import { findProgram, needs } from "../helpers/real-parts.ts";

class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-selftest-world-"));
  readonly state = join(this.folder, "state");
  readonly config = join(this.folder, "kinwatch.toml");
  #daemon: Running | undefined;

  constructor(learn = "none") {
    const lines = [
      'source.type = "procfs"',
      `state.directory = "${this.state}"`,
      `learn.from = "${learn}"`,
      "output.journald.enabled = false",
      `rules.directories = ["${this.folder}/rules.d"]`,
    ];
    writeFileSync(this.config, `${lines.join("\n")}\n`, { mode: 0o600 });
  }

  async start(): Promise<Running> {
    this.#daemon = startKinwatch(["run", "--config", this.config]);
    await this.#daemon.until("stderr", /ready after/);
    return this.#daemon;
  }

  run(...args: readonly string[]) {
    return kinwatch(["selftest", "--config", this.config, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }
}

const leftovers = () =>
  ["/run", tmpdir()]
    .flatMap((folder) => readdirSync(folder))
    .filter((name) => /^kinwatch-selftest-\w{6}$/.test(name));

test("selftest: an installation alerts, and leaves an alert and nothing else", {
  skip: needs("rpm"),
}, async () => {
  await using world = new World();
  await world.start();
  const before = leftovers();
  const { status, stdout, stderr } = await world.run("--format", "pretty");
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^ok {7}rpm {10}installed kinwatch-selftest by/m);
  assert.match(stdout, /^ok {7}alert {8}after \d+ ms:/m);
  assert.match(stdout, /^An installation on this host raises an alert, \d+ ms after rpm was started\.$/m);
  assert.deepEqual(
    stdout.split("\n").filter((line) => textWidth(line) > 80),
    [],
  );
  using store = openStoreToRead(world.state);
  const alerts = [...store.alerts()].filter((text) => text.includes("kinwatch-selftest"));
  assert.ok(alerts.length > 0);
  using terms = openTermsToRead(world.state);
  assert.deepEqual(
    [...terms.list()].filter(({ value }) => value.some((word) => /kinwatch-selftest-\w{6}\//.test(word))),
    [],
  );
  assert.deepEqual(leftovers(), before);
});

test("selftest: for programs, a document a stage, and it alerts each time", {
  skip: needs("rpm"),
}, async () => {
  await using world = new World();
  await world.start();
  for (let time = 0; time < 2; time += 1) {
    const { status, stdout } = await world.run("--format", "ndjson");
    assert.equal(status, 0, stdout);
    const stages = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(stages.at(-1).fact, "selftest");
    assert.ok(stages.find(({ fact }) => fact === "alert").after_ms > 0);
  }
});

test("selftest: a daemon that does not move is found out", { skip: needs("rpm") }, async () => {
  await using world = new World();
  const daemon = await world.start();
  daemon.child.kill("SIGSTOP");
  const { status, stdout } = await world.run("--timeout", "1s", "--format", "pretty");
  daemon.child.kill("SIGCONT");
  assert.equal(status, 1, stdout);
  assert.match(stdout, /^FAILED {3}alert {8}none came:/m);
  assert.match(stdout, /^An installation on this host raises no alert\.$/m);
});

test("selftest: nothing is installed where it could tell nothing", { skip: needs("rpm") }, async () => {
  await using world = new World("1d");
  await (await world.start()).kill("SIGTERM");
  const stopped = await world.run();
  assert.equal(stopped.status, 2);
  assert.match(stopped.stderr, /No daemon is at work with .* \(KW_SELFTEST_IMPOSSIBLE\)/);
  await world.start();
  const learning = await world.run();
  assert.equal(learning.status, 2);
  assert.match(learning.stderr, /still learning.* \(KW_SELFTEST_IMPOSSIBLE\)/);
  assert.equal((await world.run("--timeout", "soon")).status, 2);
});

test("selftest: its package holds nothing, does nothing and needs nothing", { skip: needs("rpm") }, () => {
  const file = fileURLToPath(new URL("../../agent/cli/kinwatch-selftest-1-1.noarch.rpm", import.meta.url));
  const rpm = (...args: string[]) =>
    execFileSync(findProgram("rpm") ?? "", ["-qp", ...args, file], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  assert.equal(rpm("-l").trim(), "(contains no files)");
  assert.equal(rpm("--scripts").trim(), "");
  assert.match(rpm("--requires"), /^(rpmlib\(\w+\) <= \S+\n)+$/);
});
