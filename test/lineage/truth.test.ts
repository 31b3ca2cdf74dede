/** A host whose truth is known: its log must give all of its installations, and no parent may be a wrong one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { type Found, Pass } from "../../agent/rules/pass.ts";
import { RuleEngine } from "../../agent/rules/rule-engine.ts";
import { StoredLogSource } from "../../agent/sources/stored-logs.ts";
import type { Image } from "../helpers/truth-kernel.ts";
import { type TruthInstall, writeTruthLog } from "../helpers/truth-log.ts";

const knowledge = {
  host: () => undefined,
  provider: "files",
  nameUser: () => undefined,
  readDetails: undefined,
};
type Told = Found & { readonly argv: readonly string[] }; // whole: the table keeps the beginning of long ones

const folder = mkdtempSync(join(tmpdir(), "kinwatch-truth-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const worlds = [];
for (const { why, seed, pidMax, boots, bytes } of [
  { why: "pids go round a few times", seed: 1, pidMax: 4_096, boots: 1, bytes: 10e6 },
  { why: "pids go round all the time", seed: 2, pidMax: 4_096, boots: 1, bytes: 40e6 },
  {
    why: "pids never go round, and the host is booted twice",
    seed: 3,
    pidMax: 4_194_304,
    boots: 3,
    bytes: 10e6,
  },
]) {
  const path = join(folder, String(seed));
  const truth = writeTruthLog({ folder: path, bytes, seed, pidMax, boots, fileBytes: 4e6 });
  const counters = newCounters();
  worlds.push({ why, truth, counters, found: await read(truth.files, counters) });
}

for (const { why, truth, counters, found } of worlds) {
  test(`Pass: finds each installation and nothing else: ${why}`, () => {
    assert.ok(truth.installs.length > 100);
    assert.deepEqual(
      found
        .map(({ installation: { timeMs, serial, image } }) => `${timeMs} ${serial} ${image.exec.pid}`)
        .sort(),
      truth.installs.map(idOf).sort(),
    );
    const { events_read, records_malformed, records_late } = counters;
    assert.deepEqual([events_read, records_malformed, records_late], [truth.executions, 0, 0]);
  });

  const truths = new Map(truth.installs.map((install) => [idOf(install), install]));
  const pairs = found.flatMap((one) => {
    const { timeMs, serial, image } = one.installation;
    const install = truths.get(`${timeMs} ${serial} ${image.exec.pid}`);
    return install === undefined ? [] : [{ ...one, install }];
  });

  test(`Pass: knows what came of each installation: ${why}`, () => {
    for (const { installation, argv, install } of pairs) {
      assert.deepEqual(
        installation.updates.map(({ nevra, operation, success, signatureVerified: signed }) => ({
          nevra,
          operation,
          success,
          signed,
        })),
        install.packages,
      );
      assert.deepEqual(argv, install.argv);
    }
  });

  test(`Pass: names no wrong parent, ancestor or image before: ${why}`, () => {
    for (const { installation, ancestors, install } of pairs) {
      const where = `${install.kind}, ${idOf(install)}`;
      const { parent } = installation.image;
      const truly = install.ancestors.map(({ image }) => nameOf(image));
      if (parent !== undefined) assert.equal(toldName(parent), truly[0], where);
      // Where nobody can tell whether a service manager started a process or took it over, the trail goes on with it.
      const told = ancestors.map(toldName);
      const doubtful = ancestors.findIndex(({ provenance }) => provenance === "inferred");
      const sure = doubtful === -1 ? told.length : doubtful;
      assert.deepEqual(told.slice(0, sure), truly.slice(0, sure), where);
      assert.deepEqual(told.slice(sure), truly.slice(truly.length - (told.length - sure)), where);
      const before = previousOf(installation.image).map(toldName);
      assert.deepEqual(before, install.previous.slice(0, before.length).map(nameOf), where);
    }
  });

  test(`Pass: tells the parents that the log can tell: ${why}`, (t) => {
    const tellable = pairs.filter(({ install }) => install.parent.known);
    const missed = tellable.filter(({ installation }) => installation.image.parent === undefined);
    t.diagnostic(
      `${tellable.length} of ${pairs.length} can be told, ${missed.length} were not, ${truth.rounds} rounds`,
    );
    assert.ok(tellable.length > pairs.length / 2);
    assert.ok(missed.length <= tellable.length / 10);
  });

  test(`Pass: keeps the image before where the process has one: ${why}`, () => {
    const lost = pairs.filter(
      ({ installation, install }) => install.previous.length > previousOf(installation.image).length,
    );
    const all = pairs.filter(({ install }) => install.previous.length > 0);
    assert.ok(all.length > 10 && lost.length <= all.length / 10);
  });
}

async function read(files: readonly string[], counters: ReturnType<typeof newCounters>): Promise<Told[]> {
  const lineage = { processesMax: 32_768, readProcess: undefined };
  const pass = new Pass({
    lineage,
    installations: { aliases: shippedAliases, isGone: undefined },
    rules: new RuleEngine([]),
    knowledge,
    counters,
  });
  const found: Told[] = [];
  const take = (steps: ReturnType<Pass["end"]>): void => {
    for (const step of steps)
      if (step.kind === "found") found.push({ ...step, argv: step.installation.image.exec.args });
  };
  for await (const observation of new StoredLogSource({ files, cursor: undefined, counters }))
    take(pass.add(observation));
  take(pass.end());
  return found;
}

function idOf({ pid, recordsAlone, timeMs, serial, updateTimeMs, updateSerial }: TruthInstall): string {
  return recordsAlone ? `${updateTimeMs} ${updateSerial} ${pid}` : `${timeMs} ${serial} ${pid}`;
}

/** No log holds the execution of pid 1: its program goes by the name of any init. */
function nameOf({ pid, serial, executable, script }: Omit<Image, "argv">): string {
  return pid === 1 ? "init" : `${pid} ${serial} ${executable} ${script}`;
}

function toldName({ exec }: ProcessImage): string {
  return nameOf(exec);
}

function previousOf(image: ProcessImage): ProcessImage[] {
  const images: ProcessImage[] = [];
  for (let at = image.previous; at !== undefined; at = at.previous) images.push(at);
  return images;
}
