/** Gathers what decides whether this host can be watched. What it means: host-check.ts. Nothing is changed. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  globSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
  statSync,
} from "node:fs";
import { arch, homedir } from "node:os";
import { dirname, join } from "node:path";
import { type KinwatchError, systemCode } from "../errors.ts";
import { isRecorded, tailOf } from "./audit-proof.ts";
import { type AuditRule, parseAuditRules } from "./audit-rules.ts";
import { type AuditStatus, parseAuditStatus } from "./audit-status.ts";
import { type AuditdConfig, parseAuditdConfig } from "./auditd-config.ts";
import { ask, findProgram } from "./command.ts";
import { type OsRelease, readOsRelease } from "./os-release.ts";
import { showsHostProcesses } from "./pid-namespace.ts";
import { type Denial, selinuxDenials } from "./selinux-denials.ts";

export interface HostSurvey {
  readonly os: OsRelease;
  readonly uid: number;
  readonly systemd: boolean;
  readonly archs: readonly string[]; // of programs that can run here, as audit rules name them, the native one first
  readonly programs: ReadonlySet<string>;
  readonly audit: AuditStatus | { readonly problem: string };
  readonly rules: readonly AuditRule[] | undefined; // undefined: not known
  readonly receiver: string | undefined; // the program that takes the records: comm of audit.pid
  readonly auditd: { readonly path: string; readonly config: AuditdConfig | undefined };
  readonly log: {
    readonly path: string;
    readonly problem: string | undefined; // a system error's code
    readonly begunMs: number | undefined; // time of the oldest record that is retained
    readonly bytes: number; // of all files
    readonly freeBytes: number; // on its disk
    readonly recordsUs: boolean; // an execution of our own appeared in it
  };
  readonly rpm: RpmSurvey | undefined; // undefined: no rpm
  readonly journald: boolean;
  readonly state: { readonly folder: string; readonly problem: string | undefined };
  readonly database: "none" | "sound" | KinwatchError;
  readonly tracefs: KinwatchError | undefined; // why the kernel's tracepoints cannot be listened to
  readonly procHidden: boolean; // processes of other users are not shown
  readonly pidNamespace: boolean; // /proc shows those of a container, by pids of its own
  readonly selinux: { readonly enforcing: boolean; readonly denials: readonly Denial[] } | undefined; // undefined: none here
  readonly bootedWithoutAudit: boolean;
}

export interface RpmSurvey {
  readonly version: string;
  readonly plugin: string; // where rpm looks for its audit plug-in; empty: switched off
  readonly there: boolean;
  readonly elsewhere: string | undefined; // a plug-in where rpm does not look
  readonly switchedOffIn: readonly string[]; // files of macros
}

const programs = [
  ...["auditctl", "auditd", "augenrules", "systemctl", "grubby", "update-grub"],
  ...["dnf", "yum", "zypper", "apt-get"],
];
const DENIALS_BYTES = 4_194_304; // of the log's end: some thousand events
const proofMsMax = 1_000; // auditd writes within some milliseconds, but a busy host has a backlog

export interface SurveyOptions {
  readonly auditLog: string;
  readonly stateFolder: string;
  readonly database: HostSurvey["database"];
  readonly tracefs: HostSurvey["tracefs"];
}

export async function surveyHost({
  auditLog,
  stateFolder,
  database,
  tracefs,
}: SurveyOptions): Promise<HostSurvey> {
  const [status, listed, rpm] = await Promise.all([
    ask("auditctl", ["-s"]),
    ask("auditctl", ["-l"]),
    surveyRpm(),
  ]);
  const audit = parseAuditStatus(status?.stdout ?? "") ?? { problem: status?.stderr.trim() || "no auditctl" };
  const pid = "pid" in audit ? audit.pid : 0;
  const path = auditdConfigPath(pid);
  const config = readText(path);
  const problem = problemOf(() => closeSync(openSync(auditLog, "r")));
  const silent = "enabled" in audit && (audit.enabled === 0 || pid === 0);
  return {
    os: readOsRelease(),
    uid: process.geteuid?.() ?? -1,
    systemd: existsSync("/run/systemd/system"), // sd_booted(3)
    archs: archsOf(arch()),
    programs: new Set(programs.filter((name) => findProgram(name) !== undefined)),
    audit,
    rules: listed?.ok && "enabled" in audit ? parseAuditRules(listed.stdout) : undefined,
    receiver: pid === 0 ? undefined : readText(`/proc/${pid}/comm`)?.trim(),
    auditd: { path, config: config === undefined ? undefined : parseAuditdConfig(config) },
    log: {
      path: auditLog,
      problem,
      ...retained(auditLog),
      recordsUs: problem === undefined && !silent && (await isRecorded(auditLog, proofMsMax)),
    },
    rpm,
    journald: existsSync("/run/systemd/journal/socket"),
    state: { folder: stateFolder, problem: stateProblem(stateFolder) },
    database,
    tracefs,
    procHidden: !existsSync("/proc/1/stat"), // hidepid: proc(5)
    pidNamespace: !showsHostProcesses(),
    selinux: surveySelinux(auditLog),
    bootedWithoutAudit: /(^| )audit=(0|off)( |$)/m.test(readText("/proc/cmdline") ?? ""), // kernel/audit.c, audit_enable()
  };
}

/** @param machine of node:os arch(); auditctl knows 32-bit tables for those only (lib/machinetab.h) */
export function archsOf(machine: string): string[] {
  if (["x64", "arm64", "ppc64", "s390x"].includes(machine)) return ["b64", "b32"];
  return [["arm", "ia32"].includes(machine) ? "b32" : "b64"];
}

