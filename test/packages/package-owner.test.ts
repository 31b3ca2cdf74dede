import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Counters, newCounters } from "../../agent/counters.ts";
import type { Owner } from "../../agent/packages/owner-answer.ts";
import type { OwnerPlaces } from "../../agent/packages/package-database.ts";
import { PackageOwners, waitAtMost } from "../../agent/packages/package-owner.ts";
import { needs } from "../helpers/real-parts.ts";
import { ScratchRpm } from "../helpers/scratch-rpm.ts";

const nowhere = "/nonexistent";

/** Packages' files and others, and who is asked about them. */
class World implements Disposable {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "kinwatch-owners-")));
  readonly counters: Counters = newCounters();

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  file(name: string, content = "#!/bin/sh\n"): string {
    writeFileSync(this.path(name), content);
    chmodSync(this.path(name), 0o755);
    return this.path(name);
  }

  owners(places: Partial<OwnerPlaces>): PackageOwners {
    return new PackageOwners(this.counters, { rpm: [], dpkg: nowhere, ...places });
  }

  /** A program in the place of rpm, and a database that looks like one. Each time that it is run is a line of `runs`. */
  fake(script: string, places: Partial<OwnerPlaces> = {}): PackageOwners {
    const programs = this.path("programs");
    mkdirSync(programs);
    const rpm = join(programs, "rpm");
    writeFileSync(rpm, `#!/bin/sh\necho run >> ${this.path("runs")}\n${script}\n`);
    chmodSync(rpm, 0o755);
    writeFileSync(this.path("rpmdb.sqlite"), "a database");
    return this.owners({ programs: [programs], rpm: [this.folder], ...places });
  }

  get runs(): number {
    const path = this.path("runs");
    return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
  }
}

function all(owners: PackageOwners, paths: readonly string[]): Promise<Owner[]> {
  return Promise.all(paths.map((path) => owners.ask(path)));
}

const rpmParts = needs("rpm", "rpmbuild");

test("PackageOwners: rpm's database tells of files of packages, and of others, whatever they are called", {
  skip: rpmParts,
}, async () => {
  using rpm = new ScratchRpm();
  using world = new World();
  const own = [world.path("owned.sh"), world.path("two words.sh")];
  rpm.install(rpm.build("kw-owner", { files: Object.fromEntries(own.map((path) => [path, "#!/bin/sh"])) }));
  const hostile = [
    "-i",
    "--eval=%{lua:os.exit(0)}",
    "*",
    "own[e]d.sh",
    "a\nb",
    "x is not owned by any package\nfile ",
    "%(touch kinwatch-pwned)",
    "$(touch kinwatch-pwned)",
    "\u001b[31mred",
    "ünïcode",
  ].map((name) => world.file(name));
  const owners = world.owners({ rpm: [rpm.database] });
  const answers = await all(owners, [...own, ...hostile, world.path("gone")]);
  assert.deepEqual(
    answers.slice(0, 2),
    Array(2).fill({
      result: "owned",
      type: "rpm",
      name: "kw-owner",
      version: "1.0-1",
      architecture: "noarch",
      nevra: "kw-owner-1.0-1.noarch",
    }),
  );
  assert.deepEqual(
    answers.slice(2, -1),
    hostile.map(() => ({ result: "none" })),
  );
  assert.deepEqual(answers.at(-1), { result: "unknown", reason: "it has gone" });
  assert.equal(existsSync("/kinwatch-pwned"), false);
  assert.deepEqual([world.counters.owners_asked, world.counters.owners_failed], [answers.length, 0]);
});

test("PackageOwners: an answer is kept until the file or the database changes", {
  skip: rpmParts,
}, async () => {
  using rpm = new ScratchRpm();
  using world = new World();
  const path = world.path("tool.sh");
  const build = (version: string) => rpm.build("kw-tool", { version, files: { [path]: `# ${version}` } });
  const [first, second] = [build("1.0"), build("2.0")];
  const owners = world.owners({ rpm: [rpm.database] });
  const other = world.file("other.sh");
  rpm.install(first);
  const version = (owner: Owner) => (owner.result === "owned" ? owner.version : owner.result);
  assert.deepEqual((await all(owners, [path, other])).map(version), ["1.0-1", "none"]);
  for (let again = 0; again < 3; again += 1) {
    const owner = owners.ask(path);
    assert.ok("result" in owner, "at once");
  }
  assert.equal(world.counters.owners_asked, 2);
  rpm.install(second);
  assert.equal(version(await owners.ask(path)), "2.0-1");
  assert.equal(world.counters.owners_asked, 3);
  rpm.run("-e", "--justdb", "kw-tool");
  assert.equal(version(await owners.ask(path)), "none", "the file stands where it was");
  await owners.ask(path);
  assert.equal(world.counters.owners_asked, 4);
  world.file("tool.sh", "replaced");
  assert.ok(!("result" in owners.ask(path)), "another file is asked about");
});

test("PackageOwners: dpkg tells the same on a host that has it, below /usr too", {
  skip: existsSync("/var/lib/dpkg/status") ? false : "lacks dpkg",
}, async () => {
  using world = new World();
  const owners = new PackageOwners(world.counters, { rpm: [] });
  const hostile = ["-S", "*", "a\nb", "\\*", "[s]h"].map((name) => world.file(name));
  const known = ["/usr/bin/bash", "/usr/bin/["].map((path) => realpathSync(path));
  const answers = await all(owners, [...known, ...hostile]);
  const told = spawnSync("dpkg-query", ["-W", "bash", "coreutils"], { encoding: "utf8" }).stdout;
  assert.equal(
    answers
      .slice(0, 2)
      .map((owner) => owner.result === "owned" && `${owner.name}\t${owner.version}\n`)
      .join(""),
    told,
  );
  assert.deepEqual(
    answers.slice(2),
    hostile.map(() => ({ result: "none" })),
  );
});

