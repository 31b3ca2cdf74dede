import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  dpkgNames,
  dpkgPackages,
  dpkgPattern,
  type OwnedBy,
  oneOf,
  rpmOwners,
} from "../../agent/packages/owner-answer.ts";

const mark = "5f1c";
const between = "file /proc/self is not owned by any package\n";

function record(name: string, nevra = `${name}-1:2.0-3.x86_64`, epoch = "1"): string {
  return `${[mark, name, mark, epoch, mark, "2.0", mark, "3", mark, "x86_64", mark, nevra, mark].join("")}\n`;
}

const owned: OwnedBy = {
  result: "owned",
  type: "rpm",
  name: "kw",
  version: "1:2.0-3",
  architecture: "x86_64",
  nevra: "kw-1:2.0-3.x86_64",
};

test("rpmOwners(): tells of each file in the order of the question", () => {
  const answer = `${record("kw")}${between}file /b is not owned by any package\n${between}${between}`;
  const owners = rpmOwners(answer, ["/a", "/b", "/c"], mark);
  assert.deepEqual(
    [...(owners ?? [])],
    [
      ["/a", owned],
      ["/b", { result: "none" }],
      ["/c", { result: "unknown", reason: "it has gone" }],
    ],
  );
});

test("rpmOwners(): an epoch of 0 is none, and a file of two architectures is one package's", () => {
  const answer = `${record("kw", "kw-2.0-3.x86_64", "0")}${record("kw", "kw-2.0-3.i686", "0")}${between}`;
  const owner = rpmOwners(answer, ["/a"], mark)?.get("/a");
  assert.ok(owner?.result === "owned");
  assert.deepEqual([owner.version, owner.nevra], ["2.0-3", "kw-2.0-3.x86_64"]);
});

test("rpmOwners(): a file of two packages is neither's", () => {
  const owner = rpmOwners(`${record("a")}${record("b")}${between}`, ["/a"], mark)?.get("/a");
  assert.deepEqual(owner, { result: "unknown", reason: "several packages have it: a, b" });
});

const answers = [
  { why: "one that ends early", answer: record("kw") },
  { why: "one with more in it", answer: `${record("kw")}${between}${record("evil")}` },
  { why: "a record without a name", answer: `${record("")}${between}` },
  { why: "a record that is cut off", answer: record("kw").slice(0, -10) },
  { why: "another file's name", answer: `file /b is not owned by any package\n${between}` },
  { why: "other words", answer: `/a is nobody's\n${between}` },
  { why: "no answer", answer: "" },
];
for (const { why, answer } of answers)
  test(`rpmOwners(): does not understand ${why}`, () => {
    assert.equal(rpmOwners(answer, ["/a"], mark), undefined);
  });

test("rpmOwners(): no name of a file makes it a package's, or another one's", () => {
  const pieces = fc.constantFrom("/", "a", "\n", "file ", " is not owned by any package\n", between, "5f1");
  const paths = fc.uniqueArray(
    fc.array(pieces, { maxLength: 6 }).map((some) => `/${some.join("")}`),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(paths, fc.nat(3), (all, at) => {
      const isOwned = (index: number) => index === at % all.length;
      const answer = all
        .map((path, index) => (isOwned(index) ? record("kw") : `file ${path} is not owned by any package\n`))
        .map((one) => one + between);
      const owners = rpmOwners(answer.join(""), all, mark);
      assert.deepEqual(
        all.map((path) => owners?.get(path)?.result),
        all.map((_, index) => (isOwned(index) ? "owned" : "none")),
      );
    }),
  );
});

test("dpkgPattern(): takes the meaning of a pattern's characters away", () => {
  assert.equal(dpkgPattern("/usr/bin/[*?\\a"), "/usr/bin/\\[\\*\\?\\\\a");
});

test("dpkgNames(): a diverted file is of who diverted it, and of nobody where the administrator did", () => {
  const names = dpkgNames(
    [
      "bash: /bin/bash",
      "libc6:amd64, libc6:i386: /lib/a: b",
      "diversion by dash from: /bin/sh",
      "diversion by dash to: /bin/sh.distrib",
      "dash, other: /bin/sh",
      "local diversion from: /usr/bin/perf",
      "local diversion to: /usr/bin/perf.distrib",
      "linux-perf: /usr/bin/perf",
      "diversion by new from: /usr/bin/old",
      "diversion by new to: /usr/bin/old.new",
      "old: /usr/bin/old",
      "",
    ].join("\n"),
  );
  assert.deepEqual(
    [...names],
    [
      ["/bin/bash", ["bash"]],
      ["/lib/a: b", ["libc6:amd64", "libc6:i386"]],
      ["/bin/sh", ["dash"]],
    ],
  );
});

test("dpkgPackages(): is found by each name that dpkg has for it", () => {
  const packages = dpkgPackages("libc6:amd64\tlibc6\t2.36-9\tamd64\nbash\tbash\t5.2\tamd64\nbroken\n");
  const libc = { result: "owned", type: "deb", name: "libc6", version: "2.36-9", architecture: "amd64" };
  assert.deepEqual(packages.get("libc6:amd64"), libc);
  assert.equal(packages.get("bash")?.name, "bash");
  assert.equal(packages.get("bash"), packages.get("bash:amd64"));
  assert.equal(packages.get("broken"), undefined);
});

test("oneOf(): nobody is none", () => {
  assert.deepEqual(oneOf([]), { result: "none" });
});
