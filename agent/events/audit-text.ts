/**
 * Text inside audit records. The kernel writes a string a user can choose in quotes, or as upper-case hex when it holds
 * a byte below 0x21, above 0x7e or a quote: kernel/audit.c, audit_log_n_untrustedstring(). Only an unquoted value of
 * such a field is hex; a quoted "6C73" is a name. Records arrive here as latin1 text, one character a byte.
 */

/** Between what the kernel wrote and what auditd made of it: auditd.conf(5), log_format. */
const TRAILER = "\x1d";

/** What the kernel wrote. */
export function withoutTrailer(record: string): string {
  const at = record.indexOf(TRAILER);
  return at === -1 ? record : record.slice(0, at);
}

/** What auditd made of it; undefined: nothing. */
export function trailerOf(record: string): string | undefined {
  const at = record.indexOf(TRAILER);
  return at === -1 ? undefined : record.slice(at + 1);
}

/** A field of a record, as written: quotes and hex untouched; undefined when it is not there. */
export function fieldOf(record: string, name: string): string | undefined {
  for (let at = record.indexOf(`${name}=`); at !== -1; at = record.indexOf(`${name}=`, at + 1)) {
    const before = record.charCodeAt(at - 1);
    if (at !== 0 && before !== 0x20 && before !== 0x27 && before !== 0x1d && before !== 0x2c) continue; // tail of a longer name
    const start = at + name.length + 1;
    if (record.charCodeAt(start) === 0x22) {
      const quote = record.indexOf('"', start + 1);
      return record.slice(start, quote === -1 ? undefined : quote + 1); // RHEL 7 cuts records inside the quotes
    }
    let end = start;
    while (end < record.length && !isBreak(record.charCodeAt(end))) end += 1;
    return record.slice(start, end);
  }
  return undefined;
}

function isBreak(byte: number): boolean {
  return byte === 0x20 || byte === 0x1d || byte === 0x0a || byte === 0x27;
}

/** A string that users can choose: quoted, hex, or (null), (none), <no_memory>, <too_long>, which are "". */
export function untrusted(value: string | undefined): string {
  if (value === undefined) return "";
  const first = value.charCodeAt(0);
  if (first === 0x22) return value.slice(1, value.endsWith('"') && value.length > 1 ? -1 : undefined);
  if (first === 0x28 || first === 0x3c) return "";
  return isHex(value) ? Buffer.from(value, "hex").toString("utf8") : value;
}

function isHex(value: string): boolean {
  return value.length % 2 === 0 && /^[0-9A-F]+$/.test(value);
}

/** A number, or undefined when it is absent, unset (4294967295, -1) or no number. */
export function numberOf(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d{1,10}$/.test(value)) return undefined;
  const number = Number(value);
  return number >= 4294967295 ? undefined : number;
}

export interface Arguments {
  readonly args: readonly string[];
  readonly complete: boolean;
}

/**
 * The arguments in the EXECVE records of one event. Long ones come as `a1_len=16384 a1[0]=… a1[1]=…`, over several records
 * (kernel/auditsc.c, audit_log_execve_info()). argc is a claim: a program may have started with more than was logged.
 * @param records texts from "argc=" or "a7=" on, joined by newlines, in the order they came
 */
export function executeArguments(records: string): Arguments {
  const parts: (string[] | undefined)[] = [];
  const claimed = Number(/(?:^|\s)argc=(\d+)/.exec(records)?.[1] ?? Number.NaN);
  let complete = !Number.isNaN(claimed);
  for (const [, index = "", chunk, value = ""] of records.matchAll(
    /(?:^|\s)a(\d{1,7})(?:\[(\d{1,6})\])?=("[^"\n]*"?|\S*)/g,
  )) {
    const at = Number(index);
    if (at > ARGUMENTS_MAX) complete = false;
    else if (chunk === undefined) parts[at] = [value];
    else {
      parts[at] ??= [];
      const chunks = parts[at];
      chunks[Math.min(Number(chunk), ARGUMENTS_MAX)] = value;
    }
  }
  const args: string[] = [];
  for (let index = 0; index < parts.length; index += 1) {
    const chunks = parts[index];
    if (chunks === undefined || Object.keys(chunks).length !== chunks.length) complete = false;
    args.push(chunks === undefined ? "" : joined(chunks));
  }
  for (const [, index = "", length = ""] of records.matchAll(/(?:^|\s)a(\d{1,7})_len=(\d{1,9})/g)) {
    const written = parts[Number(index)]?.reduce((sum, chunk) => sum + chunk.replaceAll('"', "").length, 0);
    if (written !== Number(length)) complete = false; // a chunk is missing at the end
  }
  if (args.length !== claimed && !(claimed === 0 && args.length === 1)) complete = false; // argc=0: the kernel adds an empty one
  return { args, complete };
}

const ARGUMENTS_MAX = 65_536; // a record names its argument; a made-up index must not make a huge array

/** Chunks are cut at byte bounds, so a character may lie in two of them: joined before decoding. */
function joined(chunks: readonly string[]): string {
  if (chunks.length === 1) return untrusted(chunks[0]);
  return Buffer.concat(
    chunks.map((chunk) =>
      chunk.startsWith('"') || !isHex(chunk)
        ? Buffer.from(chunk.replaceAll('"', ""), "latin1")
        : Buffer.from(chunk, "hex"),
    ),
  ).toString("utf8");
}

/** The stand-in for a missing EXECVE: at most 128 bytes, and a process may have written over it since. */
export function titleArguments(value: string): readonly string[] {
  const text = untrusted(value).replace(/\0+$/, "");
  return text === "" || text === "(null)" ? [] : text.split("\0"); // kernel/auditsc.c, audit_log_proctitle()
}

/** A file that audit_log_d_path() could not name is a word in brackets, in quotes or not: kernel/audit.c. */
export function pathOf(value: string | undefined): string {
  const path = untrusted(value);
  return path === "<no_memory>" || path === "<too_long>" ? "" : path;
}
