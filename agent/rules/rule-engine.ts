/**
 * The rules in force, and which of them an event satisfies. What a rule can match is told by the program's name before anything
 * of the event is looked at, and remembered for each program: a rule that cannot match costs nothing.
 */
import type { ProcessImage } from "../lineage/process-image.ts";
import type { Installation } from "../packages/installation.ts";
import { eventFields, type RuleSubject, type SubjectKind } from "./event-fields.ts";
import type { Exception } from "./exception.ts";
import { compileExceptions, type ExceptionsOf, type Exemption } from "./exceptions.ts";
import { compileKql, type KqlField, type KqlMatcher } from "./kql-match.ts";
import { nameFilter } from "./kql-prefilter.ts";
import { KqlError } from "./kql-tree.ts";
import { newParentRule } from "./new-parent.ts";
import { termsOf } from "./new-terms.ts";
import type { Rule } from "./rule.ts";
import { subjectsOf } from "./rule-subjects.ts";
import type { Term } from "./term.ts";

/** What rules are asked about. */
export interface Asked {
  readonly kind: SubjectKind;
  readonly image: ProcessImage;
  readonly installation: Installation | undefined; // of the kinds that are about one
}

export interface RuleMatch {
  readonly rule: Rule;
  readonly terms: readonly Term[]; // one or more
  readonly complete: boolean; // false: the event has more of them than anybody could look at
  readonly exemptions: readonly Exemption[]; // of what takes it out of the rule: neither alert nor history
}

interface Compiled {
  readonly rule: Rule;
  readonly kinds: readonly SubjectKind[];
  readonly admits: (executable: string | undefined) => boolean;
  readonly matches: KqlMatcher<RuleSubject>;
  readonly fields: readonly KqlField<RuleSubject>[];
  readonly termField: string;
  readonly exceptionsOf: ExceptionsOf | undefined;
}

const PROGRAMS_MAX = 4_096; // whose rules are remembered; a host runs hundreds
const none: readonly Compiled[] = [];

/** Those that may match an execution of one program. */
export type Candidates = readonly Compiled[];

export class RuleEngine {
  readonly rules: readonly Rule[];
  readonly exceptions: readonly Exception[];
  readonly #ofProcesses: readonly Compiled[];
  readonly #others: readonly Compiled[];
  readonly #byProgram = new Map<string, Candidates>();
  /** The same of the rule that is code. */
  readonly newParentExceptionsOf: ExceptionsOf | undefined;

  /**
   * @param rules as they were loaded: their fields are such that events have them
   * @param exceptions as they were loaded
   */
  constructor(rules: readonly Rule[], exceptions: readonly Exception[] = []) {
    const exceptionsOf = compileExceptions(exceptions);
    const compiled = rules.map((rule) => compile(rule, exceptionsOf(rule.id)));
    this.newParentExceptionsOf = exceptionsOf(newParentRule.id);
    this.rules = rules;
    this.exceptions = exceptions;
    this.#ofProcesses = compiled.filter(({ rule }) => rule.on === "process");
    this.#others = compiled.filter(({ rule }) => rule.on !== "process");
  }

  /** @param executable a path, "" when nobody knows */
  candidates(executable: string): Candidates {
    if (this.#ofProcesses.length === 0) return none;
    let known = this.#byProgram.get(executable);
    if (known === undefined) {
      const some = this.#ofProcesses.filter(({ admits }) => admits(executable || undefined));
      known = some.length === 0 ? none : some;
      if (this.#byProgram.size >= PROGRAMS_MAX) this.#byProgram.clear();
      this.#byProgram.set(executable, known);
    }
    return known;
  }

  /** Of an execution. */
  match(candidates: Candidates, subject: RuleSubject): RuleMatch[] {
    return candidates.flatMap((compiled) => {
      const { rule, kinds, matches, fields, termField, exceptionsOf } = compiled;
      if (!kinds.includes(subject.kind) || !matches(subject)) return [];
      const { terms, complete } = termsOf(fields, subject);
      if (terms.length === 0) return [];
      return [
        {
          rule,
          terms: terms.map((term) => ({ field: termField, value: term.map(String) })),
          complete,
          exemptions: exceptionsOf?.(subject) ?? [],
        },
      ];
    });
  }

  /** Of an installation, or what came of it. */
  matchInstallation(subject: RuleSubject): RuleMatch[] {
    return this.match(this.#others, subject);
  }
}

function compile(rule: Rule, exceptionsOf: ExceptionsOf | undefined): Compiled {
  const matches = compileKql(rule.tree, eventFields);
  if (matches instanceof KqlError) throw matches; // it was loaded by the same list of fields
  return {
    rule,
    kinds: subjectsOf(rule.tree, rule.on),
    admits: nameFilter(rule.tree).admitsProgram,
    matches,
    fields: rule.newTerms.fields.flatMap((name) => eventFields(name) ?? []),
    termField: rule.newTerms.fields.join(),
    exceptionsOf,
  };
}
