/** The live log, broken in every way that a host breaks it: real files, real events of the file system. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { Follower } from "../helpers/follower.ts";
import { LogFolder, record } from "../helpers/log-folder.ts";
import { needs } from "../helpers/real-parts.ts";

const soon = { timeout: 30_000 };

function records(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => record(from + index)).join("");
}

function serials(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

test(
  "AuditLogSource: hands on what is written within a few milliseconds, though the log was silent",
  soon,
  async () => {
    using log = new LogFolder();
    log.write("");
    await using follower = new Follower(log.path);
    await follower.caughtUp();
    await follower.caughtUp(); // a second later everything listens
    const delaysMs: number[] = [];
    for (let serial = 0; serial < 20; serial += 1) {
      await setTimeout(60);
      const before = performance.now();
      log.write(record(serial));
      await follower.until(() => follower.unseen.includes(serial));
      delaysMs.push(performance.now() - before);
    }
    delaysMs.sort((a, b) => a - b);
    assert.ok((delaysMs[10] ?? 0) < 50, `half of them within ${delaysMs[10]} ms`);
  },
);

test("AuditLogSource: says that it is idle each second", soon, async () => {
  using log = new LogFolder();
  await using follower = new Follower(log.path);
  const before = performance.now();
  await follower.until(() => follower.idles === 3);
  assert.ok(performance.now() - before < 3_500);
});

test(
  "AuditLogSource: loses nothing of a log written a thousand times a second, and rotated",
  soon,
  async () => {
    using log = new LogFolder();
    await using follower = new Follower(log.path);
    let next = 0;
    const before = performance.now();
    const writer = setInterval(() => {
      for (const due = performance.now() - before; next < due; next += 1) {
        if (next % 500 === 499) log.rotate();
        log.write(record(next));
      }
    }, 1);
    await follower.until(() => next >= 4_000);
    clearInterval(writer);
    await follower.until(() => follower.unseen.length >= next);
    assert.deepEqual(follower.unseen, serials(0, next));
    assert.equal(follower.counters.logs_lost, 0);
    assert.ok(follower.counters.logs_rotated >= 7);
  },
);

test(
  "AuditLogSource: waits for a folder and a log that are not there, says so once, and reads them when they come",
  soon,
  async () => {
    using log = new LogFolder();
    rmSync(log.folder, { recursive: true });
    await using follower = new Follower(log.path);
    await follower.until(() => follower.counters.source_retries >= 2);
    assert.deepEqual(follower.reports, ["KW_AUDIT_LOG_MISSING"]);
    mkdirSync(log.folder);
    await follower.caughtUp();
    log.write(records(0, 3));
    await follower.until(() => follower.unseen.length === 3);
    log.close();
    rmSync(log.path);
    await follower.until(() => follower.reports.length === 2);
    log.write(record(3));
    await follower.until(() => follower.unseen.length === 4);
    assert.deepEqual(follower.reports, ["KW_AUDIT_LOG_MISSING", "KW_AUDIT_LOG_MISSING"]);
    assert.equal(follower.counters.logs_lost, 0);
  },
);

test("AuditLogSource: reads a log that becomes readable, without a restart", {
  ...soon,
  skip: needs("root"),
}, async () => {
  using log = new LogFolder();
  log.write(records(0, 2));
  chmodSync(log.folder, 0o755);
  chmodSync(log.path, 0o600);
  process.seteuid?.(65_534);
  try {
    await using follower = new Follower(log.path);
    await follower.until(() => follower.counters.source_retries >= 2);
    assert.deepEqual(follower.reports, ["KW_AUDIT_LOG_UNREADABLE"]);
    process.seteuid?.(0);
    chmodSync(log.path, 0o644);
    process.seteuid?.(65_534);
    await follower.until(() => follower.unseen.length === 2);
    assert.deepEqual(follower.reports, ["KW_AUDIT_LOG_UNREADABLE"]);
  } finally {
    process.seteuid?.(0);
  }
});

test("AuditLogSource: waits for a live log that cannot be read at the start, though older ones can, and takes it for no gap", {
  ...soon,
  skip: needs("root"),
}, async () => {
  using log = new LogFolder();
  log.write(records(0, 3));
  log.rotate();
  log.write(records(3, 5));
  const before = new Follower(log.path);
  await before.caughtUp();
  const cursor = before.cursor();
  await before[Symbol.asyncDispose]();
  log.write(record(5));
  chmodSync(log.folder, 0o755);
  chmodSync(`${log.path}.1`, 0o644);
  chmodSync(log.path, 0o600);
  process.seteuid?.(65_534);
  try {
    await using follower = new Follower(log.path, cursor);
    await follower.until(() => follower.idles === 2);
    assert.deepEqual(follower.reports, ["KW_AUDIT_LOG_UNREADABLE"]);
    assert.deepEqual([follower.seen, follower.unseen], [[], []]);
    process.seteuid?.(0);
    chmodSync(log.path, 0o644);
    process.seteuid?.(65_534);
    await follower.until(() => follower.unseen.length > 0);
    assert.deepEqual([follower.seen, follower.unseen], [serials(0, 5), [5]]);
    assert.deepEqual(follower.reports, ["KW_AUDIT_LOG_UNREADABLE"]);
    assert.equal(follower.counters.logs_lost, 0);
  } finally {
    process.seteuid?.(0);
  }
});

for (const [what, make] of [
  ["a folder", (path: string) => mkdirSync(path)],
  ["a pipe", (path: string) => execFileSync("mkfifo", [path])],
] as const) {
  test(`AuditLogSource: is not held up by ${what} in the log's place`, soon, async () => {
    using log = new LogFolder();
    make(log.path);
    await using follower = new Follower(log.path);
    await follower.until(() => follower.counters.source_retries >= 2);
    assert.deepEqual(follower.reports, ["KW_AUDIT_LOG_UNREADABLE"]);
    renameSync(log.path, `${log.path}.old`);
    log.write(record(0));
    await follower.until(() => follower.unseen.length === 1);
  });
}

test(
  "AuditLogSource: lists logs that are rotated meanwhile by their order, and misses none",
  soon,
  async () => {
    const helper = new URL("../helpers/log-folder.ts", import.meta.url).href;
    const worker = new Worker(
      `const { LogFolder, record } = await import(${JSON.stringify(helper)});
    const { parentPort } = await import("node:worker_threads");
    using log = new LogFolder(40);
    for (let serial = 0; serial < 5000; log.rotate()) {
      log.write(record(serial++));
      if (serial === 40) parentPort.postMessage(log.path);
    }
    parentPort.postMessage("end");
    await new Promise((resolve) => parentPort.once("message", resolve));`,
      { eval: true },
    );
    const [path] = (await once(worker, "message")) as [string];
    let ended = false;
    worker.once("message", () => {
      ended = true;
    });
    for (let restarts = 0; !ended; restarts += 1) {
      await using follower = new Follower(path);
      await follower.until(() => follower.unseen.length >= 30 || follower.idles > 0);
      const [first = 0] = follower.unseen;
      assert.deepEqual(
        follower.unseen,
        serials(first, first + follower.unseen.length),
        `restart ${restarts}`,
      );
    }
    worker.postMessage("end");
    await once(worker, "exit");
  },
);

/** What is in the folder after a follower has read lines 0 to 4 and was stopped; lines from 5 on were not read. */
const restarts = [
  {
    why: "rotated: what it had read is seen, the rest is not",
    change: (log: LogFolder) => {
      log.write(record(5));
      log.rotate();
      log.write(record(6));
    },
    seen: serials(0, 5),
    unseen: [5, 6],
    lost: 0,
  },
  {
    why: "rotated away: a gap is reported, and all that is kept is new",
    change: (log: LogFolder) => {
      for (let serial = 5; serial < 12; serial += 1) {
        log.rotate();
        log.write(record(serial));
      }
    },
    seen: [],
    unseen: serials(7, 12),
    lost: 1,
  },
  {
    why: "truncated and written on: a gap",
    change: (log: LogFolder) => {
      truncateSync(log.path);
      log.write(records(5, 15));
    },
    seen: [],
    unseen: serials(5, 15),
    lost: 1,
  },
  {
    why: "truncated to less: a gap",
    change: (log: LogFolder) => {
      truncateSync(log.path);
      log.write(record(5));
    },
    seen: [],
    unseen: [5],
    lost: 1,
  },
  {
    why: "replaced by another log under the same inode: a gap",
    change: (log: LogFolder) => {
      const { ino } = statSync(log.path);
      log.close();
      writeFileSync(log.path, records(20, 30));
      assert.equal(statSync(log.path).ino, ino);
    },
    seen: [],
    unseen: serials(20, 30),
    lost: 1,
  },
  {
    why: "copied and truncated: the copy is the log that was read",
    change: (log: LogFolder) => {
      log.write(record(5));
      log.copyTruncate();
      log.write(record(6));
    },
    seen: serials(0, 5),
    unseen: [5, 6],
    lost: 0,
  },
  {
    why: "restored under other inodes: the bytes tell",
    change: (log: LogFolder) => {
      log.write(record(5));
      log.close();
      copyFileSync(log.path, `${log.path}.new`);
      renameSync(`${log.path}.new`, log.path);
    },
    seen: serials(0, 5),
    unseen: [5],
    lost: 0,
  },
  {
    why: "removed: a gap",
    change: (log: LogFolder) => {
      log.close();
      rmSync(log.path);
      log.write(record(5));
    },
    seen: [],
    unseen: [5],
    lost: 1,
  },
  { why: "left alone", change: () => {}, seen: serials(0, 5), unseen: [], lost: 0 },
] as const;
for (const { why, change, seen, unseen, lost } of restarts) {
  test(`AuditLogSource: goes on after a stop in which the log was ${why}`, soon, async () => {
    using log = new LogFolder();
    log.write(records(0, 5));
    const before = new Follower(log.path);
    await before.caughtUp();
    const cursor = before.cursor();
    assert.ok(cursor !== undefined);
    await before[Symbol.asyncDispose]();
    change(log);
    await using follower = new Follower(log.path, cursor);
    await follower.caughtUp();
    assert.deepEqual([follower.seen, follower.unseen], [seen, unseen]);
    assert.equal(follower.counters.logs_lost, lost);
    assert.deepEqual(follower.reports, lost > 0 ? ["KW_AUDIT_LOG_GAP"] : []);
  });
}

