import assert from "node:assert/strict";
import { test } from "node:test";
import { applyChange, existingStreams, planOf, renewals } from "../../agent/fleet/server-plan.ts";
import { defaultRetention, type TemplateOptions, templates } from "../../agent/fleet/templates.ts";
import type { SendRequest, ServerAnswer } from "../../agent/outputs/elasticsearch-request.ts";

const usual: TemplateOptions = { retention: defaultRetention, serverless: false, failureStore: true };
const missing: ServerAnswer = { status: 404, body: { error: { reason: "not found" }, status: 404 } };
const simulated: ServerAnswer = { status: 200, body: { template: {} } };
const asked = { retention: {} };

/** A server that has templates, and answers some paths otherwise. */
function serverOf(
  has: TemplateOptions | undefined,
  otherwise: Readonly<Record<string, (body: unknown) => ServerAnswer | undefined>> = {},
): SendRequest {
  return async ({ path, body }) => {
    const said = otherwise[path]?.(body);
    if (said) return said;
    if (path === "/") return { status: 200, body: { version: { number: "9.2.0", build_flavor: "default" } } };
    if (path === "/_index_template/_simulate") return simulated;
    const asset = has && templates(has).find(({ kind, name }) => path === `/_${kind}/${name}`);
    if (!asset) return missing;
    const list = [{ name: asset.name, [asset.kind]: structuredClone(asset.body) }];
    return { status: 200, body: { [`${asset.kind}s`]: list } };
  };
}

test("planOf(): an empty server lacks everything, components first", async () => {
  const { changes, options } = await planOf(serverOf(undefined), asked);
  assert.deepEqual(options, usual);
  assert.deepEqual(
    changes.map(({ asset, differences }) => [asset.name, differences]),
    [
      ...["kinwatch@alerts", "kinwatch@events", "kinwatch@health"].map((name) => [name, undefined]),
      ...["alerts", "events", "health"].map((name) => [`logs-kinwatch.${name}`, undefined]),
    ],
  );
});

test("planOf(): a server that has it all lacks nothing", async () => {
  assert.deepEqual((await planOf(serverOf(usual), asked)).changes, []);
});

test("planOf(): a retention that somebody chose stays, unless another one is asked for", async () => {
  const chosen = { ...usual, retention: { alerts: "730d", events: "forever", health: "7d" } };
  const stays = await planOf(serverOf(chosen), asked);
  assert.deepEqual(stays.changes, []);
  assert.deepEqual(stays.options.retention, chosen.retention);
  const { changes } = await planOf(serverOf(chosen), { retention: { events: "90d" } });
  assert.deepEqual(
    changes.map(({ asset, differences }) => [asset.name, differences]),
    [["kinwatch@events", [{ path: "template.lifecycle.data_retention", have: undefined, want: "90d" }]]],
  );
});

test("planOf(): an older server is not told of a failure store, whose name it does not know", async () => {
  const reason = "[template] unknown field [data_stream_options]";
  const old = serverOf(undefined, {
    "/_index_template/_simulate": (body) =>
      JSON.stringify(body).includes("data_stream_options")
        ? { status: 400, body: { error: { reason } } }
        : undefined,
  });
  assert.deepEqual((await planOf(old, asked)).options, { ...usual, failureStore: false });
});

for (const { why, otherwise } of [
  {
    why: "says so",
    otherwise: { "/": () => ({ status: 200, body: { version: { build_flavor: "serverless" } } }) },
  },
  {
    why: "refuses settings of ILM, if it may not be asked what it is",
    otherwise: {
      "/": () => ({ status: 403, body: {} }),
      "/_index_template/_simulate": (body: unknown) =>
        JSON.stringify(body).includes("prefer_ilm")
          ? { status: 400, body: { error: "not available" } }
          : undefined,
    },
  },
] as const) {
  test(`planOf(): a server is serverless if it ${why}`, async () => {
    assert.deepEqual((await planOf(serverOf(undefined, otherwise), asked)).options, {
      ...usual,
      serverless: true,
    });
  });
}

test("planOf(): what is said is not asked", async () => {
  const paths: string[] = [];
  const server = serverOf(undefined);
  const wishes = { retention: {}, serverless: true, failureStore: false };
  await planOf(async (request) => {
    paths.push(request.path);
    return server(request);
  }, wishes);
  assert.deepEqual(
    paths.filter((path) => path === "/" || path.endsWith("_simulate")),
    [],
  );
});

