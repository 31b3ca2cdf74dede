import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ReadAhead } from "../../agent/sources/read-ahead.ts";
import type { Observation, Source } from "../../agent/sources/source.ts";

const idle = (nowMs: number): Observation => ({ kind: "idle", nowMs });
const found = (pid: number): Observation =>
  ({ kind: "process", process: { pid }, nowMs: pid, seen: false }) as unknown as Observation;

/** Gives what it was given, and counts how far it was read; then it ends or breaks. */
class Given implements Source {
  readonly name = "procfs";
  readonly description = "made up";
  read = 0;
  isLeft = false;
  readonly #all: readonly Observation[];
  readonly #error: Error | undefined;

  constructor(all: readonly Observation[], error?: Error) {
    this.#all = all;
    this.#error = error;
  }

  cursorAt(): undefined {
    return undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Observation> {
    try {
      for (const one of this.#all) {
        this.read += 1;
        yield one;
        await turn();
      }
      if (this.#error !== undefined) throw this.#error;
    } finally {
      this.isLeft = true;
    }
  }
}

async function turns(count = 60): Promise<void> {
  for (let left = count; left > 0; left -= 1) await turn();
}

test("ReadAhead: goes on looking while what it saw is dealt with, and gives all in order", async () => {
  const source = new Given([1, 2, 3, 4, 5].map(found));
  const given: Observation[] = [];
  for await (const one of new ReadAhead(source)) {
    given.push(one);
    await turns();
    assert.equal(source.read, 5);
  }
  assert.deepEqual(given, [1, 2, 3, 4, 5].map(found));
});

test("ReadAhead: of moments without news the last of a row is enough", async () => {
  const source = new Given([found(1), idle(2), idle(3), found(4), idle(5)]);
  const given: Observation[] = [];
  for await (const one of new ReadAhead(source)) {
    given.push(one);
    await turns();
  }
  assert.deepEqual(given, [found(1), idle(3), found(4), idle(5)]);
});

test("ReadAhead: waits with what it may keep", async () => {
  const source = new Given(Array.from({ length: 20 }, (_, index) => found(index)));
  const given: Observation[] = [];
  for await (const one of new ReadAhead(source, 4)) {
    given.push(one);
    await turns();
    assert.ok(source.read <= given.length + 5, `${source.read} read, ${given.length} given`);
  }
  assert.equal(given.length, 20);
});

test("ReadAhead: breaks where its source does, after what came before", async () => {
  const broken = new Error("broken");
  const given: Observation[] = [];
  await assert.rejects(async () => {
    for await (const one of new ReadAhead(new Given([found(1), found(2)], broken))) given.push(one);
  }, broken);
  assert.equal(given.length, 2);
});

test("ReadAhead: leaves its source when it is left", async () => {
  const source = new Given(Array.from({ length: 100 }, (_, index) => found(index)));
  for await (const _ of new ReadAhead(source, 2)) break;
  await turns();
  assert.ok(source.isLeft && source.read < 10);
});
