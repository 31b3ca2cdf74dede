import assert from "node:assert/strict";
import { test } from "node:test";
import { containerOf, readContainerOnce } from "../../agent/lineage/container-of.ts";
import type { Container } from "../../agent/sources/source.ts";
import { imageOf } from "../helpers/images.ts";

const web: Container = { id: "ab", runtime: "podman", name: "web", image: "kw/web:1", reason: undefined };
const tool = imageOf({ pid: 900 });
const parent = imageOf({ pid: 800, executable: "/usr/bin/bash" });
const shim = imageOf({ pid: 700, executable: "/usr/bin/conmon" });
const init = imageOf({ pid: 1, executable: "/usr/lib/systemd/systemd" });
const chain = [parent, shim, init];

const rows: readonly { why: string; known: Readonly<Record<number, Container | "none">>; want: unknown }[] = [
  { why: "the process itself tells", known: { 900: web, 1: "none" }, want: { ...web, from: "process" } },
  { why: "its parent, when it is over", known: { 800: web, 1: "none" }, want: { ...web, from: "ancestor" } },
  { why: "a process of the host is in none", known: { 900: "none" }, want: undefined },
  { why: "so is the child of one", known: { 800: "none" }, want: undefined },
  {
    why: "who started the container is outside of it, and tells nothing of it",
    known: { 700: "none", 1: "none" },
    want: {
      id: undefined,
      runtime: undefined,
      name: undefined,
      image: undefined,
      reason: "all of its processes were over before they were asked",
      from: "nobody",
    },
  },
];
for (const { why, known, want } of rows)
  test(`containerOf(): ${why}`, () => {
    assert.deepEqual(
      containerOf(tool, chain, ({ exec }) => known[exec.pid]),
      want,
    );
  });

test("containerOf(): without anybody to ask nothing is known, as of a stored log", () => {
  assert.equal(containerOf(tool, chain, undefined), undefined);
});

test("containerOf(): the program that starts containers is itself of the host", () => {
  const started = containerOf(shim, [init], ({ exec }) => (exec.pid === 700 ? "none" : undefined));
  assert.equal(started, undefined);
});

test("readContainerOnce(): an image is asked about once, whatever becomes of its process", () => {
  let asked = 0;
  const read = readContainerOnce(() => {
    asked += 1;
    return asked === 1 ? web : undefined;
  });
  assert.deepEqual([read(tool), read(tool), asked], [web, web, 1]);
});
