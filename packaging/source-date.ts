/** When what is built was made: SOURCE_DATE_EPOCH (reproducible-builds.org), else the last commit. Never the time of building. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** @returns seconds since the epoch */
export function sourceDate(): number {
  const text = process.env["SOURCE_DATE_EPOCH"] ?? lastCommit();
  if (!/^\d{1,11}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH is to be whole seconds, not ${text}`);
  return Number(text);
}

function lastCommit(): string {
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  return execFileSync("git", ["log", "-1", "--format=%ct"], { cwd, encoding: "utf8" }).trim();
}