/** auditd may run with a folder of its own: auditd(8), -c. */
function auditdConfigPath(pid: number): string {
  const words = pid === 0 ? [] : (readText(`/proc/${pid}/cmdline`) ?? "").split("\0");
  const at = words.indexOf("-c");
  return join(at === -1 ? "/etc/audit" : (words[at + 1] ?? "/etc/audit"), "auditd.conf");
}

/** All files of the log: audit.log, audit.log.1, … */
function retained(path: string): Pick<HostSurvey["log"], "bytes" | "begunMs" | "freeBytes"> {
  const files = globSync(`${path.replace(/[*?[\]{}!()\\]/g, "\\$&")}{,.[0-9]*}`);
  const sizes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  const begun = files.map(firstRecordMs).filter((ms) => ms !== undefined);
  return {
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    begunMs: begun.length === 0 ? undefined : Math.min(...begun),
    freeBytes: freeBytes(dirname(path)),
  };
}

function firstRecordMs(path: string): number | undefined {
  try {
    const fd = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(512);
      const head = bytes.toString("latin1", 0, readSync(fd, bytes, 0, bytes.length, 0));
      const seconds = /\baudit\((\d+)\./.exec(head)?.[1];
      return seconds === undefined ? undefined : Number(seconds) * 1_000;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** rpm loads a plug-in whose macro is defined, from the path that it expands to: rpm-plugins(8). */
async function surveyRpm(): Promise<RpmSurvey | undefined> {
  const answer = await ask("rpm", ["--eval", "%{?__transaction_audit}", "--eval", "%{__plugindir}"]);
  const version = await ask("rpm", ["--version"]);
  if (answer === undefined) return undefined;
  const [plugin = "", folder = ""] = answer.stdout.split("\n");
  const elsewhere = globSync("/usr/lib*/{*/,}rpm-plugins/audit.so").find((path) => path !== plugin);
  return {
    version: /[\d.]+/.exec(version?.stdout ?? "")?.[0] ?? "",
    plugin,
    there: plugin !== "" && existsSync(plugin),
    elsewhere: existsSync(join(folder, "audit.so")) ? undefined : elsewhere,
    switchedOffIn: plugin === "" ? macroFiles().filter(switchesPluginOff) : [],
  };
}

/** Where people and packages put macros of their own: rpm-config(5), macropath of `rpm --showrc`. */
function macroFiles(): string[] {
  const home = homedir();
  return globSync([
    ...["/etc/rpm/macros", "/etc/rpm/macros.*", "/usr/lib/rpm/macros.d/macros.*"],
    ...[join(home, ".rpmmacros"), join(home, ".config/rpm/macros")],
  ]);
}

function switchesPluginOff(path: string): boolean {
  return /^ *%__transaction_audit\b[ \t]*(%\{?nil\}?)?[ \t]*$/m.test(readText(path) ?? "");
}

/** @returns undefined where SELinux is not in force at all */
function surveySelinux(auditLog: string): HostSurvey["selinux"] {
  const enforce = readText("/sys/fs/selinux/enforce");
  if (enforce === undefined) return undefined;
  return {
    enforcing: enforce === "1",
    denials: selinuxDenials(tailOf(auditLog, DENIALS_BYTES), process.execPath),
  };
}

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return 0; // there is no such folder
  }
}

/** The folder, or where it would be made. */
function stateProblem(folder: string): string | undefined {
  const there = existsSync(folder) ? folder : dirname(folder);
  if (!existsSync(there)) return stateProblem(there);
  return problemOf(() => {
    if (!statSync(there).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    accessSync(there, constants.W_OK | constants.X_OK); // root too is refused on a file system that is read only
  });
}

function problemOf(attempt: () => void): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return systemCode(error);
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
