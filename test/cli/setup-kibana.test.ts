import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { detectionRules } from "../../agent/fleet/detection-rules.ts";
import { kibanaObjects } from "../../agent/fleet/kibana-objects.ts";
import { ndjson } from "../../agent/fleet/saved-object.ts";
import { FakeKibana } from "../helpers/fake-kibana.ts";
import { type Ended, kinwatch, type RunOptions } from "../helpers/kinwatch.ts";
import { findProgram } from "../helpers/real-parts.ts";
import { type Answer, serve } from "../helpers/server.ts";

const folder = mkdtempSync(join(tmpdir(), "kinwatch-kibana-"));
after(() => rmSync(folder, { recursive: true }));

const secret = "tOpS3cretTopS3cret";
const keyFile = join(folder, "admin.key");
writeFileSync(keyFile, `admin-id:${secret}\n`, { mode: 0o600 });
const encoded = btoa(`admin-id:${secret}`);

const objects = kibanaObjects();
const objectIds = objects.map(({ type, id }) => `${type}/${id}`);
const ruleIds = detectionRules.map(({ rule_id }) => rule_id);

const setup = (args: readonly string[], options?: RunOptions) =>
  kinwatch(["setup", "kibana", ...args], options);
const to = (port: number, base = "") => [
  "--url",
  `http://127.0.0.1:${port}${base}`,
  "--admin-key-file",
  keyFile,
];

function assertNoSecret({ stdout, stderr }: Ended): void {
  assert.doesNotMatch(stdout + stderr, new RegExp(`${secret}|${encoded}`));
}

test("setup kibana: imports all, says so object by object, and twice is as once", async () => {
  const kibana = new FakeKibana();
  kibana.authorization = `ApiKey ${encoded}`;
  await using server = await serve(kibana.answer);
  for (const run of ["first", "second"]) {
    const ended = await setup(to(server.port));
    assert.equal(ended.status, 0, `${run}: ${ended.stderr}`);
    assert.match(ended.stderr, /Kibana 8\.9\.0 answers/);
    const lines = ended.stdout.trimEnd().split("\n");
    assert.equal(lines.length, objects.length + detectionRules.length);
    assert.ok(lines.every((line) => line.startsWith("imported ")));
    assert.ok(lines.includes("imported dashboard kinwatch: fleet"));
    assert.ok(lines.includes("imported rule kinwatch alert"));
    assert.deepEqual(
      [...kibana.objects.keys()],
      objectIds.map((id) => `/${id}`),
    );
    assert.deepEqual(
      [...kibana.rules.keys()],
      ruleIds.map((id) => `/${id}`),
    );
    assertNoSecret(ended);
  }
  assert.deepEqual([...kibana.objects.values()], JSON.parse(JSON.stringify(objects)));
});

test("setup kibana: a rule that is there keeps what people gave it, and gets the rest anew", async () => {
  const kibana = new FakeKibana();
  await using server = await serve(kibana.answer);
  await setup(to(server.port));
  const [first = "", second = ""] = [...kibana.rules.keys()];
  assert.equal(kibana.rules.get(first)?.["enabled"], false);
  const theirs = {
    enabled: true,
    actions: [{ id: "mail", group: "default", action_type_id: ".email", params: {} }],
    exceptions_list: [{ id: "x", list_id: "y", type: "detection", namespace_type: "single" }],
  };
  Object.assign(kibana.rules.get(first) ?? {}, theirs, { query: "changed:by-hand" });
  assert.equal((await setup([...to(server.port), "--enable-rules"])).status, 0);
  assert.deepEqual(kibana.rules.get(first), { ...JSON.parse(JSON.stringify(detectionRules[0])), ...theirs });
  assert.equal(kibana.rules.get(second)?.["enabled"], false, "it was there, and somebody left it off");
});

test("setup kibana --enable-rules: switches on what is new", async () => {
  const kibana = new FakeKibana();
  await using server = await serve(kibana.answer);
  await setup([...to(server.port), "--enable-rules"]);
  assert.deepEqual(
    [...kibana.rules.values()].map(({ enabled }) => enabled),
    [true, true, true, true],
  );
});

