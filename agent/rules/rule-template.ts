/** What `rules new` prints: a rule that loads, with a word on each part that its author has to think about. */
import { stringify } from "smol-toml";

export function ruleTemplate(name: string, id: string): string {
  return `# A rule for kinwatch, in the format of Elastic's public rules: docs/rules.md.
# Test it with \`kinwatch rules check FILE\` and \`kinwatch rules match --rule FILE\`, then put it
# into a folder of rules.directories. It alerts when the fields of [rule.new_terms] have values
# that they did not have on this host before, in an event that the query matches.

[rule]
${stringify({ name, rule_id: id }).trim()} # names its history: never use it for another rule
type = "new_terms"
description = "In a sentence: what happened, and why it matters."
severity = "medium" # low, medium, high, critical
risk_score = 47 # usual are 21, 47, 73, 99
tags = ["OS: Linux"]

# Which events it is about. Lines between three apostrophes need no escapes. All fields:
# docs/alert-fields.md. A star matches anything, in quotes it is a star.
query = '''
event.category:process and event.type:start and
process.name:(curl or wget) and not process.parent.executable:/usr/bin/dnf*
'''

# The guide for whoever gets the alert, in Markdown.
note = """
## What to ask

1. Is the parent one that should do this?

## What to do

- If it was meant to be, nothing: it is known from now on.
"""
false_positives = ["What alerts without being bad."]

# One to three fields: an alert is raised when their values, all together, are new.
[rule.new_terms]
field = "new_terms_fields"
value = ["process.parent.executable"]

# How long a value is known after it was seen last: now-5d, now-12h, or never for never forgotten.
[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "now-5d"

# ATT&CK, told in the alert: a table for each tactic.
[[rule.threat]]
framework = "MITRE ATT&CK"

[rule.threat.tactic]
id = "TA0011"
name = "Command and Control"
reference = "https://attack.mitre.org/tactics/TA0011/"

[[rule.threat.technique]]
id = "T1105"
name = "Ingress Tool Transfer"
reference = "https://attack.mitre.org/techniques/T1105/"

# What it is asked about: "process" (executions), "installation" (packages being installed), or
# "outcome" (what came of that). Without this table: process.
[kinwatch]
on = "process"
`;
}