test(
  "AuditLogSource: reads on where a log was copied and truncated, though it has grown again",
  soon,
  async () => {
    using log = new LogFolder();
    log.write(records(0, 5));
    await using follower = new Follower(log.path);
    await follower.caughtUp();
    log.write(record(5));
    log.copyTruncate();
    log.write(records(6, 30));
    await follower.until(() => follower.unseen.includes(29));
    assert.deepEqual(follower.unseen, serials(0, 30));
    assert.equal(follower.counters.logs_truncated, 1);
  },
);

test(
  "AuditLogSource: reads a renamed log to its end while its writer has not yet moved on",
  soon,
  async () => {
    using log = new LogFolder();
    log.write(records(0, 5));
    await using follower = new Follower(log.path);
    await follower.caughtUp();
    renameSync(log.path, `${log.path}.1`);
    writeFileSync(log.path, ""); // logrotate(8), create: auditd is told of it later
    await follower.caughtUp();
    log.write(records(5, 8)); // to the renamed file
    await follower.until(() => follower.unseen.length === 8);
    log.close();
    log.write(record(8));
    await follower.until(() => follower.unseen.length === 9);
    assert.deepEqual(follower.unseen, serials(0, 9));
  },
);

test(
  "AuditLogSource: holds a line until it is whole, and leaves out what a rotation cut off",
  soon,
  async () => {
    using log = new LogFolder();
    const line = record(1);
    log.write(record(0) + line.slice(0, 30));
    await using follower = new Follower(log.path);
    await follower.caughtUp();
    assert.equal(follower.text, record(0));
    log.write(line.slice(30) + record(2).slice(0, 30));
    await follower.until(() => follower.text !== record(0));
    log.rotate();
    log.write(record(3));
    await follower.until(() => follower.unseen.includes(3));
    assert.equal(follower.text, record(0) + line + record(3));
    assert.equal(follower.counters.records_malformed, 1);
  },
);

