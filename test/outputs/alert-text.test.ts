import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { withOutcome } from "../../agent/alert/ecs-alert.ts";
import { alertLine, alertText, outcomeText, shortChain } from "../../agent/outputs/alert-text.ts";
import { textWidth } from "../../agent/outputs/text-width.ts";
import type { ReadOwners } from "../../agent/packages/image-owners.ts";
import type { Owner } from "../../agent/packages/owner-answer.ts";
import type { Container } from "../../agent/sources/source.ts";
import { completedAlert, raisedAlert, rpmImage } from "../helpers/alerts.ts";
import { imageOf, scriptImage, updateOf } from "../helpers/images.ts";

const options = { width: 80, colour: false };
const person = rpmImage({ userName: "root", loginName: "admin" });
process.env["TZ"] = "UTC"; // read at the first use of a local time

test("alertText(): what, by whom, and down which chain, at a glance", () => {
  assert.equal(
    alertText(raisedAlert(person), options),
    `● MEDIUM  Package installed by a new parent
      when  2026-11-24 12:00:00.123 +00:00 on web-01
   command  rpm -Uvh /tmp/kw-a-1.0-1.noarch.rpm
        in  /root
      user  root, logged in as admin, on pts/0
new parent  /opt/deploy/update.sh (/usr/bin/bash)
     chain  1  /usr/lib/systemd/systemd
            └ 690  /usr/sbin/sshd
              └ 700  /usr/bin/bash
                └ 800  /opt/deploy/update.sh (/usr/bin/bash)
                  └ 900  /usr/bin/rpm
   outcome  not known yet
     alert  ${raisedAlert().event.id}
`,
  );
});

test("outcomeText(): says what became of it, and of which alert it speaks", () => {
  assert.equal(
    outcomeText(completedAlert(person), options),
    `○ kw-a-1.0-1.noarch installed, no verified signature
        by  /opt/deploy/update.sh: rpm -Uvh /tmp/kw-a-1.0-1.noarch.rpm
     alert  ${raisedAlert().event.id}
`,
  );
});

const bash: Owner = { result: "owned", type: "deb", name: "bash", version: "5.2", architecture: "amd64" };
const systemd: Owner = {
  result: "owned",
  type: "rpm",
  name: "systemd",
  version: "255-1",
  architecture: "x86_64",
  nevra: "systemd-255-1.x86_64",
};
const late: Owner = { result: "unknown", reason: "the process was over before it was asked" };

/** Of the host's own chain: the script is nobody's, the tool was over. */
const readOwners: ReadOwners = ({ exec: { executable, script, pid } }) => ({
  executable: pid === 900 ? late : executable.endsWith("systemd") ? systemd : bash,
  script: script === undefined ? undefined : { result: "none" },
  hasOtherOptions: false,
});

test("alertText(): whose packages the parent and its chain are", () => {
  const text = alertText(raisedAlert(person, { readOwners }), options);
  assert.match(text, /^ {2}owned by {2}script: no package; interpreter: bash 5\.2$/m);
  const chain = text.slice(text.indexOf("chain"), text.indexOf("outcome")).trim().split("\n");
  assert.deepEqual(
    chain.map((line) => line.replace(/^(?:chain)?[ └]*/, "")),
    [
      "1  /usr/lib/systemd/systemd  of systemd",
      "690  /usr/sbin/sshd  of bash",
      "700  /usr/bin/bash  of bash",
      "800  /opt/deploy/update.sh (/usr/bin/bash)  of no package",
      "900  /usr/bin/rpm",
    ],
  );
});

test("alertText(): in which container it was, or why nobody knows its image", () => {
  const container: Container = {
    id: "0123456789abcdef".repeat(4),
    runtime: "podman",
    name: "build",
    image: "localhost/kw/build:1",
    reason: undefined,
  };
  const text = (given: Container) => alertText(raisedAlert(person, { readContainer: () => given }), options);
  assert.match(text(container), /^ container {2}build of localhost\/kw\/build:1 \(podman\)$/m);
  const nameless = { ...container, name: undefined, image: undefined, reason: "nobody tells" };
  assert.match(text(nameless), /^ container {2}0123456789ab \(podman\): nobody tells$/m);
  assert.doesNotMatch(alertText(raisedAlert(person, { readContainer: () => "none" }), options), /container/);
});

test("alertText(): that nobody knows whose package a parent is, and why", () => {
  const image = rpmImage({}, { parent: imageOf({ pid: 900 }) });
  const raised = raisedAlert(image, { readOwners });
  assert.doesNotMatch(alertText(raised, options), /owned by/, "it may come with the outcome");
  assert.match(
    outcomeText(withOutcome(raised, []), options),
    /owned by {2}parent: not known: the process was over before it was asked\n/,
  );
});

