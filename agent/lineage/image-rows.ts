/**
 * Images that nobody has referred to yet, as most never are: numbers, bytes and shared texts, a row each, which the garbage
 * collector has nothing to do with. Who is asked for becomes an object, and stays one.
 */
import { AuditExec } from "../events/audit-exec.ts";
import { withoutTrailer } from "../events/audit-text.ts";
import type { Life } from "./pid-clock.ts";
import type { ProcessImage, UnresolvedReason } from "./process-image.ts";

const ROWS = 1_024; // at first
const NUMBERS = 8; // serial, pid, ppid, uid, auid, ses, why there is no parent, length of the arguments
const MOMENTS = 3; // time, and the life's two places
const LINKS = 9; // node, file, terminal, directory, long arguments, doubtful life, parent, adopter, previous image
const ARGUMENT_BYTES = 128; // as they are written; longer ones are a string
const UNSET = 4294967295; // as audit writes it
const reasons: readonly (UnresolvedReason | undefined)[] = [
  undefined,
  "not seen",
  "pid reused",
  "orphaned",
  "let go",
  "none",
];

export class ImageRows {
  #rows = 0;
  #numbers = new Uint32Array();
  #moments = new Float64Array();
  #arguments = Buffer.alloc(0);
  readonly #links: unknown[] = []; // what belongs to a row stands together: it is read at once, and rarely

  /** @param row a free one */
  put(row: number, exec: AuditExec, image: ProcessImage): void {
    if (row >= this.#rows) this.#grow(Math.max(ROWS, 2 * row));
    const { life } = image;
    const length = exec.writeArguments(this.#arguments, row * ARGUMENT_BYTES, ARGUMENT_BYTES);
    const numbers = this.#numbers;
    let at = row * NUMBERS;
    numbers[at] = exec.serial;
    numbers[at + 1] = exec.pid;
    numbers[at + 2] = exec.ppid;
    numbers[at + 3] = exec.uid ?? UNSET;
    numbers[at + 4] = exec.auid ?? UNSET;
    numbers[at + 5] = exec.ses ?? UNSET;
    numbers[at + 6] = reasons.indexOf(image.unresolved);
    numbers[at + 7] = length ?? UNSET;
    at = row * MOMENTS;
    this.#moments[at] = exec.timeMs;
    this.#moments[at + 1] = life.bornBy;
    this.#moments[at + 2] = life.doubtful ? Number.NaN : life.seen;
    const links = this.#links;
    at = row * LINKS;
    links[at] = exec.node;
    links[at + 1] = exec.image;
    links[at + 2] = exec.tty;
    links[at + 3] = exec.cwd;
    links[at + 4] = length === undefined ? exec.execve : undefined;
    links[at + 5] = life.doubtful ? life : undefined;
    links[at + 6] = image.parent;
    links[at + 7] = image.adopter;
    links[at + 8] = image.previous;
  }

  /** Made anew of its row, which is free then. */
  take(row: number): ProcessImage {
    const numbers = this.#numbers;
    const links = this.#links;
    let at = row * NUMBERS;
    const exec = new AuditExec();
    exec.serial = numbers[at] as number;
    exec.pid = numbers[at + 1] as number;
    exec.ppid = numbers[at + 2] as number;
    exec.uid = set(numbers[at + 3] as number);
    exec.auid = set(numbers[at + 4] as number);
    exec.ses = set(numbers[at + 5] as number);
    const unresolved = reasons[numbers[at + 6] as number];
    const length = numbers[at + 7] as number;
    const first = row * ARGUMENT_BYTES;
    at = row * MOMENTS;
    exec.timeMs = this.#moments[at] as number;
    const bornBy = this.#moments[at + 1] as number;
    const seen = this.#moments[at + 2] as number;
    at = row * LINKS;
    exec.node = links[at] as AuditExec["node"];
    exec.image = links[at + 1] as AuditExec["image"];
    exec.tty = links[at + 2] as AuditExec["tty"];
    exec.cwd = links[at + 3] as AuditExec["cwd"];
    exec.execve =
      length === UNSET
        ? (links[at + 4] as AuditExec["execve"])
        : withoutTrailer(this.#arguments.toString("latin1", first, first + length));
    const image: ProcessImage = {
      exec,
      life: (links[at + 5] as Life | undefined) ?? { bornBy, seen, doubtful: false },
      provenance: "recorded",
      parent: links[at + 6] as ProcessImage["parent"],
      unresolved,
      adopter: links[at + 7] as ProcessImage["adopter"],
      previous: links[at + 8] as ProcessImage["previous"],
      asked: false,
      used: false,
    };
    this.free(row);
    return image;
  }

  /** Cuts its links. */
  free(row: number): void {
    const links = this.#links;
    for (let at = row * LINKS + 4; at < (row + 1) * LINKS; at += 1) links[at] = undefined;
  }

  seenOf(row: number): number {
    const seen = this.#moments[row * MOMENTS + 2] as number;
    return Number.isNaN(seen) ? (this.#links[row * LINKS + 5] as Life).seen : seen;
  }

  parentOf(row: number): ProcessImage["parent"] {
    return this.#links[row * LINKS + 6] as ProcessImage["parent"];
  }

  nodeOf(row: number): AuditExec["node"] {
    return this.#links[row * LINKS] as AuditExec["node"];
  }

  ppidOf(row: number): number {
    return this.#numbers[row * NUMBERS + 2] as number;
  }

  #grow(rows: number): void {
    const numbers = new Uint32Array(rows * NUMBERS);
    const moments = new Float64Array(rows * MOMENTS);
    const bytes = Buffer.alloc(rows * ARGUMENT_BYTES);
    numbers.set(this.#numbers);
    moments.set(this.#moments);
    bytes.set(this.#arguments);
    this.#numbers = numbers;
    this.#moments = moments;
    this.#arguments = bytes;
    while (this.#links.length < rows * LINKS) this.#links.push(undefined);
    this.#rows = rows;
  }
}

function set(id: number): number | undefined {
  return id === UNSET ? undefined : id;
}
