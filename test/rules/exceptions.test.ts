import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ExecEvent, SoftwareUpdate } from "../../agent/events/exec-event.ts";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";
import type { Owner } from "../../agent/packages/owner-answer.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { eventFields, type RuleSubject } from "../../agent/rules/event-fields.ts";
import { compileExceptions, exemptionOf, openImages } from "../../agent/rules/exceptions.ts";
import { compileKql } from "../../agent/rules/kql-match.ts";
import { KqlError } from "../../agent/rules/kql-tree.ts";
import { newParentRule } from "../../agent/rules/new-parent.ts";
import { RuleEngine } from "../../agent/rules/rule-engine.ts";
import type { Container } from "../../agent/sources/source.ts";
import { installationOf, rpmImage } from "../helpers/alerts.ts";
import { exceptionOf } from "../helpers/exceptions.ts";
import { ancestorsOf, atMs, imageOf, scriptImage, updateOf } from "../helpers/images.ts";
import { treeOf } from "../helpers/kql.ts";
import { goodRule, read } from "../helpers/rules.ts";
import { subjects } from "../helpers/subjects.ts";

const names: Readonly<Record<number, string>> = { 0: "root", 1000: "admin" };

interface Given {
  readonly exec?: Partial<ExecEvent>;
  readonly links?: Partial<ProcessImage>;
  readonly updates?: readonly SoftwareUpdate[];
  readonly kind?: "installation" | "outcome";
  readonly container?: Container;
  readonly owners?: Readonly<Record<string, Owner>>; // by path; others are not known
}

const unknown: Owner = { result: "unknown", reason: "nobody asked" };
const none: Owner = { result: "none" };

function ownerOf(name: string): Owner {
  const [version, architecture] = ["1.0-1", "x86_64"];
  return { result: "owned", type: "rpm", name, version, architecture, nevra: `${name}-1.0-1.x86_64` };
}

/** `rpm -Uvh /tmp/kw-a-1.0-1.noarch.rpm` by /opt/deploy/update.sh, by a login of admin. */
function subjectOf({
  exec,
  links,
  updates = [],
  kind = "installation",
  owners,
  container,
}: Given): RuleSubject {
  const image = rpmImage(exec, links);
  return {
    kind,
    image,
    installation: installationOf(image, [...updates]),
    ancestors: () => ancestorsOf(image),
    host: undefined,
    provider: "audit-log",
    aliases: shippedAliases,
    nameUser: (uid) => names[uid],
    readDetails: undefined,
    readContainer: container && (() => container),
    readOwners:
      owners &&
      (({ exec: { executable, script, args } }) => ({
        executable: owners[executable] ?? unknown,
        script: script === undefined ? undefined : (owners[script] ?? unknown),
        hasOtherOptions: args.includes("--init-file"),
      })),
  };
}

function holds(keys: string, given: Given = {}, rule: string = newParentRule.id): boolean {
  return exemptionOf(compileExceptions([exceptionOf(keys)])(rule)?.(subjectOf(given)) ?? []) === "x";
}

const args = (...words: string[]): Given => ({ exec: { args: ["rpm", "-Uvh", ...words] } });
const orphan: Given = {
  links: {
    parent: undefined,
    unresolved: "orphaned",
    adopter: imageOf({ pid: 1, executable: "/usr/lib/systemd/systemd" }),
  },
  exec: { ses: undefined },
};
const became: Given = {
  links: { previous: imageOf({ executable: "/usr/bin/bash", script: "/opt/exec.sh" }) },
};
const dnf: Given = { exec: { executable: "/usr/bin/dnf", args: ["dnf", "install", "kw-a"] } };
const two = [updateOf({ nevra: "kw-a-1-1.noarch" }), updateOf({ nevra: "evil-1-1.noarch" })];

const build: Container = {
  id: "ab".repeat(32),
  runtime: "docker",
  name: "build",
  image: "kw/build:1",
  reason: undefined,
};
const inContainer: Given = { container: build };
const bash = "/usr/bin/bash";
const update = "/opt/deploy/update.sh";
const ours: Given = { owners: { [bash]: ownerOf("bash"), [update]: ownerOf("kw-deploy") } };
const parentIs = (executable: string, owner: Owner, script?: string): Given => ({
  links: { parent: imageOf({ executable, script, args: [executable] }) },
  owners: { [executable]: owner, [bash]: ownerOf("bash") },
});