const answers: readonly { why: string; answer: ServerAnswer; want: RegExp; code: string }[] = [
  {
    why: "a page",
    answer: { status: 200, body: "<html>\u001b[2J" },
    want: /^GET \/_component_template\/kinwatch@alerts: no answer of Elasticsearch: <html>\\x1b\[2J\./,
    code: "KW_SETUP_NOT_ELASTICSEARCH",
  },
  {
    why: "a page that is not there",
    answer: { status: 404, body: "<h1>Not Found</h1>" },
    want: /HTTP 404: <h1>Not Found/,
    code: "KW_SETUP_REFUSED",
  },
  {
    why: "nothing",
    answer: { status: 200, body: "" },
    want: /no answer/,
    code: "KW_SETUP_NOT_ELASTICSEARCH",
  },
  { why: "a list", answer: { status: 200, body: [] }, want: /no answer/, code: "KW_SETUP_NOT_ELASTICSEARCH" },
  { why: "null", answer: { status: 200, body: null }, want: /no answer/, code: "KW_SETUP_NOT_ELASTICSEARCH" },
  {
    why: "a template of another form",
    answer: { status: 200, body: { component_templates: [{ name: "kinwatch@alerts" }] } },
    want: /no answer/,
    code: "KW_SETUP_NOT_ELASTICSEARCH",
  },
  {
    why: "who are you",
    answer: { status: 401, body: { error: { type: "security_exception", reason: "missing credentials" } } },
    want: /HTTP 401: missing credentials\. .*--admin-key-file/,
    code: "KW_SETUP_UNAUTHORIZED",
  },
  {
    why: "you may not",
    answer: { status: 403, body: { error: { reason: "action is unauthorized" } } },
    want: /HTTP 403: .*manage_index_templates/,
    code: "KW_SETUP_UNAUTHORIZED",
  },
  {
    why: "not now",
    answer: { status: 503, body: { error: { type: "master_not_discovered_exception" } } },
    want: /HTTP 503: master_not_discovered_exception\. Try again/,
    code: "KW_SETUP_REFUSED",
  },
  {
    why: "a cause within a cause",
    answer: { status: 400, body: { error: { reason: "outer", caused_by: { reason: "inner" } } } },
    want: /HTTP 400: inner\./,
    code: "KW_SETUP_REFUSED",
  },
];
for (const { why, answer, want, code } of answers) {
  test(`planOf(): an answer that is ${why} is an error that says what to do`, async () => {
    await assert.rejects(
      planOf(async () => answer, asked),
      { code, message: want },
    );
  });
}

test("applyChange(): what the server does not acknowledge is not done", async () => {
  const { changes } = await planOf(serverOf(undefined), asked);
  const [first] = changes;
  assert.ok(first);
  const body = { acknowledged: false };
  await assert.rejects(
    applyChange(async () => ({ status: 200, body }), first),
    { code: "KW_SETUP_NOT_ELASTICSEARCH" },
  );
  await applyChange(async () => ({ status: 200, body: { acknowledged: true } }), first);
});

test("existingStreams(): ours alone", async () => {
  const names = [
    "logs-kinwatch.alerts-default",
    "logs-kinwatch.other-default",
    7,
    "logs-kinwatch.health-a-b",
  ];
  const body = { data_streams: [...names.map((name) => ({ name })), "x"] };
  const found = await existingStreams(async () => ({ status: 200, body }));
  assert.deepEqual(found, ["logs-kinwatch.alerts-default", "logs-kinwatch.health-a-b"]);
  await assert.rejects(
    existingStreams(async () => ({ status: 200, body: {} })),
    { code: "KW_SETUP_NOT_ELASTICSEARCH" },
  );
});

test("renewals(): a backing index with the new mapping, retention, and the failure store where there is one", () => {
  const name = "logs-kinwatch.health-a/b";
  const path = "logs-kinwatch.health-a%2Fb";
  const rollover = { method: "POST", path: `/${path}/_rollover` };
  assert.deepEqual(renewals(name, usual), [
    rollover,
    { method: "PUT", path: `/_data_stream/${path}/_lifecycle`, body: { data_retention: "30d" } },
    { method: "PUT", path: `/_data_stream/${path}/_options`, body: { failure_store: { enabled: true } } },
  ]);
  const old = { ...usual, failureStore: false, retention: { ...defaultRetention, health: "forever" } };
  assert.deepEqual(renewals(name, old), [
    rollover,
    { method: "PUT", path: `/_data_stream/${path}/_lifecycle`, body: {} },
  ]);
});
