import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { type BaselineOrigin, readBaseline, writeBaseline } from "../../agent/baseline/baseline-file.ts";
import { type StoredTerm, termId } from "../../agent/baseline/stored-term.ts";
import { KinwatchError } from "../../agent/errors.ts";

const origin: BaselineOrigin = {
  host: "golden-01",
  exported: "2026-01-31T08:00:00.000Z",
  rules: [{ id: "a", version: "1" }, { id: "b" }],
};
const term: StoredTerm = {
  rule: "a",
  scope: "web-01",
  field: "process.parent",
  value: ["/usr/bin/bash", "/a.sh"],
  firstSeenMs: 1_700_000_000_000,
  lastSeenMs: 1_700_000_000_001,
  learned: true,
};
const linesOf = (terms: readonly StoredTerm[]) => [...writeBaseline(origin, terms.length, terms)];
const fileOf = (terms: readonly StoredTerm[]) => Buffer.from(linesOf(terms).join(""));

test("readBaseline(): gives back any terms that writeBaseline() was given", () => {
  const anyText = fc.string({ unit: "binary" });
  const anyTerm = fc
    .record({
      rule: fc.string({ minLength: 1 }),
      scope: fc
        .tuple(
          anyText,
          fc.constantFrom("", " ", " image:kw/a", "web image:a b\n", " container:unknown", "image:\n"),
        )
        .map(([text, more]) => text.toWellFormed() + more),
      field: fc.string({ minLength: 1 }),
      value: fc.array(anyText, { minLength: 1, maxLength: 3 }),
      times: fc.tuple(fc.nat(8.64e15), fc.nat(8.64e15)),
      learned: fc.boolean(),
    })
    .map(({ times, ...rest }) => ({
      ...rest,
      firstSeenMs: Math.min(...times),
      lastSeenMs: Math.max(...times),
    }));
  fc.assert(
    fc.property(fc.array(anyTerm), (terms) => {
      const lines = linesOf(terms);
      const { terms: read, checksum, ...head } = readBaseline(Buffer.from(lines.join("")), "f");
      assert.deepEqual(read, terms);
      assert.deepEqual(head, origin);
      assert.equal(lines.at(-1), `{"sha256":"${checksum}"}\n`);
      assert.equal(checksum, createHash("sha256").update(lines.slice(0, -1).join("")).digest("hex"));
    }),
  );
});

test("readBaseline(): any file that was cut off or has a byte changed is refused", () => {
  const good = fileOf([term, { ...term, rule: "b", scope: "" }]);
  fc.assert(
    fc.property(fc.nat(good.length - 2), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(good);
      changed.writeUInt8(good.readUInt8(at) ^ change, at);
      for (const bytes of [changed, good.subarray(0, at)]) {
        assert.throws(
          () => readBaseline(bytes, "f"),
          (error) => error instanceof KinwatchError && /^KW_BASELINE_/.test(error.code),
        );
      }
    }),
    { numRuns: 500 },
  );
});

/** Lines that are not what they should be, with the right checksum. */
function signed(...lines: readonly string[]): Buffer {
  const text = lines.map((line) => `${line}\n`).join("");
  return Buffer.from(`${text}{"sha256":"${createHash("sha256").update(text).digest("hex")}"}\n`);
}
const [head = "", line = ""] = linesOf([term]).map((text) => text.trimEnd());
const with1 = (text: string, replacement: string) => {
  assert.ok(line.includes(text));
  return signed(head, line.replace(text, replacement));
};