const rows: readonly { why: string; keys: string; given?: Given; want: boolean }[] = [
  { why: "a user by name", keys: 'user = "root"', want: true },
  { why: "a user by number", keys: 'user = "0"', want: true },
  {
    why: "root is 0 where nobody knows names",
    keys: 'user = "root"',
    given: { exec: { uid: 0, userName: undefined } },
    want: true,
  },
  { why: "another user", keys: 'user = "admin"', want: false },
  { why: "who logged in", keys: 'login_user = "admin"', want: true },
  { why: "who did not log in", keys: 'login_user = "root"', want: false },
  { why: "a parent", keys: 'parent = "/usr/bin/bash"', want: true },
  { why: "a parent by a pattern", keys: 'parent = "/usr/*/bash"', want: true },
  { why: "upper case is another path", keys: 'parent = "/usr/bin/Bash"', want: false },
  { why: "a question mark is no wildcard", keys: 'parent = "/usr/bin/bas?"', want: false },
  { why: "a grandparent is no parent", keys: 'parent = "/usr/sbin/sshd"', want: false },
  {
    why: "who took an orphan over is no parent",
    keys: 'parent = "/usr/lib/systemd/systemd"',
    given: orphan,
    want: false,
  },
  { why: "an unknown parent, by another key", keys: 'user = "root"', given: orphan, want: true },
  { why: "the parent's script", keys: 'script = "/opt/deploy/update.sh"', want: true },
  { why: "a script by a pattern", keys: 'script = "/opt/*"', want: true },
  { why: "a script that became rpm itself", keys: 'script = "/opt/exec.sh"', given: became, want: true },
  {
    why: "a script further up",
    keys: 'script = "/opt/deploy/update.sh"',
    given: { links: { parent: imageOf({ executable: "/usr/bin/env" }, { parent: scriptImage() }) } },
    want: false,
  },
  { why: "the package of the parent's script", keys: 'package_owner = "kw-deploy"', given: ours, want: true },
  { why: "it by a pattern", keys: 'package_owner = "kw-*"', given: ours, want: true },
  { why: "it with its version", keys: 'package_owner = "kw-deploy-1*"', given: ours, want: false },
  {
    why: "the package of the interpreter of somebody's script",
    keys: 'package_owner = "bash"',
    given: { owners: { [bash]: ownerOf("bash"), [update]: none } },
    want: false,
  },
  {
    why: "a package's script that a foreign interpreter runs",
    keys: 'package_owner = "kw-deploy"',
    given: { owners: { [bash]: none, [update]: ownerOf("kw-deploy") } },
    want: false,
  },
  {
    why: "a package's script behind other code",
    keys: 'package_owner = "kw-deploy"',
    given: {
      ...ours,
      links: {
        parent: imageOf({
          executable: bash,
          script: update,
          args: ["bash", "--init-file", "/tmp/evil", "-i", update],
        }),
      },
    },
    want: false,
  },
  {
    why: "a script whose package is not known",
    keys: 'package_owner = "kw-deploy"',
    given: { owners: { [bash]: ownerOf("kw-deploy") } },
    want: false,
  },
  {
    why: "the package of a parent without a script",
    keys: 'package_owner = "kw-agent"',
    given: parentIs("/usr/bin/kw-agent", ownerOf("kw-agent")),
    want: true,
  },
  {
    why: "another package's parent",
    keys: 'package_owner = "kw-agent"',
    given: parentIs("/usr/bin/kw-agent", ownerOf("other")),
    want: false,
  },
  {
    why: "an interpreter with code of its command line",
    keys: 'package_owner = "python3"',
    given: parentIs("/usr/bin/python3.9", ownerOf("python3")),
    want: false,
  },
  {
    why: "a package's parent whose process ran a foreign script before it became rpm",
    keys: 'package_owner = "kw-agent"',
    given: {
      ...parentIs("/usr/bin/kw-agent", ownerOf("kw-agent")),
      links: {
        parent: imageOf({ executable: "/usr/bin/kw-agent", args: ["kw-agent"] }),
        previous: imageOf({ executable: bash, script: "/tmp/evil.sh" }),
      },
    },
    want: false,
  },
  {
    why: "who took an orphan over, by its package",
    keys: 'package_owner = "systemd"',
    given: { ...orphan, owners: { "/usr/lib/systemd/systemd": ownerOf("systemd") } },
    want: false,
  },
  { why: "a package in a stored log", keys: 'package_owner = "kw-*"', want: false },
  {
    why: "a package and another condition that is not so",
    keys: 'package_owner = "kw-*"\nuser = "admin"',
    given: ours,
    want: false,
  },
  { why: "an ancestor", keys: 'ancestor = "/usr/sbin/sshd"', want: true },
  { why: "an ancestor by its script", keys: 'ancestor = "/opt/deploy/update.sh"', want: true },
  {
    why: "what became rpm itself, as an ancestor",
    keys: 'ancestor = "/opt/exec.sh"',
    given: became,
    want: true,
  },
  { why: "rpm is no ancestor of itself", keys: 'ancestor = "/usr/bin/rpm"', want: false },
  { why: "a package by its name", keys: 'package = "kw-a"', want: true },
  { why: "a package by a pattern of its name", keys: 'package = "kw-*"', want: true },
  { why: "a package by its name and version", keys: 'package = "kw-a-1.0-*"', want: true },
  { why: "a package by its file's name", keys: 'package = "kw-a-1.0-1.noarch.rpm"', want: true },
  { why: "a folder is no part of a package's name", keys: 'package = "/tmp/*"', want: false },
  { why: "another package", keys: 'package = "kw"', want: false },
  {
    why: "one of two packages",
    keys: 'package = "kw-*"',
    given: args("kw-a-1-1.noarch.rpm", "evil-1-1.noarch.rpm"),
    want: false,
  },
  {
    why: "both of two packages",
    keys: 'package = "kw-*"',
    given: args("kw-a-1-1.noarch.rpm", "http://h/kw-b-1-1.noarch.rpm"),
    want: true,
  },
  {
    why: "packages on a command line that is cut off",
    keys: 'package = "kw-*"',
    given: { exec: { argumentsComplete: false } },
    want: false,
  },
  {
    why: "the first package of dnf",
    keys: 'package = "kw-a"',
    given: { ...dnf, updates: [updateOf({ operation: "remove", nevra: "old-1-1.noarch" }), updateOf()] },
    want: true,
  },
  {
    why: "one of two packages that were installed",
    keys: 'package = "kw-*"',
    given: { kind: "outcome", updates: two },
    want: false,
  },
  {
    why: "at the end what was installed, whatever the file was called",
    keys: 'package = "kw-*"',
    given: { kind: "outcome", updates: [updateOf({ nevra: "evil-1-1.noarch" })] },
    want: false,
  },
  { why: "a working directory", keys: 'working_directory = "/root"', want: true },
  { why: "another working directory", keys: 'working_directory = "/"', want: false },
  { why: "an image", keys: 'container_image = "kw/build:1"', given: inContainer, want: true },
  { why: "an image of any version", keys: 'container_image = "kw/build:*"', given: inContainer, want: true },
  { why: "another image", keys: 'container_image = "kw/web*"', given: inContainer, want: false },
  { why: "an image, on the host", keys: 'container_image = "kw/*"', want: false },
  {
    why: "an image that is not known",
    keys: 'container_image = "kw/*"',
    given: { container: { ...build, image: undefined } },
    want: false,
  },
  { why: "a query", keys: 'query = "kinwatch.rpm.mode:upgrade and not process.args:--root"', want: true },
  { why: "a query that is not so", keys: 'query = "kinwatch.rpm.root:*"', want: false },
  { why: "all of its conditions", keys: 'user = "root"\nscript = "/opt/*"\npackage = "kw-a"', want: true },
  {
    why: "all of its conditions but one",
    keys: 'user = "root"\nscript = "/opt/*"\npackage = "kw-b"',
    want: false,
  },
  {
    why: "the moment at which it ends",
    keys: `user = "root"\nexpires = ${new Date(atMs).toISOString()}`,
    want: true,
  },
  {
    why: "the moment after it",
    keys: `user = "root"\nexpires = ${new Date(atMs - 1).toISOString()}`,
    want: false,
  },
  { why: "its rule", keys: `user = "root"\nrules = ["other", "${newParentRule.id}"]`, want: true },
  { why: "another rule", keys: 'user = "root"\nrules = ["other"]', want: false },
];
for (const { why, keys, given, want } of rows) {
  test(`compileExceptions(): ${want ? "holds" : "does not hold"} for ${why}`, () => {
    assert.equal(holds(keys, given), want);
  });
}

