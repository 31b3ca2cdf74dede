/**
 * Tells when to look at folders of rules: shortly after their last change, and now and then where a file system tells nothing.
 * chokidar loses sight of a folder that is put in the place of another, and of one that comes to be below one that was missing
 * too; so what is watched is looked at each time: the folder, or while there is none the nearest above it.
 */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { type FSWatcher, watch } from "chokidar";

export interface RuleWatchOptions {
  readonly directories: readonly string[]; // absolute paths
  readonly look: () => void;
  readonly pollMs?: number;
  readonly listens?: boolean; // to the file system; default: true
}

const SETTLE_MS = 300; // an editor empties a file before it writes it, a copy of many takes a while
const LATEST_MS = 3_000; // after the first change, however many come after it
const POLL_MS = 30_000;

export class RuleWatch implements AsyncDisposable {
  readonly #options: RuleWatchOptions;
  #watcher: FSWatcher | undefined;
  #watched = "";
  #timer: NodeJS.Timeout | undefined;
  #rungMs: number | undefined; // when the first change came that was not looked at
  #isOver = false;

  constructor(options: RuleWatchOptions) {
    this.#options = options;
    this.#listen();
    this.#wait(this.#pollMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    await this.#watcher?.close();
  }

  get #pollMs(): number {
    return this.#options.pollMs ?? POLL_MS;
  }

  #listen(): void {
    if (this.#options.listens === false) return;
    const { directories } = this.#options;
    const places = [...new Set(directories.map(nearest))];
    const watched = JSON.stringify(places.map((place) => [place, identityOf(place)]));
    if (watched === this.#watched) return;
    this.#watched = watched;
    void this.#watcher?.close().catch(() => {}); // nobody listens to it any more
    this.#watcher = watch(places, {
      depth: 0,
      ignoreInitial: true,
      atomic: false,
      ignored: (path) => !directories.some((directory) => isOnTheWay(path, directory)),
    })
      .on("all", this.#ring)
      .on("ready", this.#ring) // for what came before it listened
      .on("error", () => {}); // the poll goes on
  }

  #ring = (): void => {
    if (this.#isOver) return;
    const nowMs = performance.now();
    this.#rungMs ??= nowMs;
    this.#wait(Math.min(SETTLE_MS, Math.max(0, this.#rungMs + LATEST_MS - nowMs)));
  };

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#rungMs = undefined;
      this.#listen(); // first: what changes from here on is told
      this.#options.look();
      this.#wait(this.#pollMs);
    }, ms);
  }
}

function nearest(path: string): string {
  return identityOf(path) === undefined && path !== "/" ? nearest(dirname(path)) : path;
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined; // missing, or nothing that we may see
  }
}

/** The folder itself, what is in it, and the folders above it. */
function isOnTheWay(path: string, directory: string): boolean {
  return (
    path === directory ||
    dirname(path) === directory ||
    directory.startsWith(path === "/" ? path : `${path}/`)
  );
}
