/** One line of a file that only its owner may read, or of standard input: never an argument, which every user of the host sees. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { KinwatchError, systemCode } from "../errors.ts";
import { printable } from "../printable.ts";

const BYTES_MAX = 4_096;
const othersMayRead = 0o077;

/** @throws KW_SETUP_CREDENTIAL_UNUSABLE, which never quotes what stands there */
export function readSecretLine(path: string): string {
  let fd: number | undefined;
  try {
    fd = path === "-" ? 0 : openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a fifo must not make us wait
    const stats = fstatSync(fd);
    if (path !== "-" && !stats.isFile()) throw unusable(path, "not a regular file");
    if (path !== "-" && (stats.mode & othersMayRead) !== 0)
      throw unusable(path, `others may read it (mode ${(stats.mode & 0o777).toString(8).padStart(4, "0")})`);
    return lineIn(path, readAll(fd));
  } catch (cause) {
    if (cause instanceof KinwatchError) throw cause;
    throw unusable(path, systemCode(cause));
  } finally {
    if (fd !== undefined && fd !== 0) closeSync(fd);
  }
}

function lineIn(path: string, bytes: Buffer): string {
  const line = bytes.toString("utf8").replace(/\r?\n$/, "");
  if (bytes.length > BYTES_MAX || line === "" || /[\n\r\0]/.test(line)) throw unusable(path, "not one line");
  return line;
}

function readAll(fd: number): Buffer {
  const buffer = Buffer.alloc(BYTES_MAX + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < buffer.length; length += read)
    read = readSync(fd, buffer, length, buffer.length - length, null);
  return buffer.subarray(0, length);
}

export function unusable(path: string, reason: string): KinwatchError {
  return new KinwatchError(
    "KW_SETUP_CREDENTIAL_UNUSABLE",
    `Cannot use ${path === "-" ? "standard input" : printable(path, 200)}: ${reason}`,
    "Write the one line to a file of your own with mode 0600, or give it as standard input with -",
  );
}
