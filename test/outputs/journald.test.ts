import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { alertFields, alertMessageId, journaldOutput } from "../../agent/outputs/journald.ts";
import { completedAlert, raisedAlert, rpmImage } from "../helpers/alerts.ts";
import { imageOf, updateOf } from "../helpers/images.ts";
import { startJournald } from "../helpers/journald.ts";
import { needs } from "../helpers/real-parts.ts";

const fieldsOf = (alert: AlertDocument, stage: "raised" | "completed") => new Map(alertFields(alert, stage));
const textOf = (alert: AlertDocument, name: string) => fieldsOf(alert, "completed").get(name);

test("alertFields(): both stages are found by one MESSAGE_ID and one id, and name the script", () => {
  const raised = fieldsOf(raisedAlert(), "raised");
  const completed = fieldsOf(completedAlert(), "completed");
  for (const name of ["MESSAGE_ID", "KINWATCH_ALERT_ID", "KINWATCH_PARENT_SCRIPT", "KINWATCH_ANCESTRY"]) {
    assert.equal(raised.get(name), completed.get(name), name);
  }
  assert.equal(raised.get("KINWATCH_STAGE"), "raised");
  assert.equal(completed.get("KINWATCH_STAGE"), "completed");
  assert.equal(raised.get("KINWATCH_ANCESTRY"), "update.sh < bash < sshd < systemd");
  assert.match(raised.get("MESSAGE") ?? "", /\/opt\/deploy\/update\.sh ran rpm -Uvh/);
  assert.match(
    completed.get("MESSAGE") ?? "",
    /update\.sh ran .*kw-a-1\.0-1\.noarch installed, no verified signature/,
  );
  assert.equal(completed.get("KINWATCH_SIGNATURE"), "not verified");
  assert.equal(completed.get("KINWATCH_PACKAGE"), "kw-a-1.0-1.noarch");
  assert.equal(raised.has("KINWATCH_PACKAGE"), false);
});

test("alertFields(): whose packages the parent's program and script are, where somebody asked", () => {
  const nevra = "bash-5.1-1.x86_64";
  const bash = {
    result: "owned",
    type: "rpm",
    name: "bash",
    version: "5.1-1",
    architecture: "x86_64",
    nevra,
  } as const;
  const readOwners = () => ({
    executable: bash,
    script: { result: "none" } as const,
    hasOtherOptions: false,
  });
  const fields = fieldsOf(raisedAlert(rpmImage(), { readOwners }), "raised");
  assert.equal(fields.get("KINWATCH_PARENT_PACKAGE"), nevra);
  assert.equal(fields.get("KINWATCH_PARENT_SCRIPT_PACKAGE"), "no package");
  assert.equal(fieldsOf(raisedAlert(), "raised").has("KINWATCH_PARENT_PACKAGE"), false);
});

test("alertFields(): the container and its image", () => {
  const image = "localhost/kw/build:1";
  const container = { id: "ab".repeat(32), runtime: "docker", name: "build", image, reason: undefined };
  const fields = fieldsOf(raisedAlert(rpmImage(), { readContainer: () => container }), "raised");
  assert.equal(fields.get("KINWATCH_CONTAINER_ID"), container.id);
  assert.equal(fields.get("KINWATCH_CONTAINER_IMAGE"), image);
  assert.equal(fieldsOf(raisedAlert(), "raised").has("KINWATCH_CONTAINER_ID"), false);
});

test("alertFields(): every package is a field of its own, what was replaced is none", () => {
  const updates = [
    updateOf(),
    updateOf({ operation: "remove", nevra: "old-1-1.noarch" }),
    updateOf({ nevra: "b-1-1.noarch" }),
  ];
  const names = alertFields(completedAlert(rpmImage(), updates), "completed").filter(
    ([name]) => name === "KINWATCH_PACKAGE",
  );
  assert.deepEqual(
    names.map(([, value]) => value),
    ["kw-a-1.0-1.noarch", "b-1-1.noarch"],
  );
});

