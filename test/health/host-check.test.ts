/** Each fact by itself: what is said of it, whether the host counts as watched, and the cure. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KinwatchError } from "../../agent/errors.ts";
import { parseAuditRules } from "../../agent/health/audit-rules.ts";
import { type CheckOptions, checkHost, type Fact, facts } from "../../agent/health/host-check.ts";
import { archsOf, type HostSurvey } from "../../agent/health/host-survey.ts";
import { parseOsRelease } from "../../agent/health/os-release.ts";

const b64 = "-a always,exit -F arch=b64 -S execve,execveat -F key=kinwatch";
const b32 = "-a always,exit -F arch=b32 -S execve,execveat -F key=kinwatch";
const rulesOf = (...lines: string[]) => parseAuditRules(lines.join("\n"));
const os = (id: string, like = "") => parseOsRelease(`ID=${id}\nID_LIKE="${like}"`);

const status = { enabled: 1, pid: 700, lost: 0, backlog: 2, backlogLimit: 8192, rateLimit: 0 };
const config = {
  logFile: "/var/log/audit/audit.log",
  writesLog: true,
  format: "ENRICHED",
  fileMegabytes: 8,
  files: 5,
  whenFull: "rotate",
};
const log = {
  path: "/var/log/audit/audit.log",
  problem: undefined,
  begunMs: 0,
  bytes: 12_345_678,
  freeBytes: 100e9,
  recordsUs: true,
};
const rpm = {
  version: "4.19.1",
  plugin: "/usr/lib64/rpm-plugins/audit.so",
  there: true,
  elsewhere: undefined,
  switchedOffIn: [],
};
const good: HostSurvey = {
  os: os("fedora"),
  uid: 0,
  systemd: true,
  archs: ["b64", "b32"],
  programs: new Set(["auditctl", "auditd", "augenrules", "dnf", "systemctl"]),
  audit: status,
  rules: rulesOf(b64, b32),
  receiver: "auditd",
  auditd: { path: "/etc/audit/auditd.conf", config },
  log,
  rpm,
  journald: true,
  state: { folder: "/var/lib/kinwatch", problem: undefined },
  database: "sound",
  tracefs: undefined,
  procHidden: false,
  pidNamespace: false,
  selinux: { enforcing: true, denials: [] },
  bootedWithoutAudit: false,
};
const options: CheckOptions = { source: "auto", journald: true, nowMs: 3 * 3_600_000 };
const off = { auditd: { audit: { ...status, pid: 0 }, receiver: undefined } };

interface Row {
  readonly why: string;
  readonly survey: Partial<HostSurvey>;
  readonly fact: Fact;
  readonly status: "ok" | "warning" | "failed";
  readonly text?: RegExp;
  readonly cure?: RegExp;
}
const rows: readonly Row[] = [
  { why: "not root", survey: { uid: 1000 }, fact: "rights", status: "warning", text: /User 1000/ },
  {
    why: "auditd stopped",
    survey: off.auditd,
    fact: "auditd",
    status: "failed",
    cure: /^systemctl enable --now auditd$/,
  },
  {
    why: "auditd stopped, without systemd",
    survey: { ...off.auditd, systemd: false },
    fact: "auditd",
    status: "failed",
    cure: /^auditd$/,
  },
  {
    why: "no auditd on Fedora",
    survey: { ...off.auditd, programs: new Set(["dnf"]) },
    fact: "auditd",
    status: "failed",
    cure: /^dnf install audit$/,
  },
  {
    why: "no auditd on EL 7",
    survey: { ...off.auditd, os: os("rhel", "fedora"), programs: new Set(["yum"]) },
    fact: "auditd",
    status: "failed",
    cure: /^yum install audit$/,
  },
  {
    why: "no auditd on Debian",
    survey: { ...off.auditd, os: os("debian"), programs: new Set() },
    fact: "auditd",
    status: "failed",
    cure: /^apt-get install auditd$/,
  },
  {
    why: "no auditd on Leap",
    survey: { ...off.auditd, os: os("opensuse-leap", "suse opensuse"), programs: new Set(["zypper"]) },
    fact: "auditd",
    status: "failed",
    cure: /^zypper install audit$/,
  },
  {
    why: "another program takes the records",
    survey: { receiver: "auditbeat" },
    fact: "auditd",
    status: "failed",
    text: /^auditbeat \(pid 700\)/,
    cure: /^systemctl disable --now auditbeat\n/,
  },
  {
    why: "root, and audit refuses to answer",
    survey: { audit: { problem: "Operation not permitted" }, receiver: undefined, rules: undefined },
    fact: "auditd",
    status: "failed",
    text: /Operation not permitted/,
  },
  {
    why: "root of a container, and audit refuses to answer",
    survey: {
      ...{ audit: { problem: "Operation not permitted" }, receiver: undefined, rules: undefined },
      pidNamespace: true,
    },
    fact: "auditd",
    status: "warning",
  },
  {
    why: "a user, and audit refuses to answer",
    survey: { uid: 5, audit: { problem: "You must be root" }, receiver: undefined, rules: undefined },
    fact: "auditd",
    status: "warning",
  },
  {
    why: "booted without audit",
    survey: {
      audit: { problem: "not in kernel" },
      receiver: undefined,
      rules: undefined,
      bootedWithoutAudit: true,
    },
    fact: "auditd",
    status: "failed",
    text: /audit=0/,
    cure: /^sed -i .*grub2-mkconfig .*\nreboot$/s,
  },
  {
    why: "booted without audit, with grubby",
    survey: {
      ...{
        audit: { problem: "not in kernel" },
        receiver: undefined,
        rules: undefined,
        bootedWithoutAudit: true,
      },
      programs: new Set(["auditd", "grubby"]),
    },
    fact: "auditd",
    status: "failed",
    cure: /^grubby --update-kernel=ALL --remove-args='audit=0 audit=off'\nreboot$/,
  },
  {
    why: "audit off",
    survey: { audit: { ...status, enabled: 0 } },
    fact: "audit",
    status: "failed",
    cure: /^auditctl -e 1$/,
  },
  {
    why: "audit locked",
    survey: { audit: { ...status, enabled: 2 } },
    fact: "audit",
    status: "ok",
    text: /locked/,
  },
  {
    why: "Fedora's task,never",
    survey: { rules: rulesOf("-a never,task", b64, b32) },
    fact: "tasks",
    status: "failed",
    cure: /^sed -i '\/task,never.*augenrules --load$/s,
  },
  {
    why: "task,never of some",
    survey: { rules: rulesOf("-a never,task -F uid=5", b64, b32) },
    fact: "tasks",
    status: "warning",
    cure: /^sed /,
  },
  {
    why: "no rules",
    survey: { rules: [] },
    fact: "exec-rules",
    status: "failed",
    cure: /^printf .*\n {2}b64 b32 >\/etc\/audit\/rules\.d\/90-kinwatch\.rules\naugenrules --load$/,
  },
  {
    why: "no rules, and locked",
    survey: { rules: [], audit: { ...status, enabled: 2 } },
    fact: "exec-rules",
    status: "failed",
    cure: /rules\nreboot$/,
  },
  {
    why: "no rule for 32 bit",
    survey: { rules: rulesOf(b64) },
    fact: "exec-rules",
    status: "warning",
    text: /^Not recorded: execve, 32 bit, execveat, 32 bit\./,
    cure: /^printf/,
  },
  {
    why: "only people's executions",
    survey: { rules: rulesOf("-a always,exit -S all -F auid>=1000") },
    fact: "exec-rules",
    status: "warning",
    text: /auid>=1000/,
    cure: /^printf .*--load$/s,
  },
  {
    why: "a never before ours",
    survey: { rules: rulesOf("-a never,exit -S all -F uid<5", b64, b32) },
    fact: "exec-rules",
    status: "warning",
    text: /-a never,exit -S all -F uid<5/,
    cure: /^auditctl -d never,exit -S all -F 'uid<5'\ngrep /,
  },
  {
    why: "excluded EXECVE",
    survey: { rules: rulesOf("-a always,exclude -F msgtype=EXECVE", b64, b32) },
    fact: "record-types",
    status: "failed",
    cure: /msgtype=/,
  },
  {
    why: "excluded CWD",
    survey: { rules: rulesOf("-a always,exclude -F msgtype=CWD", b64, b32) },
    fact: "record-types",
    status: "warning",
    cure: /^sed .*msgtype=\\\(CWD\\\)/,
  },
  {
    why: "lost records",
    survey: { audit: { ...status, lost: 7 } },
    fact: "loss",
    status: "warning",
    text: /lost 7 /,
    cure: /^auditctl -b 16384 --reset-lost$/,
  },
  {
    why: "a backlog that is nearly full",
    survey: { audit: { ...status, backlog: 60, backlogLimit: 64 } },
    fact: "loss",
    status: "warning",
    cure: /^auditctl -b 8192$/,
  },
  {
    why: "a rate limit",
    survey: { audit: { ...status, rateLimit: 100 } },
    fact: "loss",
    status: "warning",
    cure: /^auditctl -r 0$/,
  },
  {
    why: "no log is written",
    survey: { auditd: { path: "/etc/audit/auditd.conf", config: { ...config, writesLog: false } } },
    fact: "log",
    status: "failed",
    cure: /write_logs = yes\/' \/etc\/audit\/auditd\.conf\npkill -HUP -x auditd$/,
  },
  {
    why: "another log is written",
    survey: { auditd: { path: "x", config: { ...config, logFile: "/data/a.log" } } },
    fact: "log",
    status: "warning",
    text: /\/data\/a\.log, but/,
  },
  {
    why: "raw records are enough",
    survey: { auditd: { path: "x", config: { ...config, format: "RAW" } } },
    fact: "log",
    status: "ok",
    text: /without names/,
  },
  {
    why: "records of the last hours",
    survey: {},
    fact: "history",
    status: "ok",
    text: /^12 MB, since 3 h ago; room for 5 × 8 MB$/,
  },
  {
    why: "a log that stops when it is full",
    survey: { auditd: { path: "x", config: { ...config, whenFull: "suspend" } } },
    fact: "history",
    status: "failed",
    cure: /ROTATE/,
  },
  {
    why: "a log without end",
    survey: { auditd: { path: "x", config: { ...config, files: 1 } } },
    fact: "history",
    status: "warning",
    cure: /num_logs = 5/,
  },
  {
    why: "logs that last for minutes on a busy host",
    survey: { log: { ...log, bytes: 40e6, begunMs: 3 * 3_600_000 - 600_000 } },
    fact: "history",
    status: "warning",
    text: /last for 10 min/,
    cure: /max_log_file = 92\//,
  },
  {
    why: "the same, and no room for more",
    survey: { log: { ...log, bytes: 40e6, begunMs: 3 * 3_600_000 - 600_000, freeBytes: 100e6 } },
    fact: "history",
    status: "warning",
  },
  {
    why: "a young log tells no pace",
    survey: { log: { ...log, bytes: 1e6, begunMs: 3 * 3_600_000 - 5_000 } },
    fact: "history",
    status: "ok",
  },
  {
    why: "rules are there, and yet nothing is recorded",
    survey: { log: { ...log, recordsUs: false } },
    fact: "recording",
    status: "failed",
  },
  {
    why: "hidden processes",
    survey: { procHidden: true },
    fact: "proc",
    status: "failed",
    cure: /hidepid=0/,
  },
  {
    why: "a container with pids of its own",
    survey: { pidNamespace: true },
    fact: "proc",
    status: "warning",
    text: /--pid=host/,
  },
  {
    why: "SELinux denies",
    survey: { selinux: { enforcing: true, denials: [{ timeMs: 0, text: '{ read } for name="audit.log"' }] } },
    fact: "selinux",
    status: "warning",
    text: /^SELinux denied kinwatch something, the last at 1970-.*audit\.log/,
    cure: /^restorecon /,
  },
  {
    why: "SELinux only says what it would deny",
    survey: { selinux: { enforcing: false, denials: [{ timeMs: 0, text: "{ read }" }] } },
    fact: "selinux",
    status: "ok",
    text: /permissive/,
  },
  { why: "no rpm", survey: { rpm: undefined }, fact: "rpm", status: "warning" },
  {
    why: "no plug-in",
    survey: { rpm: { ...rpm, there: false } },
    fact: "rpm-plugin",
    status: "warning",
    cure: /^dnf install rpm-plugin-audit$/,
  },
  {
    why: "a plug-in elsewhere (Debian)",
    survey: { rpm: { ...rpm, there: false, elsewhere: "/usr/lib/x86_64-linux-gnu/rpm-plugins/audit.so" } },
    fact: "rpm-plugin",
    status: "warning",
    cure: /'%__plugindir \/usr\/lib\/x86_64-linux-gnu\/rpm-plugins'/,
  },
  {
    why: "a plug-in that a macro switched off",
    survey: { rpm: { ...rpm, plugin: "", there: false } },
    fact: "rpm-plugin",
    status: "warning",
    text: /switched off/,
    cure: /^grep -rn/,
  },
  {
    why: "a plug-in that a macro switched off in a file that is known",
    survey: { rpm: { ...rpm, plugin: "", there: false, switchedOffIn: ["/etc/rpm/macros.site"] } },
    fact: "rpm-plugin",
    status: "warning",
    cure: /^sed -i '\/\^ \*%__transaction_audit\\b\/d' \/etc\/rpm\/macros\.site$/,
  },
  {
    why: "an rpm before plug-ins for audit",
    survey: { rpm: { ...rpm, version: "4.14.3", there: false } },
    fact: "rpm-plugin",
    status: "warning",
    text: /Red Hat/,
  },
  {
    why: "no journal",
    survey: { journald: false },
    fact: "journald",
    status: "warning",
    cure: /^systemctl start systemd-journald$/,
  },
  {
    why: "no place for the state",
    survey: { state: { folder: "/a b", problem: "EROFS" } },
    fact: "state",
    status: "failed",
    cure: /^install -d -m 0700 -o 0 '\/a b'$/,
  },
  { why: "none as yet", survey: { database: "none" }, fact: "database", status: "ok", text: /^none yet/ },
  {
    why: "damaged",
    survey: { database: new KinwatchError("KW_STATE_CORRUPT", "It is damaged", "Move it away") },
    fact: "database",
    status: "failed",
    text: /^It is damaged\. Move it away\.$/,
    cure: /^mv -T \/var\/lib\/kinwatch \/var\/lib\/kinwatch\.damaged$/,
  },
  {
    why: "not mounted",
    survey: { tracefs: new KinwatchError("KW_TRACEFS_MISSING", "There is no tracefs", "Mount it") },
    fact: "tracefs",
    status: "warning",
    text: /^Of parents that are dead by then, or executed nothing, less is known: There is no tracefs\. Mount it\.$/,
    cure: /^mount -t tracefs nodev \/sys\/kernel\/tracing$/,
  },
  {
    why: "refused",
    survey: { tracefs: new KinwatchError("KW_TRACEFS_REFUSED", "It is locked", "Do without") },
    fact: "tracefs",
    status: "warning",
  },
  {
    why: "of a newer kinwatch",
    survey: { database: new KinwatchError("KW_STATE_NEWER", "It is newer", "Install that") },
    fact: "database",
    status: "failed",
    text: /^It is newer/,
  },
  {
    why: "in use by another program",
    survey: { database: new KinwatchError("KW_STATE_LOCKED", "It is in use", "Wait") },
    fact: "database",
    status: "warning",
  },
];
for (const { why, survey, fact, status: want, text = /./, cure = /^$/ } of rows) {
  test(`checkHost(): ${fact}: ${why}: ${want}`, () => {
    const report = checkHost({ ...good, ...survey }, options);
    const finding = report.findings.find((one) => one.fact === fact);
    assert.equal(finding?.status, want);
    assert.match(finding.text, text);
    assert.match(finding.cure.join("\n"), want === "ok" ? /^$/ : cure);
    assert.equal(report.watched, want !== "failed");
    const others = report.findings.filter((one) => one.fact !== fact && one.status === "failed");
    assert.deepEqual(others, [], "one cause, one failure");
  });
}

test("checkHost(): a good host has nothing to cure, and each fact is told in its order", () => {
  const { findings, ...verdict } = checkHost(good, options);
  assert.deepEqual(verdict, { source: "audit-log", watched: true, silentLog: false });
  assert.deepEqual(
    findings.map(({ fact, status: how, cure }) => [fact, how, cure]),
    facts.map((fact) => [fact, "ok", []]),
  );
});

const bare: HostSurvey = {
  ...good,
  programs: new Set(["dnf"]),
  audit: { problem: "no auditctl" },
  rules: undefined,
  receiver: undefined,
  auditd: { path: "/etc/audit/auditd.conf", config: undefined },
  log: { ...log, problem: "ENOENT", begunMs: undefined, bytes: 0, recordsUs: false },
};
const noTracefs = new KinwatchError("KW_TRACEFS_MISSING", "There is no tracefs", "Mount it");
test("checkHost(): without auditd tracepoints or /proc are watched, unless the audit log was asked for", () => {
  const auto = checkHost(bare, options);
  assert.deepEqual([auto.source, auto.watched], ["tracefs", true]);
  const without = checkHost({ ...bare, tracefs: noTracefs }, options);
  assert.deepEqual([without.source, without.watched], ["procfs", true]);
  assert.equal(checkHost({ ...bare, tracefs: noTracefs }, { ...options, source: "tracefs" }).watched, false);
  assert.match(auto.findings.find(({ fact }) => fact === "auditd")?.cure[0] ?? "", /install audit$/);
  assert.equal(checkHost(bare, { ...options, source: "audit-log" }).watched, false);
  assert.equal(checkHost(bare, { ...options, source: "procfs" }).watched, true);
});

test("checkHost(): through /proc a container with pids of its own is not the host", () => {
  const report = checkHost({ ...good, pidNamespace: true }, { ...options, source: "procfs" });
  assert.deepEqual(
    report.findings.filter(({ status }) => status === "failed").map(({ fact }) => fact),
    ["proc"],
  );
});

test("checkHost(): a log that is there but gets nothing is no reason to be content with /proc", () => {
  const report = checkHost({ ...good, rules: [], log: { ...log, recordsUs: false } }, options);
  assert.deepEqual([report.source, report.watched, report.silentLog], ["tracefs", false, true]);
});

test("archsOf(): 32-bit programs run beside 64-bit ones where audit knows both", () => {
  assert.deepEqual([archsOf("x64"), archsOf("riscv64"), archsOf("arm")], [["b64", "b32"], ["b64"], ["b32"]]);
});

test("docs/check.md: has a section for each fact, in the order in which they are told", () => {
  const page = readFileSync(new URL("../../docs/check.md", import.meta.url), "utf8");
  assert.deepEqual(
    [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading),
    facts,
  );
});
