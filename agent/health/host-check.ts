/**
 * Can this host be watched: a judgement of each fact that host-survey.ts has gathered, with the command that cures what is wrong.
 * Plain functions. docs/check.md has a section for each fact.
 */
import { type AuditRule, execCoverage, hiddenRecords, taskNever } from "./audit-rules.ts";
import type { AuditStatus } from "./audit-status.ts";
import {
  bootWithAudit,
  type Cure,
  deleteRule,
  install,
  loadExecRules,
  mountTracefs,
  quoted,
  relabel,
  removeRules,
  setAuditd,
  startAuditd,
} from "./cures.ts";
import type { HostSurvey } from "./host-survey.ts";

/** The order in which they are told, and cured. */
export const facts = [
  "rights",
  "auditd",
  "audit",
  "tasks",
  "exec-rules",
  "record-types",
  "loss",
  "log",
  "history",
  "recording",
  "selinux",
  "tracefs",
  "proc",
  "rpm",
  "rpm-plugin",
  "journald",
  "state",
  "database",
] as const;
export type Fact = (typeof facts)[number];

export interface Finding {
  readonly fact: Fact;
  readonly status: "ok" | "warning" | "failed";
  readonly text: string; // may quote the host: not for a terminal as it is
  readonly cure: Cure; // empty: nothing to do, or nothing that a command does
}

export interface CheckOptions {
  readonly source: "auto" | "audit-log" | "tracefs" | "procfs";
  readonly journald: boolean; // is that output on
  readonly nowMs: number;
}

export interface HostReport {
  readonly findings: readonly Finding[];
  readonly source: "audit-log" | "tracefs" | "procfs"; // what `kinwatch run` would watch
  readonly watched: boolean;
  readonly silentLog: boolean; // the audit log that should be read tells nothing
}

const MEBIBYTE = 1_048_576; // max_log_file counts in these: auditd.conf(5), src/auditd-event.c
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS; // an upgrade, a full disk that somebody has to see to

type Told = readonly [status: Finding["status"], text: string, cure?: Cure] | undefined;
const ok = (text: string): Told => ["ok", text];
const warning = (text: string, cure: Cure = []): Told => ["warning", text, cure];
const failed = (text: string, cure: Cure = []): Told => ["failed", text, cure];

const judges: Readonly<Record<Fact, (survey: HostSurvey, options: CheckOptions) => Told>> = {
  rights: ({ uid }) =>
    uid === 0
      ? ok("root")
      : warning(`User ${uid} cannot ask audit for its state and rules. Check again as root.`),
  auditd,
  audit,
  tasks,
  "exec-rules": execRules,
  "record-types": recordTypes,
  loss,
  log,
  history,
  recording,
  selinux,
  tracefs,
  proc,
  rpm: ({ rpm }) => (rpm ? ok(rpm.version) : warning("There is no rpm here: nothing that kinwatch watches.")),
  "rpm-plugin": rpmPlugin,
  journald: ({ journald, systemd }, { journald: wanted }) => {
    if (journald) return ok("takes alerts");
    const text = "There is no journal: alerts wait in the store until there is one.";
    return wanted ? warning(text, systemd ? ["systemctl start systemd-journald"] : []) : undefined;
  },
  state: ({ uid, state: { folder, problem } }) =>
    problem === undefined
      ? ok(folder)
      : failed(`${folder} cannot be written: ${problem}`, [`install -d -m 0700 -o ${uid} ${quoted(folder)}`]),
  database: ({ state: { folder, problem }, database }) => {
    if (database === "none")
      return problem === undefined ? ok("none yet: a first start makes it") : undefined;
    if (database === "sound") return ok("sound");
    const { code, message } = database;
    if (code === "KW_STATE_LOCKED") return warning(message);
    const cure =
      code === "KW_STATE_CORRUPT" ? [`mv -T ${quoted(folder)} ${quoted(`${folder}.damaged`)}`] : [];
    return failed(message, cure);
  },
};

/** Facts that the audit log stands or falls with. */
const ofAudit: readonly Fact[] = [
  "auditd",
  "audit",
  "tasks",
  "exec-rules",
  "record-types",
  "log",
  "history",
  "recording",
];

