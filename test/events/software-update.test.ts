import assert from "node:assert/strict";
import { test } from "node:test";
import type { SoftwareUpdate } from "../../agent/events/exec-event.ts";
import { readSoftwareUpdate } from "../../agent/events/software-update.ts";

const outer = "pid=20 uid=0 auid=4294967295 ses=4294967295 subj=kernel ";
const rows: readonly { why: string; record: string; want: Partial<SoftwareUpdate> | undefined }[] = [
  {
    why: "all that rpm says",
    record: `${outer}msg='op=update sw="a-2:1.0-1.el9.noarch" sw_type=rpm key_enforce=1 gpg_res=1 root_dir="/mnt" comm="dnf" exe="/usr/bin/python3.9" hostname=h addr=? terminal=pts/0 res=success'\x1dUID="root" AUID="unset"`,
    want: {
      ...{ pid: 20, uid: 0, auid: undefined, ses: undefined, operation: "update", type: "rpm", root: "/mnt" },
      ...{ nevra: "a-2:1.0-1.el9.noarch", signatureRequired: true, signatureVerified: true, comm: "dnf" },
      ...{ executable: "/usr/bin/python3.9", success: true },
    },
  },
  {
    why: "a name and a root that need hex",
    record: `${outer}msg='op=install sw=6120622D312D31 root_dir=2F6D6E742F6120622F comm=7920756D exe="/usr/bin/yum" res=failed'`,
    want: { nevra: "a b-1-1", root: "/mnt/a b/", comm: "y um", success: false },
  },
  {
    why: "RHEL 7: no op, and the root's quote is cut off (linux-audit/audit-userspace#359)",
    record: `${outer}msg='sw="nginx-1:1.20.1-10.el7.x86_64" sw_type=rpm key_enforce=0 gpg_res=1 root_dir="/ comm="yum" exe="/usr/bin/python2.7" hostname=? addr=? terminal=? res=success'`,
    want: { operation: "unknown", root: "/", comm: "yum", executable: "/usr/bin/python2.7", success: true },
  },
  {
    why: "cut within the name",
    record: `${outer}msg='op=install sw="some-very-long-na comm="yum" exe="/usr/bin/yum" res=success'`,
    want: { nevra: "some-very-long-na", root: "/", comm: "yum", signatureVerified: undefined },
  },
  {
    why: "nothing behind the name",
    record: `${outer}msg='sw="a-1-1'`,
    want: { nevra: "a-1-1", success: undefined },
  },
  {
    why: "an apostrophe in a path",
    record: `${outer}msg='op=remove sw="a-1-1" root_dir="/it's" res=1'`,
    want: { operation: "remove", root: "/it's", success: true },
  },
  { why: "no package", record: `${outer}msg='op=install res=success'`, want: undefined },
  { why: "no process", record: `uid=0 msg='op=install sw="a-1-1" res=success'`, want: undefined },
];
for (const { why, record, want } of rows) {
  test(`readSoftwareUpdate(): ${why}`, () => {
    const update = readSoftwareUpdate(record, { node: undefined, timeMs: 1, serial: 2 });
    if (want === undefined) assert.equal(update, undefined);
    else assert.deepEqual(update, { ...update, ...want });
  });
}
