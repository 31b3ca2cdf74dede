/** The built-in rules: each on events as kinwatch tells of them, some that must match and some that must not. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ExecutionDocument } from "../../agent/alert/alert-document.ts";
import { ecsEvent, ecsInstallation } from "../../agent/alert/ecs-event.ts";
import { withOutcomePart } from "../../agent/alert/ecs-outcome.ts";
import { builtInRules } from "../../agent/cli/rule-folders.ts";
import type { ExecEvent, SoftwareUpdate } from "../../agent/events/exec-event.ts";
import { rpmCommandOf } from "../../agent/packages/installation.ts";
import { rpmArguments } from "../../agent/packages/owner-answer.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { documentFields } from "../../agent/rules/document-fields.ts";
import { compileKql } from "../../agent/rules/kql-match.ts";
import { KqlError } from "../../agent/rules/kql-tree.ts";
import { termsOf } from "../../agent/rules/new-terms.ts";
import type { Rule } from "../../agent/rules/rule.ts";
import { readRules } from "../../agent/rules/rule-file.ts";
import { rulePage } from "../../agent/rules/rule-page.ts";
import { contextOf, installationOf } from "../helpers/alerts.ts";
import { imageOf, scriptImage, updateOf } from "../helpers/images.ts";

const { rules, mistakes, warnings } = readRules(builtInRules());
const byName: ReadonlyMap<string, Rule> = new Map(
  rules.map((rule) => [basename(rule.source.file, ".toml"), rule]),
);

interface Given extends Partial<ExecEvent> {
  readonly below?: string; // an ancestor between the login and the tool
}

function imageFor(words: string, { below, ...given }: Given = {}) {
  const args = words.split(" ");
  const login = scriptImage();
  const parent =
    below === undefined
      ? login
      : imageOf({ pid: 850, ppid: 800, executable: below, args: [below] }, { parent: login });
  return imageOf(
    { executable: `/usr/bin/${args[0]}`, args, workingDirectory: "/root", ...given },
    { parent },
  );
}

function executed(words: string, given?: Given): ExecutionDocument {
  const image = imageFor(words, given);
  return ecsEvent(image, { ...contextOf(image), aliases: shippedAliases });
}

function installing(words: string, given?: Given): ExecutionDocument {
  const image = imageFor(words, given);
  return ecsInstallation(installationOf(image), contextOf(image));
}

/** By dnf, of which nothing but its records tell. */
function dnf(words: string, given?: Given & { readonly root?: string }): ExecutionDocument {
  const { root, ...more } = given ?? {};
  const image = imageFor(`python3 /usr/bin/dnf ${words}`, {
    executable: "/usr/bin/python3.12",
    script: "/usr/bin/dnf",
    ...more,
  });
  return ecsInstallation(
    installationOf(image, [updateOf(root === undefined ? {} : { root })]),
    contextOf(image),
  );
}

function ended(words: string, updates: readonly SoftwareUpdate[], given?: Given): ExecutionDocument {
  return withOutcomePart(installing(words, given), updates);
}

const rows: Readonly<
  Record<string, { readonly yes: readonly ExecutionDocument[]; readonly no: readonly ExecutionDocument[] }>