/** A log that is there but silent fails, though `run` would fall back on /proc: who has one relies on it. */
export function checkHost(survey: HostSurvey, options: CheckOptions): HostReport {
  const auto = options.source === "auto";
  const isAudited = options.source === "audit-log" || (auto && survey.log.recordsUs);
  const content = !isAudited && (!auto || survey.log.problem !== undefined);
  const findings = facts.flatMap((fact) => {
    const told = judges[fact](survey, options);
    if (told === undefined) return [];
    const [status, text, cure = []] = told;
    // Where another source has to do, all that audit lacks is no more than a pity.
    const mild = content && ofAudit.includes(fact) && status === "failed";
    return [{ fact, status: mild ? ("warning" as const) : status, text, cure }];
  });
  return {
    findings,
    source: isAudited
      ? "audit-log"
      : options.source === "procfs" || survey.tracefs !== undefined
        ? "procfs"
        : "tracefs",
    watched: findings.every(({ status }) => status !== "failed"),
    silentLog: findings.some(({ fact, status }) => ofAudit.includes(fact) && status === "failed"),
  };
}

function auditd(survey: HostSurvey): Told {
  const { programs, receiver, audit, bootedWithoutAudit } = survey;
  if (!("pid" in audit) && bootedWithoutAudit) {
    return failed("The kernel was booted with audit=0: it audits nothing.", bootWithAudit(survey));
  }
  if (receiver === "auditd" && "pid" in audit) return ok(`runs, pid ${audit.pid}`);
  if (!programs.has("auditd"))
    return failed("auditd is not installed: nothing writes an audit log.", install("audit", survey));
  if (receiver !== undefined && "pid" in audit) {
    return failed(
      `${receiver} (pid ${audit.pid}) takes the audit records, and only one program can: auditd writes no log.`,
      [`systemctl disable --now ${quoted(receiver)}`, ...startAuditd(survey)],
    );
  }
  if (!("pid" in audit)) return unknown(survey, `Whether auditd runs is not known: ${audit.problem}`);
  return failed("auditd does not run: nothing writes an audit log.", startAuditd(survey));
}

function audit({ audit: status }: HostSurvey): Told {
  if (!("enabled" in status)) return undefined; // said above
  if (status.enabled === 0) return failed("The kernel's audit is off.", ["auditctl -e 1"]);
  return ok(status.enabled === 2 ? "on, and locked until the next boot" : "on");
}

function tasks(survey: HostSurvey): Told {
  const never = taskNever(survey.rules ?? []);
  if (never === undefined) return survey.rules && ok("none is exempt from audit");
  const cure = cureOfRules(survey, removeRules("task,never\\|never,task"));
  if (!never.all) return warning(`A rule exempts processes from audit: ${never.rule}`, cure);
  return failed(
    `A rule exempts all processes that start from audit: ${never.rule}. Those that started under it stay unseen until they end.`,
    cure,
  );
}

function execRules(survey: HostSurvey): Told {
  const { rules, archs } = survey;
  if (rules === undefined) return undefined;
  const coverage = execCoverage(rules, archs);
  const lacking = coverage.filter(({ recorded }) => recorded !== "all");
  if (lacking.length === 0) return ok(`all executions, ${bits(archs)}`);
  const deciding = [...new Set(lacking.flatMap((one) => one.rules))];
  const quoting = deciding.length === 0 ? "" : ` Rules that decide so: ${deciding.join("; ")}`;
  const cure = cureOfRules(survey, cureOfCoverage(rules, deciding, archs));
  if (coverage[0]?.recorded === "none") return failed(`No rule records executions.${quoting}`, cure);
  const missing = lacking.filter(({ recorded }) => recorded === "none").map(({ what }) => what);
  if (missing.length === 0) return warning(`Only some executions are recorded.${quoting}`, cure);
  return warning(`Not recorded: ${missing.join(", ")}. An installer can hide there.${quoting}`, cure);
}

/** Rules that never record come first or not at all; after them ours record all. */
function cureOfCoverage(
  rules: readonly AuditRule[],
  deciding: readonly string[],
  archs: readonly string[],
): Cure {
  const never = rules.filter(({ text, action }) => action === "never" && deciding.includes(text));
  const others = execCoverage(
    rules.filter((rule) => !never.includes(rule)),
    archs,
  );
  const load = others.every(({ recorded }) => recorded === "all") ? [] : loadExecRules(archs);
  const find = never.length === 0 ? [] : ["grep -n never /etc/audit/rules.d/*.rules"];
  return [...load, ...never.map(({ text }) => deleteRule(text)), ...find];
}

function bits(archs: readonly string[]): string {
  return archs.map((arch) => `${arch.slice(1)} bit`).join(" and ");
}

function recordTypes(survey: HostSurvey): Told {
  if (survey.rules === undefined) return undefined;
  const hidden = hiddenRecords(survey.rules);
  if (hidden.length === 0) return ok("none that matters is thrown away");
  const types = [...new Set(hidden.map(({ type }) => type))];
  const text = `Rules throw records away (${types.join(", ")}): ${hidden.map(({ rule }) => rule).join("; ")}`;
  const cure = cureOfRules(survey, removeRules(`msgtype=\\(${types.join("\\|")}\\)`));
  if (types.includes("any")) return warning(text);
  return types.includes("SYSCALL") || types.includes("EXECVE") ? failed(text, cure) : warning(text, cure);
}

