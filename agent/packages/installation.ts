/**
 * Executions and SOFTWARE_UPDATE records become installations: what was meant, and what came of it. dnf, yum, microdnf and
 * PackageKit install inside their own process, so they are known by the records alone. rpm, plugins/audit.c.
 */
import type { Counters } from "../counters.ts";
import type { SoftwareUpdate } from "../events/exec-event.ts";
import type { ProcessImage } from "../lineage/process-table.ts";
import type { RpmAliases } from "./rpm-aliases.ts";
import { type RpmCommandLine, readRpmCommandLine } from "./rpm-command-line.ts";

export interface Installation {
  readonly image: ProcessImage; // the process that installs
  readonly command: RpmCommandLine | undefined; // undefined: known by its records alone
  readonly timeMs: number; // of the execution, or of the first record
  readonly serial: number;
  readonly updates: SoftwareUpdate[];
}

const OUTCOME_MS = 10_000; // what waits for an outcome goes without it then: an alert is no use for ever
const SETTLED_MS = 1_000; // the records of one transaction come in one go; later ones are another's
const WAITING_MAX = 1_024; // installations at once; a host runs one, rpm's database is locked meanwhile

export class InstallationJoin {
  readonly #aliases: RpmAliases;
  readonly #counters: Counters;
  readonly #waiting = new Map<string, Installation>(); // by process
  readonly #recent = new Map<string, ProcessImage>(); // rpm processes whose time was up, for records that come late

  constructor(aliases: RpmAliases, counters: Counters) {
    this.#aliases = aliases;
    this.#counters = counters;
  }

  /** An execution: the installation it is, if any. */
  execution(image: ProcessImage): Installation | undefined {
    const { exec } = image;
    if (!/(?:^|\/)rpm[^/]*$/.test(exec.executable)) return undefined;
    const command = readRpmCommandLine(
      { argv: exec.args, executable: exec.executable, complete: exec.argumentsComplete },
      this.#aliases,
    );
    if (command === undefined || !command.installs) return undefined;
    return this.#begin(image, command, exec.timeMs, exec.serial);
  }

  /** A record: the installation that it begins, if none of its process is waiting for it. */
  update(update: SoftwareUpdate, image: ProcessImage): Installation | undefined {
    const key = processKey(image);
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.updates.push(update);
      return undefined;
    }
    if (this.#recent.get(key) === image) {
      this.#counters.outcomes_late += 1;
      return undefined;
    }
    if (update.operation === "remove") return undefined;
    const installation = this.#begin(image, undefined, update.timeMs, update.serial);
    installation.updates.push(update);
    return installation;
  }

  /** Those whose outcome is known, or will not come any more. */
  settled(nowMs: number): Installation[] {
    if (this.#waiting.size === 0) return [];
    const settled = [...this.#waiting].filter(([, { timeMs, updates }]) => {
      const last = updates.at(-1);
      return last === undefined ? nowMs - timeMs > OUTCOME_MS : nowMs - last.timeMs > SETTLED_MS;
    });
    return settled.map(([key, installation]) => this.#end(key, installation));
  }

  /** All that wait, as they are. */
  flush(): Installation[] {
    return this.settled(Number.POSITIVE_INFINITY);
  }

  #begin(
    image: ProcessImage,
    command: RpmCommandLine | undefined,
    timeMs: number,
    serial: number,
  ): Installation {
    const installation: Installation = { image, command, timeMs, serial, updates: [] };
    if (this.#waiting.size >= WAITING_MAX) {
      const [key, oldest] = this.#waiting.entries().next().value as [string, Installation];
      this.#end(key, oldest);
    }
    this.#waiting.set(processKey(image), installation);
    this.#counters.installs_read += 1;
    return installation;
  }

  #end(key: string, installation: Installation): Installation {
    this.#waiting.delete(key);
    if (installation.command !== undefined) {
      this.#recent.delete(key);
      this.#recent.set(key, installation.image);
      if (this.#recent.size > WAITING_MAX) this.#recent.delete(this.#recent.keys().next().value as string);
    }
    if (installation.updates.length === 0) this.#counters.installs_without_outcome += 1;
    return installation;
  }
}

function processKey({ exec }: ProcessImage): string {
  return `${exec.node ?? ""} ${exec.pid}`;
}
