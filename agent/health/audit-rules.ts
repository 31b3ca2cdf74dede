/**
 * What the loaded audit rules record of executions. auditctl -l lists them as auditctl(8) takes them. The kernel takes the first rule
 * of the exit list that matches (kernel/auditsc.c, __audit_filter_op()), so that the order decides.
 */
export interface AuditRule {
  readonly text: string;
  readonly list: string; // exit, task, exclude, user, filesystem, io_uring
  readonly action: string; // always, never
  readonly arch: string | undefined; // b64, b32
  readonly syscalls: readonly string[]; // names, or all; empty: all
  readonly conditions: readonly Condition[]; // without arch and key
}

interface Condition {
  readonly field: string;
  readonly operator: string;
  readonly value: string;
}

/** A system call of one architecture, and what the rules make of it. */
export interface Coverage {
  readonly what: string; // "execve, 64 bit"
  readonly recorded: "all" | "some" | "none";
  readonly rules: readonly string[]; // that decide so, other than by being absent
}

const lists = ["exit", "task", "exclude", "user", "filesystem", "io_uring", "entry"];
const actions = ["always", "never", "possible"];

/** @param text of auditctl -l; lines that are no rules ("No rules") are passed over */
export function parseAuditRules(text: string): AuditRule[] {
  return text.split("\n").flatMap((line) => {
    const rule = parseRule(line.trim());
    return rule === undefined ? [] : [rule];
  });
}

function parseRule(text: string): AuditRule | undefined {
  const words = text.split(/\s+/);
  let list: string | undefined;
  let action = "always";
  let arch: string | undefined;
  const syscalls: string[] = [];
  const conditions: Condition[] = [];
  for (let index = 0; index < words.length; index += 2) {
    const value = words[index + 1] ?? "";
    const [, field = "", operator = "", operand = ""] = /^(\w+)([!<>&]?=|[<>&])(.*)$/.exec(value) ?? [];
    switch (words[index]) {
      case "-a":
      case "-A":
        list = value.split(",").find((word) => lists.includes(word));
        action = value.split(",").find((word) => actions.includes(word)) ?? action;
        break;
      case "-w": // a watch is an exit rule on a path: audit_setup_watch_name() in audit-userspace
        list = "exit";
        conditions.push({ field: "path", operator: "=", value });
        break;
      case "-p":
        conditions.push({ field: "perm", operator: "=", value });
        break;
      case "-S":
        syscalls.push(...value.split(","));
        break;
      case "-F":
        if (field === "arch" && operator === "=") arch = operand;
        else if (field !== "key") conditions.push({ field, operator, value: operand });
        break;
      case "-C":
        conditions.push({ field: "compare", operator: "", value });
    }
  }
  return list === undefined ? undefined : { text, list, action, arch, syscalls, conditions };
}

/** @param archs of programs that this kernel can run, its own first: b64, b32 */
export function execCoverage(rules: readonly AuditRule[], archs: readonly string[]): Coverage[] {
  const native = archs[0];
  return archs.flatMap((arch) =>
    ["execve", "execveat"].map((syscall) => {
      const what = `${syscall}, ${arch.slice(1)} bit`;
      const decisive: AuditRule[] = [];
      for (const rule of rules) {
        if (rule.list !== "exit" || !isAbout(rule, arch, syscall, native)) continue;
        decisive.push(rule);
        if (!isRestricted(rule)) break;
      }
      const last = decisive.at(-1);
      const some = decisive.some(({ action }) => action === "always");
      const all =
        last !== undefined && !isRestricted(last) && decisive.every(({ action }) => action === "always");
      return {
        what,
        recorded: all ? "all" : some ? "some" : "none",
        rules: decisive.map(({ text }) => text),
      };
    }),
  );
}

/** Without an arch the numbers of system calls are the native ones (auditctl(8), arch). */
function isAbout(rule: AuditRule, arch: string, syscall: string, native: string | undefined): boolean {
  const { syscalls } = rule;
  const every = syscalls.length === 0 || syscalls.includes("all");
  if (rule.arch === undefined ? !every && arch !== native : rule.arch !== arch) return false;
  return (every || syscalls.includes(syscall)) && rule.conditions.every(canConcernInstallers);
}

/** An execution of one of them, or of anything: what rules on other paths do is of no concern. */
function canConcernInstallers({ field, operator, value }: Condition): boolean {
  if (operator !== "=") return true;
  if (field === "perm") return value.includes("x");
  if (field === "path" || field === "exe")
    return installers.test(value) || value === "/usr/bin" || value === "/";
  return field !== "dir" || ["/", "/usr", "/usr/bin"].includes(value.replace(/(?<=.)\/$/, ""));
}

const installers =
  /^\/(usr\/)?(s?bin|libexec)\/(rpm|dnf|dnf5|dnf-3|yum|microdnf|zypper|python[\d.]*|platform-python[\d.]*|packagekitd)$/;

/** Does it leave some executions out. Those that fail are of no interest. */
function isRestricted({ conditions }: AuditRule): boolean {
  return conditions.some(
    ({ field, value }) => !(field === "success" && value === "1") && !(field === "exit" && value === "0"),
  );
}

/** No task that starts while it is loaded is audited (kernel/auditsc.c, audit_alloc()). */
export function taskNever(
  rules: readonly AuditRule[],
): { readonly all: boolean; readonly rule: string } | undefined {
  const found = rules.find(({ list, action }) => list === "task" && action === "never");
  return found && { all: found.conditions.length === 0, rule: found.text };
}

/** Records that are thrown away by type: what an execution or an installation consists of (auditctl(8), exclude and user). */
export function hiddenRecords(
  rules: readonly AuditRule[],
): { readonly type: string; readonly rule: string }[] {
  return rules.flatMap(({ list, action, conditions, text: rule }) => {
    if (list !== "exclude" && !(list === "user" && action === "never")) return [];
    const types = conditions.filter(({ field }) => field === "msgtype");
    if (types.some(({ operator }) => operator !== "=") || types.length === 0) return [{ type: "any", rule }];
    return types.filter(({ value }) => needed.includes(value)).map(({ value }) => ({ type: value, rule }));
  });
}

const needed = ["SYSCALL", "EXECVE", "CWD", "PATH", "PROCTITLE", "SOFTWARE_UPDATE"];
