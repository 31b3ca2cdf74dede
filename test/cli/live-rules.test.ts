import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { LiveRules } from "../../agent/cli/live-rules.ts";
import { loadConfig } from "../../agent/config.ts";
import type { Logger, LogLevel } from "../../agent/log.ts";
import { goodRule } from "../helpers/rules.ts";
import { rulesOff } from "../helpers/rules-off.ts";

const disabled = JSON.parse(rulesOff.slice(rulesOff.indexOf("["))) as string[];

function ruleOf(id: string, query = "process.name:rpm"): string {
  return goodRule
    .replace(/rule_id = "[^"]*"/, `rule_id = "${id}"`)
    .replace(/query = '''[^']*'''/, `query = '''\n${query}\n'''`);
}

class World {
  readonly folder: string;
  readonly live: LiveRules;
  readonly config = loadConfig(undefined);
  #said: string[] = [];

  constructor(t: TestContext, files: Readonly<Record<string, string>> = {}) {
    this.folder = mkdtempSync(join(tmpdir(), "kinwatch-live-"));
    t.after(() => rmSync(this.folder, { recursive: true }));
    this.write(files);
    const say = (level: LogLevel) => (message: string) => {
      this.#said.push(`${level}: ${message.replaceAll(`${this.folder}/`, "")}`);
    };
    const log: Logger = {
      debug: say("debug"),
      info: say("info"),
      warn: say("warn"),
      error: say("error"),
      flush: () => {},
    };
    const { config } = this;
    config.rules = { directories: [this.folder], disabled };
    config.exceptions.directory = join(this.folder, "exceptions.d");
    this.live = new LiveRules(config, "audit-log", log);
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, name)), { recursive: true });
      writeFileSync(join(this.folder, name), text, { mode: 0o644 });
    }
  }

  remove(name: string): void {
    rmSync(join(this.folder, name));
  }

  get ids(): string[] {
    return this.live.engine.rules.map(({ id }) => id);
  }

  /** What was said since it was asked last. */
  get said(): string[] {
    return this.#said.splice(0);
  }
}

test("LiveRules: says what came, what went and what changed, and what keeps a rule from seeing", (t) => {
  const world = new World(t, { "a.toml": ruleOf("a"), "b.toml": ruleOf("b"), "c.toml": ruleOf("c") });
  assert.deepEqual(world.said, ["info: 4 rules are asked, with 0 exceptions"]);
  const { engine } = world.live;
  world.remove("a.toml");
  world.write({ "b.toml": ruleOf("b", "process.env_vars:LD_AUDIT=*"), "d.toml": ruleOf("d") });
  world.live.reload();
  assert.deepEqual(world.ids, ["b", "c", "d"]);
  assert.notEqual(world.live.engine, engine);
  const [gap, changes, ...others] = world.said;
  assert.match(gap ?? "", /^warn: the rule Tool run .*: process\.env_vars is at times given by audit-log: /);
  assert.equal(changes, "info: rules loaded again: new: d; gone: a; changed: b");
  assert.deepEqual(others, []);
});

test("LiveRules: nothing is done when nothing has changed, and a person who asks is told so", (t) => {
  const world = new World(t, { "a.toml": ruleOf("a"), "bad.toml": "x" });
  assert.equal(world.said.length, 2);
  const { engine } = world.live;
  world.live.reload();
  world.write({ "a.toml": ruleOf("a"), "notes.txt": "", ".a.toml.swp": "x" });
  world.live.reload();
  assert.equal(world.live.engine, engine);
  assert.deepEqual(world.said, []);
  world.live.reload(true);
  assert.deepEqual(world.said, [
    "info: rules loaded again: none has changed",
    "info: exceptions loaded again: none has changed",
  ]);
  renameSync(join(world.folder, "a.toml"), join(world.folder, "b.toml"));
  world.live.reload();
  assert.deepEqual(world.said, []);
  assert.match(world.live.engine.rules[0]?.source.file ?? "", /\/b\.toml$/);
});

test("LiveRules: a broken edit leaves all as it is, with its line and column, until it is mended", (t) => {
  const world = new World(t, { "a.toml": ruleOf("a"), "b.toml": ruleOf("b") });
  assert.ok(world.said);
  const { engine } = world.live;
  world.write({ "a.toml": ruleOf("a", "process.name:(rpm"), "c.toml": ruleOf("c") });
  world.live.reload();
  assert.equal(world.live.engine, engine, "c is not taken either");
  const [told, place, ...others] = world.said;
  assert.match(told ?? "", /^error: the rules stay as they are .*: a\.toml$/);
  assert.match(place ?? "", /^error: a\.toml:30:\d+: rule\.query: .* \(KW_RULE_QUERY_INVALID\)$/);
  assert.deepEqual(others, []);
  world.remove("b.toml");
  world.live.reload();
  assert.equal(world.live.engine, engine);
  assert.equal(world.said.length, 2, "told again with each change");
  world.write({ "a.toml": ruleOf("a") });
  world.live.reload();
  assert.deepEqual(world.said, ["info: rules loaded again: new: c; gone: b"]);
  assert.deepEqual(world.ids, ["a", "c"]);
});

