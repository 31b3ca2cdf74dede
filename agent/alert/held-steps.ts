/**
 * Steps that wait for an answer before they are judged, in their order: none comes by one that was before it. Others are read
 * meanwhile, for the processes that those are about end.
 */
import type { Step } from "../rules/pass.ts";

interface Held {
  readonly step: Step;
  readonly answer: Promise<void>;
  isAnswered: boolean;
}

export class HeldSteps {
  readonly #held: Held[] = [];

  get size(): number {
    return this.#held.length;
  }

  /** Settles when the first of them is answered; undefined: none waits. */
  get next(): Promise<void> | undefined {
    return this.#held[0]?.answer;
  }

  /** @param answer left out: it needs none, but waits for its turn */
  add(step: Step, answer?: Promise<void>): void {
    const held: Held = {
      step,
      answer:
        answer?.then(() => {
          held.isAnswered = true;
        }) ?? Promise.resolve(),
      isAnswered: answer === undefined,
    };
    this.#held.push(held);
  }

  /** Those whose turn it is. */
  take(): Step[] {
    const waiting = this.#held.findIndex(({ isAnswered }) => !isAnswered);
    return this.#held.splice(0, waiting === -1 ? this.#held.length : waiting).map(({ step }) => step);
  }

  /** All, as there is no more time. */
  takeAll(): Step[] {
    return this.#held.splice(0).map(({ step }) => step);
  }
}
