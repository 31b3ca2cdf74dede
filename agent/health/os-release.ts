/** Which distribution this is: os-release(5), whose values are quoted as a shell would. */
import { readFileSync } from "node:fs";

export type OsRelease = ReadonlyMap<string, string>; // ID, ID_LIKE, NAME, VERSION_ID, PRETTY_NAME, …

const paths = ["/etc/os-release", "/usr/lib/os-release"];

/** @returns empty where there is none */
export function readOsRelease(): OsRelease {
  for (const path of paths) {
    try {
      return parseOsRelease(readFileSync(path, "utf8"));
    } catch {
      // the next one
    }
  }
  return new Map();
}

export function parseOsRelease(text: string): OsRelease {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value = ""] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim()) ?? [];
    if (name !== undefined) found.set(name, unquote(value));
  }
  return found;
}

function unquote(value: string): string {
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return value;
  const inner = value.slice(1, value.endsWith(quote) && value.length > 1 ? -1 : undefined);
  return quote === '"' ? inner.replace(/\\(.)/g, "$1") : inner;
}