const odd = [
  { why: "an empty log", text: "", want: "" },
  {
    why: "the record behind a block of NUL bytes that a crash left",
    text: `${record(0).slice(0, 20)}${"\0".repeat(5)}${record(1)}`,
    want: `${record(0).slice(0, 20)}${"\n".repeat(5)}${record(1)}`,
  },
  {
    why: "nothing of a line that is longer than any record",
    text: `${record(0)}${"x".repeat(2_500_000)}\n${record(1)}`,
    want: record(0) + record(1),
    oversized: 1,
  },
  {
    why: "the longest line there may be",
    text: `${"x".repeat(1_000_000)}\n`,
    want: `${"x".repeat(1_000_000)}\n`,
  },
] as const;
for (const { why, text, want, ...more } of odd) {
  test(`AuditLogSource: hands on ${why}, and what is written after it`, soon, async () => {
    using log = new LogFolder();
    log.write(text);
    await using follower = new Follower(log.path);
    await follower.caughtUp();
    log.write(record(9));
    await follower.until(() => follower.unseen.includes(9));
    assert.ok(follower.text === `${want}${record(9)}`, follower.text.slice(0, 500));
    assert.equal(follower.counters.records_oversized, "oversized" in more ? more.oversized : 0);
  });
}

test(
  "AuditLogSource: follows a log that is a symbolic link, and the one it comes to point to",
  soon,
  async () => {
    using log = new LogFolder();
    const elsewhere = join(log.folder, "elsewhere");
    mkdirSync(elsewhere);
    const [first, second] = [join(elsewhere, "first"), join(elsewhere, "second")];
    writeFileSync(first, record(0));
    symlinkSync(first, log.path);
    await using follower = new Follower(log.path);
    await follower.caughtUp();
    await follower.caughtUp();
    const before = performance.now();
    appendFileSync(first, record(1));
    await follower.until(() => follower.unseen.includes(1));
    assert.ok(performance.now() - before < 500, "at once, and not by the poll");
    writeFileSync(second, record(2));
    rmSync(log.path);
    symlinkSync(second, log.path);
    await follower.until(() => follower.unseen.includes(2));
    assert.deepEqual(follower.unseen, [0, 1, 2]);
  },
);

