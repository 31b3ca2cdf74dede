/**
 * Which records of a piece of log somebody may want, and what their numbers are: the one walk over all of its bytes. It knows
 * nothing of what came before the piece, so another thread may walk ahead of the joining, in memory that both share.
 */
import { isLoader, pathItem } from "./path-record.ts";
import { CWD, EOE, EXECVE, PATH, PROCTITLE, RecordHead, SYSCALL } from "./record-head.ts";
import { readExecSyscall, type SyscallFields, valueEnd } from "./syscall-record.ts";
import { TextNumbers } from "./text-numbers.ts";

/** Kinds beside those of record-head.ts. */
export const FAILED = 14; // the SYSCALL of an execution that did not happen
export const MALFORMED = 15;
export const WHOLE = 13; // an execution's SYSCALL, with all the other records of its event, which followed at once
/** Added to the kind of a record that has the id and the host of the record before it. */
export const SAME = 16;

const NONE = 99; // above all kinds
const TEXTS = 3; // of an execution, at most
const RECORDS_MAX = 8_192; // at a time: a mebibyte of log holds some 5,000

export class RecordIndex implements SyscallFields {
  readonly kinds: Uint8Array;
  readonly times: Float64Array; // ms since the epoch
  readonly serials: Uint32Array;
  readonly starts: Uint32Array; // of the line, in the bytes
  readonly types: Uint32Array; // of "type="; above `starts` where "node=NAME " stands before it
  readonly bodies: Uint32Array; // behind "audit(…): "
  readonly ends: Uint32Array; // of the line, its newline left out
  /** Of an execution's SYSCALL only. */
  readonly items: Uint32Array;
  readonly pids: Uint32Array;
  readonly ppids: Uint32Array;
  readonly auids: Uint32Array;
  readonly uids: Uint32Array;
  readonly sessions: Uint32Array;
  readonly ttys: Uint32Array;
  readonly ttyEnds: Uint32Array;
  readonly executables: Uint32Array;
  readonly executableEnds: Uint32Array;
  readonly ttyTexts: Uint32Array; // the same as numbers of texts
  readonly executableTexts: Uint32Array;
  /** Of a whole event only; 0: it has none. */
  readonly execves: Uint32Array; // the body
  readonly execveEnds: Uint32Array;
  readonly directoryTexts: Uint32Array; // what its CWD says
  readonly scripts: Uint32Array; // the body of its PATH item 0, where that may be a script
  readonly texts: TextNumbers;
  count = 0;
  lines = 0; // walked over, wanted or not
  end = 0; // where in the bytes the walk stopped
  readonly #head = new RecordHead();

  static readonly bytes = (1 + 8 + (21 + 2 * TEXTS) * 4) * RECORDS_MAX;

