/** The commands that cure what `kinwatch check` finds, for the distribution at hand: to be pasted into a root shell. */
import type { HostSurvey } from "./host-survey.ts";

export type Cure = readonly string[]; // lines of a shell

type System = Pick<HostSurvey, "os" | "programs" | "systemd">;

/** Packages are named as in Fedora, RHEL and SUSE; Debian names the daemon's "auditd". */
export function install(name: string, { os, programs }: System): Cure {
  const family = ` ${os.get("ID") ?? ""} ${os.get("ID_LIKE") ?? ""} `;
  if (/ (debian|ubuntu) /.test(family)) return [`apt-get install ${name === "audit" ? "auditd" : name}`];
  if (/ (suse|opensuse|sles)\b/.test(family) || (programs.has("zypper") && !programs.has("dnf"))) {
    return [`zypper install ${name}`];
  }
  return [`${programs.has("dnf") || !programs.has("yum") ? "dnf" : "yum"} install ${name}`];
}

export function startAuditd({ systemd }: System): Cure {
  return [systemd ? "systemctl enable --now auditd" : "auditd"]; // auditd(8): goes to the background by itself
}

/** systemd does that at boot. */
export function mountTracefs(): Cure {
  return ["mount -t tracefs nodev /sys/kernel/tracing"];
}

/** Fedora, RHEL and SUSE have grubby or a line in /etc/default/grub. */
export function bootWithAudit({ programs }: System): Cure {
  const edit = programs.has("grubby")
    ? ["grubby --update-kernel=ALL --remove-args='audit=0 audit=off'"]
    : [
        "sed -i -E 's/\\baudit=(0|off)\\b//' /etc/default/grub",
        programs.has("update-grub") ? "update-grub" : "grub2-mkconfig -o /boot/grub2/grub.cfg",
      ];
  return [...edit, "reboot"];
}

/** Files that were moved into place keep the labels of where they came from; what is denied after this is the policy's. */
export function relabel(): Cure {
  return [
    "restorecon -RFv /usr/bin/kinwatch /usr/lib/kinwatch /etc/kinwatch /var/lib/kinwatch",
    "ausearch -m AVC -ts recent -i",
  ];
}

/**
 * For this boot and those that follow. Named to come after rules that others have made: of several the first one counts, and its key is
 * what they search for.
 */
export function loadExecRules(archs: readonly string[]): Cure {
  return [
    "printf -- '-a always,exit -F arch=%s -S execve,execveat -k kinwatch\\n' \\",
    `  ${archs.join(" ")} >/etc/audit/rules.d/90-kinwatch.rules`,
    "augenrules --load",
  ];
}

export function removeRules(pattern: string): Cure {
  return [`sed -i '/${pattern}/d' /etc/audit/rules.d/*.rules`, "augenrules --load"];
}

/** @param rule as auditctl -l lists it; deleted until rules are loaded again */
export function deleteRule(rule: string): string {
  const [, ...words] = rule.split(" ");
  return ["auditctl -d", ...words.map(quoted)].join(" ");
}

export function setAuditd(path: string, name: string, value: string | number): Cure {
  return [`sed -i 's/^ *${name} *=.*/${name} = ${value}/' ${quoted(path)}`, "pkill -HUP -x auditd"]; // auditd(8), SIGHUP
}

/** A word for a shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
