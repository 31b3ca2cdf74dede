/** The one proof that kernel, rules, auditd and log work together: something is executed, and looked for in the log. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const TAIL_BYTES = 262_144; // about 150 executions

/** @param msMax how long to look for it */
export async function isRecorded(log: string, msMax: number): Promise<boolean> {
  const name = `kinwatch-proof-${randomUUID()}`; // a container has other pids than audit's
  await once(executeSomething(name), "exit");
  const endMs = performance.now() + msMax;
  for (;;) {
    if (tailOf(log, TAIL_BYTES).includes(` a3="${name}"`)) return true;
    if (performance.now() > endMs) return false;
    await sleep(20);
  }
}

/** @param words that its record has, too */
export function executeSomething(...words: readonly string[]): ChildProcess {
  return spawn("/bin/sh", ["-c", ":", ...words], { stdio: "ignore" });
}

/** The last bytes of a file, as latin1; empty when it cannot be read. */
export function tailOf(path: string, bytesMax: number): string {
  try {
    const fd = openSync(path, "r");
    try {
      const { size } = fstatSync(fd);
      const bytes = Buffer.alloc(Math.min(size, bytesMax));
      return bytes.toString("latin1", 0, readSync(fd, bytes, 0, bytes.length, size - bytes.length));
    } finally {
      closeSync(fd);
    }
  } catch {
    return ""; // it is just being rotated
  }
}
