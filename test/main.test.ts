/** The whole flow over what the test hands it, piece by piece: what waits for whom. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { AlertDocument } from "../agent/alert/alert-document.ts";
import { newCounters } from "../agent/counters.ts";
import { watch } from "../agent/main.ts";
import { Delivery } from "../agent/outputs/delivery.ts";
import { ImageOwners } from "../agent/packages/image-owners.ts";
import type { Owner } from "../agent/packages/owner-answer.ts";
import { shippedAliases } from "../agent/packages/shipped-aliases.ts";
import type { Exception } from "../agent/rules/exception.ts";
import { RuleEngine } from "../agent/rules/rule-engine.ts";
import type { Container, Observation, Source } from "../agent/sources/source.ts";
import { Store } from "../agent/store/store.ts";
import { head } from "./events/kernel-writer.ts";
import { fileRule } from "./helpers/alerts.ts";
import { exceptionOf } from "./helpers/exceptions.ts";
import { scriptedInstallation } from "./helpers/installations-log.ts";

const startMs = Date.UTC(2026, 10, 24, 12);
const script = "/opt/deploy/update.sh";

function installation(timeMs = startMs + 1_000, pid = 4_000, by = script): Buffer {
  const args = ["rpm", "-i", "kw.rpm"];
  return Buffer.from(scriptedInstallation({ script: by, timeMs, pid, serial: pid, args }));
}

/** What rpm tells audit of a package that it installed. */
function update(timeMs: number, pid: number): Buffer {
  const written = { timeMs, serial: pid + 100, pid, ppid: pid - 1, executable: "/usr/bin/rpm", args: [] };
  const said = `op=install sw="kw-1-1.noarch" sw_type=rpm key_enforce=0 gpg_res=0 root_dir="/" comm="rpm" exe="/usr/bin/rpm"`;
  const record = `${head("SOFTWARE_UPDATE", written)}pid=${pid} uid=0 auid=0 ses=1 msg='${said} hostname=? addr=? terminal=? res=success'`;
  return Buffer.from(`${record}\n`);
}

function ownedBy(name: string): Owner {
  return {
    result: "owned",
    type: "rpm",
    name,
    version: "1-1",
    architecture: "noarch",
    nevra: `${name}-1-1.noarch`,
  };
}

/** A host that is watched, whose package database answers when the test says so. */
class Flow implements AsyncDisposable {
  readonly raised: AlertDocument[] = [];
  readonly completed: AlertDocument[] = [];
  readonly counters = newCounters();
  questions = 0;
  readonly #store = new Store(undefined, { counters: this.counters });
  readonly #given: Observation[] = [];
  #next = Promise.withResolvers<void>();
  #isOver = false;
  #offset = 0;
  readonly #late = Promise.withResolvers<void>(); // the time of who waits for packages is up
  readonly #answers = new Map<string, PromiseWithResolvers<Owner>>();
  readonly #done: Promise<void>;

  containers: Readonly<Record<number, Container>> = {}; // by the pid of the tool