test("setup kibana --space --no-rules: imports into that space, without rules, also below a base path", async () => {
  const kibana = new FakeKibana();
  await using server = await serve((asked) => {
    assert.ok(asked.path.startsWith("/kibana/s/soc-1/"), asked.path);
    return kibana.answer({ ...asked, path: asked.path.slice("/kibana".length) });
  });
  const ended = await setup([...to(server.port, "/kibana/"), "--space", "soc-1", "--no-rules"]);
  assert.equal(ended.status, 0, ended.stderr);
  assert.deepEqual(
    [...kibana.objects.keys()],
    objectIds.map((id) => `soc-1/${id}`),
  );
  assert.equal(kibana.rules.size, 0);
  assert.ok(!server.asked.some(({ path }) => path.includes("detection_engine")));
});

test("setup kibana --print: writes the very files that are sent, and asks nobody", async () => {
  const target = join(folder, "a/b");
  const ended = await setup(["--print", target]);
  assert.equal(ended.status, 0, ended.stderr);
  assert.equal(readFileSync(join(target, "kinwatch-objects.ndjson"), "utf8"), ndjson(objects));
  assert.equal(readFileSync(join(target, "kinwatch-rules.ndjson"), "utf8"), ndjson(detectionRules));
  const all = JSON.parse((await setup(["--print", "-"])).stdout);
  assert.deepEqual(all, {
    "POST /api/saved_objects/_import?overwrite=true": JSON.parse(JSON.stringify(objects)),
    "POST /api/detection_engine/rules/_import?overwrite=true": JSON.parse(JSON.stringify(detectionRules)),
  });
  assert.deepEqual(Object.keys(JSON.parse((await setup(["--print", "-", "--no-rules"])).stdout)).length, 1);
  const enabled = JSON.parse((await setup(["--print", "-", "--enable-rules"])).stdout);
  const rulesPrinted: { enabled: boolean }[] =
    enabled["POST /api/detection_engine/rules/_import?overwrite=true"];
  assert.ok(rulesPrinted.length === 4 && rulesPrinted.every((rule) => rule.enabled));
  assert.match((await setup(["--print", join(keyFile, "x")])).stderr, /ENOTDIR.*\(KW_SETUP_UNWRITABLE\)/);
});

const html = "<!DOCTYPE html><title>\u001b[2JSign in</title>";
const imports = "/api/saved_objects/_import";
const rules = "/api/detection_engine/rules/_import";
const [oneObject, anotherObject] = objects.slice(-2);
const success = { success: true, successCount: 0, successResults: [] };

