/** A rule file in the form of Elastic's public ones. */
import { type RuleFile, type RuleSet, readRules } from "../../agent/rules/rule-file.ts";

export const goodRule = `[metadata]
creation_date = "2026/01/31"
integration = ["endpoint"]
maturity = "production"
min_stack_version = "9.1.0"
updated_date = "2026/02/01"

[rule]
author = ["A person"]
description = """
Somebody ran a tool.
"""
from = "now-9m"
index = ["logs-endpoint.events.*"]
language = "kuery"
license = "Elastic License v2"
name = "Tool run by an unusual parent"
note = """## Guide

Ask who did it.
"""
references = ["https://example.org/tool"]
risk_score = 21
rule_id = "0d3f2f8e-8a3c-4f57-9d2b-6f6d4b1f0a11"
severity = "low"
tags = ["OS: Linux"]
timestamp_override = "event.ingested"
type = "new_terms"
query = '''
process.name:rpm and process.args:("-i" or "--install")
'''

[[rule.threat]]
framework = "MITRE ATT&CK"

[[rule.threat.technique]]
id = "T1546"
name = "Event Triggered Execution"
reference = "https://attack.mitre.org/techniques/T1546/"

[[rule.threat.technique.subtechnique]]
id = "T1546.016"
name = "Installer Packages"
reference = "https://attack.mitre.org/techniques/T1546/016/"

[rule.threat.tactic]
id = "TA0003"
name = "Persistence"
reference = "https://attack.mitre.org/tactics/TA0003/"

[rule.new_terms]
field = "new_terms_fields"
value = ["process.parent.name"]

[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "now-5d"
`;

export function fileOf(content: string | Buffer, path = "a.toml"): RuleFile {
  return { path, bytes: Buffer.from(content), builtIn: false };
}

export function read(...contents: readonly (string | Buffer)[]): RuleSet {
  return readRules(contents.map((content, index) => fileOf(content, `${index}.toml`)));
}
