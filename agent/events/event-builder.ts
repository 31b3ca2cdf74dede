/**
 * Observations become events: audit records with the same id are joined, each execution comes out once, a parent's before
 * its child's. Works on the bytes of the log (syscall-record.ts); a record nobody wants costs no string and no object.
 *
 * An event is complete when its SYSCALL and EXECVE are there and PROCTITLE or EOE came: auditd drops the EOE as redundant
 * after a PROCTITLE. One that lacks a record waits for 2 s of the log's own time, as auditd and ausearch do
 * (auparse_init(3), end_of_event_timeout in auditd.conf(5)).
 */
import type { Counters } from "../counters.ts";
import type { LogObservation, LogPosition, Observation } from "../sources/source.ts";
import { AuditExec, type Image, imageOf } from "./audit-exec.ts";
import type { HostEvent } from "./exec-event.ts";
import { procExec } from "./proc-exec.ts";
import { readSoftwareUpdate } from "./software-update.ts";
import { readExecSyscall, SyscallRecord } from "./syscall-record.ts";

const WAIT_MS = 2_000;
const OPEN_MAX = 1_024; // events waiting for records: far more than CPUs that can write at once
const DONE_KEPT = 64; // ids of complete events, so that a record that comes late does not open its event again
const IMAGES_MAX = 8_192; // program files remembered by name; a host runs hundreds
const ARGUMENTS_MAX = 1_024; // bytes kept of the arguments of any program: enough to read, little enough for 32,768
const TOOL_ARGUMENTS_MAX = 1_048_576; // of a package tool: a line with every package of a distribution fits
const SERIAL_SLACK = 1_000; // records come out of order by less than this; a larger step back is a new boot
const NODES_MAX = 1_024;

/** An event some of whose records are still to come. */
class OpenEvent {
  exec = new AuditExec();
  key = 0;
  chunk: LogPosition = nowhere; // of its first record
  offset = 0; // in that chunk
  items = 0;
  hasSyscall = false;
  ended = false;
}

const nowhere: LogPosition = { device: 0, inode: 0, offset: 0 };

export class EventBuilder {
  readonly #counters: Counters;
  readonly #open = new Map<number, OpenEvent>(); // in order of their first record
  readonly #syscall = new SyscallRecord();
  readonly #images = new Map<string, Image>();
  readonly #terminals = new Map<string, string | undefined>();
  readonly #nodes = new Map<string, number>();
  readonly #nodeNames: (string | undefined)[] = [undefined];
  readonly #doneKeys = new Float64Array(DONE_KEPT);
  readonly #doneTimes = new Float64Array(DONE_KEPT);
  #doneNext = 0;
  #serialMax = 0;
  #timeMax = 0;
  #end: LogPosition | undefined;
  #events: HostEvent[] = [];
  #timeMs = 0; // of the id read last
  #serial = 0;
  /** The first lines that are no audit record, for people: at most 16 of 256 bytes. */
  readonly malformedSamples: string[] = [];

  constructor(counters: Counters) {
    this.#counters = counters;
    this.#terminals.set("(none)", undefined);
  }

  /** Reads on. The events returned are the caller's; they are complete, and hold nothing of the observation's bytes. */
  add(observation: Observation): HostEvent[] {
    this.#events = [];
    if (observation.kind === "log") this.#scan(observation);
    else if (observation.kind === "idle") this.#expire(observation.nowMs - WAIT_MS);
    else this.#events.push(procExec(observation.process));
    return this.#events;
  }