function loss({ audit: status }: HostSurvey): Told {
  if (!("lost" in status)) return undefined;
  const { lost, backlog, backlogLimit, rateLimit } = status;
  if (rateLimit > 0) {
    return warning(`The kernel drops what is above ${rateLimit} records a second.`, ["auditctl -r 0"]);
  }
  if (lost > 0) {
    return warning(`The kernel lost ${lost} records: what they told is not known.`, roomierBacklog(status));
  }
  if (backlog > 0.8 * backlogLimit) {
    return warning(
      `${backlog} of ${backlogLimit} places for waiting records are taken.`,
      roomierBacklog(status),
    );
  }
  return ok(`none; ${backlog} of ${backlogLimit} waiting`);
}

/** At least what the rules that come with auditd set (rules/10-base-config.rules in audit-userspace). */
function roomierBacklog({ backlogLimit, lost }: AuditStatus): Cure {
  return [`auditctl -b ${Math.max(8_192, 2 * backlogLimit)}${lost > 0 ? " --reset-lost" : ""}`];
}

function log(survey: HostSurvey): Told {
  const { path, problem } = survey.log;
  const { config, path: configPath } = survey.auditd;
  if (config !== undefined && !config.writesLog) {
    return failed(`${configPath} forbids auditd to write a log.`, [
      ...setAuditd(configPath, "log_format", "ENRICHED").slice(0, 1),
      ...setAuditd(configPath, "write_logs", "yes"),
    ]);
  }
  if (config !== undefined && config.logFile !== path) {
    const text = `auditd writes ${config.logFile}, but source.audit_log of the configuration is ${path}.`;
    return problem === undefined ? warning(text) : failed(text);
  }
  if (problem === "ENOENT") return failed(`There is no ${path}.`);
  if (problem !== undefined) {
    return failed(`${path} cannot be read: ${problem}. Run as root, or as a member of its group.`, [
      `ls -ld ${quoted(path)}`,
    ]);
  }
  const names = config?.format === "RAW" ? ", without names beside numbers" : "";
  return ok(`${path}${names}`);
}

function history(
  { log: { bytes, begunMs, freeBytes }, auditd: { config, path } }: HostSurvey,
  { nowMs }: CheckOptions,
): Told {
  const since =
    begunMs === undefined ? "nothing yet" : `${megabytes(bytes)} MB, since ${ago(nowMs - begunMs)}`;
  if (config === undefined) return begunMs === undefined ? undefined : ok(since);
  const { fileMegabytes, files, whenFull } = config;
  const room = `${files} × ${fileMegabytes} MB`;
  const pace = begunMs === undefined ? 0 : paceOf(bytes, nowMs - begunMs, fileMegabytes);
  const lastsMs = (files * fileMegabytes * MEBIBYTE) / pace;
  if (whenFull === "rotate" && files >= 2 && lastsMs < HOUR_MS) {
    const most = Math.floor(freeBytes / 4 / files / MEBIBYTE); // the disk has other uses
    const wanted = Math.min(Math.ceil((2 * HOUR_MS * pace) / files / MEBIBYTE), most);
    return warning(
      `At the pace of this host the retained logs (${room}) last for ${duration(lastsMs)}: a stop of kinwatch that is longer loses what happened meanwhile.`,
      wanted > fileMegabytes ? setAuditd(path, "max_log_file", wanted) : [],
    );
  }
  if (whenFull === "keep_logs") return ok(`${since}; all is kept`);
  if (whenFull === "rotate" && files >= 2) return ok(`${since}; room for ${room}`);
  if (whenFull === "suspend") {
    return failed(
      `auditd stops writing at ${fileMegabytes} MB.`,
      setAuditd(path, "max_log_file_action", "ROTATE"),
    );
  }
  const text = `The log is never rotated and grows without end (${since}).`;
  return warning(text, [
    ...setAuditd(path, "num_logs", Math.max(5, files)).slice(0, 1),
    ...setAuditd(path, "max_log_file_action", "ROTATE"),
  ]);
}

function recording(survey: HostSurvey): Told {
  const { recordsUs, path, problem } = survey.log;
  if (recordsUs) return ok("an execution of this check was found in the log");
  if (problem !== undefined) return undefined;
  const some =
    survey.rules && execCoverage(survey.rules, survey.archs).some(({ recorded }) => recorded === "some");
  const text = `An execution of this check did not appear in ${path}.`;
  return some ? warning(`${text} The rules leave it out, or auditd lags.`) : failed(text);
}

