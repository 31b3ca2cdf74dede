import assert from "node:assert/strict";
import { test } from "node:test";
import { selinuxDenials } from "../../agent/health/selinux-denials.ts";

const node = "/usr/lib/kinwatch/bin/node";
const avc = (serial: number, name: string) =>
  `type=AVC msg=audit(1700000000.125:${serial}): avc:  denied  { read } for  pid=7 comm="MainThread" name="${name}" scontext=system_u:system_r:kinwatch_t:s0 permissive=0\n`;
const syscall = (serial: number, exe: string) =>
  `type=SYSCALL msg=audit(1700000000.125:${serial}): arch=c000003e syscall=257 success=no exit=-13 pid=7 comm="MainThread" exe="${exe}" key=(null)\n`;

test("selinuxDenials(): those of the program, and of no other that goes by its name", () => {
  const log = [
    "denied  { torn } of a line before\n",
    ...[avc(1, "audit.log"), syscall(1, node), avc(2, "other.log"), syscall(2, "/usr/bin/node")],
    ...[syscall(3, node), avc(4, "without-its-call"), avc(5, "exe"), syscall(5, node)],
  ].join("");
  assert.deepEqual(
    selinuxDenials(log, node).map(({ timeMs, text }) => [timeMs, /name="(.*?)"/.exec(text)?.[1]]),
    [
      [1_700_000_000_125, "audit.log"],
      [1_700_000_000_125, "exe"],
    ],
  );
});