test("alertText(): an attack that hides is told in words", () => {
  const dropper = imageOf({ executable: "/tmp/.x/run", deleted: true });
  const image = rpmImage(
    {
      args: [
        "rpm",
        "--noplugins",
        "--root",
        "/漢字".repeat(20),
        "-i",
        "http://198.51.100.7/\u001b[2J\u202ex.rpm",
      ],
    },
    { parent: undefined, unresolved: "orphaned", previous: dropper },
  );
  const text = alertText(completedAlert(image, []), options);
  assert.match(text, /parent {2}unknown: its parent died before/);
  assert.match(text, /new {2}\/tmp\/\.x\/run, which became rpm/);
  assert.match(text, /chain {2}\?\n/);
  assert.match(text, /\/tmp\/\.x\/run, deleted, which became/);
  assert.match(text, /notable {2}another root; plug-ins off: no audit record; from the\n? +network/);
  assert.match(text, /\\x1b\[2J/);
  assert.match(text, /outcome {2}no record of it came/);
});

test("alertText(): packages, those that failed and those they replaced", () => {
  const text = alertText(
    completedAlert(person, [
      updateOf({ operation: "update", signatureVerified: true }),
      updateOf({ operation: "remove", nevra: "kw-a-0.9-1.noarch" }),
      updateOf({ nevra: "kw-b-1-1.noarch", success: false }),
      ...Array.from({ length: 10 }, (_, index) => updateOf({ nevra: `more-${index}-1.noarch` })),
    ]),
    options,
  );
  assert.match(text, /outcome {2}installed in part/);
  assert.match(text, /kw-a-1\.0-1\.noarch {2}updated, signature verified\n/);
  assert.match(text, /kw-a-0\.9-1\.noarch {2}removed\n/);
  assert.match(text, /kw-b-1-1\.noarch {2}install failed, no verified signature \(none is/);
  assert.match(text, /and 5 more\n/);
});

test("alertText(): a chain of any length ends with the tool and begins with pid 1", () => {
  let parent = scriptImage();
  for (let pid = 1_000; pid < 1_030; pid += 1)
    parent = imageOf({ pid, executable: `/bin/step${pid}` }, { parent });
  const text = alertText(raisedAlert(rpmImage({}, { parent })), options);
  assert.match(text, /chain {2}1 {2}\/usr\/lib\/systemd\/systemd\n.*… 22 more\n/);
  assert.match(text, /└ 1029 {2}\/bin\/step1029\n.*└ 900 {2}\/usr\/bin\/rpm\n/);
});

test("alertText(): colours change nothing but colours", () => {
  const alert = completedAlert(person);
  const coloured = alertText(alert, { ...options, colour: true });
  assert.ok(coloured.includes("\u001b["));
  assert.equal(stripVTControlCharacters(coloured), alertText(alert, options));
});

const anything = fc.string({
  unit: fc.oneof(fc.constantFrom("漢", "🙂", "e\u0301", " ", "\u001b", "\n", "a", "/"), fc.string()),
});

test("alertText(): holds its frame and stays text, whatever was executed", () => {
  const property = fc.property(
    fc.record({
      executable: anything,
      workingDirectory: anything,
      userName: anything,
      args: fc.array(anything),
    }),
    anything,
    anything,
    fc.integer({ min: 40, max: 120 }),
    (exec, script, nevra, width) => {
      const image = rpmImage(exec, {
        parent: scriptImage(script),
        previous: imageOf({ executable: script }),
      });
      const alert = completedAlert(image, [updateOf({ nevra }), updateOf({ nevra, success: false })]);
      const text = alertText(alert, { width, colour: false }) + outcomeText(alert, { width, colour: false });
      for (const line of [...text.split("\n"), alertLine(alert, { width, colour: false })]) {
        assert.ok(textWidth(line) <= width, `${textWidth(line)} > ${width}: ${line}`);
        assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
      }
    },
  );
  fc.assert(property);
});

test("alertLine(): names the alert, the time, how bad it is, the parent and the package in a line", () => {
  const line = alertLine(completedAlert(person), { ...options, width: 110 });
  assert.match(
    line,
    /^01a20d6d5a7b-\w{4} {2}2026-11-24 12:00 {2}medium {4}\/opt\/deploy\/update\.sh: kw-a-1\.0-1\.noarch installed/,
  );
  const alert = completedAlert(person);
  const other = { ...alert, rule: { ...alert.rule, id: "other", name: "A rule" } };
  assert.match(alertLine(other, options), / {2}medium {4}A rule: \/opt\/deploy/);
});

test("shortChain(): the parent first, pid 1 last", () => {
  assert.equal(shortChain(raisedAlert().kinwatch.ancestry), "update.sh < bash < sshd < systemd");
  assert.equal(shortChain([]), "");
});
