import assert from "node:assert/strict";
import { test } from "node:test";
import { ImageOwners, type ImageOwnersOptions } from "../../agent/packages/image-owners.ts";
import type { Owner } from "../../agent/packages/owner-answer.ts";
import { imageOf, scriptImage } from "../helpers/images.ts";

const bash: Owner = { result: "owned", type: "deb", name: "bash", version: "5.2", architecture: "amd64" };
const none: Owner = { result: "none" };

function ownersOf(given: Partial<ImageOwnersOptions>): ImageOwners {
  return new ImageOwners({
    isThisHost: () => true,
    fileOf: ({ path }) => ({ path }),
    lineOf: () => undefined,
    ask: () => none,
    ...given,
  });
}

function reasonOf(owner: Owner | undefined): string {
  return owner?.result === "unknown" ? owner.reason : String(owner?.result);
}

test("ImageOwners.ask(): what is known at once needs no wait, a script beside its interpreter", () => {
  const asked: unknown[] = [];
  const owners = ownersOf({
    fileOf(path) {
      asked.push([path.path, path.what]);
      return { path: `${path.path}!` };
    },
    ask: (path) => (path === "/usr/bin/bash!" ? bash : none),
  });
  const image = scriptImage();
  assert.equal(owners.of(image), undefined, "nobody asked");
  assert.equal(owners.ask([image, image]), undefined);
  assert.deepEqual(asked, [
    ["/usr/bin/bash", "executable"],
    ["/opt/deploy/update.sh", "script"],
  ]);
  assert.deepEqual([owners.of(image)?.executable, owners.of(image)?.script], [bash, none]);
});

test("ImageOwners.ask(): what is not known at once is said to be open, and told when it came", async () => {
  const late = Promise.withResolvers<Owner>();
  const owners = ownersOf({ ask: () => late.promise });
  const image = imageOf();
  const [first, second] = [owners.ask([image]), owners.ask([image])];
  assert.match(reasonOf(owners.of(image)?.executable), /has not answered yet/);
  late.resolve(bash);
  await Promise.all([first, second]);
  assert.equal(owners.of(image)?.executable, bash);
});

test("ImageOwners.ask(): what was found while a process lived stays when it is over", () => {
  let isOver = false;
  const owners = ownersOf({
    fileOf: ({ path }) => (isOver ? { reason: "it is over", isOver: true } : { path }),
    ask: () => bash,
  });
  const [known, late] = [imageOf(), imageOf({ pid: 901 })];
  owners.ask([known]);
  isOver = true;
  owners.ask([known, late]);
  assert.equal(owners.of(known)?.executable, bash);
  assert.equal(reasonOf(owners.of(late)?.executable), "it is over");
});

test("ImageOwners.ask(): a living process is asked about again, for packages come and go", () => {
  let owner: Owner = bash;
  const owners = ownersOf({ ask: () => owner });
  const image = imageOf();
  owners.ask([image]);
  owner = none;
  owners.ask([image]);
  assert.equal(owners.of(image)?.executable, none);
});

test("ImageOwners.ask(): tells that an interpreter runs something else before its script", () => {
  const owners = ownersOf({ lineOf: () => ({ interpreter: "/usr/bin/bash", options: ["-e"] }) });
  const script = "/opt/deploy/update.sh";
  const has = (...args: readonly string[]) => {
    const image = imageOf({ executable: "/usr/bin/bash", script, workingDirectory: "/opt", args });
    owners.ask([image]);
    return owners.of(image)?.hasOtherOptions;
  };
  assert.equal(has("/bin/bash", "-e", script, "--init-file"), false);
  assert.equal(has("bash", "deploy/update.sh"), false);
  assert.equal(has("bash", "--init-file", "/tmp/evil", "-i", script), true);
  assert.equal(has("a title that it gave itself"), true);
});

test("ImageOwners.ask(): asks nobody about another host, and about a program whose file had gone", () => {
  const owners = ownersOf({
    isThisHost: (node) => node === undefined,
    ask: () => assert.fail("it was asked"),
  });
  const [foreign, deleted] = [imageOf({ node: "web-02" }), imageOf({ deleted: true })];
  owners.ask([foreign, deleted]);
  assert.match(reasonOf(owners.of(foreign)?.executable), /another host/);
  assert.match(reasonOf(owners.of(deleted)?.executable), /deleted/);
});
