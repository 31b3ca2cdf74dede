import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAuditStatus } from "../../agent/health/audit-status.ts";

const rows = [
  {
    why: "audit 2.8 (EL 7)",
    text: "enabled 1\nfailure 1\npid 778\nrate_limit 0\nbacklog_limit 8192\nlost 21\nbacklog 0\nloginuid_immutable 0 unlocked\n",
    want: { enabled: 1, pid: 778, lost: 21, backlog: 0, backlogLimit: 8192, rateLimit: 0 },
  },
  {
    why: "audit 3.0 and later, whose backlog_wait_time is none of ours",
    text: "enabled 0\nfailure 1\npid 0\nrate_limit 0\nbacklog_limit 64\nlost 0\nbacklog 3\nbacklog_wait_time 15000\nbacklog_wait_time_actual 12\nloginuid_immutable 0 unlocked\n",
    want: { enabled: 0, pid: 0, lost: 0, backlog: 3, backlogLimit: 64, rateLimit: 0 },
  },
  {
    why: "locked, with a rate limit",
    text: "enabled 2\nfailure 2\npid 1021\nrate_limit 500\nbacklog_limit 32768\nlost 0\nbacklog 0\nbacklog_wait_time 60000\n",
    want: { enabled: 2, pid: 1021, lost: 0, backlog: 0, backlogLimit: 32768, rateLimit: 500 },
  },
  {
    why: "audit 2.3 (EL 6) on one line",
    text: "AUDIT_STATUS: enabled=1 flag=1 pid=1234 rate_limit=0 backlog_limit=320 lost=5 backlog=1\n",
    want: { enabled: 1, pid: 1234, lost: 5, backlog: 1, backlogLimit: 320, rateLimit: 0 },
  },
  { why: "a refusal is no status", text: "You must be root to run this program.\n", want: undefined },
  { why: "nothing is no status", text: "", want: undefined },
] as const;
for (const { why, text, want } of rows) {
  test(`parseAuditStatus(): ${why}`, () => assert.deepEqual(parseAuditStatus(text), want));
}
