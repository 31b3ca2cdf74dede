/** What a PATH record of an execution tells, read in place: "item=0 name=…". */
import { valueEnd } from "./syscall-record.ts";

/** Negative: none of the first ten. */
export function pathItem(bytes: Buffer, body: number): number {
  return bytes[body + 6] === 0x20 ? (bytes[body + 5] as number) - 0x30 : -2;
}

/** Where the name begins, as it is written, of one of the first ten. */
export function pathName(body: number): number {
  return body + 12;
}

/** Whether it names the loader: ld-linux-x86-64.so.2, ld64.so.2, ld-musl-x86_64.so.1, ld.so.1: ld.so(8). */
export function isLoader(bytes: Buffer, body: number): boolean {
  const start = pathName(body);
  const stop = valueEnd(bytes, start);
  let p = stop;
  while (p > start && bytes[p - 1] !== 0x2f) p -= 1;
  if (bytes[p] !== 0x6c || bytes[p + 1] !== 0x64) return false;
  for (; p < stop; p += 1)
    if (bytes[p] === 0x2e && bytes[p + 1] === 0x73 && bytes[p + 2] === 0x6f) return true;
  return false;
}
