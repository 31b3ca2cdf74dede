import assert from "node:assert/strict";
import { test } from "node:test";
import { procExec } from "../../agent/events/proc-exec.ts";
import type { ProcEntry } from "../../agent/sources/source.ts";

const sh: ProcEntry = {
  pid: 40,
  ppid: 1,
  startTimeMs: 1_700_000_000_000,
  comm: "sh",
  executable: "/usr/bin/dash",
  deleted: false,
  args: ["sh"],
  argumentsComplete: true,
  workingDirectory: "/srv",
  uid: 1000,
  auid: undefined,
  ses: undefined,
  tty: "pts0",
};

const withheld = { executable: undefined, workingDirectory: undefined };
const rows: readonly { why: string; entry: Partial<ProcEntry>; executable: string; script?: string }[] = [
  { why: "an interactive shell runs no script", entry: {}, executable: "/usr/bin/dash" },
  {
    why: "#!/bin/sh: the kernel puts the interpreter before the path",
    entry: { args: ["/bin/sh", "/opt/up.sh", "now"] },
    executable: "/usr/bin/dash",
    script: "/opt/up.sh",
  },
  {
    why: "#!/usr/bin/env bash is bash with the script, once env has executed it",
    entry: { executable: "/usr/bin/bash", args: ["bash", "./up.sh"] },
    executable: "/usr/bin/bash",
    script: "/srv/up.sh",
  },
  {
    why: "env itself is gone in a moment, and no parent",
    entry: { executable: "/usr/bin/env", args: ["/usr/bin/env", "bash", "/opt/up.sh"] },
    executable: "/usr/bin/env",
  },
  {
    why: "code on the command line is no script",
    entry: { args: ["sh", "-c", "/opt/up.sh; true"] },
    executable: "/usr/bin/dash",
  },
  {
    why: "another user's tool is named by comm when it was found through PATH",
    entry: { ...withheld, comm: "rpm", args: ["rpm", "-i", "x.rpm"] },
    executable: "rpm",
  },
  {
    why: "another user's tool that was started by its path",
    entry: { ...withheld, comm: "rpm", args: ["/usr/bin/rpm", "-i", "x.rpm"] },
    executable: "/usr/bin/rpm",
  },
  {
    why: "another user's script: comm is the script's name, the first argument its interpreter",
    entry: { ...withheld, comm: "up.sh", args: ["/bin/bash", "/opt/up.sh"] },
    executable: "/bin/bash",
    script: "/opt/up.sh",
  },
  {
    why: "another user's title changes with each session, comm does not",
    entry: { ...withheld, comm: "sshd", args: ["sshd: root@pts/0"] },
    executable: "sshd",
  },
  {
    why: "another user's login shell",
    entry: { ...withheld, comm: "bash", args: ["-bash"] },
    executable: "bash",
  },
];
for (const { why, entry, executable, script } of rows) {
  test(`procExec(): ${why}`, () => {
    const exec = procExec({ ...sh, ...entry });
    assert.equal(exec.executable, executable);
    assert.equal(exec.script, script);
  });
}

test("procExec(): says where arguments are from, and whether they are whole", () => {
  assert.equal(procExec(sh).argumentsFrom, "procfs");
  assert.equal(procExec({ ...sh, args: [] }).argumentsFrom, "none");
  assert.equal(procExec({ ...sh, argumentsComplete: false }).argumentsComplete, false);
  assert.equal(procExec(sh).tty, "pts0");
});

test("procExec(): shrinks to the beginning of long arguments, and says so", () => {
  const long = procExec({ ...sh, args: ["sh", "x".repeat(900), "y".repeat(900), "z"] });
  long.shrink();
  assert.deepEqual(
    long.args.map((arg) => arg.length),
    [2, 900, 1_024 - 2 - 900 - 2],
  );
  assert.equal(long.argumentsComplete, false);
  const fits = procExec({ ...sh, args: ["x".repeat(1_022), "y"] });
  fits.shrink();
  assert.deepEqual(
    fits.args.map((arg) => arg.length),
    [1_022, 1],
  );
  assert.equal(fits.argumentsComplete, true);
});