  /** Gives up waiting: all that is open comes out as it is. */
  flush(): HostEvent[] {
    this.#events = [];
    this.#expire(Number.POSITIVE_INFINITY);
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
    const length = bytes.length;
    let lastId = -1; // where in the bytes the id of the line before stands
    let lastNode = 0;
    let last: OpenEvent | undefined; // its event, if anybody waits for it
    let lines = 0;
    for (let line = 0, end = 0; line < length; line = end + 1) {
      end = bytes.indexOf(0x0a, line);
      if (end === -1) end = length;
      lines += 1;
      let type = line;
      let node = 0;
      if (bytes[line] !== 0x74) {
        if (end === line) continue;
        type = this.#afterNode(bytes, line, end);
        if (type === -1) continue;
        node = this.#nodeOf(latin1(bytes, line + 5, type - 1));
      }
      if (bytes[type + 4] !== 0x3d || bytes[type + 3] !== 0x65) {
        this.#malformed(bytes, line, end);
        continue;
      }
      const kind = kindOf(bytes, type + 5);
      if (kind === 0) continue;
      if ((kind === CWD || kind === PATH) && this.#open.size === 0) continue;
      const id = type + 5 + (nameLengths[kind] as number) + 11; // behind " msg=audit("
      if (bytes[id - 1] !== 0x28 || bytes[id - 2] !== 0x74) {
        this.#malformed(bytes, line, end);
        continue;
      }
      let body: number; // behind "): "
      let event: OpenEvent | undefined;
      const same = lastId === -1 || node !== lastNode ? -1 : sameId(bytes, id, lastId);
      if (same !== -1) {
        body = same;
        event = last;
      } else {
        body = this.#readId(bytes, id, end);
        if (body === -1) {
          this.#malformed(bytes, line, end);
          continue;
        }
        event = this.#find(node);
        lastId = id;
        lastNode = node;
        last = event;
      }
      body += 3;
      if (kind === SYSCALL) {
        if (!readExecSyscall(bytes, body, end, this.#syscall)) {
          if (event !== undefined && !event.hasSyscall) this.#open.delete(event.key); // a failed execution: its records go with it
          last = undefined;
          continue;
        }
        event ??= this.#openEvent(node, position, line);
        last = event;
        if (event !== undefined && !event.hasSyscall) this.#takeSyscall(event, bytes, end);
      } else if (kind === EXECVE) {
        event ??= this.#openEvent(node, position, line);
        last = event;
        if (event !== undefined) takeArguments(event, bytes, body, end);
      } else if (kind === SOFTWARE_UPDATE) {
        this.#takeUpdate(bytes, body, end, node);
        lastId = -1;
        continue;
      } else if (event === undefined) continue;
      else if (kind === PATH) {
        if (event.items >= 3 && event.exec.path === undefined) takePath(event, bytes, body, end);
      } else if (kind === CWD) {
        const { image } = event.exec;
        if (event.items >= 3 || image.interpreter || image.packageTool || !event.hasSyscall) {
          event.exec.cwd = value(bytes, body + 4, end);
        }
      } else {
        event.ended = true;
        if (kind === PROCTITLE && event.exec.execve === undefined) {
          event.exec.title = value(bytes, body + 10, end);
        }
      }
      if (event?.ended && isComplete(event)) {
        this.#finish(event);
        last = this.#open.get(event.key) === event ? event : undefined;
      }
    }
    this.#counters.records_read += lines;
    this.#counters.bytes_read += length;
    this.#end = { ...position, offset: position.offset + length };
  }

  /** Reads "seconds.milliseconds:serial)" into #timeMs and #serial; where the ")" stands, or -1. */
  #readId(bytes: Buffer, start: number, end: number): number {
    let seconds = 0;
    let p = start;
    for (; p < end && bytes[p] !== 0x2e; p += 1) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) return -1;
      seconds = seconds * 10 + digit;
    }
    const dot = p;
    let milliseconds = 0;
    for (p += 1; p < end && bytes[p] !== 0x3a; p += 1) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) return -1;
      milliseconds = milliseconds * 10 + digit;
    }
    if (p - dot !== 4) return -1;
    const colon = p;
    let serial = 0;
    for (p += 1; p < end && bytes[p] !== 0x29; p += 1) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) return -1;
      serial = serial * 10 + digit;
    }
    if (p >= end || p - colon > 11 || p === colon + 1 || dot - start > 11 || dot === start) return -1;
    this.#timeMs = seconds * 1_000 + milliseconds;
    this.#serial = serial;
    return p;
  }

  #find(node: number): OpenEvent | undefined {
    if (this.#open.size === 0) return undefined;
    const event = this.#open.get(keyOf(node, this.#serial));
    return event?.exec.timeMs === this.#timeMs ? event : undefined;
  }

  /** A new event with the id read last; undefined when it is already out. */
  #openEvent(node: number, chunk: LogPosition, offset: number): OpenEvent | undefined {
    const key = keyOf(node, this.#serial);
    if (this.#serial > this.#serialMax) this.#serialMax = this.#serial;
    else if (this.#isDone(key)) {
      this.#counters.records_late += 1;
      return undefined;
    } else if (this.#isNewBoot()) {
      this.#expire(Number.POSITIVE_INFINITY);
      this.#events.push({ kind: "boot", node: this.#nodeNames[node], timeMs: this.#timeMs });
      this.#serialMax = this.#serial;
    }
    if (this.#timeMs > this.#timeMax) {
      this.#timeMax = this.#timeMs;
      if (this.#open.size > 0) this.#expire(this.#timeMs - WAIT_MS);
    }
    const stale = this.#open.get(key); // the same serial at another time: a boot, or a wrap of the 32 bits
    if (stale !== undefined) this.#giveUp(stale);
    if (this.#open.size >= OPEN_MAX) this.#giveUp(this.#open.values().next().value as OpenEvent);
    const event = new OpenEvent();
    event.key = key;
    event.chunk = chunk;
    event.offset = offset;
    event.exec.node = this.#nodeNames[node];
    event.exec.timeMs = this.#timeMs;
    event.exec.serial = this.#serial;
    this.#open.set(key, event);
    return event;
  }

  #isDone(key: number): boolean {
    for (let index = 0; index < DONE_KEPT; index += 1) {
      if (this.#doneKeys[index] === key && this.#doneTimes[index] === this.#timeMs) return true;
    }
    return false;
  }

  /** Serials begin anew at boot, and wrap at 2^32; logs of several hosts have a sequence each, and tell nothing here. */
  #isNewBoot(): boolean {
    return (
      this.#nodes.size <= 1 &&
      this.#serial + SERIAL_SLACK < this.#serialMax &&
      this.#serialMax < 2 ** 32 - SERIAL_SLACK &&
      this.#timeMs > this.#timeMax
    );
  }

  #takeSyscall(event: OpenEvent, bytes: Buffer, end: number): void {
    const { exec } = event;
    const record = this.#syscall;
    event.hasSyscall = true;
    event.items = record.items;
    exec.pid = record.pid;
    exec.ppid = record.ppid;
    exec.uid = record.uid;
    exec.auid = record.auid;
    exec.ses = record.ses;
    exec.tty = this.#terminal(latin1(bytes, record.ttyStart, record.ttyEnd));
    exec.image = this.#image(latin1(bytes, record.exeStart, record.exeEnd));
    if (exec.image.packageTool) {
      const trailer = bytes.indexOf(0x1d, record.exeEnd);
      if (trailer !== -1 && trailer < end) exec.trailer = latin1(bytes, trailer + 1, end);
    } else if (exec.execve !== undefined) exec.execve = bounded(event, exec.execve);
  }

  #image(raw: string): Image {
    let image = this.#images.get(raw);
    if (image === undefined) {
      if (this.#images.size >= IMAGES_MAX) this.#images.clear(); // a cache only: begun again
      image = imageOf(raw);
      this.#images.set(raw, image);
    }
    return image;
  }

  #terminal(raw: string): string | undefined {
    if (this.#terminals.has(raw)) return this.#terminals.get(raw);
    if (this.#terminals.size >= IMAGES_MAX) return raw;
    this.#terminals.set(raw, raw);
    return raw;
  }

  #takeUpdate(bytes: Buffer, body: number, end: number, node: number): void {
    const update = readSoftwareUpdate(latin1(bytes, body, end), {
      node: this.#nodeNames[node],
      timeMs: this.#timeMs,
      serial: this.#serial,
    });
    if (update === undefined) {
      this.#counters.records_malformed += 1;
      return;
    }
    for (const event of this.#open.values()) {
      if (event.exec.pid === update.pid && event.exec.node === update.node) this.#giveUp(event);
    }
    this.#events.push(update);
  }

  /** A complete event goes out, unless an older one of its own process or its parent's is still waiting. */
  #finish(event: OpenEvent): void {
    if (this.#open.size > 1 && this.#waitsForOther(event)) return;
    this.#emit(event);
  }

  #waitsForOther(event: OpenEvent): boolean {
    const { pid, ppid, node, timeMs, serial } = event.exec;
    for (const { hasSyscall, exec: other } of this.#open.values()) {
      if (!hasSyscall || (other.pid !== ppid && other.pid !== pid) || other.node !== node) continue;
      if (other.timeMs < timeMs || (other.timeMs === timeMs && other.serial < serial)) return true;
    }
    return false;
  }

  #emit(event: OpenEvent): void {
    this.#open.delete(event.key);
    this.#doneKeys[this.#doneNext] = event.key;
    this.#doneTimes[this.#doneNext] = event.exec.timeMs;
    this.#doneNext = (this.#doneNext + 1) % DONE_KEPT;
    this.#counters.events_read += 1;
    if (event.exec.cut) this.#counters.arguments_truncated += 1;
    this.#events.push(event.exec);
    if (this.#open.size === 0) return;
    for (const other of this.#open.values()) {
      if (other.ended && isComplete(other) && !this.#waitsForOther(other)) {
        this.#emit(other);
        return;
      }
    }
  }

  #giveUp(event: OpenEvent): void {
    if (!this.#open.has(event.key)) return;
    if (!isComplete(event) || !event.ended) this.#counters.events_incomplete += 1;
    if (event.hasSyscall) this.#emit(event);
    else this.#open.delete(event.key); // arguments without a process
  }

  #expire(beforeMs: number): void {
    for (const event of this.#open.values()) {
      if (event.exec.timeMs >= beforeMs) return;
      this.#giveUp(event);
    }
  }

  /** Behind "node=NAME " (auditd.conf(5), name_format), or -1, counted, when it is not that. */
  #afterNode(bytes: Buffer, line: number, end: number): number {
    if (bytes[line] === 0x6e && bytes[line + 4] === 0x3d) {
      const space = bytes.indexOf(0x20, line);
      if (space !== -1 && space < end && space - line < 300 && bytes[space + 1] === 0x74) return space + 1;
    }
    this.#malformed(bytes, line, end);
    return -1;
  }

  #nodeOf(name: string): number {
    let node = this.#nodes.get(name);
    if (node === undefined) {
      if (this.#nodes.size >= NODES_MAX) return NODES_MAX; // one more, for all the rest
      node = this.#nodes.size + 1;
      this.#nodes.set(name, node);
      this.#nodeNames[node] = name;
    }
    return node;
  }

  #malformed(bytes: Buffer, line: number, end: number): void {
    this.#counters.records_malformed += 1;
    if (this.malformedSamples.length < 16) {
      this.malformedSamples.push(latin1(bytes, line, Math.min(end, line + 256)));
    }
  }
}

