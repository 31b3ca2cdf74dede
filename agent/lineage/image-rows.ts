/**
 * Process images as numbers, bytes and shared texts, a row each, which the garbage collector has nothing to do with: most
 * are never asked for. Who is asked for becomes an object too, once, which follows its links through the rows.
 *
 * A row lasts as long as the table holds it or another one links to it. What the table lets go of links to nobody, and no
 * row has more than three links, so there are at most four rows for each that the table holds, beside
 * processes that executed nothing, of the few that somebody asked for.
 */
import { AuditExec } from "../events/audit-exec.ts";
import { withoutTrailer } from "../events/audit-text.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import type { Life } from "./pid-clock.ts";
import type { ProcessImage, Provenance, UnresolvedReason } from "./process-image.ts";
import { NONE, RowImage, type Rows } from "./row-image.ts";

const LINKS = 3; // PARENT, ADOPTER, PREVIOUS

const ROW_BYTES = 256; // so that what is asked for most of a row stands on two lines of the processor's cache
const NUMBERS = ROW_BYTES / 4; // int32; behind the links:
const SERIAL = 3;
const PID = 4;
const PPID = 5;
const UID = 6;
const AUID = 7;
const SES = 8;
const HOST = 9;
const PROCESS = 10; // which process: the images of one have the same
const LINKED = 11; // how many rows link to this one
const LENGTH = 12; // of the arguments; -1: they are no bytes here
const PROVENANCE = 13;
const UNRESOLVED = 14;
const FLAGS = 15;

const HELD = 1; // by the table
const ASKED = 2; // /proc knows no more about its parent
const USED = 4; // looked up as a parent since the clock's hand passed
const OF_AUDIT = 8;
const FREE = 16;
const TRACED = 32; // who began it was asked of the kernel's tracepoints

const MOMENTS = ROW_BYTES / 8; // float64; behind the numbers:
const TIME = 8;
const STARTED = 9; // NaN: no source told
const BORN_BY = 10;
const SEEN = 11; // NaN: its life is in doubt, and an object
const ARGUMENTS = 96; // bytes, behind the moments to the end of the row: as they are written; longer ones are a string
const ARGUMENTS_MAX = ROW_BYTES - ARGUMENTS;
const TEXTS = 7; // of a row: what belongs together is read at once, and rarely
const TERMINAL = 1;
const DIRECTORY = 2;
const LONG_ARGUMENTS = 3;
const NODE = 4;
const LIFE = 5; // in doubt
const IMAGE = 6; // the object, where there is one
const UNSET = -1;

/** How an image is known. */
const provenances = ["recorded", "procfs", "inferred"] as const satisfies readonly Provenance[];
export const RECORDED = 0;
export const PROCFS = 1;
export const INFERRED = 2;

/** Why it has no parent. */
const reasons = [
  undefined,
  "not seen",
  "pid reused",
  "orphaned",
  "let go",
  "none",
] as const satisfies readonly (UnresolvedReason | undefined)[];
export const RESOLVED = 0;
export const NOT_SEEN = 1;
export const PID_REUSED = 2;
export const ORPHANED = 3;
export const LET_GO = 4;
export const PARENTLESS = 5;

export class ImageRows implements Rows {
  #rows = 0;
  #numbers = new Int32Array();
  #moments = new Float64Array();
  #bytes = Buffer.alloc(0); // the memory of all of these
  readonly #texts: unknown[] = [];
  readonly #free: number[] = [];
  readonly #alone: number[] = []; // nobody holds them or links to them, or so it was
  #processes = 0; // that were told apart

  /** @param rows that will be needed, or few more: memory that is not written to yet costs nothing */
  constructor(rows: number) {
    this.#free.push(this.#grow(rows));
  }