> = {
  "rpm-installed-by-unusual-parent": {
    yes: [
      executed("rpm -i a.rpm"),
      executed("rpm --install a.rpm"),
      executed("rpm -i -v -h a.rpm"),
      executed("rpm -q -i bash"),
    ],
    no: [
      executed("rpm -ivh a.rpm"),
      executed("rpm -U a.rpm"),
      executed("rpm -qa"),
      executed("dnf -i a"),
      installing("rpm -i a.rpm"),
    ],
  },
  "dpkg-installed-by-unusual-parent": {
    yes: [
      executed("dpkg -i a.deb"),
      executed("dpkg --install a.deb"),
      executed("dpkg -iGE a.deb"),
      executed("dpkg --status-fd 5 --unpack a.deb"),
    ],
    no: [
      executed("dpkg -l"),
      executed("dpkg --configure -a"),
      executed("dpkg -i a.deb --dry-run"),
      executed("dpkg-deb -i a.deb"),
      executed("rpm -i a.deb"),
    ],
  },
  "zypper-run-by-unusual-parent": {
    yes: [executed("zypper -n in vim"), executed("zypper patch"), executed("zypper dup --from main")],
    no: [
      executed("zypper search vim"),
      executed("zypper refresh"),
      executed("zypper install --dry-run vim"),
      executed("dnf install vim"),
    ],
  },
  "package-installed-unverified": {
    yes: [
      installing("rpm -i --nosignature a.rpm"),
      installing("rpm -Uvh --nodigest a.rpm"),
      installing("rpm -U --noverify a.rpm"),
    ],
    no: [installing("rpm -i a.rpm"), executed("rpm -q --nosignature a"), dnf("install a")],
  },
  "package-installed-without-scriptlets": {
    yes: [
      installing("rpm -i --noscripts a.rpm"),
      installing("rpm -U --nopost a.rpm"),
      installing("rpm -i --notriggers a.rpm"),
    ],
    no: [
      installing("rpm -i a.rpm"),
      installing("rpm -i --nosignature a.rpm"),
      executed("rpm -e --noscripts a"),
    ],
  },
  "package-installed-from-network": {
    yes: [
      installing("rpm -i https://example.org/a"),
      installing("rpm -Uvh http://example.org/a.rpm"),
      dnf("install https://example.org/a.rpm"),
    ],
    no: [
      installing("rpm -i a.rpm"),
      installing("rpm -i --httpproxy proxy a.rpm"),
      dnf("install a"),
      executed("curl https://example.org/a.rpm"),
    ],
  },
  "package-installed-from-writable-folder": {
    yes: [
      installing("rpm -i /tmp/a.rpm"),
      installing("rpm -i /srv/b.rpm /home/admin/deep/a.rpm"),
      installing("rpm -i a.rpm", { workingDirectory: "/dev/shm" }),
      installing("rpm -i ./a", { workingDirectory: "/var/tmp/x" }),
      dnf("install /tmp/a.rpm"),
      dnf("install ./a.rpm", { workingDirectory: "/home/admin" }),
    ],
    no: [
      installing("rpm -i /srv/a.rpm"),
      installing("rpm -i a.rpm"),
      installing("rpm -i /srv/a.rpm", { workingDirectory: "/tmp" }),
      installing("rpm -i https://example.org/a", { workingDirectory: "/tmp" }),
      installing("rpm -i --root /tmp/root /srv/a.rpm"),
      dnf("install a", { workingDirectory: "/home/admin" }),
      dnf("install /srv/a.rpm", { workingDirectory: "/home/admin" }),
      executed("ls /tmp/a.rpm"),
    ],
  },
  "package-installed-into-other-root": {
    yes: [
      installing("rpm -i --root /mnt a.rpm"),
      installing("rpm -i --dbpath /x a.rpm"),
      dnf("--installroot /mnt install a", { root: "/mnt" }),
    ],
    no: [
      installing("rpm -i a.rpm"),
      installing("rpm -i --root / a.rpm"),
      dnf("install a", { root: "/" }),
      executed("rpm --root /mnt -qa"),
    ],
  },
  "package-installed-by-service-descendant": {
    yes: [
      installing("rpm -i a.rpm", { below: "/usr/sbin/httpd" }),
      installing("rpm -Uvh a.rpm", { below: "/usr/sbin/php-fpm8.3" }),
      dnf("install a", { below: "/usr/lib/postgresql/16/bin/postgres" }),
    ],
    no: [
      installing("rpm -i a.rpm"),
      installing("rpm -i a.rpm", { below: "/usr/bin/httpd-tool" }),
      executed("rpm -qa", { below: "/usr/sbin/httpd" }),
    ],
  },
  "package-installed-without-record": {
    yes: [ended("rpm -i a.rpm", []), ended("rpm -i --noplugins a.rpm", [])],
    no: [
      ended("rpm -i a.rpm", [updateOf()]),
      ended("rpm -i a.rpm", [updateOf({ success: false })]),
      ended("rpm -i --noplugins a.rpm", [updateOf()]), // it was not turned off after all
      installing("rpm -i a.rpm"),
    ],
  },
};

test("the built-in rules: load without a remark, and each is tested here", () => {
  assert.deepEqual([mistakes, warnings], [[], []]);
  assert.deepEqual([...byName.keys()].sort(), Object.keys(rows).sort());
});