test("compileExceptions(): there is nothing to ask of a rule without exceptions", () => {
  const exceptionsOf = compileExceptions([exceptionOf('user = "root"\nrules = ["other"]')]);
  assert.equal(exceptionsOf(newParentRule.id), undefined);
  assert.notEqual(exceptionsOf("other"), undefined);
});

test("compileExceptions(): the package is left open, all else is decided at once", () => {
  const owners: Record<string, Owner> = {};
  const exceptions = [
    exceptionOf('package_owner = "kw-deploy"', "owned"),
    exceptionOf('user = "root"', "root"),
    exceptionOf('user = "root"', "later"),
  ];
  const exemptions = compileExceptions(exceptions)(newParentRule.id)?.(subjectOf({ owners })) ?? [];
  assert.deepEqual(
    exemptions.map(({ id }) => id),
    ["owned", "root"],
  );
  assert.deepEqual(
    openImages(exemptions).map(({ exec }) => exec.script),
    [update],
  );
  assert.equal(exemptionOf(exemptions), "root", "nobody knows as yet");
  Object.assign(owners, ours.owners);
  assert.equal(exemptionOf(exemptions), "owned");
});

test("compileExceptions(): a rule that has one is the rule with `and not` behind its query", () => {
  const queries = [
    "process.args:-i",
    "user.id:0",
    "not process.working_directory:*",
    "process.parent.name:b*",
  ];
  fc.assert(
    fc.property(subjects(), fc.constantFrom(...queries), (subject, query) => {
      const exception = exceptionOf(`query = "${query}"`);
      const { rules } = read(
        goodRule
          .replace(/query = '''[^']*'''/, 'query = "process.pid:*"')
          .replace("process.parent.name", "process.pid"),
      );
      const engine = new RuleEngine(rules, [exception]);
      const [rule = assert.fail("it was refused")] = rules;
      const found = engine.match(engine.candidates(subject.image.exec.executable), subject);
      const narrowed = compileKql(treeOf(`process.pid:* and not (${query})`), eventFields);
      assert.ok(!(narrowed instanceof KqlError));
      if (subject.kind === "exec")
        assert.deepEqual(
          found.map((match) => [match.rule.id, exemptionOf(match.exemptions) === undefined]),
          [[rule.id, narrowed(subject)]],
        );
    }),
  );
});
