import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitNevra } from "../../agent/packages/outcome.ts";

const rows: [why: string, nevra: string, name: string, version: string, architecture: string][] = [
  ["plain", "bash-5.1.8-9.el9.x86_64", "bash", "5.1.8-9.el9", "x86_64"],
  ["an epoch", "nginx-1:1.20.1-10.el7.x86_64", "nginx", "1:1.20.1-10.el7", "x86_64"],
  [
    "dashes and dots in a name",
    "java-17-openjdk-17.0.1-2.el9.x86_64",
    "java-17-openjdk",
    "17.0.1-2.el9",
    "x86_64",
  ],
  ["a key", "gpg-pubkey-fd431d51-4ae0493b", "gpg-pubkey-fd431d51-4ae0493b", "", ""],
  ["cut, as RHEL 7 does", "kernel-", "kernel-", "", ""],
  ["a line break in it", "a\nb-1-1.noarch", "a\nb", "1-1", "noarch"],
  ["nothing", "", "", "", ""],
];
for (const [why, nevra, ...want] of rows) {
  test(`splitNevra(): ${why}`, () => {
    const { name, version, architecture } = splitNevra(nevra);
    assert.deepEqual([name, version, architecture], want);
  });
}

test("splitNevra(): gives back what rpm put together", () => {
  const part = fc.stringMatching(/^[a-zA-Z0-9._+~^]{1,12}$/);
  const parts = fc.record({
    name: fc.stringMatching(/^[a-zA-Z0-9._+-]{0,15}[a-zA-Z0-9]$/),
    epoch: fc.option(
      fc.nat().map((number) => `${number}:`),
      { nil: "" },
    ),
    version: part,
    release: part,
    architecture: fc.stringMatching(/^[a-z0-9_]{1,8}$/),
  });
  fc.assert(
    fc.property(parts, ({ name, epoch, version, release, architecture }) => {
      const evr = `${epoch}${version}-${release}`;
      assert.deepEqual(splitNevra(`${name}-${evr}.${architecture}`), { name, version: evr, architecture });
    }),
  );
});

test("splitNevra(): loses nothing of what is no package name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (nevra) => {
      const { name, version, architecture } = splitNevra(nevra);
      assert.equal(version === "" ? name : `${name}-${version}.${architecture}`, nevra);
    }),
  );
});
