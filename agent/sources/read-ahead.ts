/**
 * A source that goes on looking while what it saw is dealt with: who waits for an answer would else miss what comes and goes in
 * /proc meanwhile. Not for logs, whose bytes are used again; they wait by themselves.
 */
import type { Observation, Source } from "./source.ts";

const AHEAD_MAX = 4_096; // observations, as many as a busy host gives in some seconds; the source waits beyond that

export class ReadAhead implements Source {
  readonly #source: Source;
  readonly #aheadMax: number;

  constructor(source: Source, aheadMax = AHEAD_MAX) {
    this.#source = source;
    this.#aheadMax = aheadMax;
  }

  get name(): Source["name"] {
    return this.#source.name;
  }

  get description(): string {
    return this.#source.description;
  }

  cursorAt(): undefined {
    return undefined; // what was read ahead is not decided
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Observation> {
    const ahead: Observation[] = [];
    const end: { is: boolean; error?: unknown } = { is: false };
    let changed = Promise.withResolvers<void>();
    const tell = (): void => {
      changed.resolve();
      changed = Promise.withResolvers();
    };
    const read = async (): Promise<void> => {
      for await (const observation of this.#source) {
        // Of two moments without news the later one says it all.
        if (observation.kind === "idle" && ahead.at(-1)?.kind === "idle") ahead.pop();
        ahead.push(observation);
        tell();
        while (ahead.length >= this.#aheadMax && !end.is) await changed.promise;
        if (end.is) return;
      }
    };
    const reading = read().then(
      () => {},
      (error: unknown) => {
        end.error = error;
      },
    );
    void reading.then(() => {
      end.is = true;
      tell();
    });
    try {
      for (;;) {
        const next = ahead.shift();
        if (next !== undefined) {
          tell();
          yield next;
        } else if (end.error !== undefined) throw end.error;
        else if (end.is) return;
        else await changed.promise;
      }
    } finally {
      end.is = true; // who reads us has left
      tell();
    }
  }
}
