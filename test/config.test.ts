import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { type Config, configKeys, defaultConfig, loadConfig, loadInstalledConfig } from "../agent/config.ts";
import { KinwatchError } from "../agent/errors.ts";

function written(t: TestContext, content: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "kinwatch.toml");
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

function refusal(file: string): KinwatchError {
  try {
    loadConfig(file);
  } catch (error) {
    assert.ok(error instanceof KinwatchError, String(error));
    return error;
  }
  assert.fail("it was accepted");
}

test("defaultConfig: works without a file", () => {
  assert.deepEqual(defaultConfig, {
    source: { type: "auto", audit_log: "/var/log/audit/audit.log", tracefs: true },
    state: { directory: "/var/lib/kinwatch" },
    learn: { from: "history" },
    rules: { disabled: ["0594c2cd-d829-4510-afb3-5657014b9653"], directories: ["/etc/kinwatch/rules.d"] },
    exceptions: { directory: "/etc/kinwatch/exceptions.d" },
    lineage: { processes_max: 32_768 },
    output: {
      journald: { enabled: true },
      stdout: { enabled: false, format: "pretty" },
      elasticsearch: {
        enabled: false,
        urls: ["https://localhost:9200"],
        allow_plain_http: false,
        namespace: "default",
        api_key_file: "/etc/kinwatch/api_key",
        ca_file: "",
        ca_trusted_fingerprint: "",
        client_certificate_file: "",
        client_key_file: "",
        timeout: 60_000,
        outbox_bytes_max: 1_073_741_824,
        prevalence: { enabled: false, api_key_file: "/etc/kinwatch/prevalence_api_key", days: 30 },
      },
    },
  } satisfies Config);
  assert.deepEqual(loadConfig(undefined), defaultConfig);
});

test("loadConfig(): what a caller changes does not change the defaults", () => {
  loadConfig(undefined).output.stdout.enabled = true;
  assert.equal(loadConfig(undefined).output.stdout.enabled, false);
});

const accepted: { why: string; toml: string; want: (config: Config) => unknown; is: unknown }[] = [
  { why: "an empty file is the defaults", toml: "", want: (config) => config, is: defaultConfig },
  {
    why: "comments alone are the defaults",
    toml: "# a\n[output]\n",
    want: (config) => config,
    is: defaultConfig,
  },
  {
    why: "one key leaves the others",
    toml: 'source.type = "procfs"',
    want: ({ source }) => source,
    is: { type: "procfs", audit_log: "/var/log/audit/audit.log", tracefs: true },
  },
  {
    why: "a duration is milliseconds",
    toml: '[learn]\nfrom = "7d"',
    want: ({ learn }) => learn.from,
    is: { durationMs: 604_800_000 },
  },
  {
    why: "nothing is taken for granted",
    toml: '[learn]\nfrom = "none"',
    want: ({ learn }) => learn.from,
    is: "none",
  },
  {
    why: "inline tables",
    toml: 'output = { stdout = { enabled = true, format = "ndjson" } }',
    want: ({ output }) => output.stdout,
    is: { enabled: true, format: "ndjson" },
  },
  {
    why: "the least number of processes",
    toml: "lineage.processes_max = 64",
    want: ({ lineage }) => lineage.processes_max,
    is: 64,
  },
  {
    why: "plain http to this host itself",
    toml: 'output.elasticsearch.urls = ["http://localhost:9200", "http://127.0.0.9:9200", "http://[::1]:9200/es"]',
    want: ({ output }) => output.elasticsearch.urls.length,
    is: 3,
  },
  {
    why: "plain http to others, where that was asked for",
    toml: 'output.elasticsearch = { urls = ["http://es:9200"], allow_plain_http = true, timeout = "2m" }',
    want: ({ output }) => [output.elasticsearch.urls, output.elasticsearch.timeout],
    is: [["http://es:9200"], 120_000],
  },
  {
    why: "an absolute path stays",
    toml: 'source.audit_log = "/a/../b"',
    want: ({ source }) => source.audit_log,
    is: "/b",
  },
];
for (const { why, toml, want, is } of accepted) {
  test(`loadConfig(): ${why}`, (t) => assert.deepEqual(want(loadConfig(written(t, toml))), is));
}

