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
import {
  CWD,
  DAEMON_START,
  EOE,
  EXECVE,
  nodeBefore,
  PATH,
  PROCTITLE,
  SOFTWARE_UPDATE,
  SOFTWARE_UPDATE_UNKNOWN,
  SYSCALL,
  SYSTEM_BOOT,
} from "../sources/record-head.ts";
import { FAILED, MALFORMED, RecordIndex, SAME, WHOLE } from "../sources/record-index.ts";
import type { LogObservation, LogPosition, Observation } from "../sources/source.ts";
import { AuditExec } from "./audit-exec.ts";
import type { HostEvent } from "./exec-event.ts";
import { HostLog } from "./host-log.ts";
import { OpenEvent } from "./open-event.ts";
import { PieceTexts } from "./piece-texts.ts";
import { procExec } from "./proc-exec.ts";
import { RecentIds } from "./recent-ids.ts";
import { readSoftwareUpdate } from "./software-update.ts";
import { tracedExec } from "./traced-exec.ts";

const WAIT_MS = 2_000;
const OPEN_MAX = 1_024; // events waiting for records: far more than CPUs that can write at once
const SPARE_MAX = 16; // more are never open but in a flood
const HOSTS_MAX = 1_024; // in one log
const SAMPLES_MAX = 16;

export class EventBuilder {
  readonly #counters: Counters;
  readonly #open: OpenEvent[] = []; // in order of their first record; there are rarely more than two
  readonly #lent: AuditExec | undefined; // used again for each that never waits
  readonly #spare: OpenEvent[] = []; // to be used again: they live too short for objects
  readonly #done = new RecentIds();
  readonly #failed = new RecentIds();
  readonly #local = new HostLog(undefined, 0);
  readonly #hosts = new Map<string, HostLog>();
  readonly #index = new RecordIndex();
  readonly #texts = new PieceTexts();
  readonly #through = new OpenEvent(this.#local, { device: 0, inode: 0, offset: 0 }); // of those that never wait
  #host = this.#local; // of the record before, and its id
  #timeMs = 0;
  #serial = 0;
  #end: LogPosition | undefined;
  #take: (event: HostEvent) => void = () => {};
  /** The first lines that are no audit record, for people: at most 16 of 256 bytes. */
  readonly malformedSamples: string[] = [];

  /** @param lends whether most executions may be borrowed ones: who takes them must not keep them as they are */
  constructor(counters: Counters, lends = false) {
    this.#counters = counters;
    if (!lends) return;
    this.#lent = new AuditExec();
    this.#lent.borrowed = true;
  }

  /**
   * Reads on.
   * @param take is given each event as it comes. One that is `borrowed` is gone with the next; of others, and of copies, nothing
   * is in the observation's bytes.
   */
  add(observation: Observation, take: (event: HostEvent) => void): void {
    this.#take = take;
    if (observation.kind === "log") this.#read(observation);
    else if (observation.kind === "idle") this.#expireIdle(observation.nowMs);
    else if (observation.kind === "traced") take(tracedExec(observation));
    else take(procExec(observation.process, observation.seen ? undefined : observation.nowMs));
  }

  /** Gives up waiting: all that is open comes out as it is. */
  flush(take: (event: HostEvent) => void): void {
    this.#take = take;
    this.#giveUpAll(() => true);
  }

  /** Where reading must begin again so that nothing is lost: the start of the oldest event that is not out yet. */
  resumePoint(): LogPosition | undefined {
    const [oldest] = this.#open;
    if (oldest === undefined) return this.#end;
    const { device, inode, offset } = oldest.chunk;
    return { device, inode, offset: offset + oldest.offset };
  }