function selinux({ selinux: state }: HostSurvey): Told {
  if (state === undefined) return undefined;
  if (!state.enforcing) return ok("permissive: it denies nothing");
  const last = state.denials.at(-1);
  if (last === undefined) return ok("enforcing; the log shows nothing that it denied kinwatch");
  return warning(
    `SELinux denied kinwatch ${state.denials.length === 1 ? "something" : `${state.denials.length} things`}, the last at ${new Date(last.timeMs).toISOString()}: ${last.text}`,
    relabel(),
  );
}

function tracefs({ tracefs: problem, uid }: HostSurvey, { source }: CheckOptions): Told {
  if (source === "procfs") return undefined;
  if (problem === undefined) return ok("tells who begins processes");
  const cure = problem.code === "KW_TRACEFS_MISSING" ? mountTracefs() : [];
  if (source === "tracefs") return failed(problem.message, cure);
  if (uid !== 0) return undefined; // it is root's, and rights has been told
  return warning(
    `Of parents that are dead by then, or executed nothing, less is known: ${problem.message}`,
    cure,
  );
}

function proc({ procHidden, pidNamespace }: HostSurvey, { source }: CheckOptions): Told {
  if (procHidden) {
    return failed("Processes of other users are hidden (hidepid): parents cannot be looked up.", [
      "mount -o remount,hidepid=0 /proc",
    ]);
  }
  if (!pidNamespace) return ok("shows all processes");
  const text = "Shows this container's processes only, by other pids than audit's";
  const cure = "Start the container with the pids of the host (--pid=host, hostPID: true).";
  return source === "procfs"
    ? failed(`${text}: what is installed outside goes unseen. ${cure}`)
    : warning(`${text}: parents that no record knows cannot be looked up. ${cure}`);
}

function rpmPlugin(survey: HostSurvey): Told {
  const { rpm } = survey;
  if (rpm === undefined) return undefined;
  if (rpm.there) return ok(rpm.plugin);
  const unseen = "What dnf and the like install is not seen, and no outcome is known";
  if (rpm.plugin === "") {
    return warning(
      `rpm's audit plug-in is switched off by a macro. ${unseen}.`,
      rpm.switchedOffIn.length === 0
        ? ["grep -rn __transaction_audit /etc/rpm /usr/lib/rpm ~/.rpmmacros ~/.config/rpm"]
        : [`sed -i '/^ *%__transaction_audit\\b/d' ${rpm.switchedOffIn.map(quoted).join(" ")}`],
    );
  }
  if (rpm.elsewhere !== undefined) {
    const folder = rpm.elsewhere.replace(/\/audit\.so$/, "");
    return warning(`rpm looks for its audit plug-in in the wrong folder. ${unseen}.`, [
      "mkdir -p /etc/rpm",
      `echo '%__plugindir ${folder}' >/etc/rpm/macros.plugindir`,
    ]);
  }
  const [major = 0, minor = 0] = rpm.version.split(".").map(Number);
  if (major < 4 || (major === 4 && minor < 15)) {
    return warning(
      `rpm ${rpm.version} has no audit plug-in yet. Red Hat's builds write its records all the same: see ausearch -m SOFTWARE_UPDATE.`,
    );
  }
  return warning(`rpm's audit plug-in is missing. ${unseen}.`, install("rpm-plugin-audit", survey));
}

/** Loaded rules cannot be changed while they are locked: auditctl(8), -e 2. */
function cureOfRules({ audit: status }: HostSurvey, cure: Cure): Cure {
  if (!("enabled" in status) || status.enabled !== 2) return cure;
  return [...cure.filter((line) => line !== "augenrules --load"), "reboot"];
}

/** The kernel tells root alone, and nobody in a pid namespace: kernel/audit.c, audit_netlink_ok(). */
function unknown({ uid, pidNamespace }: HostSurvey, text: string): Told {
  return uid === 0 && !pidNamespace ? failed(text) : warning(text);
}

/** Bytes a millisecond; 0 where the log is too young to tell. */
function paceOf(bytes: number, ms: number, fileMegabytes: number): number {
  const tells = ms >= 10 * MINUTE_MS || bytes >= fileMegabytes * MEBIBYTE;
  return tells ? bytes / Math.max(ms, 1) : 0;
}

function duration(ms: number): string {
  return ms < MINUTE_MS ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / MINUTE_MS)} min`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

function ago(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  if (minutes < 120) return `${minutes} min ago`;
  return minutes < 2_880 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1_440)} days ago`;
}
