/**
 * What package databases answer to "whose file is this?", read from the words of rpm and dpkg-query. The names of files are
 * anybody's, and rpm repeats them: only what stands exactly where it must is taken, all else is not understood.
 */

export type Owner =
  | OwnedBy
  | { readonly result: "none" } // no installed package has it
  | { readonly result: "unknown"; readonly reason: string }; // for people

export interface OwnedBy {
  readonly result: "owned";
  readonly type: "rpm" | "deb";
  readonly name: string;
  readonly version: string; // [epoch:]version-release
  readonly architecture: string;
  readonly nevra?: string; // rpm's
}

/** undefined: the answer is not understood */
export type Owners = ReadonlyMap<string, Owner> | undefined;

const none: Owner = { result: "none" };
const missing: Owner = { result: "unknown", reason: "it has gone" };

/** A file that is on every host and in no package: between two answers of rpm. */
const BETWEEN = "/proc/self";

/** @param mark letters that nobody else knows: a package's name may hold any others */
export function rpmArguments(paths: readonly string[], mark: string, dbpath: string): string[] {
  const format = ["NAME", "EPOCHNUM", "VERSION", "RELEASE", "ARCH", "NEVRA"].map((tag) => `%{${tag}}`);
  return [
    "--dbpath",
    dbpath,
    "--queryformat",
    `${mark}${format.join(mark)}${mark}\\n`,
    "-qf",
    "--",
    ...paths.flatMap((path) => [path, BETWEEN]),
  ];
}

/** One answer after the other, in the order of the paths; of a file that is not there it says nothing here. rpm, lib/query.c */
export function rpmOwners(answer: string, paths: readonly string[], mark: string): Owners {
  const owners = new Map<string, Owner>();
  let at = 0;
  const takes = (text: string): boolean => {
    if (!answer.startsWith(text, at)) return false;
    at += text.length;
    return true;
  };
  for (const path of paths) {
    const found: OwnedBy[] = [];
    while (answer.startsWith(mark, at)) {
      const end = answer.indexOf(`${mark}\n`, at);
      if (end === -1) return undefined;
      const [name = "", epoch, version, release, architecture = "", nevra = "", ...more] = answer
        .slice(at + mark.length, end)
        .split(mark);
      if (name === "" || nevra === "" || more.length > 0) return undefined;
      const whole = `${epoch === "0" ? "" : `${epoch}:`}${version}-${release}`;
      found.push({ result: "owned", type: "rpm", name, version: whole, architecture, nevra });
      at = end + mark.length + 1;
    }
    const isNone = found.length === 0 && takes(unowned(path));
    if (!takes(unowned(BETWEEN))) return undefined;
    owners.set(path, found.length > 0 ? oneOf(found) : isNone ? none : missing);
  }
  return at === answer.length ? owners : undefined;
}

function unowned(path: string): string {
  return `file ${path} is not owned by any package\n`;
}

/** Of a name that is a pattern to dpkg: \ takes a character's meaning away. dpkg-query(1), --search; fnmatch(3) */
export function dpkgPattern(path: string): string {
  return path.replace(/[*?[\\]/g, "\\$&");
}

/** Names of packages by path. A diverted file is the one's who diverted it; a local diversion is nobody's. dpkg-divert(1) */
export function dpkgNames(answer: string): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  const diverted = new Map<string, string | undefined>();
  for (const line of answer.split("\n")) {
    const [, by, from] = /^(?:diversion by (\S+)|local diversion) from: (\/.*)$/.exec(line) ?? [];
    if (from !== undefined) diverted.set(from, by);
    const [, list, path] = /^([^/\s][^/]*?): (\/.*)$/.exec(line) ?? [];
    if (list === undefined || path === undefined || / (?:from|to)$|^local diversion/.test(list)) continue;
    names.set(path, list.split(", "));
  }
  for (const [path, by] of diverted) {
    const own = names.get(path)?.filter((name) => name.split(":", 1)[0] === by) ?? [];
    if (own.length > 0) names.set(path, own);
    else names.delete(path);
  }
  return names;
}

export const dpkgFormat = `${["binary:Package", "Package", "Version", "Architecture"].map((field) => `\${${field}}`).join("\\t")}\\n`;

/** What dpkg-query --show says in that format, by both names that it has for a package. */
export function dpkgPackages(answer: string): ReadonlyMap<string, OwnedBy> {
  const packages = new Map<string, OwnedBy>();
  for (const line of answer.split("\n")) {
    const [binary, name, version, architecture, ...more] = line.split("\t");
    if (!binary || !name || version === undefined || architecture === undefined || more.length > 0) continue;
    const owner = { result: "owned", type: "deb", name, version, architecture } as const;
    packages.set(binary, owner);
    packages.set(`${name}:${architecture}`, owner);
  }
  return packages;
}

/** A library of two architectures is of one package; a file of two packages is no one's alone. */
export function oneOf(found: readonly OwnedBy[]): Owner {
  const [first] = found;
  const names = [...new Set(found.map(({ name }) => name))];
  if (first === undefined) return none;
  return names.length === 1
    ? first
    : { result: "unknown", reason: `several packages have it: ${names.slice(0, 4).join(", ")}` };
}
