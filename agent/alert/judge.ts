/**
 * Decides what becomes an alert: what a rule matched, and this host has not seen before. What it writes is written within one
 * transaction with the position in the log: what is told twice is decided twice, alike.
 */
import type { Baseline, History, Learn } from "../baseline/baseline.ts";
import { scopeOf } from "../baseline/scope.ts";
import type { Counters } from "../counters.ts";
import { type ProcessImage, previousImages } from "../lineage/process-image.ts";
import type { Installation } from "../packages/installation.ts";
import { exemptionOf } from "../rules/exceptions.ts";
import { matchNewParent, newParentRule } from "../rules/new-parent.ts";
import type { Found, Knowledge, Matched, Settled, Step } from "../rules/pass.ts";
import { questionOf, type Rule } from "../rules/rule.ts";
import type { ExceptionHits, Outputs, Store } from "../store/store.ts";
import type { AgentDocument, AlertDocument, HostDocument, PrevalenceDocument } from "./alert-document.ts";
import type { Dispatch, Told } from "./dispatch.ts";
import {
  type AlertContext,
  ecsAlert,
  ecsRuleAlert,
  installationId,
  summaryAlert,
  withOutcome,
} from "./ecs-alert.ts";
import { withOwners } from "./ecs-owner.ts";
import { type PrevalenceQuestion, prevalenceQuestion } from "./prevalence-question.ts";

export interface JudgeOptions {
  readonly store: Store;
  readonly baseline: Baseline;
  readonly rules: readonly Rule[];
  readonly outputs: Outputs; // who takes alerts
  readonly dispatch: Dispatch | undefined; // to Elasticsearch
  readonly prevalence?: FleetKnowledge | undefined;
  readonly namespace: string; // of its data streams
  readonly learn: Learn;
  readonly isLog: boolean; // what is watched tells of what was before, too
  readonly startMs: number | undefined; // undefined: stored logs, judged by their own time
  readonly knowledge: Knowledge & { readonly host: () => HostDocument | undefined };
  readonly agent: AgentDocument;
  readonly counters: Counters;
  readonly nowMs: () => number | undefined; // when it is decided; undefined: a stored log, when it happened
}

/** What the fleet can be asked: answers come while an alert waits for its outcome. */
export interface FleetKnowledge {
  ask(question: PrevalenceQuestion): void;
  answer(question: PrevalenceQuestion): PrevalenceDocument;
}

/** What bounds the alerts of a rule. */
type Limited = Pick<Rule, "id" | "maxSignals" | "intervalMs">;

/** Of the state: whether this state has followed a log, if not up to a position. */
export const FOLLOWED = "log_followed";
const RULES = "rules"; // where the questions are that this state has learned for
const ANSWERED = "answered"; // where those are that its terms answer, also of rules that have gone
const ANSWERED_MAX = 65_536; // twice as many rules as folders can hold
const SAMPLE_MAX = 100; // ids that a summary names
const nobody: Outputs = { raised: [], completed: [] };

export class Judge {
  readonly #options: JudgeOptions;
  #rules: readonly Rule[];
  #known: ReadonlySet<Rule>; // those that this state had before: what lies before its position is decided
  #ofInstallations: readonly string[] = []; // ids
  readonly #hits = new Map<string, ExceptionHits>(); // of exceptions, not written down yet
  readonly #raised = new WeakMap<Installation, string[]>(); // the ids of the alerts that await its outcome
  readonly #inherits: boolean; // whether alerts that were raised before the start await theirs
  #begun: boolean;
  /** Whether there may be alerts that a summary has to tell of. */
  isHolding = true;