test("alertFields(): what an attacker typed is one line, and has no control characters", () => {
  const hostile = "x\nPRIORITY=0\u001b[2J\u202e";
  const parent = imageOf({ executable: `/tmp/${hostile}`, script: `/tmp/${hostile}.sh` });
  const alert = completedAlert(rpmImage({ args: ["rpm", "-i", hostile], userName: hostile }, { parent }), [
    updateOf({ nevra: `${hostile}-1-1.noarch` }),
  ]);
  for (const [name, value] of alertFields(alert, "completed")) {
    if (name !== "KINWATCH_DOCUMENT") assert.doesNotMatch(value, /[\p{Cc}\p{Cf}]/u, name);
  }
  const document = JSON.parse(textOf(alert, "KINWATCH_DOCUMENT") ?? "");
  assert.equal(document.kinwatch.ancestry[0].script, `/tmp/${hostile}.sh`, "the document has it as it was");
});

test("alertFields(): a document too long for an entry is shortened, and says so", () => {
  const args = [
    "rpm",
    "-i",
    ...Array.from({ length: 300 }, (_, index) => `/${"x".repeat(2_000)}${index}.rpm`),
  ];
  const alert = completedAlert(
    rpmImage({ args }, { parent: imageOf({ args, executable: "/usr/bin/xargs" }) }),
  );
  const text = textOf(alert, "KINWATCH_DOCUMENT") ?? "";
  assert.ok(Buffer.byteLength(text) > 0 && Buffer.byteLength(text) <= 48 * 1_024, `${text.length}`);
  const document = JSON.parse(text);
  assert.deepEqual(document.tags, ["shortened"]);
  assert.equal(document.event.id, alert.event.id);
  assert.equal(document.kinwatch.software_update[0].nevra, "kw-a-1.0-1.noarch");
});

test("journaldOutput(): says what is missing where there is no journal", {
  skip: existsSync("/run/systemd/journal/socket") && "has a journal",
}, () => {
  assert.throws(() => journaldOutput(), {
    code: "KW_JOURNALD_UNAVAILABLE",
    message: /there is no \/run\/systemd/,
  });
});

const sending = `
  import { rmSync } from "node:fs";
  import { journaldOutput } from ${JSON.stringify(new URL("../../agent/outputs/journald.ts", import.meta.url).href)};
  import { completedAlert, raisedAlert, rpmImage } from ${JSON.stringify(new URL("../helpers/alerts.ts", import.meta.url).href)};
  const long = rpmImage({ args: ["rpm", "-i", "x".repeat(40_000)], pid: 901 });
  const output = journaldOutput();
  await output.raised(raisedAlert());
  await output.completed(completedAlert());
  await output.completed(completedAlert(long));
  rmSync("/run/systemd/journal/socket");
  try { await output.raised(raisedAlert()); } catch (error) { console.log(error.code); }`;

test("journaldOutput(): a real journal keeps every field, and one that has gone is told as such", {
  skip: needs("root", "journald"),
}, async () => {
  await using journald = await startJournald();
  const [file = "", ...prefix] = journald.prefix;
  const args = [...prefix, process.execPath, "--input-type=module-typescript", "-e", sending];
  const { stdout } = await promisify(execFile)(file, args, { timeout: 30_000 });
  assert.equal(stdout.trim(), "KW_JOURNALD_UNAVAILABLE");
  const entries = await journald.until(3, [`MESSAGE_ID=${alertMessageId}`]);
  assert.equal(entries.length, 3);
  for (const [index, want] of [
    fieldsOf(raisedAlert(), "raised"),
    fieldsOf(completedAlert(), "completed"),
  ].entries()) {
    for (const [name, value] of want) assert.equal(entries[index]?.[name], value, name);
  }
  assert.equal(entries[0]?.["PRIORITY"], "4");
  assert.equal(entries[0]?.["SYSLOG_IDENTIFIER"], "kinwatch");
  const document = JSON.parse(String(entries[2]?.["KINWATCH_DOCUMENT"])) as AlertDocument;
  assert.equal(document.process.pid, 901);
  assert.deepEqual(await journald.entries(`MESSAGE_ID=${alertMessageId}`, "KINWATCH_STAGE=raised"), [
    entries[0],
  ]);
});