test("loadConfig(): a relative path starts at the folder of the file", (t) => {
  const file = written(
    t,
    'state.directory = "state"\nsource.audit_log = "audit.log"\nrules.directories = ["rules", "/r"]',
  );
  const { state, source, rules } = loadConfig(file);
  assert.deepEqual([state.directory, source.audit_log], [join(file, "../state"), join(file, "../audit.log")]);
  assert.deepEqual(rules.directories, [join(file, "../rules"), "/r"]);
});

const refused: { why: string; toml: string | Buffer; at: string; want: RegExp }[] = [
  {
    why: "an unknown key, with the nearest known one",
    toml: '[source]\ntyp = "auto"',
    at: "2:1",
    want: /source\.typ: no such key; did you mean source\.type\?/,
  },
  {
    why: "a key in the wrong table",
    toml: '\naudit_log = "/a"',
    at: "2:1",
    want: /audit_log: .*did you mean source\.audit_log\?/,
  },
  {
    why: "an unknown table, once for all of its keys",
    toml: "[ouput]\na = 1\nb = 2",
    at: "1:2",
    want: /ouput: .*did you mean output\?/,
  },
  {
    why: "a key that is near to nothing",
    toml: "zzz = 1",
    at: "1:1",
    want: /zzz: no such key; the keys are listed in docs\/configuration\.md/,
  },
  {
    why: "plain http to another host, which would tell it the key",
    toml: '[output.elasticsearch]\nurls = ["https://a:9200", "http://127.0.0.1.example.org:9200"]',
    at: "2:27",
    want: /output\.elasticsearch\.urls\.1: expected .* with allow_plain_http, came "http:\/\/127\.0\.0\.1\.example\.org:9200"/,
  },
  {
    why: "a password in an address, without telling it",
    toml: '[output.elasticsearch]\nurls = ["https://elastic:secret@es.example.org:9200"]',
    at: "2:9",
    want: /urls\.0: expected .* without a user in them; .*came "https:\/\/…@es\.example\.org:9200"/,
  },
  {
    why: "an address that is none",
    toml: 'output.elasticsearch.urls = ["localhost:9200"]',
    at: "1:30",
    want: /urls\.0: expected a list of 1 to 16 addresses/,
  },
  {
    why: "a client certificate without its key",
    toml: '[output.elasticsearch]\nclient_certificate_file = "a.crt"',
    at: "1:9",
    want: /client_key_file: missing; expected .* with client_certificate_file or not at all/,
  },
  {
    why: "a name that no data stream may have",
    toml: 'output.elasticsearch.namespace = "eu-west"',
    at: "1:22",
    want: /namespace: expected 1 to 100 characters/,
  },
  {
    why: "half a fingerprint",
    toml: 'output.elasticsearch.ca_trusted_fingerprint = "AB:CD"',
    at: "1:22",
    want: /ca_trusted_fingerprint: expected the SHA-256 of a certificate/,
  },
  {
    why: "a source that there is not",
    toml: '[source]\ntype = "fanotify"',
    at: "2:1",
    want: /source\.type: expected "auto", "audit-log", "tracefs" or "procfs", came "fanotify"; its default is "auto"/,
  },
  {
    why: "text for a truth",
    toml: '[output.journald]\n\nenabled = "yes"',
    at: "3:1",
    want: /output\.journald\.enabled: expected true or false, came "yes"; its default is true/,
  },
  {
    why: "a number of the wrong size",
    toml: "[lineage]\nprocesses_max = 63",
    at: "2:1",
    want: /expected a whole number from 64 to 4194304, came 63; its default is 32768/,
  },
  {
    why: "a fraction",
    toml: "[lineage]\nprocesses_max = 64.5",
    at: "2:1",
    want: /expected a whole number .*came 64\.5/,
  },
  { why: "no number", toml: "[lineage]\nprocesses_max = nan", at: "2:1", want: /came NaN/ },
  {
    why: "a duration without its unit",
    toml: '[learn]\nfrom = "7"',
    at: "2:1",
    want: /learn\.from: expected "history", "none" or a duration .*such as "7d".*came "7"/,
  },
  {
    why: "a number as a duration",
    toml: "[learn]\nfrom = 7",
    at: "2:1",
    want: /learn\.from: expected .* came 7/,
  },
  { why: "a duration beyond its bound", toml: '[learn]\nfrom = "3651d"', at: "2:1", want: /came "3651d"/ },
  { why: "a duration below its bound", toml: '[learn]\nfrom = "999ms"', at: "2:1", want: /came "999ms"/ },
  {
    why: "an empty path",
    toml: '[state]\ndirectory = ""',
    at: "2:1",
    want: /state\.directory: expected a path .*came ""/,
  },
  { why: "a path with a NUL", toml: '[state]\ndirectory = "a\\u0000b"', at: "2:1", want: /came "a\\x00b"/ },
  {
    why: "a path that no system call takes",
    toml: `[state]\ndirectory = "${"x".repeat(4096)}"`,
    at: "2:1",
    want: /came "x{80}… \(4016 more characters\)"/,
  },
  {
    why: "one folder without its list",
    toml: '[rules]\ndirectories = "/r"',
    at: "2:1",
    want: /rules\.directories: expected a list of at most 16 paths .*came "\/r"; its default is \["\/etc/,
  },
  {
    why: "an empty path among the folders",
    toml: '[rules]\ndirectories = ["/r", ""]',
    at: "2:22",
    want: /rules\.directories\.1: expected a list of at most 16 paths .*came ""/,
  },
  {
    why: "a value for a table",
    toml: 'source = "auto"',
    at: "1:1",
    want: /source: expected the table \[source\], came "auto"/,
  },
  {
    why: "a table for a value",
    toml: "[source.type]\na = 1",
    at: "1:9",
    want: /source\.type: expected .*came a table/,
  },
  {
    why: "an array for a value",
    toml: 'source.type = ["auto"]',
    at: "1:8",
    want: /source\.type: .*came an array/,
  },
  {
    why: "a date for a value",
    toml: "source.type = 1979-05-27",
    at: "1:8",
    want: /source\.type: .*came the date 1979-05-27/,
  },
  {
    why: "control characters in a value",
    toml: 'source.type = "\\u001b[2J"',
    at: "1:8",
    want: /came "\\x1b\[2J"/,
  },
  {
    why: "control characters in a key",
    toml: '"\\u009b\\n" = 1',
    at: "1:1",
    want: /"\\x9b\\n": no such key/,
  },
  {
    why: "a key with a dot in its name",
    toml: '"source.type" = "auto"',
    at: "1:1",
    want: /"source\.type": no such key/,
  },
  { why: "what is not TOML", toml: "[source]\ntype = auto", at: "2:8", want: /not TOML: invalid value/ },
  {
    why: "a key given twice",
    toml: '[source]\ntype = "auto"\ntype = "auto"',
    at: "3:1",
    want: /not TOML: trying to redefine/,
  },
  { why: "a key that is JavaScript's", toml: "\n__proto__ = 1", at: "2:1", want: /not TOML: .*unsafe/ },
  { why: "arrays without end", toml: `a = ${"[".repeat(100_000)}`, at: "1:21", want: /not TOML: .*nested/ },
  {
    why: "bytes that are no text",
    toml: Buffer.concat([Buffer.from("a = 1\n# \ufffd\nb = "), Buffer.from([0xff])]),
    at: "3:1",
    want: /not UTF-8/,
  },
];
for (const { why, toml, at, want } of refused) {
  test(`loadConfig(): refuses ${why}`, (t) => {
    const file = written(t, toml);
    const error = refusal(file);
    assert.equal(error.code, "KW_CONFIG_INVALID");
    assert.match(error.message, want);
    assert.ok(error.message.includes(`\n${file}:${at}: `), error.message);
    assert.match(error.message, /: 1 mistake\. /);
    assert.doesNotMatch(error.message.replaceAll("\n", ""), /\p{Cc}/u);
  });
}

test("loadConfig(): tells all mistakes of a file, each on its line, in the order of the file", (t) => {
  const file = written(
    t,
    'learn.form = "none"\nlearn.from = 1\n[output.stdout]\nformat = 1\nfromat = 1\n[sources]\n',
  );
  const lines = refusal(file).message.split("\n");
  assert.match(lines[0] ?? "", /5 mistakes/);
  const where = lines.slice(1).map((line) => line.slice(file.length).split(": ", 2).join(":"));
  assert.deepEqual(where, [
    ":1:7:learn.form",
    ":2:7:learn.from",
    ":4:1:output.stdout.format",
    ":5:1:output.stdout.fromat",
    ":6:2:sources",
  ]);
});

test("loadConfig(): a file full of mistakes gives a message that can be read", (t) => {
  const keys = Array.from({ length: 50_000 }, (_, index) => `key_${index} = 1`);
  const { message } = refusal(written(t, keys.join("\n")));
  assert.match(message, /: 50000 mistakes\..*\n.*:1:1: key_0: /);
  assert.match(message, /\nand 49900 more\.$/);
  assert.equal(message.split("\n").length, 102);
});

test("loadConfig(): the value of an unknown key is not told: it may be a secret in the wrong place", (t) => {
  assert.doesNotMatch(refusal(written(t, 'api_key = "tops3cret"')).message, /tops3cret/);
});

test("loadConfig(): any text is a configuration or a KinwatchError with a position", (t) => {
  const file = written(t, "");
  const name = fc.constantFrom(
    "source",
    "type",
    "learn",
    "from",
    "output",
    "stdout",
    "enabled",
    "x",
    '"a b"',
  );
  const value = fc.constantFrom("1", '"auto"', '"7d"', "true", "{ type = 1 }", "[1]", "x");
  const line = fc.oneof(
    fc.tuple(name, value).map(([key, content]) => `${key} = ${content}`),
    fc.tuple(name, name).map(([table, inner]) => `[${table}.${inner}]`),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      writeFileSync(file, lines.join("\n"));
      try {
        loadConfig(file);
      } catch (error) {
        assert.ok(error instanceof KinwatchError, String(error));
        assert.match(error.message, /kinwatch\.toml:\d+:\d+: /);
      }
    }),
    { numRuns: 500 },
  );
});

