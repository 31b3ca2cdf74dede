/** The daemon while what it stands on breaks: a log of our own making, no audit needed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { execution } from "../events/kernel-writer.ts";
import { startKinwatch } from "../helpers/kinwatch.ts";
import { needs } from "../helpers/real-parts.ts";

let serial = 100;

/** What audit writes when a script runs rpm. */
function installation(script: string): string {
  serial += 2;
  const timeMs = Date.now();
  const parent = { pid: 4_000_000 + serial, ppid: 1, timeMs, serial, executable: "/usr/bin/bash" };
  const rpm = {
    pid: parent.pid + 1,
    ppid: parent.pid,
    timeMs,
    serial: serial + 1,
    executable: "/usr/bin/rpm",
  };
  const files = [script, "/usr/bin/bash", "/lib64/ld-linux-x86-64.so.2"];
  const lines = [
    ...execution({ ...parent, args: ["/bin/bash", script], files }),
    ...execution({ ...rpm, args: ["rpm", "-i", "x.rpm"] }),
  ];
  return `${lines.join("\n")}\n`;
}

test("run: a full disk of the state is told, and costs no alert", { skip: needs("root") }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-full-"));
  const state = join(folder, "state");
  mkdirSync(state, { mode: 0o700 });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", state]);
  try {
    const log = join(folder, "audit.log");
    writeFileSync(log, installation("/opt/before.sh"));
    const config = join(folder, "kinwatch.toml");
    writeFileSync(
      config,
      `source.type = "audit-log"\nsource.audit_log = "${log}"\nstate.directory = "${state}"\n` +
        'output.journald.enabled = false\noutput.stdout.enabled = true\noutput.stdout.format = "pretty"\n',
      { mode: 0o600 },
    );
    await using running = startKinwatch(["run", "--config", config]);
    await running.until("stderr", /ready after/);
    appendFileSync(log, installation("/opt/first.sh"));
    await running.until("stdout", /first\.sh/);
    const filler = join(state, "filler");
    assert.throws(() => {
      for (let pages = 0; pages < 1_000; pages += 1) appendFileSync(filler, Buffer.alloc(4_096));
    }, /ENOSPC/);
    const told = running.stderr.length;
    for (let count = 0; count < 20; count += 1) appendFileSync(log, installation(`/opt/full${count}.sh`)); // more than is set aside
    await running.until("stderr", /KW_STATE_UNUSABLE/, { from: told });
    rmSync(filler);
    for (let count = 0; count < 20; count += 1) {
      const [shown] = await running.until("stdout", new RegExp(`full${count}\\.sh[^\n]*\n`));
      assert.ok(shown);
    }
    assert.doesNotMatch(running.stdout, /before\.sh/, "what was before the start is learned");
    const { status } = await running.kill("SIGTERM");
    assert.equal(status, 0);
  } finally {
    execFileSync("umount", ["-l", state]);
    rmSync(folder, { recursive: true, force: true });
  }
});

test("run: a log that is not there is told, and followed once it is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-away-"));
  try {
    const log = join(folder, "audit.log");
    const args = ["run", "--state", join(folder, "state")];
    const config = join(folder, "kinwatch.toml");
    writeFileSync(
      config,
      `source.type = "audit-log"\nsource.audit_log = "${log}"\noutput.journald.enabled = false\n` +
        'output.stdout.enabled = true\noutput.stdout.format = "pretty"\n',
      { mode: 0o600 },
    );
    await using running = startKinwatch([...args, "--config", config]);
    await running.until("stderr", /KW_AUDIT_LOG_MISSING/);
    writeFileSync(log, installation("/opt/late.sh"));
    await running.until("stdout", /late\.sh/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
