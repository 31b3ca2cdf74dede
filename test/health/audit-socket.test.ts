/** The kernel's own answers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openAuditSocket } from "../../agent/health/audit-socket.ts";
import { parseAuditStatus } from "../../agent/health/audit-status.ts";
import { needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { asPlainUser, needs } from "../helpers/real-parts.ts";

test("openAuditSocket(): says what auditctl says", { skip: needsAuditHost() }, async () => {
  await using host = await startAuditHost();
  host.auditctl("-b", "4321", "-r", "123456");
  using socket = openAuditSocket();
  assert.ok(socket);
  assert.equal(socket.answer(), undefined, "nothing was asked");
  socket.ask();
  await sleep(200);
  const answer = socket.answer();
  assert.ok(answer !== undefined && answer !== "refused");
  const { backlog: _, ...told } = answer;
  const { backlog: __, ...want } = parseAuditStatus(host.auditctl("-s")) ?? { backlog: 0 };
  assert.deepEqual(told, want);
  assert.deepEqual([told.pid, told.backlogLimit, told.rateLimit], [host.auditdPid, 4_321, 123_456]);
  assert.equal(socket.answer(), undefined, "an answer is given once");
});

test("openAuditSocket(): a plain user is refused", { skip: needs("plain-user") }, () => {
  const module = fileURLToPath(new URL("../../agent/health/audit-socket.ts", import.meta.url));
  const script = `
    const { openAuditSocket } = await import(${JSON.stringify(module)});
    const socket = openAuditSocket();
    socket.ask();
    setTimeout(() => console.log(socket.answer()), 200);`;
  const [file = "", ...args] = asPlainUser([process.execPath, "--input-type=module", "-e", script]) ?? [];
  assert.equal(execFileSync(file, args, { encoding: "utf8", timeout: 20_000 }), "refused\n");
});