test("loadConfig(): refuses a file that others can write, before reading what it says", (t) => {
  const file = written(t, "zzz = 1");
  chmodSync(file, 0o666);
  assert.equal(refusal(file).code, "KW_CONFIG_INSECURE");
});

test("loadConfig(): refuses a file over 1 MiB", (t) => {
  assert.equal(refusal(written(t, "#".repeat(1_048_577))).code, "KW_CONFIG_UNREADABLE");
});

test("loadConfig(): a file that is named must exist", () => {
  assert.equal(refusal("/nonexistent/kinwatch.toml").code, "KW_CONFIG_UNREADABLE");
});

test("loadInstalledConfig(): takes the defaults only where there is no file, and no link to none", (t) => {
  const file = written(t, 'source.type = "procfs"');
  assert.equal(loadInstalledConfig(file).source.type, "procfs");
  assert.deepEqual(loadInstalledConfig(`${file}.none`), defaultConfig);
  symlinkSync("nowhere", `${file}.link`);
  assert.throws(() => loadInstalledConfig(`${file}.link`), { code: "KW_CONFIG_UNREADABLE" });
});

test("configKeys: every default is one that its own key accepts", (t) => {
  for (const key of configKeys) {
    const toml = `${key.path.join(".")} = ${JSON.stringify(key.default)}`;
    assert.deepEqual(loadConfig(written(t, toml)), defaultConfig, toml);
  }
});
