import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RuleWatch, type RuleWatchOptions } from "../../agent/cli/rule-watch.ts";

const LONG_MS = 3_600_000; // no poll within a test

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-watch-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Counts looks, and waits for them. */
class Looks implements AsyncDisposable {
  count = 0;
  #waiting: () => void = () => {};
  readonly #watch: RuleWatch;

  constructor(directories: readonly string[], options: Partial<RuleWatchOptions> = {}) {
    const look = () => {
      this.count += 1;
      this.#waiting();
    };
    this.#watch = new RuleWatch({ directories, look, pollMs: LONG_MS, ...options });
  }

  /** The next look after `change`; the time limit is the test's. */
  async after(change: () => void): Promise<void> {
    const next = new Promise<void>((resolve) => {
      this.#waiting = resolve;
    });
    change();
    await next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch[Symbol.asyncDispose]();
  }
}

const limit = { timeout: 30_000 };

test("RuleWatch: files that come, change, are replaced and go", limit, async (t) => {
  const folder = folderOf(t);
  await using looks = new Looks([folder]);
  await looks.after(() => {}); // it listens
  await looks.after(() => writeFileSync(join(folder, "a.toml"), "x"));
  await looks.after(() => writeFileSync(join(folder, "a.toml"), "xy"));
  writeFileSync(join(folder, "b.toml"), "z");
  await looks.after(() => renameSync(join(folder, "b.toml"), join(folder, "a.toml")));
  await looks.after(() => rmSync(join(folder, "a.toml")));
});

test(
  "RuleWatch: a folder that comes later, with the one above it, and one in the place of another",
  limit,
  async (t) => {
    const folder = folderOf(t);
    const rules = join(folder, "etc", "rules.d");
    await using looks = new Looks([rules]);
    await looks.after(() => {});
    await looks.after(() => mkdirSync(join(folder, "etc")));
    await looks.after(() => {}); // it listens there
    await looks.after(() => mkdirSync(rules));
    await looks.after(() => {});
    await looks.after(() => writeFileSync(join(rules, "a.toml"), "x"));
    await looks.after(() => {
      mkdirSync(join(folder, "etc", "new"));
      renameSync(rules, join(folder, "etc", "old"));
      renameSync(join(folder, "etc", "new"), rules);
    });
    await looks.after(() => {});
    await looks.after(() => writeFileSync(join(rules, "b.toml"), "x"));
  },
);

test(
  "RuleWatch: many changes are one look, and those that never end hold it up for some seconds",
  limit,
  async (t) => {
    const folder = folderOf(t);
    await using looks = new Looks([folder]);
    await looks.after(() => {});
    const before = looks.count;
    const begunMs = performance.now();
    while (looks.count === before && performance.now() - begunMs < 10_000) {
      writeFileSync(join(folder, "a.toml"), `${performance.now()}`);
      await sleep(20);
    }
    const tookMs = performance.now() - begunMs;
    assert.ok(tookMs > 1_000 && tookMs < 6_000, `one look after ${tookMs} ms`);
  },
);

test("RuleWatch: what is beside the folder and below it is nothing to it", limit, async (t) => {
  const folder = folderOf(t);
  const rules = join(folder, "rules.d");
  mkdirSync(join(rules, "below"), { recursive: true });
  await using looks = new Looks([rules]);
  await looks.after(() => {});
  const before = looks.count;
  writeFileSync(join(folder, "beside.toml"), "x");
  writeFileSync(join(rules, "below", "a.toml"), "x");
  await sleep(1_000);
  assert.equal(looks.count, before);
});

test("RuleWatch: looks now and then where nothing is told", limit, async (t) => {
  await using looks = new Looks([folderOf(t)], { pollMs: 10, listens: false });
  await looks.after(() => {});
  await looks.after(() => {});
});
