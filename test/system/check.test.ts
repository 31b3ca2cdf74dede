/** `kinwatch check` on a host that is audited for real: what is broken is found, and the cures that it tells do cure. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type AuditHost, needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { kinwatch } from "../helpers/kinwatch.ts";

interface Finding {
  readonly fact: string;
  readonly status: string;
  readonly text: string;
  readonly cure: readonly string[];
}

async function check(
  host: AuditHost,
  type = "auto",
): Promise<{ status: number | null; found: Map<string, Finding> }> {
  const file = join(host.folder, "kinwatch.toml");
  writeFileSync(
    file,
    `source.type = "${type}"\nsource.audit_log = "${host.logFile}"\nstate.directory = "state"\noutput.journald.enabled = false\n`,
  );
  const { status, stdout, stderr } = await kinwatch(["check", "--config", file, "--format", "ndjson"]);
  assert.equal(stderr, "");
  const findings = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
  return { status, found: new Map(findings.map((finding) => [finding.fact, finding])) };
}

/** In a world where /etc/audit is a folder of the test's: the kernel's rules are real, the files are not the host's. */
function cure(lines: readonly string[], rules: string): void {
  const script = [
    "mount -t tmpfs none /etc/audit && mkdir /etc/audit/rules.d",
    `printf '%s' "$1" >/etc/audit/rules.d/10-host.rules`,
    ...lines,
  ];
  execFileSync("unshare", ["-m", "sh", "-ec", script.join("\n"), "sh", rules], {
    stdio: "pipe",
    timeout: 20_000,
  });
}

const execs =
  "-a always,exit -F arch=b64 -S execve,execveat\n-a always,exit -F arch=b32 -S execve,execveat\n";

async function breaks(
  t: TestContext,
  host: AuditHost,
  { why, how, fact, rules }: { why: string; how: () => void; fact: string; rules: string },
): Promise<void> {
  await t.test(why, async () => {
    how();
    const broken = await check(host);
    const finding = broken.found.get(fact);
    assert.equal(finding?.status, "failed");
    assert.equal(broken.found.get("recording")?.status, "failed", "nothing of it is in the log");
    assert.equal(broken.status, 3);
    assert.match(
      broken.found.get("host")?.text ?? "",
      /^This host is not watched through its audit log, only through \/proc/,
    );
    assert.match(
      (await check(host, "audit-log")).found.get("host")?.text ?? "",
      /^This host is not watched\. Cure/,
    );
    cure(finding.cure, rules);
    const cured = await check(host);
    assert.equal(cured.found.get(fact)?.status, "ok");
    assert.equal(cured.found.get("recording")?.status, "ok");
    assert.equal(cured.status, 0);
  });
}

test("kinwatch check: an audited host", { skip: needsAuditHost() }, async (t) => {
  await using host = await startAuditHost();

  await t.test("is watched, and an execution is found in its log", async () => {
    const { status, found } = await check(host);
    for (const fact of [
      "rights",
      "auditd",
      "audit",
      "tasks",
      "exec-rules",
      "record-types",
      "log",
      "history",
      "recording",
      "state",
    ]) {
      assert.equal(found.get(fact)?.status, "ok", `${fact}: ${found.get(fact)?.text}`);
    }
    assert.match(found.get("auditd")?.text ?? "", new RegExp(`pid ${host.auditdPid}$`));
    assert.match(found.get("host")?.text ?? "", /^This host is watched through the audit log/);
    assert.equal(status, 0);
  });

  await breaks(t, host, {
    why: "without rules it is not, and the cure loads them",
    how: () => host.auditctl("-D"),
    fact: "exec-rules",
    rules: "",
  });
  await breaks(t, host, {
    why: "with task,never it is not, and the cure takes it away",
    how: () => host.auditctl("-a", "task,never"),
    fact: "tasks",
    rules: `-D\n-a task,never\n${execs}`,
  });
  await breaks(t, host, {
    why: "with all executions exempt it is not, and the cure ends that",
    how: () => host.auditctl("-A", "never,exit", "-S", "all"),
    fact: "exec-rules",
    rules: `-a never,exit -S all\n${execs}`,
  });

  await t.test("with conditions on its rules it is watched in part", async () => {
    host.auditctl("-D");
    host.auditctl(
      "-a",
      "always,exit",
      "-F",
      "arch=b64",
      "-S",
      "execve",
      "-F",
      "auid>=1000",
      "-F",
      "auid!=unset",
    );
    const { status, found } = await check(host);
    assert.equal(found.get("exec-rules")?.status, "warning");
    assert.match(found.get("exec-rules")?.text ?? "", /execveat, 64 bit.*auid>=1000/);
    assert.equal(status, 0);
  });

  await t.test("without auditd it is not", async () => {
    await host.stop();
    const { status, found } = await check(host);
    assert.equal(found.get("auditd")?.status, "failed");
    assert.match(found.get("auditd")?.cure[0] ?? "", /auditd$/);
    assert.equal(status, 3);
  });
});
