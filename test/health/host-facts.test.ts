import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { HostDocument } from "../../agent/alert/alert-document.ts";
import { addresses, distribution, readHostFacts } from "../../agent/health/host-facts.ts";
import { parseOsRelease } from "../../agent/health/os-release.ts";

test("readHostFacts(): this host, in the alert's shape, at once", () => {
  const beginMs = performance.now();
  const host: HostDocument = readHostFacts();
  assert.ok(performance.now() - beginMs < 200, "does not delay the start");
  assert.equal(host.os?.kernel, readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
  assert.equal(host.hostname, readFileSync("/proc/sys/kernel/hostname", "utf8").trim());
  assert.match(host.architecture ?? "", /^[a-z0-9_]+$/);
  assert.match(host.id ?? "0".repeat(32), /^[0-9a-f]{32}$/);
  for (const mac of host.mac ?? []) assert.match(mac, /^([0-9A-F]{2}-)+[0-9A-F]{2}$/);
});

test("addresses(): each once, none of loopback, no MAC that is none, and not without end", () => {
  const entry = (address: string, mac: string, internal = false) =>
    ({ address, mac, internal, netmask: "", family: "IPv4", cidr: null }) as const;
  const interfaces = {
    lo: [entry("127.0.0.1", "00:00:00:00:00:00", true)],
    eth0: [entry("192.0.2.2", "02:fc:00:00:00:0a"), entry("192.0.2.3", "02:fc:00:00:00:0a")],
    tun0: [entry("198.51.100.1", "00:00:00:00:00:00")],
  };
  assert.deepEqual(addresses(interfaces), {
    ip: ["192.0.2.2", "192.0.2.3", "198.51.100.1"],
    mac: ["02-FC-00-00-00-0A"],
  });
  const many = Array.from({ length: 500 }, (_, index) => entry(`10.0.0.${index}`, `02:00:00:00:00:${index}`));
  assert.equal(addresses({ eth0: many }).ip?.length, 64);
});

const releases = [
  {
    why: "Fedora",
    text: 'NAME="Fedora Linux"\nVERSION="43 (Server Edition)"\nID=fedora\nVERSION_ID=43\nPRETTY_NAME="Fedora Linux 43 (Server Edition)"\n',
    want: {
      platform: "fedora",
      name: "Fedora Linux",
      version: "43",
      full: "Fedora Linux 43 (Server Edition)",
    },
  },
  {
    why: "a rolling distribution has no version",
    text: "NAME='Arch Linux'\nID=arch\n",
    want: { platform: "arch", name: "Arch Linux" },
  },
  {
    why: "escapes, comments, and lines that are none",
    text: '# NAME=x\nNAME="a \\"b\\" \\$c"\n=\nid=x',
    want: { name: 'a "b" $c' },
  },
] as const;
for (const { why, text, want } of releases) {
  test(`distribution(): ${why}`, () => assert.deepEqual(distribution(parseOsRelease(text)), want));
}
