import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuditdConfig, parseAuditdConfig } from "../../agent/health/auditd-config.ts";

/** As audit 3.0 and 4.0 bring it, shortened. */
const shipped = `#
# This file controls the configuration of the audit daemon
#
local_events = yes
write_logs = yes
log_file = /var/log/audit/audit.log
log_group = root
log_format = ENRICHED
flush = INCREMENTAL_ASYNC
max_log_file = 8
num_logs = 5
##name = mydomain
max_log_file_action = ROTATE
`;

const rows: readonly { why: string; text: string; want: Partial<AuditdConfig> }[] = [
  {
    why: "what is shipped",
    text: shipped,
    want: {
      logFile: "/var/log/audit/audit.log",
      writesLog: true,
      format: "ENRICHED",
      fileMegabytes: 8,
      files: 5,
      whenFull: "rotate",
    },
  },
  {
    why: "names and words in any case",
    text: "Write_Logs = NO\nLOG_FORMAT=raw",
    want: { writesLog: false, format: "RAW" },
  },
  { why: "audit 2.4 had NOLOG for it", text: "log_format = NOLOG", want: { writesLog: false } },
  {
    why: "another file, without blanks",
    text: "log_file=/data/audit.log",
    want: { logFile: "/data/audit.log" },
  },
  { why: "a comment says nothing", text: "#write_logs = no", want: { writesLog: true } },
  {
    why: "an empty file is auditd's defaults",
    text: "",
    want: { logFile: "/var/log/audit/audit.log", files: 0 },
  },
];
for (const { why, text, want } of rows) {
  test(`parseAuditdConfig(): ${why}`, () => {
    const config = parseAuditdConfig(text);
    assert.deepEqual({ ...config, ...want }, config);
  });
}
