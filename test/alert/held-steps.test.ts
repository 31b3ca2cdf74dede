import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldSteps } from "../../agent/alert/held-steps.ts";
import type { Step } from "../../agent/rules/pass.ts";

const step = (name: string) => ({ name }) as unknown as Step;

test("HeldSteps: none comes by one that waits, and all come when it is answered", async () => {
  const held = new HeldSteps();
  const [a, b, c, d] = ["a", "b", "c", "d"].map(step) as [Step, Step, Step, Step];
  const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  held.add(a);
  held.add(b, answers[0].promise);
  held.add(c);
  held.add(d, answers[1].promise);
  assert.deepEqual(held.take(), [a]);
  answers[1].resolve();
  await answers[1].promise;
  assert.deepEqual([held.take(), held.size], [[], 3]);
  answers[0].resolve();
  await held.next;
  assert.deepEqual([held.take(), held.size], [[b, c, d], 0]);
  assert.equal(held.next, undefined);
});

test("HeldSteps.takeAll(): waits for nothing", () => {
  const held = new HeldSteps();
  held.add(step("a"), new Promise(() => {}));
  assert.deepEqual([held.takeAll(), held.size], [[step("a")], 0]);
});