test("LiveRules: a broken file that goes, or gives its rule to another, holds nothing up", (t) => {
  const world = new World(t, { "a.toml": ruleOf("a"), "b.toml": ruleOf("b") });
  world.write({ "a.toml": "x" });
  world.live.reload();
  assert.deepEqual(world.ids, ["a", "b"]);
  world.remove("a.toml");
  world.live.reload();
  assert.deepEqual(world.ids, ["b"]);
  world.write({ "b.toml": "x", "c.toml": ruleOf("b") });
  world.live.reload();
  assert.deepEqual(
    world.live.engine.rules.map(({ id, source }) => [id, source.file]),
    [["b", join(world.folder, "c.toml")]],
  );
});

test("LiveRules: a file that gave no rule is refused for itself, once, and the others are taken", (t) => {
  const world = new World(t, { "a.toml": ruleOf("a"), "old.toml": "x" });
  assert.ok(world.said);
  world.write({ "b.toml": ruleOf("b"), "bad.toml": ruleOf("c", "process.hash.md5:a") });
  world.live.reload();
  const [refused, ...others] = world.said;
  assert.match(refused ?? "", /^error: bad\.toml:30:\d+: .* \(KW_RULE_FIELD_UNUSABLE\)$/);
  assert.deepEqual(others, ["info: rules loaded again: new: b"]);
  world.write({ "d.toml": ruleOf("d") });
  world.live.reload();
  assert.deepEqual(world.said, ["info: rules loaded again: new: d"]);
});

test("LiveRules: a folder that others could write changes nothing", (t) => {
  const world = new World(t, { "a.toml": ruleOf("a") });
  assert.ok(world.said);
  chmodSync(world.folder, 0o777);
  world.live.reload();
  assert.deepEqual(world.ids, ["a"]);
  assert.match(world.said.join("\n"), /^error: the rules stay .*\nerror: .*\(KW_RULE_INSECURE\)$/);
  chmodSync(world.folder, 0o755);
  world.live.reload();
  assert.deepEqual(world.said, ["info: rules loaded again: none has changed"]);
});

test("LiveRules: a defect in reading them is told, and leaves all as it is", (t) => {
  const world = new World(t, { "a.toml": ruleOf("a") });
  assert.ok(world.said);
  const { engine } = world.live;
  Object.defineProperty(world.config.rules, "directories", {
    get: () => assert.fail("a\nb"),
  });
  world.live.reload();
  assert.equal(world.live.engine, engine);
  assert.match(world.said.join("\n"), /^error: rules and exceptions stay as they are, .*a\\nb$/);
});

function exceptionOf(id: string, rule: string, more = ""): string {
  return `[[exception]]\nid = "${id}"\nrules = ["${rule}"]\nuser = "root"\nreason = "a test"\nauthor = "me"\n${more}`;
}

test("LiveRules: exceptions come, go and break by themselves", (t) => {
  const world = new World(t, { "a.toml": ruleOf("a"), "exceptions.d/x.toml": exceptionOf("x", "a") });
  assert.deepEqual(world.said, ["info: 2 rules are asked, with 1 exceptions"]);
  const idsOf = () => world.live.engine.exceptions.map(({ id }) => id);
  world.write({ "exceptions.d/y.toml": exceptionOf("y", "a") });
  world.live.reload();
  assert.deepEqual(world.said, ["info: exceptions loaded again: new: y"]);
  assert.deepEqual(idsOf(), ["x", "y"]);

  world.write({ "exceptions.d/x.toml": exceptionOf("x", "a", "oops = 1"), "b.toml": ruleOf("b") });
  world.live.reload();
  const [came, stay, place] = world.said;
  assert.equal(came, "info: rules loaded again: new: b");
  assert.match(stay ?? "", /^error: the exceptions stay as they are .*: exceptions\.d\/x\.toml$/);
  assert.match(place ?? "", /^error: exceptions\.d\/x\.toml:7:1: /);
  assert.deepEqual(
    [world.ids, idsOf()],
    [
      ["a", "b"],
      ["x", "y"],
    ],
  );
  world.remove("exceptions.d/x.toml");
  world.live.reload();
  assert.deepEqual(world.said, ["info: exceptions loaded again: gone: x"]);

  world.write({ "exceptions.d/z.toml": exceptionOf("z", "later") });
  world.live.reload();
  assert.match(
    world.said.join(),
    /^warn: exceptions\.d\/z\.toml:3:10: [^,]*, [^,]*,info: exceptions loaded again: new: z$/,
  );
  world.write({ "later.toml": ruleOf("later") });
  world.live.reload();
  assert.deepEqual(world.said, ["info: rules loaded again: new: later"]);
  world.remove("later.toml");
  world.live.reload();
  assert.match(
    world.said.join(),
    /^info: rules loaded again: gone: later,warn: exceptions\.d\/z\.toml:3:10: [^,]*, [^,]*$/,
  );
});