test(
  "AuditLogSource: reads a log that was listed, though rotations remove it before its turn",
  soon,
  async () => {
    using log = new LogFolder(3);
    for (let serial = 0; serial < 3; serial += 1) {
      log.write(record(serial));
      if (serial < 2) log.rotate();
    }
    await using follower = new Follower(log.path);
    await follower.until(() => follower.unseen.length === 1);
    for (let serial = 3; serial < 6; serial += 1) {
      log.rotate();
      log.write(record(serial));
    }
    await follower.until(() => follower.unseen.includes(5));
    assert.deepEqual(follower.unseen, serials(0, 6));
  },
);

test(
  "AuditLogSource: says that it may have lost some when all logs were begun anew between two looks",
  soon,
  async () => {
    using log = new LogFolder(3);
    log.write(record(0));
    await using follower = new Follower(log.path);
    await follower.until(() => follower.unseen.length === 1);
    for (let serial = 1; serial < 5; serial += 1) {
      log.rotate();
      log.write(record(serial));
    }
    await follower.until(() => follower.unseen.includes(4));
    assert.deepEqual(follower.unseen, [0, 2, 3, 4]);
    assert.equal(follower.counters.logs_lost, 1);
    assert.deepEqual(follower.reports, ["KW_AUDIT_LOG_GAP"]);
  },
);
