/**
 * Was this seen here before? What is seen while kinwatch learns is taken for granted, by the time of the event and not of
 * its reading, so that a restart in the middle, a slow disk or a replay learn the same. Rules stay with their own history.
 */
import type { Match, Term } from "../rules/new-parent.ts";

/** Where terms are kept, and the end of learning with them. */
export interface TermStore {
  knows(rule: string, scope: string, term: Term): boolean;
  learn(rule: string, scope: string, term: Term, firstSeenMs: number, learned: boolean): void;
  meta(key: string): string | undefined;
  setMeta(key: string, value: string): void;
}

/** history: all that happened before the start. none: nothing. Else a time from the start on, and the history. */
export type Learn = "history" | "none" | { readonly durationMs: number };

const UNTIL = "learn_until_ms";

export class Baseline {
  readonly #store: TermStore;
  #untilMs: number | undefined;

  constructor(store: TermStore) {
    this.#store = store;
    const stored = store.meta(UNTIL);
    this.#untilMs = stored === undefined ? undefined : Number(stored);
  }

  /** Whether this state has been told what to learn, by a first start whose word holds; not by a reading of history that was cut off. */
  get begun(): boolean {
    return this.#untilMs !== undefined && this.#untilMs !== Number.POSITIVE_INFINITY;
  }

  /** @param nowMs the moment of the start; Infinity while all is history */
  begin(learn: Learn, nowMs: number): void {
    this.#set(learn === "none" ? 0 : learn === "history" ? nowMs : nowMs + learn.durationMs);
  }

  /** All the history there is was read: what comes later is judged. */
  endHistory(timeMs: number): void {
    if (this.#untilMs === Number.POSITIVE_INFINITY) this.#set(timeMs);
  }

  /** Events have come to the end of learning: it ends for good, lest a clock that is set back later begin it again. */
  reach(timeMs: number): void {
    if (this.#untilMs && timeMs > this.#untilMs) this.#set(0);
  }

  isLearning(timeMs: number): boolean {
    return timeMs <= (this.#untilMs ?? 0);
  }

  /** The terms that this scope has not seen yet. */
  firstSightings(rule: string, scope: string, { terms }: Match): Term[] {
    return terms.filter((term) => !this.#store.knows(rule, scope, term));
  }

  learn(rule: string, scope: string, terms: readonly Term[], timeMs: number): void {
    for (const term of terms) this.#store.learn(rule, scope, term, timeMs, this.isLearning(timeMs));
  }

  #set(untilMs: number): void {
    this.#untilMs = untilMs;
    this.#store.setMeta(UNTIL, String(untilMs));
  }
}
