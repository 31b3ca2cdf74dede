import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { ecsAlert, installationId, withOutcome } from "../../agent/alert/ecs-alert.ts";
import { newCounters } from "../../agent/counters.ts";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";
import { matchNewParent } from "../../agent/rules/new-parent.ts";
import {
  completedAlert,
  contextOf,
  installationOf,
  raisedAlert,
  replay,
  rpmImage,
} from "../helpers/alerts.ts";
import { ecsMistakes } from "../helpers/ecs.ts";
import { atMs, imageOf, scriptImage, updateOf } from "../helpers/images.ts";

test("ecsAlert(): the sample is what the code makes", () => {
  const sample = JSON.parse(readFileSync(new URL("../samples/alert.json", import.meta.url), "utf8"));
  assert.deepEqual(JSON.parse(JSON.stringify(completedAlert())), sample);
});

test("ecsAlert(): users have the names that the source told, else those of the host they are of", () => {
  const names = new Map([
    ["0 here", "root"],
    ["1000 here", "admin"],
  ]);
  const nameUser = (uid: number, node: string | undefined) => names.get(`${uid} ${node ?? "here"}`);
  const parent = imageOf({ uid: 1_000 });
  const { user, process, kinwatch, related } = raisedAlert(rpmImage({}, { parent }), { nameUser });
  assert.deepEqual(user, { id: "0", name: "root" });
  assert.deepEqual([process.user, process.parent?.user], [user, { id: "1000", name: "admin" }]);
  assert.deepEqual(kinwatch.login_user, { id: "1000", name: "admin" });
  assert.deepEqual(related.user, ["root", "admin", "0", "1000"]);
  const told = raisedAlert(rpmImage({ userName: "toor", node: "web-02" }), { nameUser });
  assert.deepEqual(told.user, { id: "0", name: "toor" });
  assert.deepEqual(told.kinwatch.login_user, { id: "1000" }, "another host's number");
});

test("ecsAlert(): answers who, what, where and since when", () => {
  const alert = raisedAlert();
  assert.match(
    alert.message,
    /^Package installed by a new parent: \/opt\/deploy\/update\.sh ran rpm -Uvh \/tmp\/kw-a/,
  );
  assert.equal(alert.event.outcome, "unknown");
  assert.equal(alert.kinwatch.outcome, "pending");
  assert.deepEqual(alert.process.tty, { char_device: { major: 136, minor: 0 } });
  assert.deepEqual(alert.kinwatch.login_user, { id: "1000" });
  assert.deepEqual(alert.related, { user: ["0", "1000"], hosts: ["web-01"] });
  assert.deepEqual(
    alert.kinwatch.ancestry.map(({ pid }) => pid),
    [800, 700, 690, 1],
  );
  assert.equal(alert.process.parent?.entity_id, alert.kinwatch.ancestry[0]?.entity_id);
});

test("ecsAlert(): a stored log's alert says nothing of the host that reads it", () => {
  const alert = raisedAlert(rpmImage(), replay);
  assert.deepEqual(alert.host, { os: { type: "linux" } });
  assert.deepEqual(alert.related.hosts, []);
  assert.equal(alert.event.created, alert["@timestamp"]);
  assert.equal("id" in alert.agent, false);
  const named = raisedAlert(rpmImage({ node: "db-07" }), replay);
  assert.deepEqual(named.host, { name: "db-07", hostname: "db-07", os: { type: "linux" } });
  assert.deepEqual(named.kinwatch.audit, { serial: 4_711, node: "db-07" });
});

test("ecsAlert(): a log that names this host has this host's facts, one that names another has not", () => {
  assert.equal(raisedAlert(rpmImage({ node: "web-01" })).host?.id, "8f0d5d7f3b0e4c1aa5a9e6d1c2b3a495");
  assert.equal(raisedAlert(rpmImage({ node: "db-07" })).host?.id, undefined);
});