  /**
   * A new row, which nobody holds yet.
   * @param host a number for its node
   * @param provenance RECORDED, PROCFS or INFERRED
   * @param isKept whether it is an object from the beginning; so is what does not fit a row
   */
  add(exec: ExecEvent, host: number, provenance: number, isKept: boolean): number {
    const row = this.#free.pop() ?? this.#grow(Math.ceil(1.5 * this.#rows));
    const numbers = this.#numbers;
    const at = row * NUMBERS;
    for (let link = 0; link < LINKS; link += 1) numbers[at + link] = NONE;
    numbers[at + SERIAL] = exec.serial;
    numbers[at + PID] = exec.pid;
    numbers[at + PPID] = exec.ppid;
    numbers[at + SES] = exec.ses ?? UNSET;
    numbers[at + HOST] = host;
    numbers[at + LINKED] = 0;
    numbers[at + PROVENANCE] = provenance;
    numbers[at + UNRESOLVED] = RESOLVED;
    numbers[at + FLAGS] = exec.source === "audit-log" ? OF_AUDIT : 0;
    this.#moments[row * MOMENTS + TIME] = exec.timeMs;
    this.#moments[row * MOMENTS + STARTED] = exec.startTimeMs ?? Number.NaN;
    for (let text = row * TEXTS; text < (row + 1) * TEXTS; text += 1) this.#texts[text] = undefined;
    const isAudit = exec instanceof AuditExec;
    if (isAudit && !isKept && exec.isPlain) this.#putPlain(row, exec);
    else this.#make(row, isAudit && exec.borrowed ? exec.copy() : exec);
    return row;
  }

  #putPlain(row: number, exec: AuditExec): void {
    const length = exec.writeArguments(this.#bytes, row * ROW_BYTES + ARGUMENTS, ARGUMENTS_MAX);
    const numbers = this.#numbers;
    let at = row * NUMBERS;
    numbers[at + UID] = exec.uid ?? UNSET;
    numbers[at + AUID] = exec.auid ?? UNSET;
    numbers[at + LENGTH] = length ?? UNSET;
    const texts = this.#texts;
    at = row * TEXTS;
    texts[at] = exec.image;
    texts[at + TERMINAL] = exec.tty;
    texts[at + DIRECTORY] = exec.cwd;
    texts[at + LONG_ARGUMENTS] = length === undefined ? exec.execve : undefined;
    texts[at + NODE] = exec.node;
  }

  #execOf(row: number): AuditExec {
    const numbers = this.#numbers;
    const texts = this.#texts;
    const exec = new AuditExec();
    let at = row * NUMBERS;
    exec.serial = (numbers[at + SERIAL] as number) >>> 0;
    exec.pid = numbers[at + PID] as number;
    exec.ppid = numbers[at + PPID] as number;
    exec.uid = set(numbers[at + UID] as number);
    exec.auid = set(numbers[at + AUID] as number);
    exec.ses = set(numbers[at + SES] as number);
    exec.timeMs = this.#moments[row * MOMENTS + TIME] as number;
    const length = numbers[at + LENGTH] as number;
    const first = row * ROW_BYTES + ARGUMENTS;
    at = row * TEXTS;
    exec.image = texts[at] as AuditExec["image"];
    exec.tty = texts[at + TERMINAL] as AuditExec["tty"];
    exec.cwd = texts[at + DIRECTORY] as AuditExec["cwd"];
    exec.node = texts[at + NODE] as AuditExec["node"];
    exec.execve =
      length === UNSET
        ? (texts[at + LONG_ARGUMENTS] as AuditExec["execve"])
        : withoutTrailer(this.#bytes.toString("latin1", first, first + length));
    return exec;
  }

  /** The same object each time. */
  imageOf(row: number): ProcessImage {
    const known = this.madeOf(row);
    if (known !== undefined) return known;
    return this.#make(row, this.#execOf(row));
  }

  #make(row: number, exec: ExecEvent): ProcessImage {
    const provenance = provenances[this.#numbers[row * NUMBERS + PROVENANCE] as number] as Provenance;
    const image = new RowImage(this, row, exec, provenance);
    this.#texts[row * TEXTS + IMAGE] = image;
    return image;
  }

  /** The object, if it is one already. */
  madeOf(row: number): ProcessImage | undefined {
    return this.#texts[row * TEXTS + IMAGE] as RowImage | undefined;
  }

