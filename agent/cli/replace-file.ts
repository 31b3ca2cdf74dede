/** A file is made beside its name, and renamed when it is on disk: nobody reads half of it. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";

/**
 * @param unfinished what it is called until it is whole
 * @param write is given its descriptor
 */
export function replaceFile<Result>(
  path: string,
  { unfinished, mode }: { readonly unfinished: string; readonly mode: number },
  write: (fd: number) => Result,
): Result {
  rmSync(unfinished, { force: true });
  const fd = openSync(unfinished, "wx", mode);
  try {
    const result = write(fd);
    fsyncSync(fd);
    renameSync(unfinished, path);
    return result;
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}
