/**
 * A real systemd-journald of our own, beside the host's if it has one: in a mount namespace whose /run is empty but for it. Needs
 * root. It leaves the kernel's audit as it is, writes to memory only, and ends with the test.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findProgram } from "./real-parts.ts";

/** Fields as journald gives them back: an array where a name occurs more than once, of numbers where it is no text. */
export type JournalEntry = Readonly<Record<string, string | string[] | number[]>>;

export interface Journald extends AsyncDisposable {
  /** The beginning of a command line: what follows it runs where this journal is the host's. Give it absolute paths. */
  readonly prefix: readonly string[];
  readonly pid: number;
  /** @param matches as journalctl(1) takes them: FIELD=value */
  entries(...matches: readonly string[]): Promise<JournalEntry[]>;
  /** The same, when there are so many; an error with what there was, when they did not come in time. */
  until(count: number, matches: readonly string[], timeoutMs?: number): Promise<JournalEntry[]>;
}

// Audit= without a value: journald would turn the kernel's audit on otherwise. journald.conf(5)
const start = `set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/journald.conf.d /run/systemd/journal /run/log/journal
cat >/run/systemd/journald.conf.d/test.conf <<END
[Journal]
Storage=volatile
Audit=
ReadKMsg=no
ForwardToSyslog=no
ForwardToWall=no
RateLimitIntervalSec=0
END
exec "$1"`;

export async function startJournald(): Promise<Journald> {
  const program =
    ["/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"].find(existsSync) ?? "";
  const child = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", start, "sh", program], {
    stdio: "ignore",
  });
  const root = `/proc/${child.pid}/root`;
  for (let tries = 0; !existsSync(`${root}/run/systemd/journal/socket`); tries += 1) {
    if (tries > 500 || child.exitCode !== null)
      throw new Error(`journald did not start: exit code ${child.exitCode}`);
    await sleep(20);
  }

  async function entries(...matches: readonly string[]): Promise<JournalEntry[]> {
    const journalctl = findProgram("journalctl") ?? "journalctl";
    const args = [
      "--directory",
      `${root}/run/log/journal`,
      "--output=json",
      "--all",
      "--no-pager",
      "--quiet",
      ...matches,
    ];
    const { stdout } = await promisify(execFile)(journalctl, args, { maxBuffer: 64 * 1_024 * 1_024 });
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as JournalEntry);
  }

  return {
    pid: child.pid ?? 0,
    prefix: ["nsenter", `--mount=/proc/${child.pid}/ns/mnt`, "--"],
    entries,
    async until(count, matches, timeoutMs = 10_000) {
      const endMs = performance.now() + timeoutMs;
      for (;;) {
        const found = await entries(...matches);
        if (found.length >= count) return found;
        if (performance.now() > endMs)
          throw new Error(`${count} entries did not come: ${JSON.stringify(found)}`);
        await sleep(50);
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