  constructor(...exceptions: readonly Exception[]) {
    const images = new ImageOwners({
      isThisHost: () => true,
      fileOf: ({ path }) => ({ path }),
      lineOf: () => undefined,
      ask: (path) => {
        this.questions += 1;
        return this.#answer(path).promise;
      },
    });
    const engine = new RuleEngine([fileRule], exceptions);
    const { counters } = this;
    const store = this.#store;
    const delivery = new Delivery({
      store,
      outputs: [
        {
          name: "terminal",
          raised: (alert) => void this.raised.push(alert),
          completed: (alert) => void this.completed.push(alert),
        },
      ],
      counters,
      report: (_, error) => assert.fail(String(error)),
    });
    this.#done = watch({
      source: this.#source(),
      store,
      delivery,
      namespace: "default",
      counters,
      learn: "none",
      startMs,
      lineage: { processesMax: 1_000, readProcess: undefined },
      installations: { aliases: shippedAliases, isGone: undefined },
      rules: () => engine,
      past: undefined,
      renewed: () => {},
      knowledge: {
        host: () => undefined,
        provider: "audit-log",
        nameUser: () => undefined,
        readDetails: undefined,
        readOwners: images.of,
        readContainer: ({ exec }) => this.containers[exec.pid] ?? "none",
      },
      owners: { images, wait: (answers) => Promise.race([answers, this.#late.promise]).then(() => {}) },
      agent: { type: "kinwatch", version: "0.1.0" },
      caughtUp: () => {},
      stateRefused: async () => false,
      malformed: (sample) => assert.fail(sample),
    });
  }

  answer(path: string, owner: Owner): void {
    this.#answer(path).resolve(owner);
  }

  answerAll(): void {
    for (const path of ["/usr/bin/rpm", "/usr/bin/bash", "/sbin/init"]) this.answer(path, ownedBy("base"));
    this.answer(script, ownedBy("kw-deploy"));
  }

  isLate(): void {
    this.#late.resolve();
  }

  async give(bytes: Buffer): Promise<void> {
    const position = { device: 1, inode: 1, offset: this.#offset };
    this.#offset += bytes.length;
    await this.#hand({ kind: "log", bytes, position, seen: false });
  }

  async idle(nowMs: number): Promise<void> {
    await this.#hand({ kind: "idle", nowMs });
  }

  get asked(): string[] {
    return [...this.#answers.keys()].sort();
  }

  async #hand(observation: Observation): Promise<void> {
    this.#given.push(observation);
    this.#next.resolve();
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }

  #answer(path: string): PromiseWithResolvers<Owner> {
    const answer = this.#answers.get(path) ?? Promise.withResolvers<Owner>();
    this.#answers.set(path, answer);
    return answer;
  }

  #source(): Source {
    const next = async (): Promise<Observation | undefined> => {
      while (this.#given.length === 0 && !this.#isOver) {
        await this.#next.promise;
        this.#next = Promise.withResolvers();
      }
      return this.#given.shift();
    };
    return {
      name: "audit-log",
      description: "",
      cursorAt: () => undefined,
      async *[Symbol.asyncIterator]() {
        for (let one = await next(); one !== undefined; one = await next()) yield one;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#next.resolve();
    this.#late.resolve();
    await this.#done;
    this.#store[Symbol.dispose]();
  }
}

const rulesOf = (alerts: readonly AlertDocument[]) => alerts.map(({ rule }) => rule.id);
const newParent = "package-installed-by-new-parent";
const owned = exceptionOf('package_owner = "kw-deploy"', "owned");

test("watch(): an installation is told before whose its parent is, and completed with that", async () => {
  await using flow = new Flow();
  await flow.give(installation());
  assert.deepEqual(rulesOf(flow.raised), [newParent], "the other has nobody who would complete it");
  assert.deepEqual(flow.asked, ["/opt/deploy/update.sh", "/sbin/init", "/usr/bin/bash", "/usr/bin/rpm"]);
  const [raised = assert.fail()] = flow.raised;
  assert.match(raised.kinwatch.ancestry[0]?.script_package_owner?.reason ?? "", /has not answered yet/);
  flow.answerAll();
  await flow.idle(startMs + 2_000);
  assert.deepEqual(rulesOf(flow.raised), [newParent, fileRule.id]);
  const other = flow.raised[1]?.kinwatch;
  assert.equal(other?.ancestry[0]?.script_package_owner?.nevra, "kw-deploy-1-1.noarch");
  assert.equal(other?.package_owner?.name, "base");
  await flow.idle(startMs + 660_000);
  const [completed = assert.fail()] = flow.completed;
  assert.deepEqual(
    [completed.event.id, completed.kinwatch.outcome, completed.kinwatch.package_owner?.name],
    [raised.event.id, "none", "base"],
  );
  assert.deepEqual(
    completed.kinwatch.ancestry.map(({ package_owner, script_package_owner }) => [
      package_owner?.name,
      script_package_owner?.name,
    ]),
    [
      ["base", "kw-deploy"],
      ["base", undefined],
    ],
  );
});

test("watch(): an exception by package is decided when it is known, and nothing is told before", async () => {
  await using flow = new Flow(owned);
  await flow.give(installation());
  assert.deepEqual(flow.raised, []);
  flow.answer("/usr/bin/bash", ownedBy("bash"));
  flow.answer(script, ownedBy("kw-deploy")); // the parent alone decides
  await flow.idle(startMs + 2_000);
  await flow.idle(startMs + 660_000);
  assert.deepEqual([flow.raised, flow.completed], [[], []]);
  assert.equal(flow.counters.alerts_excepted, 2);
  assert.equal(flow.counters.alerts_raised, 0);
});

test("watch(): an exception by package does not hold where the package is another's", async () => {
  await using flow = new Flow(owned);
  flow.answer("/usr/bin/bash", ownedBy("kw-deploy"));
  flow.answer(script, { result: "none" });
  flow.answer("/usr/bin/rpm", ownedBy("rpm"));
  flow.answer("/sbin/init", ownedBy("systemd"));
  await flow.give(installation());
  assert.deepEqual(rulesOf(flow.raised), [newParent, fileRule.id]);
});

test("watch(): an exception by package does not hold while nobody knows, and the wait ends", async () => {
  await using flow = new Flow(owned, exceptionOf('user = "root"\nrules = ["other"]', "other"));
  await flow.give(installation());
  const before = flow.raised.length;
  flow.isLate();
  await flow.idle(startMs + 2_000);
  assert.equal(before, 0);
  assert.deepEqual(new Set(rulesOf(flow.raised)), new Set([newParent, fileRule.id]));
  const [alert] = flow.raised;
  assert.match(alert?.kinwatch.ancestry[0]?.package_owner?.reason ?? "", /has not answered yet/);
});

test("watch(): an outcome that was read behind one that waits is told when the first catching up is over", async () => {
  await using flow = new Flow(exceptionOf('script = "/opt/held.sh"\npackage_owner = "kw-deploy"', "held"));
  await flow.give(
    Buffer.concat([
      installation(startMs + 1_000, 4_000),
      installation(startMs + 1_100, 4_010, "/opt/held.sh"),
      update(startMs + 2_000, 4_001),
      update(startMs + 2_500, 4_011),
    ]),
  );
  await flow.idle(startMs + 60_000);
  flow.isLate();
  await flow.idle(startMs + 61_000);
  await flow.idle(startMs + 62_000);
  assert.deepEqual(
    flow.completed.map(({ process, kinwatch }) => [process.pid, kinwatch.outcome]),
    [
      [4_001, "installed"],
      [4_011, "installed"],
    ],
  );
});

test("watch(): who is excepted by another exception is not asked about", async () => {
  await using flow = new Flow(exceptionOf('user = "root"'), owned);
  await flow.give(installation());
  assert.deepEqual([flow.asked, flow.raised], [[], []]);
  assert.equal(flow.counters.alerts_excepted, 2);
});

test("watch(): of a parent that is known nobody is asked", async () => {
  await using flow = new Flow();
  flow.answerAll();
  await flow.give(installation());
  const { questions } = flow;
  assert.equal(flow.raised.length, 2);
  await flow.give(installation(startMs + 3_000, 4_010));
  assert.deepEqual([flow.raised.length, flow.counters.installs_read], [2, 2]);
  assert.equal(flow.questions, questions);
});

test("watch(): what is usual on the host is news in a container, once for each image and for each without one", async () => {
  await using flow = new Flow();
  flow.answerAll();
  const container = (id: string, image: string | undefined): Container => ({
    id: id.repeat(32),
    runtime: "docker",
    name: undefined,
    image,
    reason: undefined,
  });
  const all = [
    undefined,
    container("aa", "kw/web:1"),
    container("bb", "kw/web:2"), // the next version
    container("cc", "kw/other:1"),
    container("dd", undefined),
    container("ee", undefined),
    container("ee", undefined),
    undefined,
  ];
  flow.containers = Object.fromEntries(all.flatMap((one, index) => (one ? [[4_001 + 2 * index, one]] : [])));
  for (const index of all.keys()) await flow.give(installation(startMs + 1_000 * index, 4_000 + 2 * index));
  const raised = flow.raised.filter(({ rule }) => rule.id === newParent);
  assert.deepEqual(
    raised.map(({ container: told }) => [told?.id.slice(0, 2), told?.image?.name]),
    [
      [undefined, undefined],
      ["aa", "kw/web:1"],
      ["cc", "kw/other:1"],
      ["dd", undefined],
      ["ee", undefined],
    ],
  );
  assert.equal(flow.counters.installs_read, all.length);
});
