/**
 * Stored logs through the command, as a user runs it, held against what truly happened on the host that wrote them: 100 MB
 * over rotated files, and kills at random moments. Needs nothing of this host.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { AlertDocument, ExecutionDocument } from "../../agent/alert/alert-document.ts";
import { kinwatch, type RunOptions } from "../helpers/kinwatch.ts";
import { rulesOff } from "../helpers/rules-off.ts";
import { seededRandom } from "../helpers/seeded-random.ts";
import type { Image } from "../helpers/truth-kernel.ts";
import { type Truth, type TruthInstall, writeTruthLog } from "../helpers/truth-log.ts";

const KILLS = 200;
const KILLS_OF_A_STATE = 5; // a state that is killed again and again must not be worn down either
const LANES = 2; // at once

const folder = mkdtempSync(join(tmpdir(), "kinwatch-replay-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const seed = Number(process.env["KINWATCH_SEED"] ?? Date.now() % 1e6); // of the moments; the log is always the same
const config = join(folder, "kinwatch.toml");
writeFileSync(config, rulesOff, { mode: 0o600 });
let truth: Truth;
let events: readonly ExecutionDocument[];

before(async () => {
  truth = writeTruthLog({ folder: join(folder, "long"), bytes: 100e6, seed: 1, fileBytes: 34e6 });
  assert.equal(truth.files.length, 3);
  const { stdout } = await ended(["events", "--format", "ndjson", ...truth.files]);
  events = documents<ExecutionDocument>(stdout).filter(({ event }) => event.action === "package-installed");
});

test("kinwatch events: tells each installation in 100 MB, with what came of it", () => {
  assert.ok(truth.installs.length > 1_000 && truth.rounds > 20);
  assert.deepEqual(events.map(keyOf).sort(), truth.installs.map(truthKeyOf).sort());
  for (const { event, kinwatch: told, process, package: first } of events) {
    const { packages, argv } = truthOf({ process, kinwatch: told });
    const installed = packages.filter(({ operation }) => operation !== "remove");
    assert.deepEqual(
      told.software_update?.map(({ nevra, operation, outcome }) => ({ nevra, operation, outcome })),
      packages.map(({ nevra, operation, success }) => ({
        nevra,
        operation,
        outcome: success ? "success" : "failure",
      })),
    );
    const { name, version, architecture } = first ?? {};
    assert.equal(first && `${name}-${version}.${architecture}`, installed[0]?.nevra);
    const [one] = installed;
    assert.equal(event.outcome, one === undefined ? "unknown" : one.success ? "success" : "failure");
    const args = process.args ?? [];
    if (told.arguments_complete) assert.deepEqual(args, argv);
    else assert.deepEqual(args.slice(0, -1), argv.slice(0, args.length - 1)); // long, and waited for its outcome
  }
});

test("kinwatch events: names no wrong parent in 100 MB, and nearly all of those that the log can tell", (t) => {
  const counts = { tellable: 0, missed: 0 };
  for (const document of events) {
    const install = truthOf(document);
    const { parent, kind } = install;
    const told = parentOf(document);
    if (isAdopted(document, install)) assert.ok(!parent.known && told === "init", kind);
    else if (told !== undefined) assert.equal(told, termOf(parent.image), kind);
    if (parent.known) counts.tellable += 1;
    if (parent.known && told === undefined) counts.missed += 1;
  }
  t.diagnostic(`${counts.tellable} of ${events.length} can be told, ${counts.missed} were not`);
  assert.ok(counts.tellable > events.length / 2 && counts.missed <= counts.tellable / 10);
});

test("kinwatch replay: alerts for each first sighting in 100 MB and for nothing else, the same bytes twice", async () => {
  const [first, second] = await Promise.all([replay(truth.files), replay(truth.files)]);
  assert.equal(second, first);
  const alerts = documents<AlertDocument>(first);
  assert.deepEqual(alerts.map(keyOf).sort(), expectedAlerts());
  for (const alert of alerts) {
    const event = events.find((one) => keyOf(one) === keyOf(alert));
    assert.deepEqual(alert.process.parent, event?.process.parent);
    assert.deepEqual(alert.package, event?.package);
    assert.deepEqual(alert.process.args, truthOf(alert).argv);
  }
});

test("kinwatch replay: the same bytes from a stream, which is cut elsewhere", async () => {
  const { files } = writeTruthLog({ folder: join(folder, "stream"), bytes: 70e6, seed: 4, fileBytes: 100e6 });
  const log = files.at(-1) ?? "";
  const stream = await kinwatch(["replay", "--format", "ndjson", "-"], { input: readFileSync(log) });
  assert.deepEqual(await kinwatch(["replay", "--format", "ndjson", log]), stream); // large enough for a second thread
});

test("kinwatch replay: needs no more memory for 100 MB than for 50", async () => {
  const short = writeTruthLog({ folder: join(folder, "short"), bytes: 50e6, seed: 1 }); // the process table is full by then
  const [little, much] = [await memoryKbOf(short.files), await memoryKbOf(truth.files)];
  assert.ok(much <= little * 1.3, `${little} kB, then ${much} kB`);
});

test(`kinwatch replay --state: ${KILLS} kills lose and change no alert (KINWATCH_SEED=${seed})`, async (t) => {
  const { files } = writeTruthLog({ folder: join(folder, "killed"), bytes: 25e6, seed: 2 });
  const begun = performance.now();
  const whole = Array.from({ length: LANES }, (_, lane) =>
    replay(files, ["--state", join(folder, `whole-${lane}`)]),
  );
  const [undisturbed = ""] = await Promise.all(whole);
  const usualMs = performance.now() - begun;
  const expected = new Map(documents<AlertDocument>(undisturbed).map((alert) => [alert.event.id, alert]));
  assert.ok(expected.size > 50);
  const random = seededRandom(seed);
  const counts = { kills: 0, states: 0, midway: 0, repeated: 0 };

  async function lane(): Promise<void> {
    while (counts.kills < KILLS) {
      counts.states += 1;
      const state = join(folder, `state-${counts.states}`);
      const outputs: string[] = [];
      for (let kills = 0; ; kills += 1) {
        const killAfterMs = usualMs * (0.2 + random());
        const last = kills === KILLS_OF_A_STATE || counts.kills >= KILLS;
        const how = ["--config", config, "--learn", "none", "--format", "ndjson", "--state", state];
        const args = ["replay", ...how, ...files];
        const { status, stdout, stderr } = await kinwatch(args, last ? {} : { killAfterMs });
        outputs.push(stdout);
        if (status !== null) {
          assert.equal(status, 0, stderr);
          break;
        }
        counts.kills += 1;
        if (stdout !== "") counts.midway += 1;
      }
      const told = outputs.flatMap((stdout) => documents<AlertDocument>(stdout));
      for (const alert of told) assert.deepEqual(alert, expected.get(alert.event.id));
      const ids = new Set(told.map(({ event }) => event.id));
      assert.deepEqual([...ids].sort(), [...expected.keys()].sort());
      counts.repeated += told.length - ids.size;
      const { stdout } = await ended(["alerts", "list", "--state", state, "--format", "ndjson"]);
      const stored = documents<AlertDocument>(stdout);
      assert.deepEqual(new Map(stored.map((alert) => [alert.event.id, alert])), expected);
      assert.equal(stored.length, expected.size);
      rmSync(state, { recursive: true });
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane));
  const { kills, states, midway, repeated } = counts;
  t.diagnostic(`${kills} kills of ${states} states, ${midway} between alerts, ${repeated} alerts repeated`);
  assert.ok(midway > KILLS / 20, "kills hit while alerts are written");
});

/** By the truth alone, but for the parents that the log cannot tell: those raise each time, and services go by themselves. */
function expectedAlerts(): string[] {
  const told = new Map(events.map((event) => [keyOf(event), event]));
  const seen = new Set<string>();
  const alerts: string[] = [];
  for (const install of truth.installs.toSorted((a, b) => toldOf(a) - toldOf(b))) {
    const key = truthKeyOf(install);
    const event = told.get(key);
    assert.ok(event, key);
    const terms = install.previous.map((image) => `previous ${termOf(image)}`);
    const adopted = isAdopted(event, install);
    if (adopted && install.recordsAlone) terms.push(`service ${termOf(install)}`);
    else if (!adopted && parentOf(event) !== undefined) terms.push(`parent ${termOf(install.parent.image)}`);
    const isKnown = terms.length > install.previous.length;
    if (!isKnown || terms.some((term) => !seen.has(term))) alerts.push(key);
    for (const term of terms) seen.add(term);
  }
  return alerts.sort();
}

