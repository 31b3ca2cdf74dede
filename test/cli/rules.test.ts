import assert from "node:assert/strict";
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { builtInRules } from "../../agent/cli/rule-folders.ts";
import { textWidth } from "../../agent/outputs/text-width.ts";
import { ruleTemplate } from "../../agent/rules/rule-template.ts";
import { kinwatch } from "../helpers/kinwatch.ts";
import { goodRule, read } from "../helpers/rules.ts";

/** A folder of rules, and a configuration that names it. */
function hostWith(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): { folder: string; config: string } {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-rules-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), content, { mode: 0o644 });
  const config = join(folder, "config");
  writeFileSync(config, 'rules.directories = ["."]', { mode: 0o600 });
  return { folder, config };
}

const bad = goodRule.replace("process.args:", "process.argz:").replace('severity = "low"', 'severity = "lo"');

test("rules check: a line for each file that is ok, and for each mistake of the others", async (t) => {
  const { folder } = hostWith(t, { "a.toml": goodRule, "b.toml": bad, "c.toml": "x = " });
  const { stdout, stderr, status } = await kinwatch(["rules", "check", folder, `${folder}/none`]);
  const lines = stdout.trimEnd().split("\n");
  const wants = [
    /^DIR\/a\.toml: ok: Tool run by an unusual parent$/,
    /^DIR\/b\.toml:25:1: KW_RULE_VALUE_INVALID: rule\.severity: expected "low", .*, came "lo"$/,
    /^DIR\/b\.toml:30:22: KW_RULE_FIELD_UNUSABLE: rule\.query: No event has a field "process\.argz"\. Did you/,
    /^DIR\/c\.toml:1:5: KW_RULE_NOT_TOML: not TOML: /,
    /^DIR\/none: KW_RULE_UNREADABLE: Cannot read DIR\/none: ENOENT\. Name one that exists\.$/,
  ];
  assert.equal(lines.length, wants.length, stdout);
  for (const [index, want] of wants.entries())
    assert.match(lines[index]?.replaceAll(folder, "DIR") ?? "", want);
  assert.equal(stderr, "kinwatch: 1 ok, 3 refused\n");
  assert.equal(status, 1);
});

test("rules check --format ndjson: the same as documents", async (t) => {
  const suppressed = goodRule.replace(
    "[[rule.threat]]",
    '[rule.alert_suppression]\ngroup_by = ["host.id"]\n[[rule.threat]]',
  );
  const { folder } = hostWith(t, { "a.toml": suppressed, "b.toml": bad });
  const { stdout, status } = await kinwatch(["rules", "check", "--format", "ndjson", folder]);
  const documents = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    documents.map(({ file, status, line, code }) => [String(file).slice(folder.length), status, line, code]),
    [
      ["/a.toml", "warning", 33, "KW_RULE_IGNORED"],
      ["/a.toml", "ok", undefined, undefined],
      ["/b.toml", "refused", 25, "KW_RULE_VALUE_INVALID"],
      ["/b.toml", "refused", 30, "KW_RULE_FIELD_UNUSABLE"],
    ],
  );
  assert.equal(documents[1]?.["rule_id"], "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11");
  assert.equal(status, 1);
});

test("rules check: without a path it checks what the daemon would load", async (t) => {
  const { config, folder } = hostWith(t, { "a.toml": goodRule });
  const good = await kinwatch(["rules", "check", "--config", config]);
  assert.deepEqual([good.status, good.stderr], [0, "kinwatch: 1 ok, 0 refused\n"]);
  chmodSync(join(folder, "a.toml"), 0o666);
  const insecure = await kinwatch(["rules", "check", "--config", config]);
  assert.match(insecure.stdout, /a\.toml: KW_RULE_INSECURE: Refusing .* others may write .*chmod go-w/);
  assert.equal(insecure.status, 1);
});

test("rules check: the built-in rules pass in their own folder, and a copy of one is a duplicate", async (t) => {
  const [first] = builtInRules();
  assert.ok(first !== undefined);
  const { folder } = hostWith(t, { "copy.toml": first.bytes.toString() });
  const own = await kinwatch(["rules", "check", join(first.path, "..")]);
  assert.deepEqual([own.status, own.stderr], [0, `kinwatch: ${builtInRules().length} ok, 0 refused\n`]);
  const copy = await kinwatch(["rules", "check", folder]);
  assert.match(
    copy.stdout,
    /copy\.toml:\d+:1: KW_RULE_DUPLICATE: .*dpkg-installed-by-unusual-parent\.toml already/,
  );
  assert.equal(copy.status, 1);
});

