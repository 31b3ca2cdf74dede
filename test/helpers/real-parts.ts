/**
 * Tests that need a real part of a host (root, rpm, auditd, ...) skip where it is missing, and say what they lack. With
 * KINWATCH_REQUIRE_REAL=1 in the environment a missing part fails them instead, so that a build host cannot lose them
 * silently.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export type RealPart =
  | "root"
  | "rpm"
  | "rpmbuild"
  | "auditd"
  | "journald"
  | "ausearch"
  | "tracefs"
  | "plain-user"
  | "podman"
  | "qemu"
  | "mmdebstrap"
  | "rpmlint"
  | "aarch64-strip"
  | "mandoc"
  | "bash"
  | "bash-completion"
  | "fish"
  | "zsh"
  | "python3"
  | "libsystemd"
  | "terminal"
  | "openssl"
  | "go";

// A test may run with a short PATH (npm, cron); the administrator's programs live in the sbin folders.
const folders = [
  ...(process.env["PATH"] ?? "").split(delimiter),
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
  "/usr/bin",
  "/bin",
].filter((folder) => folder !== "");

const libraryFolders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

/** What distributions have an interactive bash read. */
export const bashCompletionPath = "/usr/share/bash-completion/bash_completion";

const checks: Readonly<Record<RealPart, () => boolean>> = {
  root: isRoot,
  rpm: () => findProgram("rpm") !== undefined,
  rpmbuild: () => findProgram("rpmbuild") !== undefined,
  auditd: () => findProgram("auditd") !== undefined,
  journald: () => findProgram("journalctl") !== undefined && findJournald() !== undefined,
  ausearch: () => findProgram("ausearch") !== undefined,
  tracefs: () => existsSync("/sys/kernel/tracing/instances"),
  qemu: () => findProgram("qemu-system-x86_64") !== undefined && process.arch === "x64",
  mmdebstrap: () => findProgram("mmdebstrap") !== undefined,
  rpmlint: () => findProgram("rpmlint") !== undefined,
  "aarch64-strip": () => findProgram("aarch64-linux-gnu-strip") !== undefined,
  mandoc: () => findProgram("mandoc") !== undefined,
  bash: () => findProgram("bash") !== undefined,
  "bash-completion": () => existsSync(bashCompletionPath),
  fish: () => findProgram("fish") !== undefined,
  zsh: () => findProgram("zsh") !== undefined,
  python3: () => findProgram("python3") !== undefined,
  libsystemd: () => libraryFolders.some((folder) => existsSync(join(folder, "libsystemd.so.0"))),
  openssl: () => findProgram("openssl") !== undefined,
  "plain-user": () => isRoot() && plainUserReads(fileURLToPath(import.meta.url)),
  go: () => findProgram("go") !== undefined,
  podman: () => ["podman", "conmon", "runc"].every((name) => findProgram(name) !== undefined),
  terminal: () => existsSync(new URL("../../node_modules/node-pty/build/Release/pty.node", import.meta.url)),
};

/**
 * The value for node:test's `skip` option.
 * @returns false when every part is there or must be there; else what is missing
 */
export function needs(...parts: readonly RealPart[]): string | false {
  const missing = parts.filter((part) => !checks[part]());
  if (missing.length === 0 || process.env["KINWATCH_REQUIRE_REAL"] === "1") return false;
  return `lacks ${missing.join(", ")}`;
}

/** The full path of a program, wherever PATH or the sbin folders have it. */
export function findProgram(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** The command line that runs another one as nobody; undefined where root cannot become nobody. */
export function asPlainUser(command: readonly string[]): string[] | undefined {
  const setpriv = findProgram("setpriv");
  const runuser = findProgram("runuser");
  const prefixes = [
    setpriv && [setpriv, "--reuid=nobody", "--regid=nogroup", "--clear-groups"],
    setpriv && [setpriv, "--reuid=nobody", "--regid=nobody", "--clear-groups"],
    runuser && [runuser, "-u", "nobody", "--"],
  ];
  for (const prefix of prefixes) {
    if (!prefix) continue;
    const [file = "", ...rest] = prefix;
    const tried = spawnSync(file, [...rest, "true"], { stdio: "ignore", timeout: 10_000 });
    if (tried.status === 0) return [...prefix, ...command];
  }
  return undefined;
}

/** A checkout below /root is root's alone. */
function plainUserReads(path: string): boolean {
  const [file, ...args] = asPlainUser(["test", "-r", path]) ?? [];
  return file !== undefined && spawnSync(file, args, { stdio: "ignore", timeout: 10_000 }).status === 0;
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

function findJournald(): string | undefined {
  return ["/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"].find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