/** Told to be pid 1's, though no record shows that pid 1 started it: it may have taken it over. */
function isAdopted(
  { kinwatch: { parent_provenance: provenance } }: ExecutionDocument,
  install: TruthInstall,
) {
  const { parent, previous } = install;
  const started =
    parent.process.pid === 1 && previous.some(({ executable }) => /systemd-executor$/.test(executable));
  return provenance === "inferred" && !started;
}

/** When the log told of it: serials only rise, but begin anew at a boot. */
function toldOf({ recordsAlone, timeMs, serial, updateTimeMs, updateSerial }: TruthInstall): number {
  return recordsAlone ? updateTimeMs * 1e3 + updateSerial / 1e6 : timeMs * 1e3 + serial / 1e6;
}

/** Of its execution. */
function truthKeyOf({ pid, serial, timeMs }: TruthInstall): string {
  return `${new Date(timeMs).toISOString()} ${serial} ${pid}`;
}

function keyOf({ process, kinwatch: { audit } }: Pick<ExecutionDocument, "process" | "kinwatch">): string {
  return `${process.start} ${audit?.serial} ${process.pid}`;
}

function truthOf(document: Pick<ExecutionDocument, "process" | "kinwatch">): TruthInstall {
  const key = keyOf(document);
  const install = truth.installs.find((one) => truthKeyOf(one) === key);
  assert.ok(install, key);
  return install;
}

