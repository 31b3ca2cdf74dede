import assert from "node:assert/strict";
import { test } from "node:test";
import { eventFieldNames, eventFields } from "../../agent/rules/event-fields.ts";
import { gapsOf, refusalOf, type SourceName } from "../../agent/rules/field-sources.ts";
import type { Subject } from "../../agent/rules/rule.ts";
import { treeOf } from "../helpers/kql.ts";

/** Those that Elastic's new_terms rules on Linux processes read: in their queries, and as their terms. */
const read =
  `host.os.type event.action event.category process.name event.type process.args process.parent.name
  process.parent.executable process.parent.args process.executable process.parent.command_line process.command_line
  process.working_directory process.args_count user.id process.entry_leader.entry_meta.type process.interactive
  process.thread.capabilities.effective process.thread.capabilities.permitted process.entry_leader.executable
  process.env_vars process.parent.group.id process.parent.pid process.parent.user.id process.parent.working_directory
  user.name host.id auditd.data.syscall auditd.data.a2`.split(/\s+/);

test("refusalOf(): each field that Elastic's rules read is there, or not for a reason", () => {
  const missing = read.filter((field) => eventFields(field) === undefined);
  assert.deepEqual(missing, ["auditd.data.syscall", "auditd.data.a2"]);
  for (const field of missing) assert.match(refusalOf(field, "outcome") ?? "", /no other system calls/);
});

test("refusalOf(): nothing that is there is refused", () => {
  for (const field of eventFieldNames) assert.equal(refusalOf(field, "outcome"), undefined, field);
});

const refused = [
  ["kinwatch.package_owner.name", /exceptions: package_owner/],
  ["kinwatch.ancestry.script_package_owner.nevra", /exceptions: package_owner/],
  ["process.hash.sha256", /content of programs/],
  ["process.parent.code_signature.trusted", /content of programs/],
  ["process.real_user.id", /effective ones/],
  ["process.group_leader.supplemental_groups.id", /effective ones/],
  ["process.parent.group.name", /process\.group\.id is/],
  ["group.id", /process\.group\.id/],
  ["user.email", /user\.id, user\.name/],
  ["process.Ext.ancestry", /kinwatch\.ancestry\.entity_id/],
  ["process.parent.Ext.real.pid", /private/],
  ["process.exit_code", /end of a process/],
  ["process.parent.end", /end of a process/],
  ["process.thread.id", /threads/],
  ["host.ip", /networks/],
  ["container.memory.usage", /container\.image\.name/],
  ["destination.port", /only executions/],
  ["event.risk_score", /when rules have been asked/],
  ["kinwatch.first_seen", /when rules have been asked/],
] as const;
for (const [field, reason] of refused) {
  test(`refusalOf(): ${field}`, () => {
    assert.match(refusalOf(field, "outcome") ?? "", reason);
  });
}

const early = [
  ["process", "kinwatch.outcome", /on = "outcome"/],
  ["process", "event.outcome", /no outcome/],
  ["process", "package.name", /no outcome/],
  ["process", "kinwatch.software_update.root", /no outcome/],
  ["installation", "kinwatch.outcome", /at the beginning/],
  ["installation", "event.outcome", /at the beginning/],
  ["installation", "package.name", undefined],
  ["outcome", "kinwatch.outcome", undefined],
  ["process", "kinwatch.rpm.mode", undefined],
] as const;
for (const [on, field, want] of early) {
  test(`refusalOf(): ${field} of a rule on ${on}`, () => {
    const reason = refusalOf(field, on);
    if (want === undefined) assert.equal(reason, undefined);
    else assert.match(reason ?? "", want);
  });
}

test("refusalOf(): a name that is no field at all has no reason", () => {
  for (const name of ["process.nme", "", "kinwatch.rmp.mode", "hostname"])
    assert.equal(refusalOf(name, "process"), undefined);
});

const rows: readonly {
  why: string;
  query: string;
  terms?: readonly string[];
  on?: Subject;
  source: SourceName;
  want: readonly string[];
}[] = [
  {
    why: "what every source gives",
    query: "event.action:exec and process.name:rpm and not user.id:0",
    source: "procfs",
    want: [],
  },
  {
    why: "what /proc tells of the living, each field once",
    query: "process.env_vars:LD_PRELOAD=* or process.parent.group.id:(0 or 1) or process.env_vars:*",
    source: "audit-log",
    want: ["process.env_vars at times", "process.parent.group.id at times"],
  },
  {
    why: "the same of a stored log, also as a term",
    query: "process.thread.capabilities.effective:CAP_SETUID",
    terms: ["process.session_leader.name"],
    source: "files",
    want: ["process.thread.capabilities.effective never", "process.session_leader.name never"],
  },
  {
    why: "an outcome that /proc does not tell",
    query: "kinwatch.outcome:none and kinwatch.software_update.root:*",
    terms: ["package.name"],
    on: "outcome",
    source: "procfs",
    want: ["kinwatch.outcome never", "kinwatch.software_update.root never", "package.name never"],
  },
  {
    why: "names of users and hosts in a stored log",
    query: "user.name:root or process.parent.user.name:root or kinwatch.login_user.name:root",
    terms: ["host.id", "host.name", "host.os.version"],
    source: "files",
    want: [
      "user.name at times",
      "process.parent.user.name at times",
      "kinwatch.login_user.name at times",
      "host.name at times",
      "host.os.version never",
    ],
  },
  {
    why: "a variable that is not read",
    query: "process.env_vars:(HTTP_PROXY=* or LD_PRELOAD=* or LD_AUDIT)",
    source: "procfs",
    want: ["process.env_vars never", "process.env_vars at times"],
  },
  {
    why: "patterns that variables that are read may have",
    query: 'process.env_vars:(LD_* or *preload* or "LD_AUDIT=/tmp/a.so")',
    source: "procfs",
    want: ["process.env_vars at times"],
  },
  {
    why: "packages when an installation begins",
    query: "kinwatch.signature:verified and kinwatch.rpm.mode:install",
    terms: ["package.name"],
    on: "installation",
    source: "audit-log",
    want: ["kinwatch.signature at times", "package.name at times"],
  },
  {
    why: "packages when it has ended",
    query: "kinwatch.outcome:installed",
    on: "outcome",
    source: "audit-log",
    want: [],
  },
  {
    why: "changes of user",
    query: "event.action:(exec or uid_change)",
    source: "audit-log",
    want: ["event.action at times"],
  },
];
for (const { why, query, terms = [], on = "process", source, want } of rows) {
  test(`gapsOf(): ${source}: ${why}`, () => {
    const gaps = gapsOf({ tree: treeOf(query), newTerms: { fields: terms, historyMs: 1 }, on }, source);
    assert.deepEqual(new Set(gaps.map(({ field, given }) => `${field} ${given}`)), new Set(want));
    for (const { field, at } of gaps)
      assert.equal(
        at === undefined ? terms.includes(field) : query.slice(at.start, at.end),
        at ? field : true,
      );
  });
}