const rows: readonly { why: string; bytes: Buffer; code: string; message: RegExp }[] = [
  { why: "nothing", bytes: Buffer.alloc(0), code: "INVALID", message: /line 1: it is no baseline/ },
  { why: "a newline", bytes: Buffer.from("\n"), code: "INVALID", message: /line 1: it is no baseline/ },
  { why: "bytes", bytes: Buffer.alloc(9_999, 0xa5), code: "INVALID", message: /line 1: it is no baseline/ },
  { why: "an alert", bytes: signed('{"event":{}}'), code: "INVALID", message: /line 1: it is no baseline/ },
  { why: "a list", bytes: signed("[]"), code: "INVALID", message: /line 1: it is no baseline/ },
  {
    why: "a newer version, whatever else is in it",
    bytes: Buffer.from('{"format":"kinwatch-baseline","version":2}\nmore\n'),
    code: "NEWER",
    message: /line 1: it is of version 2, and this kinwatch reads 1/,
  },
  {
    why: "no version",
    bytes: signed(head.replace('"version":1', '"version":"1"')),
    code: "INVALID",
    message: /line 1: it has no version/,
  },
  {
    why: "the head alone",
    bytes: Buffer.from(`${head}\n`),
    code: "INVALID",
    message: /line 1: it is no baseline/,
  },
  {
    why: "no checksum",
    bytes: Buffer.from(`${head}\n${line}\n`),
    code: "DAMAGED",
    message: /line 2: there is no checksum: the end is missing/,
  },
  {
    why: "a checksum of something else",
    bytes: Buffer.concat([Buffer.from(`${head}\n${line}\n`), signed("x").subarray(2)]),
    code: "DAMAGED",
    message: /line 3: the checksum is of other lines/,
  },
  {
    why: "lines after the checksum",
    bytes: Buffer.concat([fileOf([term]), Buffer.from(`${line}\n`)]),
    code: "DAMAGED",
    message: /line 4: there is no checksum/,
  },
  {
    why: "fewer terms than it says",
    bytes: signed(head),
    code: "INVALID",
    message: /line 1: it says 1 terms, and 0 come/,
  },
  {
    why: "no host",
    bytes: signed(head.replace("golden-01", "")),
    code: "INVALID",
    message: /line 1: .*host/,
  },
  { why: "a line that is no JSON", bytes: signed(head, "{"), code: "INVALID", message: /line 2: / },
  {
    why: "a key that is not known",
    bytes: with1('"rule"', '"x":1,"rule"'),
    code: "INVALID",
    message: /line 2: .*"x"/,
  },
  { why: "no rule", bytes: with1('"rule":"a",', ""), code: "INVALID", message: /line 2: rule: / },
  {
    why: "no values",
    bytes: with1('["/usr/bin/bash","/a.sh"]', "[]"),
    code: "INVALID",
    message: /line 2: value: /,
  },
  {
    why: "a value that is a number",
    bytes: with1('"/a.sh"', "7"),
    code: "INVALID",
    message: /line 2: value\.1: /,
  },
  {
    why: "a time that is none",
    bytes: with1("2023-11-14T22:13:20.000Z", "2023-11-31T22:13:20.000Z"),
    code: "INVALID",
    message: /line 2: first_seen: is no time/,
  },
  {
    why: "a time of another zone",
    bytes: with1("20.001Z", "20.001+01:00"),
    code: "INVALID",
    message: /line 2: last_seen: is no time/,
  },
  {
    why: "a last sighting before the first",
    bytes: with1("20.001Z", "19.999Z"),
    code: "INVALID",
    message: /line 2: last_seen: is before first_seen/,
  },
];
for (const { why, bytes, code, message } of rows) {
  test(`readBaseline(): refuses ${why}, and says where`, () => {
    assert.throws(
      () => readBaseline(bytes, "dir/\u001bgolden"),
      (error) => {
        assert.ok(error instanceof KinwatchError);
        assert.equal(error.code, `KW_BASELINE_${code}`, error.message);
        assert.match(error.message, /^dir\/\\x1bgolden, line /);
        assert.match(error.message, message);
        assert.match(error.message, /; nothing was imported\.$/);
        return true;
      },
    );
  });
}

test("readBaseline(): an end without a newline is whole", () => {
  assert.deepEqual(readBaseline(fileOf([term]).subarray(0, -1), "f").terms, [term]);
});

test("termId(): the same for ever, and another for each part", () => {
  assert.equal(termId(term), "99e1026db880b171");
  const others: Partial<StoredTerm>[] = [
    { rule: "b" },
    { scope: "" },
    { field: "process.previous" },
    { value: ["/usr/bin/bash", ""] },
    { value: ["/usr/bin/bash"] },
  ];
  const ids = new Set(others.map((other) => termId({ ...term, ...other })));
  assert.equal(ids.add(termId(term)).size, 6);
  assert.equal(termId({ ...term, firstSeenMs: 1, lastSeenMs: 1, learned: false }), termId(term));
});
