/**
 * Writes events to audit.log as auditd does: whole lines in order of their arrival, renamed to audit.log.1 and so on when it
 * has its size (auditd.conf(5), max_log_file_action), wherever in an event that falls. Records of events that happen at the
 * same time on several CPUs interleave, and some come late.
 */
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";

const PIECE = 1_048_576;

export class LogWriter {
  bytes = 0;
  readonly #folder: string;
  readonly #fileBytes: number;
  readonly #random: () => number;
  readonly #parts: string[] = [];
  readonly #late: { lines: string[]; after: number }[] = [];
  #held: { lines: string[]; pids: readonly number[] } | undefined;
  #fd: number | undefined;
  #text: string[] = [];
  #length = 0;
  #written = 0; // to this file

  constructor(folder: string, fileBytes: number, random: () => number) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#fileBytes = fileBytes;
    this.#random = random;
  }

  /** @param pids whose event it is, and whom it depends on: theirs cannot happen at the same time */
  event(lines: readonly string[], pids: readonly number[]): void {
    const held = this.#held;
    this.#held = { lines: [...lines], pids };
    if (held === undefined) return;
    if (this.#random() < 0.08 && !pids.some((pid) => held.pids.includes(pid))) {
      this.#held = { lines: this.#interleaved(held.lines, [...lines]), pids: [...held.pids, ...pids] };
      return;
    }
    if (held.lines.length > 3 && this.#random() < 0.002) {
      const lines = held.lines.splice(-1 - Math.floor(this.#random() * 2));
      this.#late.push({ lines, after: 1 + Math.floor(this.#random() * 20) });
    }
    this.#put(held.lines);
    for (const late of this.#late.splice(0)) {
      late.after -= 1;
      if (late.after > 0) this.#late.push(late);
      else this.#put(late.lines);
    }
  }

  /** @returns the files, oldest first */
  end(): string[] {
    this.flush();
    this.#write();
    if (this.#fd !== undefined) closeSync(this.#fd);
    return this.#parts.map((part, index) => {
      const age = this.#parts.length - 1 - index;
      const name = join(this.#folder, age === 0 ? "audit.log" : `audit.log.${age}`);
      renameSync(part, name);
      return name;
    });
  }

  /** All that was held back comes out: before a boot. */
  flush(): void {
    this.#put(this.#held?.lines ?? []);
    this.#held = undefined;
    for (const { lines } of this.#late.splice(0)) this.#put(lines);
  }

  #interleaved(a: string[], b: string[]): string[] {
    const mixed: string[] = [];
    while (a.length > 0 && b.length > 0) {
      const from = this.#random() < 0.5 ? a : b;
      mixed.push(...from.splice(0, 1));
    }
    return [...mixed, ...a, ...b];
  }

  #put(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.#written + this.#length >= this.#fileBytes) this.#rotate();
      this.#text.push(line, "\n");
      this.#length += line.length + 1; // all of it is ASCII
      this.bytes += line.length + 1;
    }
    if (this.#length >= PIECE) this.#write();
  }

  #rotate(): void {
    this.#write();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#written = 0;
  }

  #write(): void {
    if (this.#fd === undefined) {
      const part = join(this.#folder, `part.${this.#parts.length}`);
      this.#parts.push(part);
      this.#fd = openSync(part, "w");
    }
    writeSync(this.#fd, this.#text.join(""));
    this.#written += this.#length;
    this.#text = [];
    this.#length = 0;
  }
}