test("ecsAlert(): an unknown parent is said to be one, with the reason", () => {
  const alert = raisedAlert(rpmImage({}, { parent: undefined, unresolved: "orphaned" }));
  assert.equal(alert.kinwatch.parent_provenance, "unresolved");
  assert.match(alert.kinwatch.parent_unresolved_reason ?? "", /died before/);
  assert.match(alert.message, /an unknown parent \(pid 800\) ran rpm/);
  assert.equal(alert.process.parent, undefined);
  assert.deepEqual(alert.kinwatch.ancestry, []);
});

test("ecsAlert(): names the counters of loss that are not zero", () => {
  const counters = { ...newCounters(), logs_lost: 2, bytes_read: 5 };
  assert.deepEqual(raisedAlert(rpmImage(), { counters }).kinwatch.coverage, { logs_lost: 2 });
});

test("ecsAlert(): dnf's first record names the package at once", () => {
  const image = imageOf(
    { executable: "/usr/bin/python3.9", script: "/usr/bin/dnf" },
    { parent: scriptImage() },
  );
  const installation = installationOf(image, [updateOf({ executable: "/usr/bin/python3.9" })]);
  const alert = ecsAlert(installation, matchNewParent(installation), contextOf(image));
  assert.match(alert.message, /\/usr\/bin\/dnf installed packages for \/opt\/deploy\/update\.sh$/);
  assert.equal(alert.package?.name, "kw-a");
  assert.equal(alert.kinwatch.outcome, "pending");
  assert.equal(alert.kinwatch.rpm, undefined);
});

test("ecsAlert(): the procfs source tells no outcome, and the alert says that", () => {
  const raised = raisedAlert(rpmImage({ source: "procfs", argumentsFrom: "procfs" }), { provider: "procfs" });
  assert.equal(raised.kinwatch.outcome, "unavailable");
  assert.equal(raised.kinwatch.audit, undefined);
  assert.equal(raised.process.interactive, true);
  assert.equal(withOutcome(raised, []).kinwatch.outcome, "unavailable");
});

const update = updateOf({ operation: "update" });
const removal = updateOf({ operation: "remove", nevra: "kw-a-0.9-1.noarch" });
const failed = updateOf({ nevra: "kw-b-1-1.noarch", success: false });
const signed = updateOf({ nevra: "kw-c-1-1.noarch", signatureVerified: true });
const outcomes: {
  why: string;
  updates: Parameters<typeof withOutcome>[1];
  want: [outcome: string, event: string, signature: string, name: string | undefined];
  message: RegExp;
}[] = [
  {
    why: "one package",
    updates: [updateOf()],
    want: ["installed", "success", "not verified", "kw-a"],
    message: /: kw-a-1\.0-1\.noarch installed, no verified signature$/,
  },
  {
    why: "an upgrade: what it replaces is not what was installed, and its signature is nobody's matter",
    updates: [removal, { ...update, signatureVerified: true }],
    want: ["installed", "success", "verified", "kw-a"],
    message: /: kw-a-1\.0-1\.noarch installed, signature verified$/,
  },
  {
    why: "one of two failed",
    updates: [updateOf(), failed],
    want: ["partly", "failure", "not verified", "kw-a"],
    message: /kw-a-1\.0-1\.noarch and 1 more installed in part/,
  },
  {
    why: "failed",
    updates: [failed],
    want: ["failed", "failure", "not verified", "kw-b"],
    message: /failed/,
  },
  {
    why: "one of two is signed",
    updates: [signed, updateOf()],
    want: ["installed", "success", "partly", "kw-c"],
    message: /not all signatures verified$/,
  },
  {
    why: "no record came",
    updates: [],
    want: ["none", "unknown", "unknown", undefined],
    message: /: no record came of what became of it$/,
  },
  {
    why: "RHEL 7's record, cut before its result",
    updates: [updateOf({ operation: "unknown", success: undefined, signatureVerified: undefined })],
    want: ["installed", "unknown", "unknown", "kw-a"],
    message: /signature unknown$/,
  },
];
for (const { why, updates, want, message } of outcomes) {
  test(`withOutcome(): ${why}`, () => {
    const alert = completedAlert(rpmImage(), updates);
    const { outcome, signature } = alert.kinwatch;
    assert.deepEqual([outcome, alert.event.outcome, signature, alert.package?.name], want);
    assert.match(alert.message, message);
    assert.equal(alert.event.id, raisedAlert().event.id);
    assert.deepEqual(ecsMistakes(alert), []);
  });
}

