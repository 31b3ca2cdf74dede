/**
 * A host whose executions are audited, for real: the kernel's audit, exec rules and an auditd of our own with its log in a
 * temporary folder. There is one audit in a kernel: a lock lets one test at a time have it, and audit-guard.sh puts all
 * back as it was, even after a kill.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findProgram, needs } from "./real-parts.ts";

export const lockFile = join(tmpdir(), "kinwatch-audit.lock");
const savedFolder = "/run/kinwatch-test-audit";
const marker = "/kinwatch-audit-"; // in the path of each auditd's configuration
const guard = fileURLToPath(new URL("audit-guard.sh", import.meta.url));
const lockSecondsMax = 600; // other tests' turns
const msMax = 10_000; // for what takes some 100 ms

export type Rule = readonly string[];
export const execRules: readonly Rule[] = ["b64", "b32"].map((arch) => [
  ...["-a", "always,exit", "-F", `arch=${arch}`, "-S", "execve,execveat", "-k", "kinwatch"],
]);

export interface AuditHostOptions {
  readonly rules?: readonly Rule[]; // default: execRules
  readonly settings?: Readonly<Record<string, string | number>>; // of auditd.conf(5), over those below
}

/** @returns what is missing for an audited host, or false; for node:test's `skip` */
export function needsAuditHost(): string | false {
  const missing = needs("root", "auditd");
  if (missing || process.env["KINWATCH_REQUIRE_REAL"] === "1") return missing;
  const { status, stdout } = spawnSync(findProgram("auditctl") ?? "", ["-s"], {
    encoding: "utf8",
    timeout: msMax,
  });
  if (status !== 0) return "the kernel's audit cannot be used here";
  if (/^enabled 2$/m.test(stdout)) return "the audit rules are locked until the next boot";
  const pid = Number(/^pid (\d+)$/m.exec(stdout)?.[1] ?? 0);
  return pid === 0 || isOurs(pid) ? false : `an auditd of this host runs (pid ${pid})`;
}

