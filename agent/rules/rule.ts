/** A rule as the engine takes it, whoever wrote its file. Read by rule-file.ts; docs/rules.md says what each part is for. */
import { createHash } from "node:crypto";
import type { KqlNode } from "./kql-tree.ts";

export interface Rule {
  readonly id: string; // rule_id: names its history and its alerts, so it must never be used for another rule
  readonly version: string;
  readonly name: string;
  readonly description: string;
  readonly severity: Severity;
  readonly riskScore: number; // 0 to 100
  readonly tags: readonly string[];
  readonly references: readonly string[];
  readonly falsePositives: readonly string[];
  readonly author: readonly string[];
  readonly license: string | undefined;
  readonly note: string | undefined; // the guide, in Markdown
  readonly setup: string | undefined; // in Markdown
  readonly threat: readonly Threat[];
  readonly maxSignals: number; // alerts in an interval; what is above it is summarised
  readonly intervalMs: number;
  readonly query: string;
  readonly tree: KqlNode;
  readonly newTerms: NewTerms;
  readonly on: Subject;
  readonly relatedRule: string | undefined; // the id of somebody else's rule that this one answers to
  readonly source: RuleSource;
}

export type Severity = "low" | "medium" | "high" | "critical";

/** ECS has threat as one object with arrays inside; a rule has one such for each framework and tactic. */
export interface Threat {
  readonly framework: string;
  readonly tactic: Technique;
  readonly techniques: readonly (Technique & { readonly subtechniques: readonly Technique[] })[];
}

export interface Technique {
  readonly id: string;
  readonly name: string;
  readonly reference: string | undefined;
}

export interface NewTerms {
  readonly fields: readonly string[]; // one to three
  readonly historyMs: number; // how far back a term is known; Infinity: for ever
}

/**
 * What a rule is asked about. process: an execution, which is all that a rule of Elastic's can mean. installation: packages are
 * being installed, as the command line or the first SOFTWARE_UPDATE record tells. outcome: what came of that is known.
 */
export type Subject = "process" | "installation" | "outcome";

export interface RuleSource {
  readonly file: string; // as a person named it
  readonly builtIn: boolean;
}

/** What a rule asks, short: one that asks for something else has to learn what is usual. How long it remembers is no part of it. */
export function questionOf({ id, on, query, newTerms }: Rule): string {
  const asked = JSON.stringify([on, query, newTerms.fields]);
  return `${id} ${createHash("sha256").update(asked).digest("base64url").slice(0, 22)}`;
}