const answers: readonly { why: string; at: string; answer: Answer; want: RegExp; stdout?: RegExp }[] = [
  {
    why: "401",
    at: "/api/status",
    answer: { status: 401, body: { message: "no" } },
    want: /HTTP 401: no\. .*KIBANA_UNAUTHORIZED/,
  },
  {
    why: "403",
    at: imports,
    answer: { status: 403, body: { message: "Unable to bulk_create dashboard" } },
    want: /Unable to bulk_create dashboard\. .*KIBANA_UNAUTHORIZED/,
  },
  {
    why: "403 for rules alone",
    at: "/api/detection_engine/rules",
    answer: { status: 403, body: {} },
    want: /KIBANA_UNAUTHORIZED/,
    stdout: /^imported dashboard kinwatch: fleet$/m,
  },
  {
    why: "413 of a proxy",
    at: imports,
    answer: { status: 413, body: html },
    want: /HTTP 413.*KIBANA_TOO_LARGE/,
  },
  {
    why: "a login page",
    at: "/api/status",
    answer: { status: 200, body: html },
    want: /no answer of Kibana: <!DOCTYPE html><title>\\x1b\[2JSign in.*SETUP_NOT_KIBANA/,
  },
  {
    why: "a page instead of an answer to the import",
    at: imports,
    answer: { status: 200, body: html },
    want: /SETUP_NOT_KIBANA/,
  },
  {
    why: "a page that is not there",
    at: "/api/status",
    answer: { status: 404, body: html },
    want: /HTTP 404.*SETUP_NOT_KIBANA/,
  },
  {
    why: "Elasticsearch",
    at: "/api/status",
    answer: { status: 400, body: { error: "no handler found for uri [/api/status] and method [GET]" } },
    want: /no handler found.*SETUP_NOT_KIBANA/,
  },
  {
    why: "another program's JSON",
    at: "/api/status",
    answer: { status: 200, body: { ok: 1 } },
    want: /SETUP_NOT_KIBANA/,
  },
  { why: "a list", at: imports, answer: { status: 200, body: "[]" }, want: /SETUP_NOT_KIBANA/ },
  {
    why: "nothing at all",
    at: imports,
    answer: { status: 200, body: "" },
    want: /no reason given.*SETUP_NOT_KIBANA/,
  },
  {
    why: "another JSON to the import",
    at: imports,
    answer: { status: 200, body: { took: 1 } },
    want: /"took":1.*SETUP_NOT_KIBANA/,
  },
  {
    why: "a Kibana that starts",
    at: "/api/status",
    answer: { status: 503, body: "Kibana server is not ready yet" },
    want: /not ready yet\. Try again.*KIBANA_REFUSED/,
  },
  {
    why: "too many requests",
    at: rules,
    answer: { status: 429, body: {} },
    want: /HTTP 429.*KIBANA_REFUSED/,
    stdout: /^imported dashboard/m,
  },
  {
    why: "a refused file",
    at: imports,
    answer: { status: 400, body: { message: "Unexpected token\n in JSON" } },
    want: /Unexpected token\\n in JSON.*KIBANA_REFUSED/,
  },
  {
    why: "no security solution",
    at: rules,
    answer: { status: 404, body: { message: "Not Found" } },
    want: /--no-rules.*KIBANA_REFUSED/,
    stdout: /^imported dashboard/m,
  },
  {
    why: "objects that it does not take",
    at: imports,
    answer: {
      status: 200,
      body: {
        ...success,
        success: false,
        successResults: objects.slice(0, -2).map(({ type, id }) => ({ type, id })),
        errors: [
          { ...oneObject, error: { type: "unknown", message: "bad\u001b[31m things", statusCode: 400 } },
          {
            ...anotherObject,
            error: { type: "missing_references", references: [{ type: "search", id: "gone" }] },
          },
        ],
      },
    },
    want: /Kibana did not take 2 of 13, .*KIBANA_PARTLY/,
    stdout: /^refused search .*: bad\\x1b\[31m things\nrefused dashboard .* not there: search gone$/m,
  },
  {
    why: "success of nothing",
    at: imports,
    answer: { status: 200, body: success },
    want: /did not take 9 of 13/,
    stdout: /^refused tag kinwatch .*: the answer does not name it$/m,
  },
  {
    why: "rules that it does not take",
    at: rules,
    answer: {
      status: 200,
      body: {
        success: false,
        success_count: 3,
        errors: [{ rule_id: ruleIds[1], error: { message: "no connector" } }],
      },
    },
    want: /did not take 1 of 13/,
    stdout: /^refused rule Package installed by a parent new to the fleet \(\S+\): no connector$/m,
  },
  {
    why: "a failure of no rule in particular",
    at: rules,
    answer: {
      status: 200,
      body: {
        success: false,
        success_count: 0,
        errors: [{ rule_id: "(unknown id)", error: { message: "invalid keys" } }],
      },
    },
    want: /did not take 4 of 13/,
    stdout: /^refused rule kinwatch alert \(\S+\): invalid keys$/m,
  },
  {
    why: "fewer rules than were sent",
    at: rules,
    answer: { status: 200, body: { success: true, success_count: 3 } },
    want: /did not take 4 of 13/,
    stdout: /of 4 rules 3 came in/,
  },
];
for (const { why, at, answer, want, stdout } of answers) {
  test(`setup kibana: ${why} at ${at} is told with its code`, async () => {
    const kibana = new FakeKibana();
    kibana.instead = (path) => (path === at ? answer : undefined);
    await using server = await serve(kibana.answer);
    const ended = await setup(to(server.port));
    assert.equal(ended.status, 2, ended.stdout + ended.stderr);
    assert.match(ended.stderr, want);
    if (stdout !== undefined) assert.match(ended.stdout, stdout);
    assertNoSecret(ended);
  });
}

test("setup kibana: a Kibana before 8.9 is sent nothing; one that hides its version, or is a later one, is", async () => {
  const kibana = new FakeKibana();
  await using server = await serve(kibana.answer);
  for (const version of ["8.8.2", "7.17.0", "no version"]) {
    kibana.version = version;
    const { status, stderr } = await setup(to(server.port));
    assert.equal(status, 2);
    assert.match(stderr, /KW_SETUP_KIBANA_OLD/);
  }
  assert.ok(server.asked.every(({ method }) => method === "GET"));
  for (const version of ["8.19.3", "9.2.0-SNAPSHOT", "10.0.0"]) {
    kibana.version = version;
    assert.equal((await setup([...to(server.port), "--no-rules"])).status, 0, version);
  }
  const body = { status: { overall: { level: "available" } } };
  kibana.instead = (path) => (path === "/api/status" ? { status: 200, body } : undefined);
  assert.equal((await setup([...to(server.port), "--no-rules"])).status, 0);
});

test("setup kibana: an answer that shows the credentials back is shown without them", async () => {
  await using server = await serve(({ headers }) => ({
    status: 500,
    body: { message: `${headers.authorization} of admin-id:${secret}, and ${secret}` },
  }));
  const ended = await setup(to(server.port));
  assert.match(ended.stderr, /ApiKey \[removed\] of \[removed\], and \[removed\]\. .*KIBANA_REFUSED/);
  assertNoSecret(ended);
});

test("setup kibana: nor with a password that JSON writes otherwise", async () => {
  const userFile = join(folder, "admin.user");
  const password = 'pass"word\\with-é';
  writeFileSync(userFile, `elastic:${password}\n`, { mode: 0o600 });
  await using server = await serve(() => ({
    status: 500,
    body: { seen: `elastic:${password}`, also: [password] },
  }));
  const url = `http://127.0.0.1:${server.port}`;
  const { stderr } = await setup(["--url", url, "--admin-user-file", userFile]);
  assert.match(stderr, /\[removed\]/);
  assert.doesNotMatch(stderr, /word|with/);
});

test("setup kibana: an object whose id another space has is told by its new one", async () => {
  const kibana = new FakeKibana();
  const successResults = objects.map(({ type, id }) => ({
    type,
    id,
    ...(type === "dashboard" ? { destinationId: "d-2" } : {}),
  }));
  kibana.instead = (path) =>
    path === imports ? { status: 200, body: { ...success, successResults } } : undefined;
  await using server = await serve(kibana.answer);
  assert.match((await setup(to(server.port))).stdout, /^imported dashboard kinwatch: fleet, as d-2$/m);
});

const nobody = ["--url", "https://127.0.0.1:9"];
const refusals: readonly { why: string; args: readonly string[]; want: RegExp }[] = [
  { why: "no address", args: [], want: /Give --url, or --print.*KW_ARGUMENT_INVALID/ },
  {
    why: "no address of a server",
    args: ["--url", "kibana"],
    want: /No address of Kibana: kibana.*KW_ARGUMENT_INVALID/,
  },
  {
    why: "plain HTTP over the network",
    args: ["--url", "http://kibana.example:5601"],
    want: /KW_SETUP_PLAIN_HTTP/,
  },
  {
    why: "plain HTTP to a name that looks like this host",
    args: ["--url", "http://127.0.0.1.example"],
    want: /KW_SETUP_PLAIN_HTTP/,
  },
  {
    why: "a password in an address",
    args: ["--url", `https://elastic:${secret}@kibana.example`],
    want: /names a user.*KW_ARGUMENT_INVALID/,
  },
  {
    why: "a space that is none",
    args: [...nobody, "--space", "../x"],
    want: /No id of a space.*KW_ARGUMENT_INVALID/,
  },
  { why: "nobody there", args: nobody, want: /ECONNREFUSED.*KW_SETUP_KIBANA_UNREACHABLE/ },
  {
    why: "no key file",
    args: [...nobody, "--admin-key-file", join(folder, "none")],
    want: /ENOENT.*CREDENTIAL_UNUSABLE/,
  },
];
for (const { why, args, want } of refusals) {
  test(`setup kibana: ${why} is refused, and no secret is shown`, async () => {
    const ended = await setup(args);
    assert.deepEqual([ended.status, ended.stdout], [2, ""], ended.stderr);
    assert.match(ended.stderr, want);
    assertNoSecret(ended);
  });
}

test("setup kibana: believes a certificate of the CA that it is told of, and no other", {
  skip: findProgram("openssl") ? false : "lacks openssl",
}, async () => {
  const [key, cert] = [join(folder, "tls.key"), join(folder, "tls.pem")];
  const ask = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=kw".split(" ");
  const rest = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert];
  execFileSync(findProgram("openssl") ?? "", [...ask, ...rest], { stdio: "ignore" });
  const tls = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  await using server = await serve(new FakeKibana().answer, tls);
  const args = ["--url", `https://127.0.0.1:${server.port}`, "--admin-key-file", keyFile];
  assert.match((await setup(args)).stderr, /DEPTH_ZERO_SELF_SIGNED_CERT.*KW_SETUP_KIBANA_UNREACHABLE/);
  assert.equal(server.asked.length, 0);
  assert.equal((await setup([...args, "--ca-file", cert])).status, 0);
});
