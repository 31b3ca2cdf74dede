import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { builtInRules, findConfigured, findRules, loadRules } from "../../agent/cli/rule-folders.ts";
import { goodRule } from "../helpers/rules.ts";

function folderWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-rules-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), content, { mode: 0o644 });
  return folder;
}

function names(folder: string, { files }: { files: readonly { path: string }[] }): string[] {
  return files.map(({ path }) => path.slice(folder.length + 1));
}

test("findConfigured(): takes *.toml in the order of their names, and nothing of editors or below", (t) => {
  const folder = folderWith(t, { "b.toml": "", "a.toml": "", ".c.toml": "", "d.toml~": "", "e.txt": "" });
  mkdirSync(join(folder, "below"));
  writeFileSync(join(folder, "below", "f.toml"), "");
  const found = findConfigured([folder]);
  assert.deepEqual(names(folder, found), ["a.toml", "b.toml"]);
  assert.deepEqual(found.mistakes, []);
});

test("findConfigured(): a folder that does not exist is empty, one that cannot be read is a mistake", (t) => {
  const folder = folderWith(t, { file: "" });
  assert.deepEqual(findConfigured([join(folder, "none")]), { files: [], mistakes: [] });
  const { mistakes } = findConfigured([join(folder, "file")]);
  assert.deepEqual(
    mistakes.map(({ code, position }) => [code, position]),
    [["KW_RULE_UNREADABLE", undefined]],
  );
});

test("findConfigured(): what others could change is refused, file by file and folder by folder", (t) => {
  const folder = folderWith(t, { "a.toml": "", "b.toml": "" });
  chmodSync(join(folder, "a.toml"), 0o666);
  const one = findConfigured([folder]);
  assert.deepEqual(names(folder, one), ["b.toml"]);
  assert.deepEqual(
    one.mistakes.map(({ file, code }) => [file, code]),
    [[join(folder, "a.toml"), "KW_RULE_INSECURE"]],
  );
  chmodSync(folder, 0o777);
  const { files, mistakes } = findConfigured([folder]);
  assert.deepEqual(files, []);
  assert.deepEqual(
    mistakes.map(({ file, code }) => [file, code]),
    [[folder, "KW_RULE_INSECURE"]],
  );
});

test("findRules(): a file that is too long, a folder of that name, and a link to nowhere are mistakes", (t) => {
  const folder = folderWith(t, { "long.toml": "#".repeat(262_145), "most.toml": "#".repeat(262_144) });
  mkdirSync(join(folder, "folder.toml"));
  symlinkSync("nowhere", join(folder, "link.toml"));
  const { files, mistakes } = findRules([folder]);
  assert.deepEqual(names(folder, { files }), ["most.toml"]);
  assert.deepEqual(
    mistakes.map(({ file, code }) => [file.slice(folder.length + 1), code]),
    ["folder.toml", "link.toml", "long.toml"].map((name) => [name, "KW_RULE_UNREADABLE"]),
  );
});

test("findRules(): more files than anybody has are not read, and that is said", (t) => {
  const all = Array.from({ length: 2_003 }, (_, index) => [`${index}.toml`, ""]);
  const folder = folderWith(t, Object.fromEntries(all));
  const { files, mistakes } = findRules([folder]);
  assert.equal(files.length, 2_000);
  assert.match(mistakes[0]?.text ?? "", /has 2003 rule files, and the first 2000 are read\. Put the rest/);
});

test("findRules(): a file that is named twice is one", (t) => {
  const folder = folderWith(t, { "a.toml": "" });
  const { files } = findRules([join(folder, "a.toml"), folder, `${folder}/./a.toml`]);
  assert.equal(files.length, 1);
});

test("loadRules(): has the built-in rules first, and those of the folders beside them", (t) => {
  const folder = folderWith(t, { "a.toml": goodRule, "b.toml": goodRule, "c.toml": "x" });
  const { rules, mistakes } = loadRules([folder, join(folder, "none")]);
  assert.deepEqual(
    rules.map(({ source }) => source.builtIn),
    [...builtInRules().map(() => true), false],
  );
  assert.deepEqual(
    mistakes.map(({ code }) => code),
    ["KW_RULE_DUPLICATE", "KW_RULE_NOT_TOML"],
  );
});
