/**
 * The row of each process's latest image, by host and pid: asked three times for each execution. A hash table of numbers with
 * linear probing, which grows with what it holds; the process table bounds that.
 */
import { NONE } from "./row-image.ts";

const SLOTS = 256; // at first; always a power of two, and at most half of them in use
const NUMBERS = 4; // of a slot: a power of two, so that none lies on two lines of the processor's cache
const HOST = 1; // behind the pid
const ROW = 2;

export class LatestRows {
  #slots = emptySlots(SLOTS);
  #mask = SLOTS * NUMBERS - 1;
  #shift = shiftOf(SLOTS);
  size = 0;

  /** NONE: there is none. */
  get(host: number, pid: number): number {
    return this.#slots[this.#find(host, pid) + ROW] as number;
  }

  set(host: number, pid: number, row: number): void {
    const slots = this.#slots;
    const at = this.#find(host, pid);
    const isNew = slots[at + ROW] === NONE;
    slots[at] = pid;
    slots[at + HOST] = host;
    slots[at + ROW] = row;
    if (!isNew) return;
    this.size += 1;
    if (2 * NUMBERS * this.size > slots.length) this.#refill((2 * slots.length) / NUMBERS, () => true);
  }

  /** @returns whether it was this row */
  delete(host: number, pid: number, row: number): boolean {
    const slots = this.#slots;
    let free = this.#find(host, pid);
    if (slots[free + ROW] !== row) return false;
    this.size -= 1;
    // What stands behind it, up to the next gap, moves up where it would not be found any more.
    for (let at = this.#next(free); slots[at + ROW] !== NONE; at = this.#next(at)) {
      const first = this.#first(slots[at + HOST] as number, slots[at] as number);
      if (((at - first) & this.#mask) < ((at - free) & this.#mask)) continue;
      for (let number = 0; number <= ROW; number += 1) slots[free + number] = slots[at + number] as number;
      free = at;
    }
    slots[free + ROW] = NONE;
    return true;
  }

  /** All processes of a host. */
  deleteHost(host: number): void {
    this.#refill(this.#slots.length / NUMBERS, (other) => other !== host);
  }

  clear(): void {
    this.#refill(SLOTS, () => false);
  }

  #refill(count: number, isKept: (host: number) => boolean): void {
    const slots = this.#slots;
    this.#slots = emptySlots(count);
    this.#mask = count * NUMBERS - 1;
    this.#shift = shiftOf(count);
    this.size = 0;
    for (let at = 0; at < slots.length; at += NUMBERS) {
      const [pid, host, row] = slots.subarray(at, at + NUMBERS) as unknown as [number, number, number];
      if (row !== NONE && isKept(host)) this.set(host, pid, row);
    }
  }

  /** Where it stands, or would. */
  #find(host: number, pid: number): number {
    const slots = this.#slots;
    const asWritten = pid | 0;
    let at = this.#first(host, pid);
    while (slots[at + ROW] !== NONE && (slots[at] !== asWritten || slots[at + HOST] !== host))
      at = this.#next(at);
    return at;
  }

  /** Where it is looked for first: by the upper bits of a product, in which each bit of a pid has a say. */
  #first(host: number, pid: number): number {
    return (Math.imul(pid + Math.imul(host, 0x85ebca6b), 0x9e3779b1) >>> this.#shift) * NUMBERS;
  }

  #next(at: number): number {
    return (at + NUMBERS) & this.#mask;
  }
}

function emptySlots(count: number): Int32Array {
  return new Int32Array(count * NUMBERS).fill(NONE);
}

function shiftOf(count: number): number {
  return 32 - Math.log2(count);
}