export class AuditHost implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), basename(marker)));
  readonly configFolder = join(this.folder, "etc");
  readonly logFile = join(this.folder, "log", "audit.log");
  rulesRefused: readonly string[] = []; // a kernel without 32-bit support may refuse its rule
  saved = ""; // rules and status as they were
  guardPid = 0;
  #auditd: ChildProcess | undefined;
  #guard: ChildProcess | undefined;
  readonly #settings: Readonly<Record<string, string | number>>;

  constructor(settings: AuditHostOptions["settings"] = {}) {
    this.#settings = {
      local_events: "yes",
      write_logs: "yes",
      log_file: this.logFile,
      log_group: "root",
      log_format: "ENRICHED",
      flush: "NONE",
      max_log_file: 8,
      num_logs: 5,
      max_log_file_action: "ROTATE",
      space_left: 2,
      space_left_action: "IGNORE",
      admin_space_left: 1,
      admin_space_left_action: "IGNORE",
      disk_full_action: "IGNORE",
      disk_error_action: "IGNORE",
      plugin_dir: join(this.configFolder, "plugins.d"),
      ...settings,
    };
  }

  get auditdPid(): number | undefined {
    return this.#auditd?.pid;
  }

  async lock(): Promise<void> {
    const args = ["-w", String(lockSecondsMax), lockFile, "sh", guard, savedFolder, marker];
    // A group of its own: Ctrl-C at the tests does not reach it.
    const child = spawn(findProgram("flock") ?? "flock", args, {
      stdio: ["pipe", "pipe", "ignore"],
      detached: true,
    });
    this.#guard = child;
    this.guardPid = child.pid ?? 0;
    const [first] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    if (String(first) !== "ready\n")
      throw new Error(`the audit lock ${lockFile} was not to be had: ${first}`);
    // A test that is cut off must be able to end: the guard sees that and restores.
    for (const stream of [child, child.stdin as Socket, child.stdout as Socket]) stream.unref();
    this.saved = ["rules", "status"].map((name) => readFileSync(join(savedFolder, name), "utf8")).join("");
  }

  /** Starts auditd, and audits from then on. */
  async start(): Promise<void> {
    mkdirSync(join(this.configFolder, "plugins.d"), { recursive: true });
    mkdirSync(dirname(this.logFile), { recursive: true, mode: 0o700 });
    const lines = Object.entries(this.#settings).map(([name, value]) => `${name} = ${value}\n`);
    writeFileSync(join(this.configFolder, "auditd.conf"), lines.join(""));
    const child = spawn(findProgram("auditd") ?? "auditd", ["-n", "-c", this.configFolder], {
      stdio: "ignore",
    });
    child.unref();
    this.#auditd = child;
    await until("auditd to be the kernel's", () => {
      if (child.exitCode !== null) throw new Error(`auditd ended with ${child.exitCode}; syslog knows why`);
      return this.status("pid") === child.pid;
    });
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#auditd;
    this.#auditd = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    child.kill(signal);
    await once(child, "exit");
  }

  /** audit.log becomes audit.log.1 and so on, as at max_log_file. */
  async rotate(): Promise<void> {
    const rotated = () => readdirSync(dirname(this.logFile)).length;
    const before = rotated();
    const max = Number(this.#settings["num_logs"]);
    const inode = this.inode();
    this.#auditd?.kill("SIGUSR1");
    await until(
      "the log to be rotated",
      () => this.inode() !== inode && rotated() >= Math.min(before + 1, max),
    );
  }

  /** As auditctl(8) takes it. @throws with what it said */
  auditctl(...args: readonly string[]): string {
    return execFileSync(findProgram("auditctl") ?? "auditctl", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      timeout: msMax,
    });
  }

  /** Beside those that are loaded. */
  load(rules: readonly Rule[]): void {
    const refused: string[] = [];
    for (const rule of rules) {
      try {
        this.auditctl(...rule);
      } catch (error) {
        if (!rule.includes("arch=b32")) throw error;
        refused.push(rule.join(" "));
      }
    }
    this.rulesRefused = refused;
  }

  /** A number of `auditctl -s`. */
  status(name: "enabled" | "pid" | "lost" | "backlog" | "backlog_limit"): number {
    return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(this.auditctl("-s"))?.[1]);
  }

  /** All that is retained, oldest first. */
  log(): string {
    const numbers = readdirSync(dirname(this.logFile)).map((name) => Number(name.split(".")[2] ?? 0));
    const paths = numbers.sort((a, b) => b - a).map((n) => (n === 0 ? this.logFile : `${this.logFile}.${n}`));
    return paths.map((path) => readFileSync(path, "latin1")).join("");
  }

  /** Waits for a record. @returns the whole line */
  async record(pattern: RegExp): Promise<string> {
    return await until(`a record ${pattern}`, () =>
      this.log()
        .split("\n")
        .find((line) => pattern.test(line)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    const child = this.#guard;
    if (child !== undefined && child.exitCode === null) {
      child.ref();
      child.stdin?.end();
      await once(child, "exit");
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private inode(): number | undefined {
    return statSync(this.logFile, { throwIfNoEntry: false })?.ino;
  }
}

/** Waits for its turn, up to some minutes; then executions are logged until it is disposed of. */
export async function startAuditHost(options: AuditHostOptions = {}): Promise<AuditHost> {
  const host = new AuditHost(options.settings);
  try {
    await host.lock();
    await host.start();
    host.auditctl("-D");
    host.auditctl("-b", "8192"); // as the rules that come with auditd do
    host.load(options.rules ?? execRules);
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const endMs = performance.now() + msMax;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`waited for ${what} for ${msMax} ms`);
    await sleep(10);
  }
}

function isOurs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(marker);
  } catch {
    return true; // it has just ended
  }
}
