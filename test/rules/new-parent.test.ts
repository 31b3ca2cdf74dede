import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessImage } from "../../agent/lineage/process-image.ts";
import type { Installation } from "../../agent/packages/installation.ts";
import { readRpmCommandLine } from "../../agent/packages/rpm-command-line.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { matchNewParent } from "../../agent/rules/new-parent.ts";
import { imageOf, scriptImage } from "../helpers/images.ts";

const shell = imageOf({ executable: "/usr/bin/bash", args: ["-bash"] });
const script = imageOf({ executable: "/usr/bin/bash", script: "/root/a.sh" }, { parent: shell });
const sudo = imageOf({ executable: "/usr/bin/sudo" }, { parent: shell, previous: script });
const installationOf = (links: Partial<ProcessImage>): Installation => ({
  image: imageOf({}, links),
  command: undefined,
  begun: "execution",
  timeMs: 0,
  serial: 0,
  updates: [],
});

const rows: {
  why: string;
  links: Partial<ProcessImage>;
  parent: [string, string] | undefined;
  previous?: [string, string][];
  unresolved?: RegExp;
}[] = [
  { why: "a program is its path", links: { parent: shell }, parent: ["/usr/bin/bash", ""] },
  {
    why: "behind an interpreter it is the script too",
    links: { parent: scriptImage("/opt/x.sh") },
    parent: ["/usr/bin/bash", "/opt/x.sh"],
  },
  {
    why: "a script that became the tool (exec rpm) is asked as well as who started it",
    links: { parent: shell, previous: script },
    parent: ["/usr/bin/bash", ""],
    previous: [["/usr/bin/bash", "/root/a.sh"]],
  },
  {
    why: "a program that became the tool is asked, and all that it was before",
    links: { parent: shell, previous: sudo },
    parent: ["/usr/bin/bash", ""],
    previous: [
      ["/usr/bin/sudo", ""],
      ["/usr/bin/bash", "/root/a.sh"],
    ],
  },
  {
    why: "the same program twice is asked once",
    links: { parent: shell, previous: imageOf({ executable: "/usr/bin/sudo" }, { previous: sudo }) },
    parent: ["/usr/bin/bash", ""],
    previous: [
      ["/usr/bin/sudo", ""],
      ["/usr/bin/bash", "/root/a.sh"],
    ],
  },
  {
    why: "a parent that was not seen is no term, so it is never known",
    links: { unresolved: "not seen" },
    parent: undefined,
    unresolved: /no record of its parent/,
  },
  {
    why: "nor is an orphan's",
    links: { unresolved: "orphaned" },
    parent: undefined,
    unresolved: /died before/,
  },
  {
    why: "nor one whose pid was reused",
    links: { unresolved: "pid reused" },
    parent: undefined,
    unresolved: /pid/,
  },
  { why: "nor one that was let go", links: { unresolved: "let go" }, parent: undefined, unresolved: /table/ },
  {
    why: "nor one whose program may not be read: all such would be one",
    links: { parent: imageOf({ executable: "" }) },
    parent: undefined,
    unresolved: /may not be read/,
  },
  ...["/dev/fd/63", "/proc/self/fd/63", "/proc/812/fd/3", "/dev/stdin", "/dev/fd/3/x"].map((path) => ({
    why: `nor a script without a name of its own: ${path}`,
    links: { parent: scriptImage(path) },
    parent: undefined,
    unresolved: /file descriptor/,
  })),
  {
    why: "nor one that became the tool",
    links: { parent: shell, previous: scriptImage("/dev/fd/63") },
    parent: ["/usr/bin/bash", ""],
    unresolved: /file descriptor/,
  },
  {
    why: "a file with such a name elsewhere is a file",
    links: { parent: scriptImage("/srv/dev/fd/63") },
    parent: ["/usr/bin/bash", "/srv/dev/fd/63"],
  },
  {
    why: "what it was before is asked all the same",
    links: { unresolved: "orphaned", previous: script },
    parent: undefined,
    previous: [["/usr/bin/bash", "/root/a.sh"]],
    unresolved: /died before/,
  },
  {
    why: "no parent at all is a fact, and can be known: a container's first process",
    links: { unresolved: "none" },
    parent: ["", ""],
  },
];
for (const { why, links, parent, previous = [], unresolved } of rows) {
  test(`matchNewParent(): ${why}`, () => {
    const match = matchNewParent(installationOf(links));
    assert.deepEqual(match.terms, [
      ...(parent === undefined ? [] : [{ field: "process.parent", value: parent }]),
      ...previous.map((value) => ({ field: "process.previous", value })),
    ]);
    if (unresolved === undefined) assert.equal(match.unresolved, undefined);
    else assert.match(match.unresolved ?? "", unresolved);
  });
}

const systemd = imageOf({ pid: 1, executable: "/usr/lib/systemd/systemd" });
const automatic = imageOf(
  { executable: "/usr/bin/python3.9", script: "/usr/bin/dnf-automatic" },
  { unresolved: "orphaned", adopter: systemd },
);
const byRecords = { begun: "record", command: undefined, timeMs: 0, serial: 0, updates: [] } as const;
const command = readRpmCommandLine({ argv: ["rpm", "-i", "x"], executable: undefined }, shippedAliases);

test("matchNewParent(): a service that installs is named by itself, and can be known", () => {
  assert.deepEqual(matchNewParent({ ...byRecords, image: automatic }), {
    terms: [{ field: "process.service", value: ["/usr/bin/python3.9", "/usr/bin/dnf-automatic"] }],
    unresolved: undefined,
  });
});

test("matchNewParent(): rpm below pid 1 is an orphan, and never known", () => {
  const image = imageOf({}, { unresolved: "orphaned", adopter: systemd });
  const match = matchNewParent({ ...byRecords, begun: "execution", command, image });
  assert.deepEqual(match.terms, []);
  assert.match(match.unresolved ?? "", /took it over/);
});

test("matchNewParent(): what a login left behind is no service", () => {
  const image = imageOf({ ...automatic.exec, ses: 3 }, { unresolved: "orphaned", adopter: systemd });
  const match = matchNewParent({ ...byRecords, image });
  assert.deepEqual(match.terms, []);
  assert.match(match.unresolved ?? "", /died before/);
});
