/** Native code, loaded for those who use it only. */
import { createRequire } from "node:module";
import type Koffi from "koffi";

export function loadKoffi(): typeof Koffi {
  return createRequire(import.meta.url)("koffi") as typeof Koffi;
}

/** Ends the process at once: process.exit() would wait for a call into a journal that was stopped. _exit(2) */
export function exitBeside(code: number): void {
  try {
    loadKoffi().load("libc.so.6").func("_exit", "void", ["int"])(code);
  } catch {
    process.exit(code); // without native code no such call can be on its way
  }
}
