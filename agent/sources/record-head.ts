/**
 * The head of an audit record, read in place: `node=HOST type=TYPE msg=audit(SECONDS.MILLISECONDS:SERIAL): `. auditd writes
 * the node where name_format in auditd.conf(5) asks for it, and a type that it does not know as UNKNOWN[NUMBER].
 */
export const SYSCALL = 1;
export const EXECVE = 2;
export const CWD = 3;
export const PATH = 4;
export const PROCTITLE = 5;
export const EOE = 6;
export const SOFTWARE_UPDATE = 7;
export const SOFTWARE_UPDATE_UNKNOWN = 8; // UNKNOWN[1138]: by an auditd older than the record, uapi/linux/audit.h
export const DAEMON_START = 9;
export const SYSTEM_BOOT = 10;
const nameLengths = [0, 7, 6, 3, 4, 9, 3, 15, 13, 12, 11];

/** The type of a record by two or three of its letters; the blank behind its name proves the rest. 0: not wanted. */
export function kindOf(bytes: Buffer, at: number): number {
  const second = bytes[at + 1] as number;
  let kind = 0;
  switch (bytes[at]) {
    case 0x53: // S
      if (second === 0x59) kind = bytes[at + 3] === 0x43 ? SYSCALL : bytes[at + 7] === 0x42 ? SYSTEM_BOOT : 0;
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
      break;
    case 0x44: // D
      if (second === 0x41 && bytes[at + 7] === 0x53) kind = DAEMON_START;
      break;
    case 0x55: // U
      if (second === 0x4e && bytes[at + 10] === 0x33 && bytes[at + 11] === 0x38)
        kind = SOFTWARE_UPDATE_UNKNOWN;
  }
  return kind !== 0 && bytes[at + (nameLengths[kind] as number)] === 0x20 ? kind : 0;
}

/** Whether "type=" stands there. */
function isType(bytes: Buffer, at: number): boolean {
  return (
    bytes[at] === 0x74 &&
    bytes[at + 1] === 0x79 &&
    bytes[at + 2] === 0x70 &&
    bytes[at + 3] === 0x65 &&
    bytes[at + 4] === 0x3d
  );
}

/** Where the id stands, behind " msg=audit("; -1 when that is not there. */
function idAfter(bytes: Buffer, type: number, kind: number): number {
  const id = type + (nameLengths[kind] as number) + 11;
  return bytes[id - 1] === 0x28 && bytes[id - 2] === 0x74 && bytes[id - 7] === 0x3d ? id : -1;
}

const node = "node=";

/** Behind "node=NAME ", or -1 when it is not that. */
function afterNode(bytes: Buffer, line: number, end: number): number {
  for (let index = 0; index < node.length; index += 1)
    if (bytes[line + index] !== node.charCodeAt(index)) return -1;
  let space = line + node.length;
  while (space < end && bytes[space] !== 0x20) space += 1;
  return space < end ? space + 1 : -1;
}

/** NAME of "node=NAME type=…". */
export function nodeBefore(bytes: Buffer, line: number, type: number): string {
  return bytes.toString("latin1", line + node.length, type - 1);
}

/** The head read last. Reused for each record: take what is needed before the next. */
export class RecordHead {
  timeMs = 0;
  serial = 0;
  type = 0; // where "type=" stands: behind the start of the line where "node=" does there
  body = 0; // behind "audit(…): "
  same = false; // id and host are those of the record before
  #line = -1; // of the record before, whose type stands at `type`
  #id = 0; // where its id stands,
  #close = 0; // and the ")" behind it

  /** The next record stands in other bytes. */
  forget(): void {
    this.#line = -1;
  }

  /** @returns the record's kind; 0: not wanted; -1: the line is no record, or not the one that it says it is */
  read(bytes: Buffer, line: number, end: number): number {
    const type = bytes[line] === 0x74 ? line : afterNode(bytes, line, end);
    if (type === -1 || !isType(bytes, type)) return -1;
    const kind = kindOf(bytes, type + 5);
    if (kind === 0) return 0;
    const id = idAfter(bytes, type + 5, kind);
    if (id === -1) return -1;
    const close = id + this.#close - this.#id;
    this.same =
      this.#line !== -1 &&
      bytes[close] === 0x29 &&
      areSame(bytes, this.#id, id, close - id) &&
      type - line === this.type - this.#line &&
      (type === line || areSame(bytes, this.#line, line, type - line));
    if (this.same) this.#close = close;
    else if (!this.#readId(bytes, id, end)) return -1;
    this.#line = line;
    this.#id = id;
    this.type = type;
    this.body = this.#close + 3;
    return kind;
  }

  /** Reads "seconds.milliseconds:serial)". */
  #readId(bytes: Buffer, start: number, end: number): boolean {
    let seconds = 0;
    let p = start;
    for (; p < end && bytes[p] !== 0x2e; p += 1) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) return false;
      seconds = seconds * 10 + digit;
    }
    const dot = p;
    let milliseconds = 0;
    for (p += 1; p < end && bytes[p] !== 0x3a; p += 1) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) return false;
      milliseconds = milliseconds * 10 + digit;
    }
    if (p - dot !== 4 || dot === start || dot - start > 11) return false;
    const colon = p;
    let serial = 0;
    for (p += 1; p < end && bytes[p] !== 0x29; p += 1) {
      const digit = (bytes[p] as number) - 0x30;
      if (digit < 0 || digit > 9) return false;
      serial = serial * 10 + digit;
    }
    if (p >= end || p === colon + 1 || p - colon > 11 || serial >= 2 ** 32) return false;
    this.timeMs = seconds * 1_000 + milliseconds;
    this.serial = serial;
    this.#close = p;
    return true;
  }
}

/** From the end: what changes from one record to the next stands there. */
function areSame(bytes: Buffer, a: number, b: number, length: number): boolean {
  for (let index = length - 1; index >= 0; index -= 1)
    if (bytes[a + index] !== bytes[b + index]) return false;
  return true;
}
