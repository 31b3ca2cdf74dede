/** Stored logs, in every form in which people keep them, and broken in every way in which they get broken. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { newCounters } from "../../agent/counters.ts";
import { KinwatchError } from "../../agent/errors.ts";
import type { LogCursor, LogPosition } from "../../agent/sources/source.ts";
import { StoredLogSource } from "../../agent/sources/stored-logs.ts";
import { record } from "../helpers/log-folder.ts";

interface Given {
  readonly seen: number[]; // serials
  readonly unseen: number[];
  readonly text: string;
  readonly places: (LogPosition & { readonly serial: number })[];
  readonly error: unknown;
  readonly source: StoredLogSource;
}

class Files implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-stored-"));

  write(name: string, content: string | Buffer): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function read(
  files: readonly string[],
  more: { cursor?: LogCursor | undefined; stdin?: Readable } = {},
): Promise<Given> {
  const { stdin = Readable.from([]) } = more;
  const source = new StoredLogSource({ files, cursor: more.cursor, counters: newCounters(), stdin });
  const given: Given = { seen: [], unseen: [], text: "", places: [], error: undefined, source };
  let { text, error } = given;
  try {
    for await (const { bytes, position, seen } of source) {
      assert.equal(bytes.at(-1), 0x0a, "whole lines");
      let { offset } = position;
      for (const line of bytes.toString("latin1").match(/.*\n/g) ?? []) {
        const serial = Number(/:(\d+)\)/.exec(line)?.[1]);
        if (line !== "\n") (seen ? given.seen : given.unseen).push(serial);
        given.places.push({ ...position, offset, serial });
        offset += line.length;
        text += line;
      }
    }
  } catch (cause) {
    error = cause;
  }
  return { ...given, text, error };
}

function records(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => record(from + index)).join("");
}

const text = records(0, 20_000);
const half = text.lastIndexOf("\n", text.length / 2) + 1;
const inTwo = [text.slice(0, half), text.slice(half)] as const;
const skippable = Buffer.from("502a4d1804000000deadbeef", "hex"); // RFC 8878, 3.1.2

const forms = [
  { why: "plain", name: "a", content: text },
  { why: "gzip, whatever its name", name: "audit.log", content: gzipSync(text) },
  { why: "zstd, whatever its name", name: "b.gz", content: zstdCompressSync(text) },
  { why: "gzip of several members", name: "c", content: Buffer.concat(inTwo.map((part) => gzipSync(part))) },
  {
    why: "zstd of several frames, the first a skippable one",
    name: "d",
    content: Buffer.concat([skippable, ...inTwo.map((part) => zstdCompressSync(part))]),
  },
] as const;
for (const { why, name, content } of forms) {
  test(`StoredLogSource: reads ${why}, from a file, a stream and a pipe`, { timeout: 60_000 }, async () => {
    using files = new Files();
    const path = files.write(name, content);
    const fromFile = await read([path]);
    assert.equal(fromFile.text, text);
    assert.deepEqual(
      [fromFile.source.bytesRead, fromFile.source.bytesTotal],
      [content.length, content.length],
    );
    const bytes = Buffer.from(content);
    const stdin = Readable.from([bytes.subarray(0, 3), bytes.subarray(3, 100), bytes.subarray(100)]);
    const fromStream = await read(["-", "-"], { stdin });
    assert.equal(fromStream.text, text);
    assert.deepEqual(
      [fromStream.source.bytesRead, fromStream.source.bytesTotal],
      [content.length, undefined],
    );
    const pipe = join(files.folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const writer = spawn("dd", [`if=${path}`, `of=${pipe}`, "status=none"], { stdio: "ignore" });
    assert.equal((await read([pipe])).text, text);
    writer.kill();
  });
}

test("StoredLogSource: reads several files oldest first by what is in them, each once", async () => {
  using files = new Files();
  const newest = files.write("audit.log", records(30, 40));
  const paths = [
    newest,
    files.write("audit.log.10", records(0, 10)),
    files.write("audit.log.2.gz", gzipSync(records(20, 30))),
    files.write("z-copied-first.zst", zstdCompressSync(records(10, 20))),
    files.write("empty", ""),
    files.write("empty.gz", gzipSync("")),
    join(files.folder, "link"),
    newest,
  ];
  symlinkSync(newest, join(files.folder, "link"));
  assert.equal((await read(paths)).text, records(0, 40));
});

test("StoredLogSource: orders files that begin at the same time by auditd's numbers, then as they are given", async () => {
  using files = new Files();
  const at = (serial: number): string => record(5).replace(":5)", `:${serial})`);
  const paths = [
    files.write("audit.log", at(4)),
    files.write("audit.log.2.gz", gzipSync(at(2))),
    files.write("audit.log.10", at(1)),
    files.write("audit.log.1", at(3)),
    files.write("other", at(5)),
  ];
  assert.deepEqual((await read(paths)).unseen, [1, 2, 3, 4, 5]);
});

const endings = [
  { why: "a newline where the last line lacks one", text: record(1).trimEnd(), want: record(1) },
  {
    why: "the record behind a block of NUL bytes that a crash left",
    text: `${record(1).slice(0, 20)}${"\0".repeat(1_200_000)}${record(2)}`,
    want: `${record(1).slice(0, 20)}${"\n".repeat(1_200_000)}${record(2)}`,
  },
  {
    why: "nothing of a line that is longer than any record, and all around it",
    text: `${record(1)}type=${"x".repeat(3_000_000)}\n${record(2)}`,
    want: record(1) + record(2),
  },
  { why: "bytes that are no UTF-8", text: record(1, "a=\xff\xfe"), want: record(1, "a=\xff\xfe") },
] as const;
for (const { why, text: written, want } of endings) {
  test(`StoredLogSource: hands on ${why}`, async () => {
    using files = new Files();
    const given = await read([
      files.write("audit.log", record(0)),
      files.write("odd", Buffer.from(`${record(0)}${written}`, "latin1")),
    ]);
    assert.ok(given.text === `${record(0)}${record(0)}${want}`, given.text.slice(0, 500));
    assert.equal(given.error, undefined);
  });
}

for (const [name, compressed] of [
  ["gzip", gzipSync(text)],
  ["zstd", zstdCompressSync(text)],
] as const) {
  const whole = (share: number): Buffer => compressed.subarray(0, Math.floor(compressed.length * share));
  const broken = [
    { why: "cut off", content: whole(0.7), lines: 7_000 },
    { why: "damaged", content: Buffer.concat([whole(0.7), Buffer.alloc(5_000, 1)]), lines: 7_000 },
    { why: "cut off at its last byte", content: compressed.subarray(0, -1), lines: 7_000 },
  ] as const;
  for (const { why, content, lines } of broken) {
    test(`StoredLogSource: gives what can be read of ${name} that is ${why}, then KW_INPUT_INVALID`, async () => {
      using files = new Files();
      const { error, text: given, unseen } = await read([files.write("log", content)]);
      assert.ok(error instanceof KinwatchError && error.code === "KW_INPUT_INVALID", String(error));
      assert.match(error.message, /damaged or cut off/);
      assert.ok(unseen.length >= lines, `${unseen.length} lines`);
      if (why === "cut off") assert.ok(text.startsWith(given), "no line that is not in it");
    });
  }
}

const refusals = [
  { why: "a folder", path: (files: Files) => files.folder, code: "KW_INPUT_UNREADABLE", text: /EISDIR/ },
  {
    why: "a missing file",
    path: (files: Files) => join(files.folder, "none"),
    code: "KW_INPUT_UNREADABLE",
    text: /Cannot read .*none: ENOENT/,
  },
  {
    why: "binary rubbish",
    path: (files: Files) => files.write("ls", Buffer.from("\x7fELF\x02\x1b[31m\xff")),
    code: "KW_INPUT_INVALID",
    text: /begins with "\\x7fELF\\x02\\x1b\[31m.*msg=audit/,
  },
  {
    why: "text that is no audit log",
    path: (files: Files) => files.write("t", "hello\n".repeat(1e6)),
    code: "KW_INPUT_INVALID",
    text: /"hello\\n/,
  },
  {
    why: "compressed text that is no audit log",
    path: (files: Files) => files.write("t.gz", gzipSync("hello\n")),
    code: "KW_INPUT_INVALID",
    text: /"hello\\n"/,
  },
  {
    why: "xz",
    path: (files: Files) => files.write("x", Buffer.from("fd377a585a000000", "hex")),
    code: "KW_INPUT_INVALID",
    text: /xz data.*xz -dc/,
  },
  {
    why: "what is only the beginning of gzip",
    path: (files: Files) => files.write("g", gzipSync(text).subarray(0, 12)),
    code: "KW_INPUT_INVALID",
    text: /cut off/,
  },
] as const;
for (const { why, path, code, text: message } of refusals) {
  test(`StoredLogSource: refuses ${why} before it reads the others`, async () => {
    using files = new Files();
    const { error, text: given } = await read([files.write("good", record(1)), path(files)]);
    assert.ok(error instanceof KinwatchError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.equal(given, "");
  });
}

test("StoredLogSource: names all files that it refuses at once", async () => {
  using files = new Files();
  const missing = [..."abc"].map((name) => join(files.folder, name));
  const good = files.write("good", record(1));
  const unreadable = (await read([good, ...missing])).error;
  assert.ok(unreadable instanceof KinwatchError && unreadable.code === "KW_INPUT_UNREADABLE");
  assert.match(unreadable.message, /^3 of 4 files cannot be read, and none was\n/);
  for (const path of missing)
    assert.match(unreadable.message, new RegExp(`^Cannot read ${path}: ENOENT`, "m"));
  const { error } = await read([files.write("t", "hello\n"), good, ...missing]);
  assert.ok(error instanceof KinwatchError && error.code === "KW_INPUT_INVALID");
  assert.match(error.message, /^4 of 5 .*^.*\/t is no audit log.*^Cannot read .*\/c: ENOENT/ms);
  const many = await read(Array.from({ length: 100 }, (_, index) => join(files.folder, `none${index}`)));
  assert.ok(many.error instanceof KinwatchError);
  assert.match(many.error.message, /^and 80 more\. /m);
  assert.equal(many.error.message.split("\n").length, 22);
});

test("StoredLogSource: holds little of what expands a thousandfold", { timeout: 60_000 }, async () => {
  using files = new Files();
  const bomb = zstdCompressSync(Buffer.alloc(512 * 1_048_576, record(1)));
  const path = files.write("bomb", bomb);
  const source = new StoredLogSource({ files: [path], cursor: undefined, counters: newCounters() });
  const before = process.memoryUsage().rss;
  let bytesRead = 0;
  let rss = 0;
  for await (const { bytes } of source) {
    bytesRead += bytes.length;
    rss = Math.max(rss, process.memoryUsage().rss);
  }
  assert.ok(bytesRead >= 512 * 1_048_576);
  assert.ok(rss - before < 100 * 1_048_576, `${(rss - before) / 1_048_576} MiB more`);
});

const packers = [(log: string) => Buffer.from(log), gzipSync, zstdCompressSync];

test("StoredLogSource: goes on from any line, though files were renamed, compressed and added meanwhile", async () => {
  const logs = fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.nat(2), fc.nat(2)), {
    minLength: 1,
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(logs, fc.nat(), fc.boolean(), async (sizes, choice, rename) => {
      using files = new Files();
      using renamed = new Files();
      let next = 0;
      const written = sizes.map(([lines, packer, later], index) => {
        const log = records(next, next + lines);
        next += lines;
        return { name: `audit.log.${sizes.length - index}`, log, packer, later };
      });
      const { places, source, unseen } = await read(
        written.map(({ name, log, packer }) => files.write(name, packers[packer]?.(log) ?? "")).reverse(),
      );
      assert.deepEqual(unseen, [...Array(next).keys()]);
      const place = places[choice % places.length];
      assert.ok(place !== undefined);
      const cursor = source.cursorAt(place);
      assert.equal(
        cursor === undefined,
        place.offset === 0,
        "every place but the first of a file has a cursor",
      );
      const paths = rename
        ? written.map(({ name, log, later }) => renamed.write(`${name}.old`, packers[later]?.(log) ?? ""))
        : written.map(({ name }) => join(files.folder, name));
      const again = await read([...paths, files.write("newer", record(next))], { cursor });
      const from = cursor === undefined ? 0 : place.serial;
      assert.deepEqual([again.seen.length, again.unseen[0]], [from, from]);
      assert.deepEqual([...again.seen, ...again.unseen], [...Array(next + 1).keys()]);
    }),
    { numRuns: 60 },
  );
});

test("StoredLogSource.cursorAt(): holds at the end of a file whose last line lacks its newline, and after it grew", async () => {
  using files = new Files();
  const path = files.write("audit.log", records(0, 3).trimEnd());
  const { source, places } = await read([path]);
  const end = Buffer.byteLength(records(0, 3));
  const cursor = source.cursorAt({ ...(places[0] as LogPosition), offset: end });
  assert.ok(cursor !== undefined);
  assert.deepEqual((await read([path], { cursor })).unseen, []);
  writeFileSync(path, records(0, 5));
  const grown = await read([path], { cursor });
  assert.deepEqual(grown.unseen, [3, 4]);
});

test("StoredLogSource: takes all for new where the cursor's file is not among the given ones", async () => {
  using files = new Files();
  const { source, places } = await read([files.write("a", records(0, 9))]);
  const cursor = source.cursorAt(places[5] as LogPosition);
  mkdirSync(join(files.folder, "b"));
  const { seen, unseen } = await read([files.write("b/a", records(20, 23))], { cursor });
  assert.deepEqual([seen, unseen], [[], [20, 21, 22]]);
  assert.equal(source.cursorAt({ device: 0, inode: 0, offset: 5 }), undefined, "a stream has none");
});
