/**
 * Observations become events: audit records with the same id are joined, each execution comes out once, a parent's before
 * its child's. Works on the bytes of the log; a record nobody wants costs no string and no object.
 *
 * The kernel writes SYSCALL, EXECVE, CWD, PATH for each file, PROCTITLE, EOE (kernel/auditsc.c, audit_log_exit()); events of
 * several CPUs interleave. auditd leaves out the EOE, and its exclude rules may leave out others, so an event is complete
 * when its SYSCALL and EXECVE are whole and its last PATH, PROCTITLE or EOE came. One that lacks a record waits for 2 s of
 * its host's own time, as auditd and ausearch do (auparse_init(3); end_of_event_timeout in auditd.conf(5)).
 */
import type { Counters } from "../counters.ts";
import type { LogObservation, LogPosition, Observation } from "../sources/source.ts";
import { imageOf } from "./audit-exec.ts";
import type { HostEvent } from "./exec-event.ts";
import { HostLog } from "./host-log.ts";
import { OpenEvent, type Texts } from "./open-event.ts";
import { procExec } from "./proc-exec.ts";
import { RecentIds } from "./recent-ids.ts";
import {
  afterNode,
  CWD,
  DAEMON_START,
  EOE,
  EXECVE,
  idAfter,
  isType,
  kindOf,
  PATH,
  PROCTITLE,
  RecordId,
  SYSCALL,
  SYSTEM_BOOT,
  sameId,
} from "./record-head.ts";
import { readSoftwareUpdate } from "./software-update.ts";
import { readExecSyscall, SyscallRecord } from "./syscall-record.ts";
import { TextCache } from "./text-cache.ts";

const WAIT_MS = 2_000;
const OPEN_MAX = 1_024; // events waiting for records: far more than CPUs that can write at once
const HOSTS_MAX = 1_024; // in one log
const SAMPLES_MAX = 16;