for (const [name, { yes, no }] of Object.entries(rows)) {
  test(`${name}: matches what it is about, with a term that can be new, and nothing else`, () => {
    const rule = byName.get(name) as Rule;
    const matches = compileKql<unknown>(rule.tree, documentFields);
    assert.ok(!(matches instanceof KqlError));
    const fields = rule.newTerms.fields.map((field) => documentFields(field) ?? assert.fail(field));
    for (const document of yes) {
      assert.ok(matches(document), String(document.process.command_line));
      assert.notEqual(termsOf(fields, document).terms.length, 0);
    }
    for (const document of no) assert.ok(!matches(document), String(document.process.command_line));
  });
}

test("the built-in rules: each has what a person needs who gets its alert", () => {
  const scores = { low: 21, medium: 47, high: 73, critical: 99 };
  for (const rule of rules) {
    assert.equal(rule.riskScore, scores[rule.severity]);
    assert.match(rule.id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/, rule.name);
    assert.match(rule.note ?? "", /^## What to ask\n.*^## What to do\n/ms, rule.name);
    assert.ok(rule.falsePositives.length > 0 && rule.threat.length > 0 && rule.tags.length > 0, rule.name);
    for (const { tactic, techniques } of rule.threat) {
      assert.equal(tactic.reference, `https://attack.mitre.org/tactics/${tactic.id}/`);
      for (const one of techniques.flatMap((technique) => [technique, ...technique.subtechniques])) {
        assert.equal(one.reference, `https://attack.mitre.org/techniques/${one.id.replace(".", "/")}/`);
      }
    }
  }
});

test("rpm-installed-by-unusual-parent: asks what Elastic's rule asks, as Kibana evaluates it", () => {
  const rule = byName.get("rpm-installed-by-unusual-parent");
  assert.equal(
    rule?.query,
    'host.os.type:linux and event.category:process and event.type:start and event.action:exec and process.name:rpm and process.args:("-i" or "--install")',
  );
  assert.deepEqual(rule.newTerms, { fields: ["process.parent.executable"], historyMs: 5 * 86_400_000 });
  assert.deepEqual(
    [rule.severity, rule.riskScore, rule.maxSignals, rule.intervalMs],
    ["low", 21, 100, 300_000],
  );
  assert.deepEqual([rule.on, rule.relatedRule], ["process", "8cc72fa3-70ae-4ea1-bee2-8e6aaf3c1fcf"]);
  const mapped = rule.threat.map(({ tactic, techniques }) => [
    tactic.id,
    techniques.flatMap(({ id, subtechniques }) => [id, ...subtechniques.map((one) => one.id)]),
  ]);
  assert.deepEqual(mapped, [
    ["TA0003", ["T1543", "T1546", "T1546.016", "T1574"]],
    ["TA0001", ["T1195", "T1195.002"]],
  ]);
});

test("the rules are silent about what kinwatch itself asks the package databases", () => {
  const hostile = ["/tmp/-i", "/usr/bin/rpm", "/opt/--install", "/srv/a.rpm"];
  const questions = [
    { executable: "/usr/bin/rpm", args: ["rpm", ...rpmArguments(hostile, "5f1c", "/var/lib/rpm")] },
    {
      executable: "/usr/bin/dpkg-query",
      args: ["dpkg-query", "--admindir=/var/lib/dpkg", "--search", "--", ...hostile],
    },
  ];
  for (const question of questions) {
    const image = imageOf(question, { parent: imageOf({ executable: "/usr/lib/kinwatch/node" }) });
    const document = ecsEvent(image, { ...contextOf(image), aliases: shippedAliases });
    const asking = rules.filter(({ tree }) => {
      const matches = compileKql(tree, documentFields);
      return !(matches instanceof KqlError) && matches(document);
    });
    assert.deepEqual(asking, [], question.executable);
  }
  const [rpm = assert.fail()] = questions;
  const command = rpmCommandOf({ ...rpm, argumentsComplete: true }, shippedAliases);
  assert.deepEqual([command?.mode, command?.installs, command?.certainty], ["query", false, "certain"]);
});

/** The pages are made of the definitions: --test-update-snapshots writes them. */
const pages = fileURLToPath(new URL("../../docs/rules/", import.meta.url));
for (const [name, rule] of byName) {
  test(`docs/rules/${name}.md: is what its definition says`, (t) => {
    t.assert.fileSnapshot(rulePage(rule), `${pages}${name}.md`, { serializers: [(page) => String(page)] });
  });
}

test("docs/rules/: has a page for each rule, and none besides", () => {
  const want = [...byName.keys(), "package-installed-by-new-parent"].map((name) => `${name}.md`);
  assert.deepEqual(readdirSync(pages).sort(), want.sort());
});
