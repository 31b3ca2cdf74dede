/** What happened on a host, whichever source saw it. Made by event-builder.ts; ECS documents of it by alert/ecs-event.ts. */

/** A process took a new program image. */
export interface ExecEvent {
  readonly kind: "exec";
  readonly source: "audit-log" | "tracefs" | "procfs";
  readonly node: string | undefined; // the host's name, where the log gives one (node= prefix)
  readonly timeMs: number; // since the epoch
  readonly startTimeMs: number | undefined; // of the process, where the source tells; it may have executed before
  readonly serial: number; // audit's, u32: (node, timeMs, serial) names the event; the pid where the source has none
  readonly pid: number;
  readonly ppid: number;
  readonly executable: string; // relative to the root of the process; "" when nobody knows
  readonly deleted: boolean; // the executable's file was gone, or never had a name (memfd)
  readonly script: string | undefined; // absolute path of the script that an interpreter runs
  readonly uid: number | undefined; // effective user
  readonly auid: number | undefined; // login user; undefined when unset
  readonly ses: number | undefined; // login session; undefined when unset
  readonly tty: string | undefined; // "pts0"; undefined when there is none
  readonly userName: string | undefined; // of uid, where the source tells (enriched log), for package tools only
  readonly loginName: string | undefined; // of auid, the same
  readonly workingDirectory: string | undefined;
  readonly argumentsFrom: "execve" | "proctitle" | "procfs" | "none"; // proctitle: 128 bytes at most, and settable
  readonly argumentsComplete: boolean; // false: cut by the kernel, by our own bound, or by shrink()
  readonly args: readonly string[]; // decoded when asked for; whole up to 1 MiB of the log's bytes until shrink()
  /** Keeps the beginning of long texts only (1,024 bytes): for one that was judged and stays in the process table. */
  shrink(): void;
}

/** One package of an rpm transaction, as rpm's audit plug-in tells it. rpm, plugins/audit.c; shared by all libdnf users. */
export interface SoftwareUpdate {
  readonly kind: "software-update";
  readonly node: string | undefined;
  readonly timeMs: number;
  readonly serial: number;
  readonly pid: number; // of the process that did the transaction
  readonly uid: number | undefined;
  readonly auid: number | undefined;
  readonly ses: number | undefined;
  readonly operation: "install" | "update" | "remove" | "unknown"; // unknown: RHEL 7's record has no op
  readonly nevra: string; // name-[epoch:]version-release.arch
  readonly type: string; // "rpm"
  readonly signatureRequired: boolean | undefined; // key_enforce
  readonly signatureVerified: boolean | undefined; // gpg_res: 1 is good; 0 is unsigned or not checked
  readonly root: string; // of the transaction
  readonly comm: string;
  readonly executable: string;
  readonly success: boolean | undefined; // res
}

/** The host was started anew: no process from before lives. */
export interface Boot {
  readonly kind: "boot";
  readonly node: string | undefined;
  readonly timeMs: number;
}

export type HostEvent = ExecEvent | SoftwareUpdate | Boot;
