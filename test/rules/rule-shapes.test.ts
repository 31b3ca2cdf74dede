/** Rules of our own in the shapes that Elastic's Linux rules have: each loads, or is refused for a reason that has a name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "../helpers/rules.ts";

interface Shape {
  readonly why: string;
  readonly query: string;
  readonly terms: readonly string[];
  readonly more?: string; // keys of [rule]
  readonly refused?: RegExp; // the code and the reason; absent: it loads
}

const exec = "host.os.type:linux and event.category:process and event.type:start and event.action:exec";
const shapes: Shape[] = [
  {
    why: "one parent",
    query: `${exec} and process.name:make and process.args:("-f" or "--file")`,
    terms: ["process.parent.executable"],
  },
  {
    why: "a host and a command line, with several actions of other sensors",
    query:
      'host.os.type:"linux" and event.category:"process" and event.type:"start" and\nevent.action:("exec" or "exec_event" or "start" or "ProcessRollup2" or "executed" or "process_started") and\nprocess.name:(openssl or gpg) and not process.parent.name:(cron or *-helper)',
    terms: ["host.id", "process.command_line"],
  },
  {
    why: "three terms, ranges and exclusions in lists",
    query: `${exec} and process.args_count >= 4 and process.command_line:(*//* or *|* and not (*dnf* or *apt*)) and not process.parent.args:(a or "b c" or /opt/*)`,
    terms: ["process.parent.executable", "process.executable", "user.id"],
  },
  {
    why: "an interactive shell below a login",
    query: `${exec} and process.interactive:true and process.entry_leader.entry_meta.type:(sshd or console) and process.parent.command_line:*`,
    terms: ["process.name"],
  },
  {
    why: "the environment",
    query: `${exec} and process.env_vars:(LD_PRELOAD=* or LD_LIBRARY_PATH=*)`,
    terms: ["process.env_vars"],
  },
  {
    why: "capabilities, and ids of the parent",
    query: `${exec} and process.thread.capabilities.effective:(CAP_SYS_ADMIN or CAP_BPF) and not process.parent.user.id:"0" and process.parent.group.id:*`,
    terms: ["host.id", "process.executable"],
  },
  {
    why: "a change of user",
    query:
      'event.category:process and host.os.type:linux and event.type:change and event.action:uid_change and user.id:"0"',
    terms: ["process.parent.name"],
  },
  {
    why: "mappings and suppression",
    query: `${exec} and process.working_directory:(/tmp or /dev/shm/*)`,
    terms: ["process.executable"],
    more: '[[rule.severity_mapping]]\nfield = "event.severity"\noperator = "equals"\nseverity = "low"\nvalue = "21"\n[rule.alert_suppression]\ngroup_by = ["host.id"]\n',
  },
  {
    why: "system calls, which kinwatch does not read",
    query: "event.category:process and auditd.data.syscall:mprotect and auditd.data.a2:7",
    terms: ["process.executable"],
    refused:
      /^KW_RULE_FIELD_UNUSABLE rule\.query: No event has "auditd\.data\.syscall": kinwatch reads executions/,
  },
  {
    why: "forks",
    query: "event.category:process and event.action:fork and process.name:a",
    terms: ["process.executable"],
    refused: /^KW_RULE_UNSERVED .*No event can satisfy it/,
  },
  {
    why: "files",
    query: "event.category:file and event.type:creation and file.path:/etc/*",
    terms: ["file.path"],
    refused: /^KW_RULE_(UNSERVED|FIELD_UNUSABLE) /,
  },
];

for (const { why, query, terms, more = "", refused } of shapes) {
  test(`readRules(): ${refused ? "refuses" : "takes"} the shape of a rule on ${why}`, () => {
    const { rules, mistakes } = read(`[metadata]
creation_date = "2026/01/31"
integration = ["endpoint", "auditd_manager"]
maturity = "production"
updated_date = "2026/02/01"

[transform]
[[transform.osquery]]
label = "Processes"
query = "SELECT 1"

[rule]
author = ["A person"]
building_block_type = "default"
description = "A rule."
from = "now-9m"
index = ["auditbeat-*", "logs-endpoint.events.process*"]
language = "kuery"
license = "Apache-2.0"
max_signals = 50
name = "A rule"
risk_score = 21
rule_id = "3d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"
setup = """## Setup

None.
"""
severity = "low"
tags = ["Domain: Endpoint", "OS: Linux"]
timestamp_override = "event.ingested"
type = "new_terms"
query = '''
${query}
'''

${more}
[rule.investigation_fields]
field_names = ["@timestamp"]

[rule.new_terms]
field = "new_terms_fields"
value = ${JSON.stringify(terms)}
[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "now-14d"
`);
    const [first] = mistakes;
    if (refused) assert.match(`${first?.code} ${first?.text}`, refused);
    else assert.deepEqual(mistakes, []);
    assert.equal(rules.length, refused ? 0 : 1);
  });
}