const SYSCALL = 1;
const EXECVE = 2;
const CWD = 3;
const PATH = 4;
const PROCTITLE = 5;
const EOE = 6;
const SOFTWARE_UPDATE = 7;
const nameLengths = [0, 7, 6, 3, 4, 9, 3, 15];

/** The type of a record by two or three of its letters; the blank behind its name proves the rest. */
function kindOf(bytes: Buffer, at: number): number {
  const second = bytes[at + 1] as number;
  let kind = 0;
  switch (bytes[at]) {
    case 0x53: // S
      if (second === 0x59 && bytes[at + 3] === 0x43) kind = SYSCALL;
      else if (second === 0x4f && bytes[at + 2] === 0x46) kind = SOFTWARE_UPDATE;
      break;
    case 0x45: // E
      if (second === 0x58) kind = EXECVE;
      else if (second === 0x4f) kind = EOE;
      break;
    case 0x50: // P
      if (second === 0x41) kind = PATH;
      else if (second === 0x52) kind = PROCTITLE;
      break;
    case 0x43: // C
      if (second === 0x57) kind = CWD;
  }
  return kind !== 0 && bytes[at + (nameLengths[kind] as number)] === 0x20 ? kind : 0;
}

/** Whether two ids in the bytes are the same; where the first one's ")" stands, else -1. */
function sameId(bytes: Buffer, id: number, other: number): number {
  for (let index = 0; index < 32; index += 1) {
    const byte = bytes[id + index];
    if (byte !== bytes[other + index]) return -1;
    if (byte === 0x29) return id + index;
  }
  return -1;
}

