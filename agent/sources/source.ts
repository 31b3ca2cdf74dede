/** A source observes the host and hands on what it saw, in order, without saying what it means. */
import type { KinwatchError } from "../errors.ts";
import type { RecordIndex } from "./record-index.ts";

/** Which file: it keeps its inode when it is renamed. stat(2) st_dev, st_ino. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
}

/** Where in which file. All bytes before it are read. */
export interface LogPosition extends FileIdentity {
  readonly offset: number;
}

/** A stored position, with what proves that the file at that inode is still the one: inodes are reused. */
export interface LogCursor extends LogPosition {
  readonly fingerprint: string; // of the bytes before the offset: see log-position.ts
}

/** A piece of an audit log: whole lines, the last one ends with a newline. */
export interface LogObservation {
  readonly kind: "log";
  readonly bytes: Buffer; // valid until the next observation is asked for: the source reuses it
  readonly position: LogPosition; // of the first byte
  readonly seen: boolean; // lies before the stored cursor: rebuilds the process table, is not judged again
  readonly index?: RecordIndex | undefined; // of its records, as far as that goes; valid as long as the bytes
}

/** A process found in /proc. */
export interface ProcessObservation {
  readonly kind: "process";
  readonly process: ProcEntry;
  readonly nowMs: number; // when it was found; it executed not much earlier, but for those that were seen
  readonly seen: boolean; // was running when the source started: fills the process table, is not judged
}

/** Who began a process. */
export interface Birth {
  readonly pid: number;
  readonly timeMs: number; // since the epoch
  readonly parent: number; // the pid of the process that began it, which may be dead by now
}

/** An execution that the kernel's tracepoint told of. */
export interface TracedObservation {
  readonly kind: "traced";
  readonly pid: number;
  readonly path: string; // as execve(2) was given it: it may be relative, or a script's
  readonly timeMs: number; // since the epoch
  readonly birth: Birth | undefined; // undefined: begun before it was watched
  readonly process: ProcEntry | undefined; // undefined: over when it was looked at, or another program already
  readonly seen: false; // tracepoints have no past
}

/** Nothing new for the moment; a live source says so at least once a second. */
export interface IdleObservation {
  readonly kind: "idle";
  readonly nowMs: number; // since the epoch
}

export type Observation = LogObservation | ProcessObservation | TracedObservation | IdleObservation;

/** One process as /proc shows it: never a kernel thread, a zombie, or one in the middle of an execution. */
export interface ProcEntry {
  readonly pid: number;
  readonly ppid: number;
  readonly startTimeMs: number; // since the epoch; cut to a clock tick, so that the process started up to 10 ms later
  readonly comm: string; // the program's base name to 15 bytes, set at execution; a process may change its own
  readonly executable: string | undefined; // without " (deleted)", below the process's root; undefined where not permitted
  readonly deleted: boolean; // the executable's file is gone
  readonly args: readonly string[]; // as the process shows them now: it may overwrite its own
  readonly argumentsComplete: boolean; // false: cut by our own bound
  readonly workingDirectory: string | undefined;
  readonly uid: number; // effective
  readonly auid: number | undefined; // loginuid; undefined when unset (4294967295)
  readonly ses: number | undefined; // sessionid; the same
  readonly tty: string | undefined; // "pts0", as audit names it; undefined when there is none
}

/** With which one program makes another run its code. ld.so(8). All others may hold secrets, and are nobody's business. */
export const environmentNames = ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT"] as const;

/** What /proc tells of a process beside its entry, as long as it lives. */
export interface ProcessDetails {
  readonly gid: number; // effective group
  readonly processGroup: number; // the pid of its leader
  readonly session: number; // the same
  readonly environment: readonly string[]; // NAME=value, of environmentNames; [] where it may not be read
  readonly effectiveCapabilities: readonly string[]; // "CAP_SYS_ADMIN"
  readonly permittedCapabilities: readonly string[];
}

/** In which a process is. */
export interface Container {
  readonly id: string; // 64 hex digits
  readonly runtime: string | undefined; // "docker", "podman", "cri-o", "containerd"
  readonly name: string | undefined;
  readonly image: string | undefined; // as it was named when the container was made
  readonly reason: string | undefined; // why the image is not known, for people
}

export interface Source extends AsyncIterable<Observation> {
  readonly name: "audit-log" | "tracefs" | "procfs" | "files";
  /** One line for people: what is watched, and what cannot be seen. */
  readonly description: string;
  /** What keeps it from reading at the moment. */
  readonly problem?: KinwatchError | undefined;
  /** Called with positions of pieces already handed on. undefined: the file is gone and nothing can be proved of it. */
  cursorAt(position: LogPosition): LogCursor | undefined;
}
