import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PrevalenceDocument } from "../../agent/alert/alert-document.ts";
import { prevalenceQuestion } from "../../agent/alert/prevalence-question.ts";
import { defaultConfig } from "../../agent/config.ts";
import { ElasticsearchConnection } from "../../agent/outputs/elasticsearch-connection.ts";
import { Prevalence } from "../../agent/outputs/prevalence.ts";
import { installationOf, rpmImage } from "../helpers/alerts.ts";
import { scriptImage } from "../helpers/images.ts";
import { type Answer, serve, type TestServer } from "../helpers/server.ts";

const question = { executable: "/usr/bin/bash", script: "/opt/a.sh", packages: ["kw-a"] };
const counted = { aggregations: { fleet: { value: 9 }, like: { doc_count: 5, hosts: { value: 2 } } } };

async function world(answer: () => Answer | Promise<Answer>) {
  const server: TestServer = await serve(answer);
  const clock = { nowMs: 0 };
  const reports: unknown[] = [];
  const urls = [`http://127.0.0.1:${server.port}`];
  const prevalence = new Prevalence({
    connect: () =>
      new ElasticsearchConnection({ ...defaultConfig.output.elasticsearch, urls }, "ApiKey hush"),
    namespace: "default",
    days: 30,
    hostId: () => "here",
    report: (error) => reports.push(error),
    nowMs: () => clock.nowMs,
  });
  const answered = async (): Promise<PrevalenceDocument> => {
    for (let tries = 0; tries < 200 && prevalence.answer(question).status === "no answer in time"; tries += 1)
      await sleep(5);
    return prevalence.answer(question);
  };
  return { server, clock, reports, prevalence, answered };
}

test("Prevalence: asks once, and remembers the answer for a while", async () => {
  const { server, clock, prevalence, answered } = await world(() => ({ status: 200, body: counted }));
  await using _ = server;
  assert.deepEqual(prevalence.answer(question), { days: 30, status: "not asked" });
  prevalence.ask(question);
  prevalence.ask(question);
  assert.deepEqual(prevalence.answer(question), { days: 30, status: "no answer in time" });
  assert.deepEqual(await answered(), { days: 30, status: "known", hosts: 2, fleet_hosts: 9 });
  prevalence.ask({ ...question });
  assert.equal(server.asked.length, 1);
  assert.match(server.asked[0]?.path ?? "", /^\/logs-kinwatch\.events-default\/_search\?/);
  clock.nowMs += 600_000;
  prevalence.ask(question);
  await answered();
  assert.equal(server.asked.length, 2);
  prevalence[Symbol.dispose]();
});

const failures = [
  { why: "a key that may not", answer: { status: 403, body: {} }, code: "KW_ELASTICSEARCH_REFUSED" },
  { why: "a busy server", answer: { status: 429, body: {} }, code: "KW_ELASTICSEARCH_BUSY" },
  { why: "a page", answer: { status: 200, body: "<html>" }, code: "KW_ELASTICSEARCH_ANSWER_INVALID" },
  {
    why: "numbers that are none",
    answer: { status: 200, body: { aggregations: { fleet: { value: "9" }, like: {} } } },
    code: "KW_ELASTICSEARCH_ANSWER_INVALID",
  },
];
for (const { why, answer, code } of failures) {
  test(`Prevalence: ${why} is told and named, and asked again`, async () => {
    const { server, reports, prevalence, answered } = await world(() => answer);
    await using _ = server;
    prevalence.ask(question);
    assert.deepEqual(await answered(), { days: 30, status: "failed" });
    assert.deepEqual(
      reports.map((error) => (error as { code: string }).code),
      [code],
    );
    prevalence.ask(question);
    await answered();
    assert.equal(server.asked.length, 2);
    prevalence[Symbol.dispose]();
  });
}

test("Prevalence: a fleet without any event has no host", async () => {
  const { server, prevalence, answered } = await world(() => ({ status: 200, body: {} }));
  await using _ = server;
  prevalence.ask(question);
  assert.deepEqual(await answered(), { days: 30, status: "known", hosts: 0, fleet_hosts: 0 });
  prevalence[Symbol.dispose]();
});

test("Prevalence: no more than a few questions at a time", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { server, prevalence } = await world(async () => {
    await promise;
    return { status: 200, body: counted };
  });
  await using _ = server;
  const questions = Array.from({ length: 9 }, (__, index) => ({ ...question, script: `/opt/${index}.sh` }));
  for (const one of questions) prevalence.ask(one);
  assert.deepEqual(
    questions.map((one) => prevalence.answer(one).status),
    questions.map((__, index) => (index < 4 ? "no answer in time" : "not asked")),
  );
  resolve();
  prevalence[Symbol.dispose]();
});

const rows = [
  {
    why: "a script and the names of files",
    image: rpmImage(
      { args: ["rpm", "-Uvh", "/tmp/kw-a-1.0-1.noarch.rpm", "evil.rpm"] },
      { parent: scriptImage("/opt/deploy.sh") },
    ),
    want: { executable: "/usr/bin/bash", script: "/opt/deploy.sh", packages: ["kw-a", "evil"] },
  },
  {
    why: "an unknown parent: nothing",
    image: rpmImage({}, { parent: undefined, unresolved: "not seen" }),
    want: undefined,
  },
] as const;
for (const { why, image, want } of rows) {
  test(`prevalenceQuestion(): ${why}`, () =>
    assert.deepEqual(prevalenceQuestion(installationOf(image)), want));
}