  constructor(options: JudgeOptions) {
    const { store, baseline, rules, learn, startMs } = options;
    this.#options = options;
    this.#rules = rules;
    this.#known = asking(rules, JSON.parse(store.meta(RULES) ?? "[]") as string[]);
    this.#inherits = store.awaiting().length > 0;
    this.#findWaiting();
    this.#begun = startMs !== undefined;
    if (startMs === undefined) return;
    if (!baseline.begun) baseline.begin(learn, startMs);
    else if (this.#isFirstLog() && learn !== "none") baseline.extend(startMs);
    if (options.isLog) store.setMeta(FOLLOWED, "yes");
  }

  /** Those of these rules that know nothing of the past: new ones, and such as ask for something else than they did. */
  newcomers(rules: readonly Rule[]): Rule[] {
    const had = asking(rules, this.#rules.map(questionOf));
    return rules.filter((rule) => !had.has(rule));
  }

  /** Of a rule that was edited: what it matched before is no history of what it asks now. Within the caller's transaction. */
  forgetFormer(rules: readonly Rule[]): void {
    const { store, baseline } = this.#options;
    const before = store.meta(ANSWERED) ?? store.meta(RULES) ?? "[]";
    const answered = new Map((JSON.parse(before) as string[]).map((question) => [idIn(question), question]));
    for (const rule of rules) {
      const question = questionOf(rule);
      const former = answered.get(rule.id);
      if (former === question) continue;
      if (former !== undefined) baseline.forget(rule.id);
      answered.set(rule.id, question);
    }
    const questions = JSON.stringify([...answered.values()].slice(-ANSWERED_MAX));
    if (questions !== before) store.setMeta(ANSWERED, questions);
  }

  /** Other rules are in force. What was matched by those before is judged as it was matched. */
  renew(rules: readonly Rule[]): void {
    this.#rules = rules;
    this.#known = asking(rules, [...this.#known].map(questionOf));
    this.#findWaiting();
  }

  /** A stored log's first event was read: what is to be learned of it is counted from there. */
  begin(timeMs: number): void {
    const { baseline, learn } = this.#options;
    if (this.#begun || timeMs === 0) return;
    baseline.begin(learn, learn === "history" ? Number.POSITIVE_INFINITY : timeMs);
    this.#begun = true;
  }

  /** Whether a step needs no transaction of its own: it is not to be judged then. */
  isKnown(step: Step): boolean {
    if (step.kind === "executed") return true;
    const isExcepted = step.kind !== "settled" && this.#isExcepted(step);
    if (step.kind === "found") return isExcepted && (this.#options.dispatch === undefined || step.seen);
    if (isExcepted) return true;
    if (step.kind !== "matched") return false;
    const { match, timeMs, seen } = step;
    if (seen && this.#known.has(match.rule)) return true;
    const { baseline } = this.#options;
    const history = historyOf(step);
    if (baseline.firstSightings(history, match.terms, timeMs).length > 0) return false;
    baseline.seeAgain(history, match.terms, timeMs);
    return true;
  }

  judge(step: Step): void {
    if (step.kind === "found") this.#found(step);
    else if (step.kind === "matched") this.#judgeMatch(step);
    else if (step.kind === "settled") this.#complete(step);
  }

  /** Whom the alert tells of that a step may raise: the tool, who started it, and what it was before. */
  toldImages(step: Step): readonly ProcessImage[] {
    if (step.kind === "executed" || step.kind === "settled" || step.seen || !this.#mayRaise(step)) return [];
    const { image } = step.kind === "found" ? step.installation : step.subject;
    return [image, ...step.ancestors, ...previousImages(image)];
  }

  /** Whether an alert of this step is handed on at once, and once more when it is complete. */
  isToldTwice(step: Step): boolean {
    return step.kind !== "matched" || step.subject.kind === "installation";
  }

  /** Writes down what exceptions held back, within the caller's transaction: written() when that is over. */
  writeHits(): void {
    for (const [exception, hits] of this.#hits) this.#options.store.addHits(exception, hits);
  }

  /** @param isDone whether that transaction was; if not, what was summarised in it was not */
  written(isDone: boolean): void {
    if (isDone) this.#hits.clear();
    else this.isHolding = true;
  }

  /**
   * All that there is has been read.
   * @param waiting those whose outcome may still come: of others' alerts, whose installation is in no log any more, it will not
   */
  caughtUp(waiting: readonly Installation[], nowMs: number): void {
    const { store } = this.#options;
    const ids = new Set(waiting.flatMap((installation) => this.#alertIds(installation)));
    for (const id of store.awaiting()) if (!ids.has(id)) this.#completeAlert(id, []);
    this.#options.dispatch?.caughtUp(waiting);
    this.summarise(nowMs);
    this.remember();
  }

  /** All rules in force know the past: what is retained of it needs not be learned again. */
  remember(): void {
    this.#options.store.setMeta(RULES, JSON.stringify(this.#rules.map(questionOf)));
  }

  /** Tells of alerts that were held back, in intervals that are over. */
  summarise(nowMs: number, rule?: string): void {
    if (!this.isHolding) return;
    const { store, outputs, dispatch } = this.#options;
    for (const { rule: id, signals } of store.heldSignals(nowMs)) {
      if (rule !== undefined && id !== rule) continue;
      store.setSignals(id, { ...signals, held: 0, sample: [] });
      const first = store.alert(signals.sample[0] ?? "");
      if (first === undefined) continue; // it was let go of, and counted as that
      const summary = summaryAlert(JSON.parse(first) as AlertDocument, { rule: id, ...signals });
      if (store.addAlert(summary.event.id, JSON.stringify(summary), outputs, true)) dispatch?.alert(summary);
    }
    this.isHolding = store.heldSignals(Number.POSITIVE_INFINITY).length > 0;
  }

  /** Whether what the log retains is all new to this state, which was begun where there was none. */
  #isFirstLog(): boolean {
    const { isLog, store } = this.#options;
    return isLog && store.meta(FOLLOWED) === undefined && store.cursor() === undefined;
  }

  #isExcepted(step: Found | Matched): boolean {
    const [exemptions, timeMs] =
      step.kind === "found"
        ? [step.exemptions, step.installation.timeMs]
        : [step.match.exemptions, step.timeMs];
    const exception = exemptionOf(exemptions);
    if (exception === undefined) return false;
    if (step.seen) return true; // it was counted before
    const { hits, lastMs } = this.#hits.get(exception) ?? { hits: 0, lastMs: timeMs };
    this.#hits.set(exception, { hits: hits + 1, lastMs: Math.max(lastMs, timeMs) });
    this.#options.counters.alerts_excepted += 1;
    return true;
  }

  #found(found: Found): void {
    const { installation, seen, exemptions } = found;
    if (!seen) this.#options.dispatch?.installation(installation, this.#contextOf(found));
    if (exemptionOf(exemptions) === undefined) this.#judgeInstallation(found);
  }

  /** By what is known before what came with it is judged: of two that are new together both may. */
  #mayRaise(step: Found | Matched): boolean {
    const { baseline } = this.#options;
    if (step.kind === "matched") return !baseline.isLearning(step.timeMs);
    const { timeMs } = step.installation;
    if (baseline.isLearning(timeMs)) return false;
    const { terms, unresolved } = matchNewParent(step.installation);
    return (
      unresolved !== undefined || baseline.firstSightings(newParentHistory(step), terms, timeMs).length > 0
    );
  }

  #judgeInstallation(found: Found): void {
    const { installation, seen } = found;
    const { baseline, counters } = this.#options;
    const { timeMs } = installation;
    const history = newParentHistory(found);
    const match = matchNewParent(installation);
    const news = baseline.firstSightings(history, match.terms, timeMs);
    if (seen || (news.length === 0 && match.unresolved === undefined)) return;
    baseline.learn(history, news, timeMs);
    if (baseline.isLearning(timeMs)) counters.alerts_learned += 1;
    else {
      const alert = ecsAlert(installation, { ...match, terms: news }, this.#contextOf(found));
      this.#askFleet(installation);
      this.#raise(newParentRule, alert, timeMs, installation);
    }
  }

  /** What a rule of a file matched. One that this state did not have before learns from what is retained of the past. */
  #judgeMatch(matched: Matched): void {
    const { match, subject, timeMs, seen } = matched;
    const { baseline, counters } = this.#options;
    const { rule, terms } = match;
    const history = historyOf(matched);
    const news = baseline.firstSightings(history, terms, timeMs);
    const old = terms.filter((term) => !news.includes(term));
    baseline.seeAgain(history, old, timeMs);
    if (news.length === 0) return;
    const isLearned = seen || baseline.isLearning(timeMs);
    baseline.learn(history, news, timeMs, isLearned);
    if (isLearned) counters.alerts_learned += 1;
    else {
      const alert = ecsRuleAlert(subject, { rule, terms: news }, this.#contextOf(matched));
      const awaited = subject.kind === "installation" ? subject.installation : undefined;
      this.#askFleet(awaited);
      this.#raise(rule, alert, timeMs, awaited);
    }
  }

  /**
   * Above the limit of its rule a live alert is stored, and a summary tells of it when the rule's interval is over.
   * @param awaited the installation whose outcome is waited for; undefined: nothing more will be known
   */
  #raise(
    { id: rule, maxSignals, intervalMs }: Limited,
    alert: AlertDocument,
    timeMs: number,
    awaited: Installation | undefined,
  ): void {
    const { store, outputs, dispatch, counters, startMs } = this.#options;
    const isComplete = awaited === undefined;
    if (!isComplete) this.#raised.set(awaited, [...(this.#raised.get(awaited) ?? []), alert.event.id]);
    if (startMs === undefined) {
      if (store.addAlert(alert.event.id, JSON.stringify(alert), outputs, isComplete))
        counters.alerts_raised += 1;
      return; // who looks back wants to see all
    }
    const fromMs = Math.floor(timeMs / intervalMs) * intervalMs;
    let signals = store.signals(rule);
    // A little earlier is late; much earlier is a clock that was set back.
    if (signals === undefined || timeMs >= signals.untilMs || timeMs < signals.fromMs - intervalMs) {
      this.summarise(Number.POSITIVE_INFINITY, rule);
      signals = { fromMs, untilMs: fromMs + intervalMs, raised: 0, held: 0, sample: [] };
    }
    const { id } = alert.event;
    if (signals.raised < maxSignals) {
      if (!store.addAlert(id, JSON.stringify(alert), outputs, isComplete)) return;
      if (isComplete) dispatch?.alert(alert);
      store.setSignals(rule, { ...signals, raised: signals.raised + 1 });
      counters.alerts_raised += 1;
      return;
    }
    const held: AlertDocument = { ...alert, kinwatch: { ...alert.kinwatch, held: true } };
    if (!store.addAlert(id, JSON.stringify(held), nobody, isComplete)) return;
    const sample = signals.sample.length < SAMPLE_MAX ? [...signals.sample, id] : signals.sample;
    store.setSignals(rule, { ...signals, held: signals.held + 1, sample });
    counters.alerts_held += 1;
    this.isHolding = true;
  }

  #complete({ installation, ancestors }: Settled): void {
    const { knowledge, dispatch, prevalence } = this.#options;
    const told: Told = (document) =>
      withOwners(document, installation.image, ancestors, knowledge.readOwners);
    dispatch?.settled(installation, told);
    const question = prevalence && prevalenceQuestion(installation);
    const known = question && prevalence.answer(question);
    const ids = this.#inherits ? this.#alertIds(installation) : (this.#raised.get(installation) ?? []);
    for (const id of ids) this.#completeAlert(id, installation.updates, told, known);
  }

  #askFleet(installation: Installation | undefined): void {
    const question = installation && this.#options.prevalence && prevalenceQuestion(installation);
    if (question !== undefined) this.#options.prevalence?.ask(question);
  }

  /** @param told the alert with what was found out meanwhile */
  #completeAlert(
    id: string,
    updates: Installation["updates"],
    told: Told = (alert) => alert,
    prevalence?: PrevalenceDocument,
  ): void {
    const { store, outputs, dispatch } = this.#options;
    const document = store.awaitsOutcome(id);
    if (document === undefined) return; // nothing was new about it, or it was completed before a restart
    const alert = withOutcome(told(JSON.parse(document) as AlertDocument), updates, prevalence);
    store.completeAlert(id, JSON.stringify(alert), alert.kinwatch.held ? nobody : outputs);
    dispatch?.alert(alert);
  }

  /** Those that an installation can have, and that await its outcome. */
  #alertIds(installation: Installation): string[] {
    return [newParentRule.id, ...this.#ofInstallations].map((rule) => installationId(installation, rule));
  }

  /** Whose alerts may await an outcome: a rule may have gone since, or at a restart. */
  #findWaiting(): void {
    const asked = this.#rules.filter(({ on }) => on === "installation").map(({ id }) => id);
    this.#ofInstallations = [...new Set([...asked, ...this.#options.store.awaitingRules()])];
  }

  #contextOf({ ancestors, counters }: Found | Matched): AlertContext {
    const { knowledge, agent, namespace, nowMs } = this.#options;
    return { ...knowledge, host: knowledge.host(), agent, namespace, nowMs: nowMs(), ancestors, counters };
  }
}

function asking(rules: readonly Rule[], questions: readonly string[]): ReadonlySet<Rule> {
  const asked = new Set(questions);
  return new Set(rules.filter((rule) => asked.has(questionOf(rule))));
}

function idIn(question: string): string {
  return question.slice(0, question.lastIndexOf(" "));
}

function newParentHistory({ installation: { image }, container }: Found): History {
  const scope = scopeOf(image.exec.node, container);
  return { rule: newParentRule.id, scope, historyMs: Number.POSITIVE_INFINITY };
}

function historyOf({ match: { rule }, subject: { image }, container }: Matched): History {
  return { rule: rule.id, scope: scopeOf(image.exec.node, container), historyMs: rule.newTerms.historyMs };
}