test("PackageOwners: a file is of no package when both databases say so", {
  skip: rpmParts || (existsSync("/var/lib/dpkg/status") ? false : "lacks dpkg"),
}, async () => {
  using rpm = new ScratchRpm();
  using world = new World();
  const own = world.path("own.sh");
  rpm.install(rpm.build("kw-own", { files: { [own]: "" } }));
  const owners = new PackageOwners(world.counters, { rpm: [rpm.database] });
  const answers = await all(owners, [own, realpathSync("/usr/bin/bash"), world.file("none")]);
  assert.deepEqual(
    answers.map((owner) => (owner.result === "owned" ? owner.type : owner.result)),
    ["rpm", "deb", "none"],
  );
});

test("PackageOwners: a host without a database has no answers", async () => {
  using world = new World();
  assert.deepEqual(await world.owners({}).ask(world.file("a")), {
    result: "unknown",
    reason: "this host has no package database",
  });
});

test("PackageOwners: a database that cannot be read is not one without files", {
  skip: rpmParts,
}, async () => {
  using rpm = new ScratchRpm();
  using world = new World();
  rpm.install(rpm.build("kw-damaged"));
  writeFileSync(join(rpm.database, "rpmdb.sqlite"), "no database, but of the same name");
  const owner = await world.owners({ rpm: [rpm.database] }).ask(world.file("a"));
  assert.equal(owner.result, "unknown");
  assert.equal(world.counters.owners_failed, 1);
});

test("PackageOwners: one that hangs is ended in its time, and not asked again for a minute", async () => {
  using world = new World();
  const owners = world.fake("exec /bin/sleep 100", { msMax: 200 });
  const paths = ["a", "b"].map((name) => world.file(name));
  const startMs = performance.now();
  const answers = await all(owners, paths);
  assert.ok(performance.now() - startMs < 2_000);
  assert.deepEqual(
    answers,
    paths.map(() => ({ result: "unknown", reason: "rpm did not answer within 200 ms" })),
  );
  assert.deepEqual(await owners.ask(world.file("c")), {
    result: "unknown",
    reason: "the package database did not answer a moment ago",
  });
  assert.deepEqual([world.runs, world.counters.owners_failed], [1, 2]);
});

const broken = [
  { why: "says what nobody asked", script: "echo hello", reason: "its answer was not understood" },
  { why: "says nothing", script: "", reason: "its answer was not understood" },
  { why: "says too much", script: "exec /usr/bin/yes", reason: "rpm said more than was asked for" },
  { why: "is killed", script: "kill -9 $$", reason: "rpm was killed" },
];
for (const { why, script, reason } of broken)
  test(`PackageOwners: one that ${why} gave no answer, and is asked once`, async () => {
    using world = new World();
    const owners = world.fake(script);
    const path = world.file("a");
    const want = { result: "unknown", reason };
    assert.deepEqual([await owners.ask(path), await owners.ask(path)], [want, want]);
    assert.deepEqual([world.runs, world.counters.owners_failed], [1, 1]);
  });

test("PackageOwners: what is asked for in one moment is one question, and a burst is bounded", async () => {
  using world = new World();
  const none = 'for one; do case $one in /*) echo "file $one is not owned by any package";; esac; done';
  const owners = world.fake(`while [ "$1" != -- ]; do shift; done; shift; ${none}`);
  const few = Array.from({ length: 20 }, (_, index) => world.file(`few${index}`));
  const twice = await all(owners, [...few, ...few]);
  assert.ok(twice.every(({ result }) => result === "none"));
  assert.deepEqual([world.runs, world.counters.owners_asked], [1, 20]);
  const many = Array.from({ length: 600 }, (_, index) => world.path(`many${index}`));
  const answers = await all(owners, many);
  assert.equal(answers.filter(({ result }) => result === "none").length, 512);
  assert.equal(world.counters.owners_let_go, 88);
  assert.equal(world.runs, 1 + 512 / 64);
});

test("PackageOwners: the program inherits neither input nor environment, and is where it was asked to be", async () => {
  using world = new World();
  const owners = world.fake(
    `env > ${world.path("env")}; cat > ${world.path("input")}; pwd > ${world.path("pwd")}`,
  );
  await owners.ask(world.file("a"));
  const names = readFileSync(world.path("env"), "utf8").replace(/=.*/g, "").trim().split("\n").sort();
  assert.deepEqual(
    names.filter((name) => !/^(?:PWD|OLDPWD|SHLVL|_)$/.test(name)),
    ["HOME", "LC_ALL", "PATH"],
  );
  assert.equal(readFileSync(world.path("input"), "utf8"), "");
  assert.equal(readFileSync(world.path("pwd"), "utf8"), "/\n");
});

test("waitAtMost(): ends with the answers, or when their time is up", async () => {
  await waitAtMost(Promise.resolve(), 60_000);
  const startMs = performance.now();
  await waitAtMost(new Promise(() => {}), 50);
  assert.ok(performance.now() - startMs >= 45);
});