/** No log holds the execution of pid 1: it goes by the name that any init has. */
function termOf({ pid, executable, script }: Pick<Image, "pid" | "executable" | "script">): string {
  return pid === 1 ? "init" : `${executable} ${script}`;
}

function parentOf({ process: { parent }, kinwatch: { ancestry } }: ExecutionDocument): string | undefined {
  if (parent === undefined) return undefined;
  const { script } = ancestry.find(({ entity_id }) => entity_id === parent.entity_id) ?? {};
  return termOf({ pid: parent.pid, executable: parent.executable ?? "", script });
}

async function replay(files: readonly string[], options: readonly string[] = []): Promise<string> {
  const args = ["replay", "--config", config, "--learn", "none", "--format", "ndjson"];
  return (await ended([...args, ...options, ...files])).stdout;
}

async function ended(args: readonly string[], options: RunOptions = {}) {
  const run = await kinwatch(args, options);
  assert.equal(run.status, 0, run.stderr);
  return run;
}

/**
 * Its largest, as the kernel has it at its end: proc_pid_status(5), VmHWM. The heap is held short, so that it is what is
 * kept that counts, and not how long V8 puts off collecting what is not.
 */
async function memoryKbOf(files: readonly string[]): Promise<number> {
  const code = `import { readFileSync } from "node:fs";
    process.on("exit", () => process.stderr.write(readFileSync("/proc/self/status", "utf8")));`;
  const NODE_OPTIONS = `--max-old-space-size=48 --import=data:text/javascript,${encodeURIComponent(code)}`;
  const { stderr } = await ended(["replay", "--learn", "none", "--format", "ndjson", ...files], {
    env: { NODE_OPTIONS },
  });
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(stderr)?.[1]);
}

/** A kill may leave the last line unfinished. */
function documents<Document>(stdout: string): Document[] {
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Document);
}