  /** @param memory of RecordIndex.bytes */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(RecordIndex.bytes)) {
    let at = 8 * RECORDS_MAX;
    const words = (each = 1): Uint32Array => {
      const array = new Uint32Array(memory, at, each * RECORDS_MAX);
      at += array.byteLength;
      return array;
    };
    this.times = new Float64Array(memory, 0, RECORDS_MAX);
    this.serials = words();
    this.starts = words();
    this.types = words();
    this.bodies = words();
    this.ends = words();
    this.items = words();
    this.pids = words();
    this.ppids = words();
    this.auids = words();
    this.uids = words();
    this.sessions = words();
    this.ttys = words();
    this.ttyEnds = words();
    this.executables = words();
    this.executableEnds = words();
    this.execves = words();
    this.execveEnds = words();
    this.directoryTexts = words();
    this.scripts = words();
    this.ttyTexts = words();
    this.executableTexts = words();
    this.texts = new TextNumbers(words(TEXTS), words(TEXTS));
    this.kinds = new Uint8Array(memory, at, RECORDS_MAX);
  }

  /**
   * Begins anew. Where the index is full before the bytes are at their end, `end` says where to go on.
   * @param bytes whole lines
   * @param from the start of a line
   */
  scan(bytes: Buffer, from: number): void {
    const { length } = bytes;
    const head = this.#head;
    head.forget();
    this.texts.begin();
    let count = 0;
    let lines = 0;
    let whole = -1; // the place of an execution whose records came one after the other so far
    let unwanted = NONE; // of the id of the record before: the least kind that is not wanted
    let line = from;
    for (let end = from; line < length && count < RECORDS_MAX; line = end + 1) {
      end = bytes.indexOf(0x0a, line);
      if (end === -1) end = length;
      if (end === line) continue;
      lines += 1;
      let kind = head.read(bytes, line, end);
      if (kind === 0 || (head.same && kind >= unwanted && kind <= EOE)) continue;
      let same = head.same && unwanted !== EXECVE; // else the record before is not in the index
      if (kind !== -1 && !head.same) {
        whole = -1;
        unwanted = NONE;
      }
      if (kind === SYSCALL) {
        const outcome = readExecSyscall(bytes, head.body, end, this, count);
        whole = outcome === "executed" && !same ? this.#begin(count) : -1;
        unwanted = outcome === "other" ? EXECVE : NONE;
        if (outcome === "other") continue;
        if (outcome === "executed") this.#number(count, bytes);
        else if (outcome === "failed") kind = FAILED;
        else kind = -1;
      } else if (whole !== -1) {
        const ended = kind === -1 ? undefined : this.#follows(whole, kind, bytes, head.body, end);
        if (ended === undefined) whole = -1;
        else if (ended) {
          this.kinds[whole] = WHOLE;
          count = whole + 1;
          whole = -1;
          unwanted = CWD;
          continue;
        }
      }
      if (kind === -1) {
        kind = MALFORMED;
        same = false;
        head.forget();
      }
      this.kinds[count] = same ? kind + SAME : kind;
      this.times[count] = head.timeMs;
      this.serials[count] = head.serial;
      this.starts[count] = line;
      this.types[count] = head.type;
      this.bodies[count] = head.body;
      this.ends[count] = end;
      count += 1;
    }
    this.count = count;
    this.lines = lines;
    this.end = Math.min(line, length);
  }

  #begin(at: number): number {
    this.execves[at] = 0;
    this.directoryTexts[at] = 0;
    this.scripts[at] = 0;
    return at;
  }

  #number(at: number, bytes: Buffer): void {
    const { texts } = this;
    this.ttyTexts[at] = texts.of(bytes, this.ttys[at] as number, this.ttyEnds[at] as number);
    this.executableTexts[at] = texts.of(
      bytes,
      this.executables[at] as number,
      this.executableEnds[at] as number,
    );
  }

  /** @returns whether the event has all of its records now; undefined: they are to be looked at one by one */
  #follows(at: number, kind: number, bytes: Buffer, body: number, end: number): boolean | undefined {
    let ended = kind === PROCTITLE || kind === EOE;
    if (kind === EXECVE) {
      if (this.execves[at] !== 0 || !holdsLastArgument(bytes, body, end)) return undefined;
      this.execves[at] = body;
      this.execveEnds[at] = end;
    } else if (kind === CWD) {
      if (this.directoryTexts[at] !== 0) return undefined;
      this.directoryTexts[at] = this.texts.of(bytes, body + 4, valueEnd(bytes, body + 4));
    } else if (kind === PATH) {
      const item = pathItem(bytes, body);
      const items = this.items[at] as number;
      // A program that is no script is item 0 itself, and all that there is but for its loader.
      if (item === 0 && items !== 1) this.scripts[at] = body;
      else if (item === 1 && items === 2 && isLoader(bytes, body)) this.scripts[at] = 0;
      ended = item + 1 === items;
    } else if (!ended) return undefined;
    return ended && this.execves[at] !== 0;
  }
}

/** Whether "argc=3 a0=… a1=… a2=…" ends in its last argument: the records are whole then, or an argument is long. */
export function holdsLastArgument(bytes: Buffer, body: number, end: number): boolean {
  let argc = 0;
  let p = body + 5;
  for (; bytes[p] !== 0x20; p += 1) {
    const digit = (bytes[p] as number) - 0x30;
    if (p >= end || digit < 0 || digit > 9) return false;
    argc = argc * 10 + digit;
  }
  p = end - 1;
  while (p > body && bytes[p] !== 0x20) p -= 1;
  let index = 0;
  for (p += 2; p < end && bytes[p] !== 0x3d; p += 1) {
    const digit = (bytes[p] as number) - 0x30;
    if (digit < 0 || digit > 9) return false; // "a1[0]=": more of it may follow
    index = index * 10 + digit;
  }
  return index + 1 >= argc;
}
