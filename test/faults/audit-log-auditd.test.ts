/** The source beside a real auditd, which writes, rotates and stops as it does on every host. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { Follower } from "../helpers/follower.ts";

test("AuditLogSource: hands on each byte that auditd writes, over its rotations, its restart and ours", {
  skip: needsAuditHost(),
  timeout: 700_000, // other tests may have the audit first
}, async () => {
  await using host = await startAuditHost({ settings: { num_logs: 9 } });
  const before = new Follower(host.logFile);
  await before.caughtUp();
  const load = spawn("sh", ["-c", "for i in $(seq 600); do /bin/true $i; done"], { stdio: "ignore" });
  const loaded = once(load, "exit");
  for (let rotation = 0; rotation < 3; rotation += 1) {
    await before.until(
      () => before.counters.logs_rotated === rotation && before.unseen.length > 100 * rotation,
    );
    await host.rotate();
  }
  await before.until(() => before.counters.logs_rotated === 3);
  const cursor = before.cursor();
  assert.ok(cursor !== undefined);
  await before[Symbol.asyncDispose]();
  await host.rotate();
  await loaded;
  await host.stop();
  await host.start();
  await using after = new Follower(host.logFile, cursor);
  await after.caughtUp();
  host.auditctl("-m", "the last");
  await after.until(() => after.text.includes("the last"));
  assert.ok(after.text === host.log(), "all logs, oldest first");
  assert.ok(after.text.startsWith(before.text), "the first follower had no other bytes");
  assert.deepEqual([after.seen, after.counters.logs_lost], [before.unseen, 0]);
  const last = await host.record(/^type=EXECVE .*a0="\/bin\/true" a1="600"/);
  assert.ok(after.text.includes(last));
});