test("rules check: a name that controls the terminal is shown", async (t) => {
  const name = goodRule.replace('"Tool run by an unusual parent"', '"a\\u001b[2Jb"');
  const { folder } = hostWith(t, { "\u001b[31m.toml": name });
  const { stdout } = await kinwatch(["rules", "check", folder]);
  assert.match(stdout, /\/\\x1b\[31m\.toml: ok: a\\x1b\[2Jb\n$/);
});

test("rules list: all that are asked, with an id that rules show takes", async (t) => {
  const { config } = hostWith(t, { "a.toml": goodRule, "b.toml": "x" });
  const { stdout, stderr } = await kinwatch(["rules", "list", "--config", config, "--format", "pretty"]);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, builtInRules().length + 2);
  for (const line of lines) assert.ok(textWidth(line) <= 80, line);
  assert.match(
    lines[0] ?? "",
    /^package- {2}medium {4}never {2}built-in {2}Package installed by a new parent$/,
  );
  assert.match(lines.at(-1) ?? "", /^0d3f2f8e {2}low {7}5d {5}a\.toml {4}Tool run by an unusual parent$/);
  assert.match(stderr, /rule files refused: 1; .*rules check says why/);
  for (const line of [lines[0], lines[1], lines.at(-1)]) {
    const { stdout: page } = await kinwatch(["rules", "show", "--config", config, line?.split(" ")[0] ?? ""]);
    assert.equal(page.split("\n")[0], line?.split(/ {2,}/).at(-1));
  }
  const documents = (await kinwatch(["rules", "--config", config])).stdout.trimEnd().split("\n");
  const last = JSON.parse(documents.at(-1) ?? "") as Record<string, unknown>;
  assert.deepEqual(
    [documents.length, last["history"], last["new_terms_fields"], last["disabled"]],
    [lines.length, "5d", ["process.parent.name"], false],
  );
  assert.match(stdout, /^0594c2cd {2}off {7}5d .*rpm asked to install by an unusual parent$/m);
});

test("rules list: says which ids are disabled in vain", async (t) => {
  const { config } = hostWith(t, {});
  appendFileSync(config, '\nrules.disabled = ["package-installed-by-new-parent", "0594c2cd"]\n');
  const { stdout, stderr } = await kinwatch(["rules", "list", "--config", config, "--format", "pretty"]);
  assert.doesNotMatch(stdout, / off /);
  assert.match(stderr, /rules\.disabled: package-installed-by-new-parent cannot be turned off\n/);
  assert.match(stderr, /rules\.disabled: 0594c2cd is no rule's: that takes the whole id\n/);
});

test("rules show: the guide of each built-in rule, in 80 columns", async () => {
  for (const id of ["package-installed-by-new-parent", "7b72d7a3"]) {
    const { stdout, status } = await kinwatch(["rules", "show", id]);
    assert.equal(status, 0);
    assert.match(stdout, /^What to do/m);
    for (const line of stdout.split("\n")) assert.ok(textWidth(line) <= 80, line);
  }
});

test("rules show: a file, its mistakes, and an id that is none or not enough", async (t) => {
  const { folder } = hostWith(t, { "a.toml": goodRule, "b.toml": bad });
  const good = await kinwatch(["rules", "show", join(folder, "a.toml")]);
  assert.match(good.stdout, /^Tool run by an unusual parent\n\n {2}Somebody ran a tool\.\n/);
  assert.match(good.stdout, /^Guide\n\n {2}Ask who did it\.$/m);
  const refused = await kinwatch(["rules", "show", join(folder, "b.toml")]);
  assert.deepEqual([refused.status, refused.stdout], [2, ""]);
  assert.match(refused.stderr, /b\.toml:25:1: KW_RULE_VALUE_INVALID/);
  for (const [id, want] of [
    ["zz\u001b", /No rule has an id that begins with zz\\x1b\. See .*\(KW_RULE_UNKNOWN\)/],
    ["", /More than one rule has an id/],
  ] as const) {
    const { status, stderr } = await kinwatch(["rules", "show", id]);
    assert.match(stderr, want);
    assert.equal(status, 2);
  }
});

test("rules new: prints a rule that rules check takes, with an id of its own each time", async (t) => {
  const one = await kinwatch(["rules", "new", "A rule"]);
  const other = await kinwatch(["rules", "new", "A rule"]);
  assert.notEqual(one.stdout, other.stdout);
  const { folder } = hostWith(t, { "a.toml": one.stdout, "b.toml": other.stdout });
  const checked = await kinwatch(["rules", "check", folder]);
  assert.deepEqual([checked.status, checked.stderr], [0, "kinwatch: 2 ok, 0 refused\n"]);
  assert.equal((await kinwatch(["rules", "new", " "])).status, 2);
});

test("ruleTemplate(): loads whatever its rule is called", () => {
  const property = fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
    const name = `x${text}`;
    const { rules, mistakes } = read(ruleTemplate(name, "an-id"));
    assert.deepEqual(mistakes, []);
    assert.equal(rules[0]?.name, name.toWellFormed());
  });
  fc.assert(property);
});