export class EventBuilder {
  readonly #counters: Counters;
  readonly #open = new Map<number, OpenEvent>(); // in order of their first record
  readonly #done = new RecentIds();
  readonly #failed = new RecentIds();
  readonly #local = new HostLog(undefined, 0);
  readonly #hosts = new Map<string, HostLog>();
  readonly #id = new RecordId();
  readonly #syscall = new SyscallRecord();
  readonly #texts: Texts = {
    images: new TextCache(imageOf),
    terminals: new TextCache((name) => (name === "(none)" || name === "" ? undefined : name)),
    directories: new TextCache((directory) => directory),
  };
  #host = this.#local; // of the line before
  #end: LogPosition | undefined;
  #events: HostEvent[] = [];
  /** The first lines that are no audit record, for people: at most 16 of 256 bytes. */
  readonly malformedSamples: string[] = [];

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Reads on. The events returned are the caller's, and hold nothing of the observation's bytes. */
  add(observation: Observation): HostEvent[] {
    this.#events = [];
    if (observation.kind === "log") this.#scan(observation);
    else if (observation.kind === "idle") this.#expireIdle(observation.nowMs);
    else this.#events.push(procExec(observation.process, observation.seen ? undefined : observation.nowMs));
    return this.#events;
  }

  /** Gives up waiting: all that is open comes out as it is. */
  flush(): HostEvent[] {
    this.#events = [];
    for (const event of this.#open.values()) this.#giveUp(event);
    return this.#events;
  }

  /** Where reading must begin again so that nothing is lost: the start of the oldest event that is not out yet. */
  resumePoint(): LogPosition | undefined {
    const oldest = this.#open.values().next().value;
    if (oldest === undefined) return this.#end;
    const { device, inode, offset } = oldest.chunk;
    return { device, inode, offset: offset + oldest.offset };
  }

  #scan({ bytes, position }: LogObservation): void {
    const { length } = bytes;
    let lastId = -1; // where in the bytes the id of the record before stands
    let lastHost = this.#local;
    let last: OpenEvent | undefined; // its event, if it is open
    let lines = 0;
    for (let line = 0, end = 0; line < length; line = end + 1) {
      end = bytes.indexOf(0x0a, line);
      if (end === -1) end = length;
      if (end === line) continue;
      lines += 1;
      const type = bytes[line] === 0x74 ? line : afterNode(bytes, line, end);
      if (type === -1 || !isType(bytes, type)) {
        this.#malformed(bytes, line, end);
        continue;
      }
      const kind = kindOf(bytes, type + 5);
      if (kind === 0 || (kind >= CWD && kind <= EOE && this.#open.size === 0)) continue;
      const host = type === line ? this.#local : this.#hostOf(bytes, line + 5, type - 1);
      const id = idAfter(bytes, type + 5, kind);
      const same = id === -1 || lastId === -1 || host !== lastHost ? -1 : sameId(bytes, id, lastId, end);
      const close = same !== -1 || id === -1 ? same : this.#id.read(bytes, id, end);
      if (close === -1) {
        this.#malformed(bytes, line, end);
        continue;
      }
      if (same === -1) {
        lastId = id;
        lastHost = host;
        last = this.#find(host);
      }
      const body = close + 3;
      if (kind === SYSCALL) {
        last = this.#takeSyscall(last, bytes, line, body, end, host, position);
      } else if (kind === EXECVE) {
        last ??= this.#openUnlessOut(host, position, line);
        last?.takeArguments(bytes, body, trailerOf(bytes, body, end));
      } else if (kind > EOE) {
        this.#takeOther(kind, bytes, line, body, end, host);
      } else if (last === undefined) continue;
      else if (kind === PATH) last.takePath(bytes, body);
      else if (kind === CWD) last.takeDirectory(bytes, body, this.#texts);
      else {
        if (kind === PROCTITLE) last.takeTitle(bytes, body);
        last.ended = true;
      }
      if (last?.ended && last.isComplete()) {
        this.#finish(last);
        if (last.out) last = undefined;
      }
    }
    this.#counters.records_read += lines;
    this.#counters.bytes_read += length;
    this.#end = { ...position, offset: position.offset + length };
  }

  #takeSyscall(
    known: OpenEvent | undefined,
    bytes: Buffer,
    line: number,
    body: number,
    end: number,
    host: HostLog,
    position: LogPosition,
  ): OpenEvent | undefined {
    const outcome = readExecSyscall(bytes, body, end, this.#syscall);
    if (outcome === "executed") {
      const { serial } = this.#id;
      const event =
        known ??
        (host.isNext(serial)
          ? this.#openEvent(host, position, line)
          : this.#openUnlessOut(host, position, line));
      if (event !== undefined && !event.hasSyscall) event.takeSyscall(this.#syscall, bytes, end, this.#texts);
      return event;
    }
    if (outcome === "broken") this.#malformed(bytes, line, end);
    if (outcome !== "failed" || known?.hasSyscall) return known;
    if (known !== undefined) this.#open.delete(known.key); // its records go with it, and so do those to come
    this.#failed.add(keyOf(host, this.#id.serial), this.#id.timeMs);
    return undefined;
  }

  #takeOther(kind: number, bytes: Buffer, line: number, body: number, end: number, host: HostLog): void {
    const { timeMs, serial } = this.#id;
    if (kind === DAEMON_START) host.daemonStarted(timeMs);
    else if (kind === SYSTEM_BOOT) {
      if (host.systemBooted(timeMs)) this.#boot(host);
    } else {
      const update = readSoftwareUpdate(bytes.toString("latin1", body, end), {
        node: host.name,
        timeMs,
        serial,
      });
      if (update === undefined) {
        this.#malformed(bytes, line, end);
        return;
      }
      // The kernel wrote the execution long before: a record that it lacks will not come.
      for (const event of this.#open.values())
        if (event.exec.pid === update.pid && event.host === host) this.#giveUp(event);
      this.#events.push(update);
    }
  }

  #find(host: HostLog): OpenEvent | undefined {
    if (this.#open.size === 0) return undefined;
    const event = this.#open.get(keyOf(host, this.#id.serial));
    return event?.exec.timeMs === this.#id.timeMs ? event : undefined;
  }

  #openUnlessOut(host: HostLog, position: LogPosition, line: number): OpenEvent | undefined {
    const { timeMs, serial } = this.#id;
    const key = keyOf(host, serial);
    if (this.#failed.has(key, timeMs)) return undefined;
    if (!this.#done.has(key, timeMs)) return this.#openEvent(host, position, line);
    this.#counters.records_late += 1;
    return undefined;
  }

  /** A new event with the id read last. */
  #openEvent(host: HostLog, position: LogPosition, line: number): OpenEvent {
    const { timeMs, serial } = this.#id;
    const before = host.clockMs;
    if (host.enter(timeMs, serial)) this.#boot(host);
    if (host.clockMs !== before && this.#open.size > 0) this.#expire(host);
    const key = keyOf(host, serial);
    const stale = this.#open.get(key); // the same serial at another time: a boot, or a wrap of the 32 bits
    if (stale !== undefined) this.#giveUp(stale);
    if (this.#open.size >= OPEN_MAX) this.#giveUp(this.#open.values().next().value as OpenEvent);
    const event = new OpenEvent(key, host, position, line);
    event.exec.timeMs = timeMs;
    event.exec.serial = serial;
    this.#open.set(key, event);
    return event;
  }

  #boot(host: HostLog): void {
    for (const event of this.#open.values()) if (event.host === host) this.#giveUp(event);
    this.#events.push({ kind: "boot", node: host.name, timeMs: this.#id.timeMs });
  }

  /** A complete event goes out, unless an older one of its own process or its parent's is still waiting. */
  #finish(event: OpenEvent): void {
    if (this.#open.size > 1 && this.#waitsForOther(event)) return;
    this.#emit(event);
  }

  #waitsForOther({ exec: { pid, ppid, timeMs, serial }, host }: OpenEvent): boolean {
    for (const { hasSyscall, exec: other, host: otherHost } of this.#open.values()) {
      if (!hasSyscall || (other.pid !== ppid && other.pid !== pid) || otherHost !== host) continue;
      if (other.timeMs < timeMs || (other.timeMs === timeMs && other.serial < serial)) return true;
    }
    return false;
  }

  #emit(event: OpenEvent): void {
    this.#open.delete(event.key);
    this.#done.add(event.key, event.exec.timeMs);
    this.#counters.events_read += 1;
    if (event.exec.cut || (event.exec.execve !== undefined && !event.hasAllArguments()))
      this.#counters.arguments_truncated += 1;
    event.close();
    this.#events.push(event.exec);
    if (this.#open.size === 0) return;
    for (const other of this.#open.values()) {
      if (other.ended && other.isComplete() && !this.#waitsForOther(other)) {
        this.#emit(other);
        return;
      }
    }
  }

  #giveUp(event: OpenEvent): void {
    if (event.out) return;
    if (!event.isComplete()) this.#counters.events_incomplete += 1;
    if (event.hasSyscall) this.#emit(event);
    else this.#open.delete(event.key); // arguments without a process
  }

  #expire(host: HostLog): void {
    for (const event of this.#open.values())
      if (event.host === host && Math.abs(host.clockMs - event.openedMs) > WAIT_MS) this.#giveUp(event);
  }

  /** The clock of a live log's host need not be ours, so what counts is how long nothing came. */
  #expireIdle(nowMs: number): void {
    for (const event of this.#open.values()) {
      event.idleSinceMs ??= nowMs;
      if (Math.abs(nowMs - event.idleSinceMs) >= WAIT_MS) this.#giveUp(event);
    }
  }

  #hostOf(bytes: Buffer, start: number, end: number): HostLog {
    const { name: known } = this.#host;
    if (known !== undefined && known.length === end - start) {
      let p = start;
      while (p < end && bytes[p] === known.charCodeAt(p - start)) p += 1;
      if (p === end) return this.#host;
    }
    const name = bytes.toString("latin1", start, end);
    let host = this.#hosts.get(name);
    if (host === undefined) {
      if (this.#hosts.size < HOSTS_MAX) {
        host = new HostLog(name, this.#hosts.size + 1);
        this.#hosts.set(name, host);
      } else host = new HostLog(name, HOSTS_MAX + 1);
    }
    this.#host = host;
    return host;
  }

  #malformed(bytes: Buffer, line: number, end: number): void {
    this.#counters.records_malformed += 1;
    if (this.malformedSamples.length < SAMPLES_MAX)
      this.malformedSamples.push(bytes.toString("latin1", line, Math.min(end, line + 256)));
  }
}

function keyOf(host: HostLog, serial: number): number {
  return host.index * 2 ** 32 + serial;
}

/** Where the enriched part begins, or the end. */
function trailerOf(bytes: Buffer, start: number, end: number): number {
  const trailer = bytes.indexOf(0x1d, start);
  return trailer === -1 || trailer > end ? end : trailer;
}
