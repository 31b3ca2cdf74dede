/**
 * The host's own popt files become aliases: rpm's rpmpopt-VERSION, then what the administrator and the user added, in the
 * order in which rpm reads them. Sources: rpm, lib/poptALL.c, rpmcliInit(); popt 1.19, src/poptconfig.c,
 * poptReadDefaultConfig() and poptSaneFile(). What cannot be read is passed over: rpm does the same.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import type { PoptAlias } from "./popt.ts";
import { parsePoptConfig } from "./popt-config.ts";
import { olderThan, type RpmAliases } from "./rpm-aliases.ts";
import { shippedAliases } from "./shipped-aliases.ts";

const fileBytesMax = 256 * 1024; // rpm's own file has 11 kB
const filesMax = 64; // of /etc/popt.d
const aliasesMax = 1_000; // a user can write ~/.popt, and each alias is looked at for each option

/**
 * @param root of the file system that is looked at: "/" but in tests and for images
 * @param home the home folder of whoever runs rpm, for its ~/.popt; without it no user's file is read
 * @returns what the host has; where it has no alias file of rpm's own, the aliases that every rpm ships
 */
export function readRpmAliases(root = "/", home?: string): RpmAliases {
  const own = newestRpmpopt(join(root, "usr/lib/rpm"));
  const files = [join(root, "etc/popt"), ...poptFolder(join(root, "etc/popt.d"))];
  if (home !== undefined) files.push(join(root, home, ".popt"));
  const host = files.flatMap((path) => parse(readRegularFile(path), root)).slice(0, aliasesMax);
  const shipped = own === undefined ? [] : parse(readRegularFile(own.path), root).slice(0, aliasesMax);
  if (shipped.length === 0) return { ...shippedAliases, host };
  return { rpmVersion: own?.version, shipped, host };
}

function newestRpmpopt(folder: string): { readonly path: string; readonly version: string } | undefined {
  const [newest] = listFolder(folder)
    .flatMap((name) => /^rpmpopt-(\d.*)$/.exec(name)?.[1] ?? [])
    .sort((a, b) => Number(olderThan(a, b)) - Number(olderThan(b, a)));
  return newest === undefined ? undefined : { path: join(folder, `rpmpopt-${newest}`), version: newest };
}

/** popt reads `/etc/popt.d/*` in the order of the names, but no program, and nothing that rpm put aside. */
function poptFolder(folder: string): string[] {
  return listFolder(folder)
    .filter((name) => !name.startsWith(".") && !/\.rpm(?:new|save)/.test(name))
    .sort()
    .slice(0, filesMax)
    .map((name) => join(folder, name))
    .filter((path) => !isExecutable(path));
}

function parse(text: string | undefined, root: string): PoptAlias[] {
  return text === undefined ? [] : parsePoptConfig(text, (path) => readRegularFile(join(root, path)));
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  return openAnd(path, (descriptor) => (fstatSync(descriptor).mode & 0o111) !== 0) ?? true;
}

/** undefined where there is no such regular file. What lies beyond the limit is not read. */
function readRegularFile(path: string): string | undefined {
  return openAnd(path, (descriptor) => {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return undefined;
    const bytes = Buffer.alloc(Math.min(stat.size, fileBytesMax));
    let length = 0;
    while (length < bytes.length) {
      const got = readSync(descriptor, bytes, length, bytes.length - length, length);
      if (got === 0) break;
      length += got;
    }
    return bytes.toString("utf8", 0, length);
  });
}

function openAnd<Result>(path: string, use: (descriptor: number) => Result): Result | undefined {
  let descriptor: number;
  try {
    // A user could have put a FIFO there; opened without O_NONBLOCK it would stop us for ever.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    return use(descriptor);
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