  /** NONE: it was let go of, and its links are cut. */
  rowOf(image: ProcessImage): number {
    return image instanceof RowImage ? image.row : NONE;
  }

  executableOf(row: number): string {
    const image = this.madeOf(row);
    return image === undefined
      ? (this.#texts[row * TEXTS] as AuditExec["image"]).executable
      : image.exec.executable;
  }

  pidOf(row: number): number {
    return (this.#numbers[row * NUMBERS + PID] as number) >>> 0;
  }

  ppidOf(row: number): number {
    return this.#numbers[row * NUMBERS + PPID] as number;
  }

  hostOf(row: number): number {
    return this.#numbers[row * NUMBERS + HOST] as number;
  }

  timeOf(row: number): number {
    return this.#moments[row * MOMENTS + TIME] as number;
  }

  /** NaN: no source told. */
  startTimeOf(row: number): number {
    return this.#moments[row * MOMENTS + STARTED] as number;
  }

  /** Whether both executed in the same login session, or the first in none. */
  isOfSession(row: number, other: number): boolean {
    const session = this.#numbers[row * NUMBERS + SES] as number;
    return session === UNSET || session === this.#numbers[other * NUMBERS + SES];
  }

  /** By audit's serials where there are two, which no setting of the clock turns round; they wrap at 2^32. */
  isLater(row: number, other: number, exactMs: number): boolean {
    const numbers = this.#numbers;
    const [at, otherAt] = [row * NUMBERS, other * NUMBERS];
    if (((numbers[at + FLAGS] as number) & (numbers[otherAt + FLAGS] as number) & OF_AUDIT) !== 0)
      return (((numbers[at + SERIAL] as number) - (numbers[otherAt + SERIAL] as number)) | 0) > 0;
    return this.timeOf(row) > this.timeOf(other) + exactMs;
  }

  linkOf(row: number, link: number): number {
    return this.#numbers[row * NUMBERS + link] as number;
  }

  link(row: number, link: number, to: number): void {
    const numbers = this.#numbers;
    const at = row * NUMBERS + link;
    const from = numbers[at] as number;
    numbers[at] = to;
    if (to !== NONE) (numbers[to * NUMBERS + LINKED] as number) += 1;
    if (from === NONE) return;
    (numbers[from * NUMBERS + LINKED] as number) -= 1;
    if (this.#isAlone(from)) this.#alone.push(from);
  }

  /** RESOLVED, NOT_SEEN, … */
  unresolvedOf(row: number): number {
    return this.#numbers[row * NUMBERS + UNRESOLVED] as number;
  }

  setUnresolved(row: number, reason: number): void {
    this.#numbers[row * NUMBERS + UNRESOLVED] = reason;
  }

  reasonOf(row: number): UnresolvedReason | undefined {
    return reasons[this.unresolvedOf(row)];
  }

  isAsked(row: number): boolean {
    return this.#has(row, ASKED);
  }

  isTraced(row: number): boolean {
    return this.#has(row, TRACED);
  }

  setTraced(row: number): void {
    this.#set(row, TRACED, true);
  }

  /** How the image in a row is known, as add() takes it. */
  provenanceOf(row: number): number {
    return this.#numbers[row * NUMBERS + PROVENANCE] as number;
  }

  setAsked(row: number): void {
    this.#set(row, ASKED, true);
  }

  isUsed(row: number): boolean {
    return this.#has(row, USED);
  }

  setUsed(row: number, isUsed: boolean): void {
    this.#set(row, USED, isUsed);
  }

  /** The first image of a process. */
  beginLife(row: number, life: Life): void {
    const { bornBy, seen, doubtful } = life;
    this.#processes = (this.#processes + 1) | 0;
    this.#numbers[row * NUMBERS + PROCESS] = this.#processes;
    const at = row * MOMENTS;
    this.#moments[at + BORN_BY] = bornBy;
    this.#moments[at + SEEN] = doubtful ? Number.NaN : seen;
    this.#texts[row * TEXTS + LIFE] = doubtful ? life : undefined;
  }

  /** The next image of a process. Its latest one tells of its life. */
  goOn(row: number, before: number): void {
    this.#numbers[row * NUMBERS + PROCESS] = this.#numbers[before * NUMBERS + PROCESS] as number;
    const [at, beforeAt] = [row * MOMENTS, before * MOMENTS];
    this.#moments[at + BORN_BY] = this.#moments[beforeAt + BORN_BY] as number;
    this.#moments[at + SEEN] = this.#moments[beforeAt + SEEN] as number;
    this.#texts[row * TEXTS + LIFE] = this.#texts[before * TEXTS + LIFE];
  }

  isSameProcess(row: number, other: number): boolean {
    return this.#numbers[row * NUMBERS + PROCESS] === this.#numbers[other * NUMBERS + PROCESS];
  }

  bornByOf(row: number): number {
    return this.#moments[row * MOMENTS + BORN_BY] as number;
  }

  seenOf(row: number): number {
    const seen = this.#moments[row * MOMENTS + SEEN] as number;
    return Number.isNaN(seen) ? (this.#texts[row * TEXTS + LIFE] as Life).seen : seen;
  }

  /** It lived when the counter had come to `place`. */
  see(row: number, place: number): void {
    const at = row * MOMENTS + SEEN;
    const seen = this.#moments[at] as number;
    if (place > seen) this.#moments[at] = place;
    if (!Number.isNaN(seen)) return;
    const life = this.#texts[row * TEXTS + LIFE] as Life;
    life.seen = Math.max(life.seen, place);
  }

  hold(row: number): void {
    this.#set(row, HELD, true);
  }

  /**
   * The table lets go of it. Its children keep this image, but not the ones behind it: else a chain of dead parents would
   * live for ever.
   */
  letGo(row: number): void {
    this.#set(row, HELD, false);
    this.#cut(row);
    if (this.unresolvedOf(row) !== PARENTLESS) this.setUnresolved(row, LET_GO);
    if (this.#isAlone(row)) this.#alone.push(row);
  }

  /** Whose row nobody knows any more becomes free. Not at once: who lets go of one, by entering another, may still deal with it. */
  clear(): void {
    const texts = this.#texts;
    for (let row = this.#alone.pop(); row !== undefined; row = this.#alone.pop()) {
      if (!this.#isAlone(row)) continue;
      this.#set(row, FREE, true);
      this.#cut(row);
      const at = row * TEXTS;
      (texts[at + IMAGE] as RowImage | undefined)?.letGo();
      texts[at + IMAGE] = undefined;
      texts[at + LIFE] = undefined;
      texts[at + LONG_ARGUMENTS] = undefined; // the other texts are shared ones
      this.#free.push(row);
    }
  }

  #isAlone(row: number): boolean {
    return this.#numbers[row * NUMBERS + LINKED] === 0 && !this.#has(row, HELD | FREE);
  }

  #cut(row: number): void {
    for (let link = 0; link < LINKS; link += 1) this.link(row, link, NONE);
  }

  #has(row: number, flag: number): boolean {
    return ((this.#numbers[row * NUMBERS + FLAGS] as number) & flag) !== 0;
  }

  #set(row: number, flag: number, is: boolean): void {
    const at = row * NUMBERS + FLAGS;
    const flags = this.#numbers[at] as number;
    this.#numbers[at] = is ? flags | flag : flags & ~flag;
  }

  /** @returns a row that is free */
  #grow(rows: number): number {
    const first = this.#rows;
    const bytes = Buffer.alloc(rows * ROW_BYTES);
    this.#bytes.copy(bytes);
    this.#rows = rows;
    this.#bytes = bytes;
    this.#numbers = new Int32Array(bytes.buffer, bytes.byteOffset, rows * NUMBERS);
    this.#moments = new Float64Array(bytes.buffer, bytes.byteOffset, rows * MOMENTS);
    for (let row = rows - 1; row > first; row -= 1) this.#free.push(row);
    return first;
  }
}

function set(id: number): number | undefined {
  return id === UNSET ? undefined : id >>> 0;
}
