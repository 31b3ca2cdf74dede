/** Executions, process images and records for tests of what comes behind the process table: only what a test is about is said. */
import type { ExecEvent, SoftwareUpdate } from "../../agent/events/exec-event.ts";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";

export const atMs = Date.UTC(2026, 10, 24, 12, 0, 0, 123);

export function execOf(given: Partial<ExecEvent> = {}): ExecEvent {
  const exec: ExecEvent = {
    kind: "exec",
    source: "audit-log",
    node: undefined,
    timeMs: atMs,
    startTimeMs: undefined,
    serial: 4_711,
    pid: 900,
    ppid: 800,
    executable: "/usr/bin/rpm",
    deleted: false,
    script: undefined,
    uid: 0,
    auid: undefined,
    ses: undefined,
    tty: undefined,
    userName: undefined,
    loginName: undefined,
    workingDirectory: undefined,
    argumentsFrom: "execve",
    argumentsComplete: true,
    args: ["rpm", "-Uvh", "/tmp/kw-a-1.0-1.noarch.rpm"],
    shrink() {},
  };
  return { ...exec, ...given };
}

export function imageOf(given: Partial<ExecEvent> = {}, links: Partial<ProcessImage> = {}): ProcessImage {
  return {
    exec: execOf(given),
    provenance: "recorded",
    parent: undefined,
    unresolved: undefined,
    previous: undefined,
    ...links,
  } as ProcessImage; // what else is in it is the process table's own
}

/** A shell script, its shell, sshd and systemd, the latter two from /proc. */
export function scriptImage(script = "/opt/deploy/update.sh"): ProcessImage {
  const none = { workingDirectory: undefined, argumentsFrom: "procfs", source: "procfs" } as const;
  const init = imageOf(
    {
      ...none,
      pid: 1,
      ppid: 0,
      executable: "/usr/lib/systemd/systemd",
      args: ["/usr/lib/systemd/systemd", "--system"],
    },
    { provenance: "procfs", unresolved: "none" },
  );
  const sshd = imageOf(
    { ...none, pid: 690, ppid: 1, executable: "/usr/sbin/sshd", args: ["sshd: admin [priv]"] },
    { provenance: "procfs", parent: init },
  );
  const login = imageOf(
    {
      pid: 700,
      ppid: 690,
      executable: "/usr/bin/bash",
      args: ["-bash"],
      timeMs: atMs - 108_000,
      serial: 4_100,
    },
    { parent: sshd },
  );
  const args = ["/bin/bash", script];
  return imageOf(
    { pid: 800, ppid: 700, executable: "/usr/bin/bash", script, args, timeMs: atMs - 125, serial: 4_700 },
    { parent: login },
  );
}

export function ancestorsOf(image: ProcessImage): ProcessImage[] {
  return image.parent === undefined ? [] : [image.parent, ...ancestorsOf(image.parent)];
}

export function updateOf(given: Partial<SoftwareUpdate> = {}): SoftwareUpdate {
  return {
    kind: "software-update",
    node: undefined,
    timeMs: atMs + 400,
    serial: 4_720,
    pid: 900,
    uid: 0,
    auid: undefined,
    ses: undefined,
    operation: "install",
    nevra: "kw-a-1.0-1.noarch",
    type: "rpm",
    signatureRequired: false,
    signatureVerified: false,
    root: "/",
    comm: "rpm",
    executable: "/usr/bin/rpm",
    success: true,
    ...given,
  };
}
