/**
 * Images that nobody has referred to yet, as most never are: numbers and shared texts, a row each, which the garbage
 * collector has nothing to do with. Who is asked for becomes an object, and stays one.
 */
import { AuditExec } from "../events/audit-exec.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import type { Life } from "./pid-clock.ts";
import type { ProcessImage, UnresolvedReason } from "./process-image.ts";

const COLUMNS = 7; // serial, pid, ppid, uid, auid, ses, and why there is no parent
const ROWS = 1_024; // at first
const UNSET = 4294967295; // as audit writes it
const reasons: readonly (UnresolvedReason | undefined)[] = [
  undefined,
  "not seen",
  "pid reused",
  "orphaned",
  "let go",
  "none",
];

type Column<T> = (T | undefined)[];

export class ImageRows {
  #numbers = new Uint32Array();
  #times = new Float64Array();
  #bornBy = new Float64Array();
  #seen = new Float64Array();
  readonly #nodes: Column<string> = [];
  readonly #files: Column<AuditExec["image"]> = [];
  readonly #terminals: Column<string> = [];
  readonly #directories: Column<string> = [];
  readonly #arguments: Column<string> = [];
  readonly #lives: Column<Life> = []; // those that the clock may still correct; of the others the numbers are enough
  readonly #parents: Column<ProcessImage> = [];
  readonly #adopters: Column<ProcessImage> = [];
  readonly #previous: Column<ProcessImage> = [];

  /** @param row a free one */
  put(row: number, exec: AuditExec, image: ProcessImage): void {
    if (row >= this.#times.length) this.#grow(Math.max(ROWS, 2 * row));
    const numbers = this.#numbers;
    const first = COLUMNS * row;
    numbers[first] = exec.serial;
    numbers[first + 1] = exec.pid;
    numbers[first + 2] = exec.ppid;
    numbers[first + 3] = exec.uid ?? UNSET;
    numbers[first + 4] = exec.auid ?? UNSET;
    numbers[first + 5] = exec.ses ?? UNSET;
    numbers[first + 6] = reasons.indexOf(image.unresolved);
    this.#times[row] = exec.timeMs;
    this.#nodes[row] = exec.node;
    this.#files[row] = exec.image;
    this.#terminals[row] = exec.tty;
    this.#directories[row] = exec.cwd;
    this.#arguments[row] = exec.execve;
    const { life } = image;
    this.#bornBy[row] = life.bornBy;
    this.#seen[row] = life.seen;
    this.#lives[row] = life.doubtful ? life : undefined;
    this.#parents[row] = image.parent;
    this.#adopters[row] = image.adopter;
    this.#previous[row] = image.previous;
  }

  /** Made anew of its row, which is free then. */
  take(row: number): ProcessImage {
    const numbers = this.#numbers;
    const first = COLUMNS * row;
    const exec = new AuditExec();
    exec.serial = numbers[first] as number;
    exec.pid = numbers[first + 1] as number;
    exec.ppid = numbers[first + 2] as number;
    exec.uid = set(numbers[first + 3] as number);
    exec.auid = set(numbers[first + 4] as number);
    exec.ses = set(numbers[first + 5] as number);
    exec.timeMs = this.timeOf(row);
    exec.node = this.nodeOf(row);
    exec.image = this.#files[row] as AuditExec["image"];
    exec.tty = this.#terminals[row];
    exec.cwd = this.#directories[row];
    exec.execve = this.#arguments[row];
    const image: ProcessImage = {
      exec,
      life: this.#lives[row] ?? {
        bornBy: this.#bornBy[row] as number,
        seen: this.seenOf(row),
        doubtful: false,
      },
      provenance: "recorded",
      parent: this.parentOf(row),
      unresolved: reasons[numbers[first + 6] as number],
      adopter: this.#adopters[row],
      previous: this.#previous[row],
      asked: false,
      used: false,
    };
    this.free(row);
    return image;
  }

  /** Cuts its links. */
  free(row: number): void {
    this.#parents[row] = undefined;
    this.#adopters[row] = undefined;
    this.#previous[row] = undefined;
  }

  seenOf(row: number): number {
    return this.#lives[row]?.seen ?? (this.#seen[row] as number);
  }

  parentOf(row: number): ProcessImage["parent"] {
    return this.#parents[row];
  }

  nodeOf(row: number): ExecEvent["node"] {
    return this.#nodes[row];
  }

  timeOf(row: number): number {
    return this.#times[row] as number;
  }

  ppidOf(row: number): number {
    return this.#numbers[COLUMNS * row + 2] as number;
  }

  #grow(rows: number): void {
    const numbers = new Uint32Array(COLUMNS * rows);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    this.#times = longer(this.#times, rows);
    this.#bornBy = longer(this.#bornBy, rows);
    this.#seen = longer(this.#seen, rows);
    const texts = [this.#nodes, this.#files, this.#terminals, this.#directories, this.#arguments];
    const links = [this.#lives, this.#parents, this.#adopters, this.#previous];
    for (const column of [...texts, ...links]) while (column.length < rows) column.push(undefined);
  }
}

function set(id: number): number | undefined {
  return id === UNSET ? undefined : id;
}

function longer(numbers: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const more = new Float64Array(length);
  more.set(numbers);
  return more;
}
