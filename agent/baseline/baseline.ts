/**
 * Was this seen here before? What is seen while kinwatch learns is taken for granted, by the time of the event and not of
 * its reading, so that a restart in the middle, a slow disk or a replay learn the same. Rules stay with their own history.
 *
 * A term is known for as long as its rule remembers, counted from when it was seen last. What is seen again is written down
 * with the position in the log, so that a kill between the two changes nothing. What a person strikes out is new again at once.
 */
import type { Term } from "../rules/term.ts";

/** Where terms are kept, and the end of learning with them. */
export interface TermStore {
  lastSeenMs(rule: string, scope: string, term: Term): number | undefined;
  see(rule: string, scope: string, term: Term, timeMs: number, learned: boolean): void;
  seeAgain(rule: string, scope: string, term: Term, timeMs: number): void;
  forgetRule(rule: string): void;
  isChangedByOthers(): boolean;
  meta(key: string): string | undefined;
  setMeta(key: string, value: string): void;
}

/** history: all that happened before the start. none: nothing. Else a time from the start on, and the history. */
export type Learn = "history" | "none" | { readonly durationMs: number };

/** Whose terms they are: a rule, on a host or whatever else has a history of its own. */
export interface History {
  readonly rule: string;
  readonly scope: string;
  readonly historyMs: number; // how far back a term is known; Infinity: for ever
}

interface Sighting {
  readonly history: History;
  readonly term: Term;
  timeMs: number;
}

const UNTIL = "learn_until_ms";
const KNOWN_MAX = 16_384; // terms whose last sighting need not be asked of the store
const SEEN_MAX = 16_384; // terms seen again that are not written down yet

export class Baseline {
  readonly #store: TermStore;
  #untilMs: number | undefined;
  readonly #known = new Map<string, number>();
  readonly #seen = new Map<string, Sighting>();
  readonly #fresh = new Set<string>(); // learned in a transaction that is not over

  constructor(store: TermStore) {
    this.#store = store;
    this.#readUntil();
  }

  /** Whether this state has been told what to learn, by a first start whose word holds; not by a reading of history that was cut off. */
  get begun(): boolean {
    return this.#untilMs !== undefined && this.#untilMs !== Number.POSITIVE_INFINITY;
  }

  /** @param nowMs the moment of the start; Infinity while all is history */
  begin(learn: Learn, nowMs: number): void {
    this.#set(learn === "none" ? 0 : learn === "history" ? nowMs : nowMs + learn.durationMs);
  }

  /** What happened up to here was never watched for: it is history too. */
  extend(nowMs: number): void {
    if (!this.isLearning(nowMs)) this.#set(nowMs);
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

  /** To be called before what came next is decided: another process may have struck out what is held here as known. */
  refresh(): void {
    if (!this.#store.isChangedByOthers()) return;
    this.#known.clear();
    for (const [key, { history, term }] of this.#seen)
      if (this.#store.lastSeenMs(history.rule, history.scope, term) === undefined) this.#seen.delete(key);
  }

  /** The terms that were not seen within what the rule remembers before `timeMs`. */
  firstSightings(history: History, terms: readonly Term[], timeMs: number): Term[] {
    return terms.filter((term) => {
      const lastMs = this.#lastSeenMs(history, term);
      return lastMs === undefined || lastMs < timeMs - history.historyMs;
    });
  }

  /** New terms: at once in the store, within the caller's transaction. */
  learn(history: History, terms: readonly Term[], timeMs: number, learned = this.isLearning(timeMs)): void {
    for (const term of terms) {
      this.#fresh.add(keyOf(history, term));
      this.#store.see(history.rule, history.scope, term, timeMs, learned);
    }
  }

  /** Terms that are known. They are written down by the next write(). */
  seeAgain(history: History, terms: readonly Term[], timeMs: number): void {
    if (history.historyMs === Number.POSITIVE_INFINITY) return; // it does not matter when
    for (const term of terms) {
      const key = keyOf(history, term);
      const seen = this.#seen.get(key);
      if (this.#fresh.has(key)) this.#store.seeAgain(history.rule, history.scope, term, timeMs);
      else if (seen === undefined) this.#seen.set(key, { history, term, timeMs });
      else seen.timeMs = Math.max(seen.timeMs, timeMs);
    }
  }

  /** All terms of a rule, within the caller's transaction. */
  forget(rule: string): void {
    this.#store.forgetRule(rule);
    this.#known.clear();
    for (const [key, { history }] of this.#seen) if (history.rule === rule) this.#seen.delete(key);
  }

  /** Whether there is so much to write down that it should not wait. */
  get isFull(): boolean {
    return this.#seen.size >= SEEN_MAX;
  }

  /** Writes down what was seen again, within the caller's transaction: written() when that is over. */
  write(): void {
    for (const { history, term, timeMs } of this.#seen.values())
      this.#store.seeAgain(history.rule, history.scope, term, timeMs);
  }

  /** @param isDone whether that transaction was; if not, what was learned and read in it did not happen */
  written(isDone: boolean): void {
    if (!isDone) {
      this.#known.clear();
      this.#readUntil();
    } else {
      for (const key of [...this.#fresh, ...this.#seen.keys()]) this.#known.delete(key);
      this.#seen.clear();
    }
    this.#fresh.clear();
  }

  #lastSeenMs(history: History, term: Term): number | undefined {
    const key = keyOf(history, term);
    const isFresh = this.#fresh.has(key);
    const knownMs = isFresh ? undefined : (this.#seen.get(key)?.timeMs ?? this.#known.get(key));
    if (knownMs !== undefined) return knownMs;
    const storedMs = this.#store.lastSeenMs(history.rule, history.scope, term);
    if (storedMs === undefined || isFresh) return storedMs;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(key, storedMs);
    return storedMs;
  }

  #readUntil(): void {
    const stored = this.#store.meta(UNTIL);
    this.#untilMs = stored === undefined ? undefined : Number(stored);
  }

  #set(untilMs: number): void {
    this.#untilMs = untilMs;
    this.#store.setMeta(UNTIL, String(untilMs));
  }
}

function keyOf({ rule, scope }: History, { field, value }: Term): string {
  return JSON.stringify([rule, scope, field, value]);
}