function keyOf(node: number, serial: number): number {
  return node * 2 ** 32 + serial;
}

function isComplete(event: OpenEvent): boolean {
  return (
    event.hasSyscall && event.exec.execve !== undefined && (event.items < 3 || event.exec.path !== undefined)
  );
}

function takeArguments(event: OpenEvent, bytes: Buffer, body: number, end: number): void {
  const { exec } = event;
  const trailer = bytes.indexOf(0x1d, body);
  const stop = trailer === -1 || trailer > end ? end : trailer;
  const kept = exec.execve?.length ?? 0;
  const limit = exec.image.packageTool || !event.hasSyscall ? TOOL_ARGUMENTS_MAX : ARGUMENTS_MAX;
  if (kept >= limit) {
    exec.cut = true;
    return;
  }
  const text = latin1(bytes, body, Math.min(stop, body + limit + 1));
  exec.execve = bounded(event, exec.execve === undefined ? text : `${exec.execve}\n${text}`);
}

function bounded(event: OpenEvent, text: string): string {
  const limit = event.exec.image.packageTool || !event.hasSyscall ? TOOL_ARGUMENTS_MAX : ARGUMENTS_MAX;
  if (text.length <= limit) return text;
  event.exec.cut = true;
  const start = text.lastIndexOf("=", limit) + 1; // of the last value
  const half = text[start] !== '"' && (limit - start) % 2 === 1; // hex is cut between two bytes
  return text.slice(0, half ? limit - 1 : limit);
}

function takePath(event: OpenEvent, bytes: Buffer, body: number, end: number): void {
  // "item=0 name=…"
  if (bytes[body + 5] === 0x30 && bytes[body + 6] === 0x20) event.exec.path = value(bytes, body + 12, end);
}

function latin1(bytes: Buffer, start: number, end: number): string {
  return bytes.toString("latin1", start, end);
}

/** A value as written, to the next blank. */
function value(bytes: Buffer, start: number, end: number): string {
  let stop = start;
  while (stop < end && bytes[stop] !== 0x20 && bytes[stop] !== 0x1d) stop += 1;
  return latin1(bytes, start, stop);
}
