/** Many rules in the shapes of Elastic's, for programs that no log of truth-log.ts has: what do they cost the others? */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const exec =
  'host.os.type:"linux" and event.category:"process" and event.type:"start" and event.action:("exec" or "exec_event" or "start" or "ProcessRollup2" or "executed" or "process_started")';
const names = (n: number, count: number) =>
  Array.from({ length: count }, (_, index) => `"absent-${n}-${index}"`).join(" or ");

/** Conditions on the program, and what is new. */
const shapes: readonly ((n: number) => readonly [query: string, terms: readonly string[]])[] = [
  (n) => [
    `process.name:(${names(n, 3)}) and process.args:("-i" or "--install") and not process.parent.name:(sh or bash)`,
    ["process.parent.executable"],
  ],
  (n) => [
    `process.name:(${names(n, 20)}) and process.args_count >= 3 and process.command_line:(*//* or *|*)`,
    ["host.id", "process.command_line"],
  ],
  (n) => [
    `process.name:absent-${n}* and process.parent.name:* and not process.working_directory:(/opt/* or /usr/*)`,
    ["process.parent.executable", "process.executable", "user.id"],
  ],
  (n) => [
    `process.executable:(/opt/absent-${n}/* or /home/*/.absent-${n}/* or /dev/shm/absent-${n}*) and process.interactive:true`,
    ["process.executable"],
  ],
  (n) => [
    `process.executable:(*/absent-${n} or "/usr/sbin/absent-${n}-x") and not process.parent.executable:/usr/bin/*`,
    ["process.parent.executable", "process.args"],
  ],
];

/** Writes rule files, none of which can match. */
export function writeRules(folder: string, count: number): void {
  for (let n = 0; n < count; n += 1) {
    const [query, terms] = shapes[n % shapes.length]?.(n) ?? ["", []];
    const text = `[metadata]
maturity = "production"

[rule]
author = ["A person"]
description = "Tells when absent-${n} is run."
from = "now-9m"
index = ["logs-endpoint.events.process*"]
language = "kuery"
name = "Absent program ${n}"
note = """## Guide

${"Ask who ran it, and why. ".repeat(100)}
"""
risk_score = 21
rule_id = "absent-${n}"
severity = "low"
tags = ["OS: Linux"]
timestamp_override = "event.ingested"
type = "new_terms"
query = '''
${exec} and
${query}
'''

[[rule.threat]]
framework = "MITRE ATT&CK"

[rule.threat.tactic]
id = "TA0003"
name = "Persistence"
reference = "https://attack.mitre.org/tactics/TA0003/"

[rule.new_terms]
field = "new_terms_fields"
value = ${JSON.stringify(terms)}

[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "now-10d"
`;
    writeFileSync(join(folder, `${n}.toml`), text, { mode: 0o600 });
  }
}
