import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ServiceManager } from "../../agent/outputs/service-manager.ts";
import { findProgram, needs } from "../helpers/real-parts.ts";

const environment = { WATCHDOG_USEC: "60000000" };

function told(env: NodeJS.ProcessEnv = environment) {
  const states: string[] = [];
  const failures: unknown[] = [];
  let answer: () => Promise<void> = async () => {};
  const manager = new ServiceManager(
    (state) => {
      states.push(state);
      return answer();
    },
    (error) => failures.push(error),
    env,
  );
  return {
    states,
    failures,
    manager,
    answers: (by: () => Promise<void>) => {
      answer = by;
    },
  };
}

test("ServiceManager.worked(): ready at the first work, then alive each quarter of the watchdog's time", async () => {
  const { states, manager } = told();
  for (let ms = 0; ms <= 60_000; ms += 500) {
    manager.worked(() => "Watching", ms);
    await turn();
  }
  assert.equal(states[0], "READY=1\nWATCHDOG=1\nSTATUS=Watching");
  assert.deepEqual(
    states.slice(1),
    [15_000, 30_000, 45_000, 60_000].map(() => "WATCHDOG=1"),
  );
});

test("ServiceManager.worked(): says nothing when no work moves on, and nothing of life to who does not ask", async () => {
  const { states, manager } = told({});
  manager.worked(() => "Watching", 0);
  await turn();
  manager.worked(() => "Watching", 1e6);
  assert.deepEqual(states, ["READY=1\nSTATUS=Watching"]);
});

test("ServiceManager.worked(): a watchdog that is another process's is not fed", async () => {
  const { states, manager } = told({ ...environment, WATCHDOG_PID: "1" });
  manager.worked(() => "Watching", 0);
  assert.doesNotMatch(states.join(), /WATCHDOG/);
});

test("ServiceManager.worked(): tells a status that changed, once a second, and escapes it", async () => {
  const { states, manager } = told({});
  const texts = ["one", "two", "three\nREADY=0", "three\nREADY=0"];
  for (const [index, text] of texts.entries()) {
    manager.worked(() => text, index * 600);
    await turn();
  }
  assert.deepEqual(states, ["READY=1\nSTATUS=one", "STATUS=three\\nREADY=0"]);
});

test("ServiceManager.worked(): while systemd takes nothing, waits; what failed is told again", async () => {
  const { states, failures, manager, answers } = told({});
  const { promise, reject } = Promise.withResolvers<void>();
  answers(() => promise);
  manager.worked(() => "one", 0);
  manager.worked(() => "two", 5_000);
  assert.equal(states.length, 1);
  reject(new Error("no"));
  await turn();
  assert.equal(failures.length, 1);
  answers(async () => {});
  manager.worked(() => "two", 6_000);
  assert.equal(states[1], "READY=1\nSTATUS=two");
});

test("ServiceManager.open(): nobody asked for it", () => {
  assert.equal(ServiceManager.open(assert.ifError, {}), undefined);
});

const receiver = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
print(s.recv(4096).decode(), flush=True)`;

test("ServiceManager.open(): by libsystemd, to a real socket", {
  skip: needs("python3", "libsystemd"),
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-notify-"));
  const path = join(folder, "notify");
  const child = spawn(findProgram("python3") ?? "", ["-c", receiver, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
    });
    await once(child.stdout, "data");
    process.env["NOTIFY_SOCKET"] = path; // libsystemd reads the process's own
    const manager = ServiceManager.open(assert.ifError);
    manager?.worked(() => "Watching");
    await once(child, "exit");
    assert.equal(text, "bound\nREADY=1\nSTATUS=Watching\n");
  } finally {
    delete process.env["NOTIFY_SOCKET"];
    child.kill();
    rmSync(folder, { recursive: true });
  }
});