test("installationId(): is the same whatever is known of it when it is named", () => {
  const id = installationId(installationOf(rpmImage()));
  assert.equal(
    installationId(installationOf(rpmImage({ args: [], argumentsComplete: false }, { parent: undefined }))),
    id,
  );
  assert.equal(id.slice(0, 12), atMs.toString(16).padStart(12, "0"));
  for (const other of [{ pid: 1 }, { serial: 1 }, { timeMs: 1 }, { node: "a" }]) {
    assert.notEqual(installationId(installationOf(rpmImage(other))), id, JSON.stringify(other));
  }
});

/** What a person who chooses file names, arguments and packages can put into an alert. */
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("\0", "\n", "\u001b[2J", "\u202e", "\ud800", "\udfff", "'", "漢", "a") }),
  fc.nat({ max: 3_000 }).map((length) => "𝄞".repeat(length / 2) + "x".repeat(length % 2)),
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const id = maybe(fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const exec = fc.record({
  source: fc.constantFrom("audit-log" as const, "procfs" as const),
  node: maybe(text),
  timeMs: fc.constantFrom(0, 1_700_000_000_123, atMs),
  serial: fc.nat(),
  pid: fc.integer({ min: 1, max: 4_194_304 }),
  ppid: fc.nat(),
  executable: text,
  deleted: fc.boolean(),
  script: maybe(text),
  uid: id,
  auid: id,
  ses: id,
  tty: maybe(fc.oneof(text, fc.constantFrom("pts0", "tty1", "ttyS0", "pts99999999999"))),
  userName: maybe(text),
  loginName: maybe(text),
  workingDirectory: maybe(text),
  argumentsFrom: fc.constantFrom("execve" as const, "proctitle" as const, "none" as const),
  argumentsComplete: fc.boolean(),
  args: fc.oneof(fc.array(text, { maxLength: 5 }), fc.constant(Array<string>(300).fill("x"))),
});
const image = fc
  .tuple(fc.array(exec, { minLength: 1, maxLength: 4 }), fc.array(exec, { maxLength: 2 }))
  .map(([line, before]) => {
    const previous = before.reduce<ProcessImage | undefined>(
      (at, e) => imageOf(e, { previous: at }),
      undefined,
    );
    const first = imageOf(line[0] ?? {}, { unresolved: "not seen" });
    const chain = line.slice(1).reduce((parent, e) => imageOf(e, { parent }), first);
    return Object.assign(chain, { previous });
  });
const updates = fc.array(
  fc
    .record({
      operation: fc.constantFrom(
        "install" as const,
        "update" as const,
        "remove" as const,
        "unknown" as const,
      ),
      nevra: text,
      signatureRequired: maybe(fc.boolean()),
      signatureVerified: maybe(fc.boolean()),
      root: text,
      success: maybe(fc.boolean()),
    })
    .map(updateOf),
  { maxLength: 3 },
);

test("ecsAlert(): is ECS and well-formed JSON, whatever was executed and installed", () => {
  fc.assert(
    fc.property(image, updates, updates, fc.boolean(), (process, early, late, live) => {
      const installation = installationOf(process, early);
      const context = contextOf(process, live ? {} : replay);
      const raised = ecsAlert(installation, matchNewParent(installation), context);
      for (const alert of [raised, withOutcome(raised, [...early, ...late])]) {
        const json = JSON.stringify(alert);
        const back = JSON.parse(json) as AlertDocument;
        assert.deepEqual(ecsMistakes(back), []);
        assert.ok(json.isWellFormed() && !/\\ud[89a-f]/i.test(json), "UTF-8 can hold it");
      }
    }),
  );
});
