/** A rule as a page of Markdown: what `rules show` prints, and for the built-in ones docs/rules/. */
import type { Rule, Subject, Threat } from "./rule.ts";

const subjects: Readonly<Record<Subject, string>> = {
  process: "executions",
  installation: "packages being installed",
  outcome: "what came of installations",
};

export function rulePage(rule: Rule): string {
  const facts = [
    `Severity: ${rule.severity} (${rule.riskScore})`,
    `Asked about: ${subjects[rule.on]}`,
    `New is: ${rule.newTerms.fields.map((field) => `\`${field}\``).join(" with ")}, ${memory(rule)}`,
    `Id: \`${rule.id}\`, version ${rule.version}`,
    ...(rule.source.builtIn ? [] : [`File: \`${rule.source.file}\``]),
    ...(rule.relatedRule === undefined ? [] : [`Answers to the rule \`${rule.relatedRule}\``]),
    ...(rule.author.length === 0
      ? []
      : [`By: ${[...rule.author, rule.license ?? ""].filter(Boolean).join(", ")}`]),
  ];
  const sections = [
    `# ${rule.name}`,
    rule.description.trim(),
    list(facts),
    `## Query\n\n\`\`\`text\n${rule.query.trim()}\n\`\`\``,
    rule.note?.trim(),
    section("Set-up", rule.setup?.trim()),
    section("False positives", list(rule.falsePositives)),
    section("ATT&CK", list(rule.threat.flatMap(threatLines))),
    section("References", list(rule.references)),
  ];
  return `${sections.filter((text) => text !== undefined).join("\n\n")}\n`;
}

/** "5d", or "never": how long a value is known. */
export function historyText({ newTerms: { historyMs } }: Rule): string {
  if (historyMs === Number.POSITIVE_INFINITY) return "never";
  const [ms, unit] = units.find(([ms]) => historyMs % ms === 0) ?? [1_000, "s"];
  return `${historyMs / ms}${unit}`;
}

const units = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
] as const;

function memory(rule: Rule): string {
  const history = historyText(rule);
  return history === "never" ? "and never forgotten" : `not seen for ${history}`;
}

function section(heading: string, text: string | undefined): string | undefined {
  return text ? `## ${heading}\n\n${text}` : undefined;
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item.trim()}`).join("\n");
}

function threatLines({ tactic, techniques }: Threat): string[] {
  const named = ({ id, name }: { readonly id: string; readonly name: string }) => `${id} ${name}`;
  if (techniques.length === 0) return [named(tactic)];
  return techniques.map((technique) => {
    const below = technique.subtechniques.map(named).join(", ");
    return `${named(tactic)}: ${named(technique)}${below === "" ? "" : `: ${below}`}`;
  });
}
