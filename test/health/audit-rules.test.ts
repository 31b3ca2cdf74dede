import assert from "node:assert/strict";
import { test } from "node:test";
import { execCoverage, hiddenRecords, parseAuditRules, taskNever } from "../../agent/health/audit-rules.ts";

const b64 = "-a always,exit -F arch=b64 -S execve,execveat -F key=kinwatch";
const b32 = "-a always,exit -F arch=b32 -S execve,execveat -F key=kinwatch";
const both = [b64, b32];

/** A letter each for execve and execveat of 64 bit, then of 32 bit: all, some, none. */
function coverageOf(lines: readonly string[], archs: readonly string[] = ["b64", "b32"]): string {
  return execCoverage(parseAuditRules(lines.join("\n")), archs)
    .map(({ recorded }) => recorded[0])
    .join("");
}

const rows = [
  { why: "no rules", lines: ["No rules"], want: "nnnn" },
  { why: "our rules", lines: both, want: "aaaa" },
  {
    why: "two calls in two -S, as audit 2.3 lists them",
    lines: ["-a always,exit -F arch=b64 -S execve -S execveat"],
    want: "aann",
  },
  {
    why: "another key and the older order",
    lines: ["-a exit,always -F arch=b64 -S execve -k x"],
    want: "annn",
  },
  {
    why: "without arch only the native calls are meant",
    lines: ["-a always,exit -S execve -F key=x"],
    want: "annn",
  },
  { why: "all calls of any arch", lines: ["-a always,exit -S all -F key=x"], want: "aaaa" },
  { why: "a rule without calls means all", lines: ["-a always,exit -F arch=b64 -F key=x"], want: "aann" },
  {
    why: "successful ones are all that count",
    lines: ["-a always,exit -F arch=b64 -S execve -F success=1 -F key=x"],
    want: "annn",
  },
  {
    why: "failed ones are not",
    lines: ["-a always,exit -F arch=b64 -S execve -F exit=-EACCES"],
    want: "snnn",
  },
  {
    why: "only people who logged in (CIS, STIG)",
    lines: ["-a always,exit -F arch=b64 -S execve -F auid>=1000 -F auid!=-1 -F key=x"],
    want: "snnn",
  },
  {
    why: "only changes of user (power abuse)",
    lines: ["-a always,exit -F arch=b64 -S execve -C uid!=euid -F euid=0 -F key=x"],
    want: "snnn",
  },
  {
    why: "a restricted rule before an open one takes nothing away",
    lines: ["-a always,exit -F arch=b64 -S execve -F auid>=1000 -F key=x", ...both],
    want: "aaaa",
  },
  {
    why: "never, before ours, hides some",
    lines: ["-a never,exit -F arch=b64 -S execve -F auid=-1", ...both],
    want: "saaa",
  },
  {
    why: "never, before ours, hides all",
    lines: ["-a never,exit -F arch=b64 -S all", ...both],
    want: "nnaa",
  },
  { why: "never, after ours, hides nothing", lines: [...both, "-a never,exit -S all"], want: "aaaa" },
  {
    why: "never, of another program, is of no concern",
    lines: ["-a never,exit -F arch=b64 -S execve -F exe=/usr/bin/chronyd", ...both],
    want: "aaaa",
  },
  {
    why: "never, of all programs but one, is",
    lines: ["-a never,exit -F arch=b64 -S execve -F exe!=/usr/bin/chronyd", ...both],
    want: "saaa",
  },
  {
    why: "never, of rpm, is",
    lines: ["-a never,exit -F arch=b64 -S execve -F exe=/usr/bin/rpm", ...both],
    want: "saaa",
  },
  {
    why: "never, of another user, may be",
    lines: ["-a never,exit -S all -F uid=998", ...both],
    want: "ssss",
  },
  { why: "a watch on writing", lines: ["-w /etc/passwd -p wa -k identity"], want: "nnnn" },
  {
    why: "a watch on executing rpm sees no parents",
    lines: ["-w /usr/bin/rpm -p x -k software"],
    want: "ssss",
  },
  { why: "a watch on another program", lines: ["-w /usr/bin/mount -p x -k mounts"], want: "nnnn" },
  {
    why: "audit 4 lists a watch as a rule",
    lines: ["-a always,exit -F arch=b64 -S all -F path=/usr/bin/dnf -F perm=x -F key=software"],
    want: "ssnn",
  },
  {
    why: "other lists do not count",
    lines: ["-a always,io_uring -S execve", "-a never,filesystem -F fstype=tracefs"],
    want: "nnnn",
  },
] as const;
for (const { why, lines, want } of rows) {
  test(`execCoverage(): ${why}`, () => assert.equal(coverageOf(lines), want));
}

test("execCoverage(): a 32-bit host needs one rule", () => {
  assert.equal(coverageOf([b32], ["b32"]), "aa");
});

test("execCoverage(): names the rules that decide", () => {
  const never = "-a never,exit -S all -F uid=998";
  const [first] = execCoverage(parseAuditRules([never, ...both].join("\n")), ["b64"]);
  assert.deepEqual(first, { what: "execve, 64 bit", recorded: "some", rules: [never, b64] });
});

test("taskNever(): in either order, with and without conditions", () => {
  assert.deepEqual(taskNever(parseAuditRules("-a never,task\n")), { all: true, rule: "-a never,task" });
  assert.equal(taskNever(parseAuditRules("-a task,never -F uid=5\n"))?.all, false);
  assert.equal(taskNever(parseAuditRules(both.join("\n"))), undefined);
});

const exclusions = [
  { why: "what nobody needs", line: "-a always,exclude -F msgtype=EOE", want: [] },
  { why: "folders", line: "-a never,exclude -F msgtype=CWD", want: ["CWD"] },
  { why: "executions", line: "-a always,exclude -F msgtype=EXECVE -F key=x", want: ["EXECVE"] },
  { why: "a range", line: "-a always,exclude -F msgtype>=1300 -F msgtype<=1399", want: ["any"] },
  { why: "all of one program", line: "-a always,exclude -F exe=/usr/bin/x", want: ["any"] },
  {
    why: "messages of programs",
    line: "-a never,user -F msgtype=SOFTWARE_UPDATE",
    want: ["SOFTWARE_UPDATE"],
  },
  { why: "messages of programs that are recorded", line: "-a always,user -F uid=0", want: [] },
] as const;
for (const { why, line, want } of exclusions) {
  test(`hiddenRecords(): ${why}`, () => {
    assert.deepEqual(
      hiddenRecords(parseAuditRules(line)).map(({ type }) => type),
      want,
    );
  });
}
