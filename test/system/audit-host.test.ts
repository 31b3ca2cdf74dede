/** The audited host that other tests stand on: it records, rotates, and leaves everything as it was, even when it is killed. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { execRules, lockFile, needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { needs } from "../helpers/real-parts.ts";
import { ScratchRpm } from "../helpers/scratch-rpm.ts";

const lacks = needsAuditHost();

/** A zombie that nobody has waited for has no command line any more. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
}

/** Rules and status while nobody has the audit, in the form of `saved`, without what counts on. */
function auditAtRest(): string {
  const both = ["-w", "300", lockFile, "sh", "-c", "auditctl -l; auditctl -s"];
  return withoutCounts(execFileSync("flock", both, { encoding: "utf8" }));
}

function withoutCounts(status: string): string {
  return status.replace(/^(lost|backlog|backlog_wait_time_actual) .*\n/gm, "");
}

test("startAuditHost(): executions and installed packages are recorded", {
  skip: lacks || needs("rpmbuild"),
}, async () => {
  using rpm = new ScratchRpm();
  const file = rpm.build("kw-recorded", { post: "/bin/true in-scriptlet" });
  const refused = rpm.build("kw-refused", { requires: "nobody-has-this" });
  const script = join(rpm.folder, "installer.sh");
  writeFileSync(script, `#!/bin/sh\nrpm -Uvh ${file}\nrpm -Uvh ${refused}\n`);
  chmodSync(script, 0o755);
  await using host = await startAuditHost();
  assert.deepEqual(host.rulesRefused, []);
  const lost = host.status("lost"); // in other tests, on purpose
  const run = spawnSync(script, { env: rpm.environment, encoding: "utf8" });
  assert.match(run.stderr, /nobody-has-this is needed by kw-refused/);
  const update = await host.record(/^type=SOFTWARE_UPDATE .*kw-recorded/);
  assert.match(
    update,
    /op=install sw="kw-recorded-1\.0-1\.noarch" .*comm="rpm" exe="\/usr\/bin\/rpm".*res=success/,
  );
  await host.record(new RegExp(`^type=EXECVE .*a0="rpm" a1="-Uvh" a2="${file}"`));
  await host.record(/^type=EXECVE .*a1="in-scriptlet"/);
  assert.doesNotMatch(host.log(), /^type=SOFTWARE_UPDATE .*kw-refused/m);
  assert.equal(host.status("lost"), lost);
});

test("startAuditHost(): the log rotates, auditd stops and starts, and all is put back", {
  skip: lacks,
}, async () => {
  let saved: string;
  let folder: string;
  {
    await using host = await startAuditHost({ settings: { num_logs: 3 } });
    ({ saved, folder } = host);
    for (const name of ["first", "second", "third", "fourth"]) {
      spawnSync("/bin/true", [name]);
      await host.record(new RegExp(`^type=EXECVE .*a1="${name}"`));
      if (name !== "fourth") await host.rotate();
    }
    assert.doesNotMatch(host.log(), /a1="first"/, "three files are kept");
    assert.match(host.log(), /a1="second".*a1="third".*a1="fourth"/s);
    await host.stop();
    assert.equal(host.status("pid"), 0);
    await host.start();
    spawnSync("/bin/true", ["fifth"]);
    await host.record(/^type=EXECVE .*a1="fifth"/);
    assert.match(host.auditctl("-l"), /arch=b64 -S execve,execveat -F key=kinwatch/);
  }
  assert.ok(!existsSync(folder));
  assert.equal(auditAtRest(), withoutCounts(saved));
});

for (const { why, guardToo } of [
  { why: "when the test is killed, the guard puts all back", guardToo: false },
  { why: "when the guard is killed as well, the next one does", guardToo: true },
]) {
  test(`startAuditHost(): ${why}`, { skip: lacks }, async () => {
    const helper = fileURLToPath(new URL("../helpers/audit-host.ts", import.meta.url));
    const text = `const host = await (await import(${JSON.stringify(helper)})).startAuditHost();
      console.log(JSON.stringify({ saved: host.saved, guard: host.guardPid, auditd: host.auditdPid }));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", text], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(child.stdout, "data");
    const { saved, guard, auditd } = JSON.parse(String(line));
    if (guardToo) process.kill(-guard, "SIGKILL");
    child.kill("SIGKILL");
    await once(child, "exit");
    if (guardToo) {
      await using next = await startAuditHost({ rules: execRules.slice(0, 1) });
      assert.equal(withoutCounts(next.saved), withoutCounts(saved));
    }
    assert.equal(auditAtRest(), withoutCounts(saved));
    assert.ok(!isAlive(auditd), "its auditd is gone");
  });
}