  #read({ bytes, position, index: given }: LogObservation): void {
    let from = 0;
    if (given !== undefined) {
      this.#join(given, bytes, position);
      from = given.end;
    }
    for (const index = this.#index; from < bytes.length; from = index.end) {
      index.scan(bytes, from);
      this.#join(index, bytes, position);
    }
    this.#counters.bytes_read += bytes.length;
    this.#end = { ...position, offset: position.offset + bytes.length };
  }

  #join(index: RecordIndex, bytes: Buffer, position: LogPosition): void {
    const { kinds, starts, bodies, ends } = index;
    this.#texts.begin(index, bytes);
    let last: OpenEvent | undefined; // the event of the record before, if it is open
    for (let at = 0; at < index.count; at += 1) {
      const kind = (kinds[at] as number) & (SAME - 1);
      if (kind === MALFORMED) {
        this.#malformed(bytes, starts[at] as number, ends[at] as number);
        continue;
      }
      if ((kinds[at] as number) < SAME) {
        this.#enter(index, at, bytes);
        last = this.#find();
        if (last === undefined && kind >= CWD && kind <= EOE) continue;
      }
      if (kind === WHOLE) {
        this.#takeWhole(last, index, at, bytes, position);
        last = undefined;
        continue;
      }
      if (kind === SYSCALL) {
        last = this.#takeSyscall(last, index, at, bytes, position);
      } else if (kind === EXECVE) {
        last ??= this.#openUnlessOut(position, starts[at] as number);
        last?.takeArguments(bytes, bodies[at] as number, ends[at] as number);
      } else if (kind > EOE) {
        last = this.#takeOther(kind, last, index, at, bytes);
      } else if (last === undefined) continue;
      else if (kind === PATH) last.takePath(bytes, bodies[at] as number);
      else if (kind === CWD) last.takeDirectory(bytes, bodies[at] as number, this.#texts);
      else {
        if (kind === PROCTITLE) last.takeTitle(bytes, bodies[at] as number);
        last.ended = true;
      }
      if (last?.ended && last.isComplete()) {
        this.#finish(last);
        if (last.out) last = undefined;
      }
    }
    this.#counters.records_read += index.lines;
  }

  /** What follows is of this record's host and event. */
  #enter(index: RecordIndex, at: number, bytes: Buffer): void {
    const start = index.starts[at] as number;
    const type = index.types[at] as number;
    this.#timeMs = index.times[at] as number;
    this.#serial = index.serials[at] as number;
    this.#host = type === start ? this.#local : this.#hostOf(bytes, start, type);
  }

  #takeWhole(
    known: OpenEvent | undefined,
    index: RecordIndex,
    at: number,
    bytes: Buffer,
    position: LogPosition,
  ): void {
    const start = index.starts[at] as number;
    if (this.#lent !== undefined && this.#open.length === 0 && this.#host.isNext(this.#serial)) {
      this.#handThrough(this.#lent, index, at, bytes, position);
      return;
    }
    const event = known ?? this.#openAt(position, start);
    if (event === undefined || event.hasSyscall) return;
    event.takeWhole(index, at, bytes, this.#texts);
    this.#finish(event);
  }

  /** As most are: all of an event, when none is open that it might have to wait for. */
  #handThrough(exec: AuditExec, index: RecordIndex, at: number, bytes: Buffer, position: LogPosition): void {
    const event = this.#through;
    const host = this.#host;
    if (host.enter(this.#timeMs, this.#serial)) this.#boot(host);
    exec.begin();
    event.begin(exec, host, position, index.starts[at] as number, this.#timeMs, this.#serial);
    event.takeWhole(index, at, bytes, this.#texts);
    this.#handOn(event);
  }

  #takeSyscall(
    known: OpenEvent | undefined,
    index: RecordIndex,
    at: number,
    bytes: Buffer,
    position: LogPosition,
  ): OpenEvent | undefined {
    const event = known ?? this.#openAt(position, index.starts[at] as number);
    if (event !== undefined && !event.hasSyscall) event.takeSyscall(index, at, bytes, this.#texts);
    return event;
  }

  #takeOther(
    kind: number,
    known: OpenEvent | undefined,
    index: RecordIndex,
    at: number,
    bytes: Buffer,
  ): OpenEvent | undefined {
    const host = this.#host;
    const timeMs = this.#timeMs;
    if (kind === FAILED) {
      if (known?.hasSyscall) return known;
      if (known !== undefined) this.#close(known); // its records go with it, and so do those to come
      this.#failed.add(keyOf(host, this.#serial), timeMs);
      return undefined;
    }
    if (kind === DAEMON_START) host.daemonStarted(timeMs);
    else if (kind === SYSTEM_BOOT) {
      if (host.systemBooted(timeMs)) this.#boot(host);
    } else if (kind === SOFTWARE_UPDATE || kind === SOFTWARE_UPDATE_UNKNOWN) {
      const text = bytes.toString("latin1", index.bodies[at], index.ends[at]);
      const update = readSoftwareUpdate(text, { node: host.name, timeMs, serial: this.#serial });
      if (update === undefined) {
        this.#malformed(bytes, index.starts[at] as number, index.ends[at] as number);
        return known;
      }
      // The kernel wrote the execution long before: a record that it lacks will not come.
      this.#giveUpAll((event) => event.exec.pid === update.pid && event.host === host);
      this.#take(update);
    }
    return known;
  }

  #find(): OpenEvent | undefined {
    for (const event of this.#open) {
      const { exec } = event;
      if (exec.serial === this.#serial && exec.timeMs === this.#timeMs && event.host === this.#host)
        return event;
    }
    return undefined;
  }

  #openAt(position: LogPosition, line: number): OpenEvent | undefined {
    return this.#host.isNext(this.#serial)
      ? this.#openEvent(position, line)
      : this.#openUnlessOut(position, line);
  }

  #openUnlessOut(position: LogPosition, line: number): OpenEvent | undefined {
    const key = keyOf(this.#host, this.#serial);
    if (this.#failed.has(key, this.#timeMs)) return undefined;
    if (!this.#done.has(key, this.#timeMs)) return this.#openEvent(position, line);
    this.#counters.records_late += 1;
    return undefined;
  }

  /** A new event with the id read last. */
  #openEvent(position: LogPosition, line: number): OpenEvent {
    const host = this.#host;
    const timeMs = this.#timeMs;
    const serial = this.#serial;
    const before = host.clockMs;
    if (host.enter(timeMs, serial)) this.#boot(host);
    if (this.#open.length > 0) {
      if (host.clockMs !== before) {
        this.#giveUpAll((event) => event.host === host && Math.abs(host.clockMs - event.openedMs) > WAIT_MS);
      }
      // The same serial at another time: a boot, or a wrap of the 32 bits.
      this.#giveUpAll((event) => event.exec.serial === serial && event.host === host);
      if (this.#open.length >= OPEN_MAX) this.#giveUp(this.#open[0] as OpenEvent);
    }
    const event = this.#spare.pop() ?? new OpenEvent(host, position);
    event.begin(new AuditExec(), host, position, line, timeMs, serial);
    this.#open.push(event);
    return event;
  }

  #boot(host: HostLog): void {
    this.#giveUpAll((event) => event.host === host);
    this.#take({ kind: "boot", node: host.name, timeMs: this.#timeMs });
  }

  /** A complete event goes out, unless an older one of its own process or its parent's is still waiting. */
  #finish(event: OpenEvent): void {
    if (this.#open.length > 1 && this.#waitsForOther(event)) return;
    this.#emit(event);
  }

  #waitsForOther({ exec: { pid, ppid, timeMs, serial }, host }: OpenEvent): boolean {
    for (const { hasSyscall, exec: other, host: otherHost } of this.#open) {
      if (!hasSyscall || (other.pid !== ppid && other.pid !== pid) || otherHost !== host) continue;
      if (other.timeMs < timeMs || (other.timeMs === timeMs && other.serial < serial)) return true;
    }
    return false;
  }

  #emit(event: OpenEvent): void {
    this.#close(event);
    this.#handOn(event);
    if (this.#open.length === 0) return;
    const next = this.#open.find((other) => other.ended && other.isComplete() && !this.#waitsForOther(other));
    if (next !== undefined) this.#emit(next);
  }

  #handOn(event: OpenEvent): void {
    const { exec } = event;
    this.#done.add(keyOf(event.host, exec.serial), exec.timeMs);
    this.#counters.events_read += 1;
    if (exec.cut || !(event.hasAllArguments() || exec.execve === undefined))
      this.#counters.arguments_truncated += 1;
    event.close();
    this.#take(exec);
  }

  #close(event: OpenEvent): void {
    event.out = true;
    if (this.#open.at(-1) === event) this.#open.pop();
    else this.#open.splice(this.#open.indexOf(event), 1);
    if (this.#spare.length < SPARE_MAX) this.#spare.push(event);
  }

  #giveUpAll(isMeant: (event: OpenEvent) => boolean): void {
    if (this.#open.some(isMeant)) for (const event of this.#open.filter(isMeant)) this.#giveUp(event);
  }

  #giveUp(event: OpenEvent): void {
    if (event.out) return;
    if (!event.isComplete()) this.#counters.events_incomplete += 1;
    if (event.hasSyscall) this.#emit(event);
    else this.#close(event); // arguments without a process
  }

  /** The clock of a live log's host need not be ours, so what counts is how long nothing came. */
  #expireIdle(nowMs: number): void {
    for (const event of this.#open) event.idleSinceMs ??= nowMs;
    this.#giveUpAll(({ idleSinceMs = nowMs }) => Math.abs(nowMs - idleSinceMs) >= WAIT_MS);
  }

  /** @param start,type of a line "node=NAME type=…" */
  #hostOf(bytes: Buffer, start: number, type: number): HostLog {
    const name = nodeBefore(bytes, start, type);
    if (name === this.#host.name) return this.#host;
    let host = this.#hosts.get(name);
    if (host === undefined) {
      if (this.#hosts.size < HOSTS_MAX) {
        host = new HostLog(name, this.#hosts.size + 1);
        this.#hosts.set(name, host);
      } else host = new HostLog(name, HOSTS_MAX + 1);
    }
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
