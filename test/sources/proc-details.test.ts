import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { bootTimeMs } from "../../agent/sources/boot-time.ts";
import { readProcDetails } from "../../agent/sources/proc-details.ts";
import { readExecutable } from "../../agent/sources/proc-entry.ts";
import { FakeProc, type FakeProcess } from "../helpers/fake-proc.ts";

const status =
  "Uid:\t0\t0\t0\t0\nGid:\t10\t20\t30\t40\nCapInh:\t0\nCapPrm:\t0000010000200080\nCapEff:\t0000000000000001\n";
const timeMs = bootTimeMs() + 1_000;

function detailsOf(fake: FakeProcess, asked: Partial<Parameters<typeof readProcDetails>[0]> = {}) {
  using proc = new FakeProc(50);
  proc.put(42, { status, ...fake });
  return readProcDetails({ pid: 42, timeMs, executable: "/usr/bin/program", ...asked }, proc.root);
}

test("readProcDetails(): the effective group, the leaders and the capabilities by their names", () => {
  assert.deepEqual(detailsOf({}), {
    gid: 20,
    processGroup: 42,
    session: 42,
    environment: [],
    effectiveCapabilities: ["CAP_CHOWN"],
    permittedCapabilities: ["CAP_SETUID", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"],
  });
});

test("readProcDetails(): a capability of a newer kernel has its number", () => {
  const newer = status.replace("0000000000000001", "8000020000000000");
  assert.deepEqual(detailsOf({ status: newer })?.effectiveCapabilities, ["CAP_41", "CAP_63"]);
});

test("readProcDetails(): of the environment nothing but what makes a program load other code", () => {
  const environ =
    "HOME=/root\0LD_PRELOAD=/tmp/a.so\0API_KEY=LD_PRELOAD=1\0LD_LIBRARY_PATH=\0LD_PRELOADED=x\0";
  assert.deepEqual(detailsOf({ environ })?.environment, ["LD_PRELOAD=/tmp/a.so", "LD_LIBRARY_PATH="]);
});

test("readProcDetails(): also behind a mebibyte of other variables", () => {
  const environ = `${"A=".padEnd(100_000, "x")}\0`.repeat(15);
  assert.deepEqual(detailsOf({ environ: `${environ}LD_AUDIT=/tmp/a.so` })?.environment, [
    "LD_AUDIT=/tmp/a.so",
  ]);
});

const others: readonly {
  why: string;
  fake: FakeProcess;
  asked?: Partial<Parameters<typeof readProcDetails>[0]>;
}[] = [
  { why: "one that is gone", fake: {}, asked: { pid: 43 } },
  { why: "one that began later and has only its pid", fake: { startTicks: 200 } },
  { why: "one that runs another program by now", fake: { exe: "/usr/bin/other" } },
  { why: "a zombie", fake: { state: "Z" } },
];
for (const { why, fake, asked } of others) {
  test(`readProcDetails(): tells nothing of ${why}`, () => assert.equal(detailsOf(fake, asked), undefined));
}

test("readProcDetails(): a program whose path may not be read is believed to be it", () => {
  assert.equal(detailsOf({ exe: null })?.gid, 20);
});

test("readProcDetails(): a real process that leads its session", async () => {
  const env = { LD_LIBRARY_PATH: "/nowhere", SECRET: "x" };
  const child = spawn("/bin/sleep", ["9"], { detached: true, stdio: "ignore", env });
  await once(child, "spawn");
  try {
    const pid = child.pid as number;
    const executable = readExecutable(`/proc/${pid}`).executable ?? "";
    const details = readProcDetails({ pid, timeMs: Date.now(), executable });
    assert.equal(details?.session, pid);
    assert.equal(details.processGroup, pid);
    assert.equal(details.gid, process.getegid?.());
    assert.deepEqual(details.environment, ["LD_LIBRARY_PATH=/nowhere"]);
  } finally {
    child.kill("SIGKILL");
  }
});
