/**
 * The whole flow, one way: what was observed becomes events, executions are linked to who started them, installations are
 * judged against what this host has seen, and what is new becomes an alert. The daemon, `replay` and `events` are this same
 * pass, so that a log from any host gives the same alerts.
 *
 * Invariant: terms, alerts, what the outputs still have to take and the position in the log are one transaction, and an
 * alert leaves for its outputs only after it. A crash repeats an alert with the same id, it never loses one.
 */
import type { AgentDocument, AlertDocument, HostDocument } from "./alert/alert-document.ts";
import { ecsAlert, installationId, withOutcome } from "./alert/ecs-alert.ts";
import type { NameUser } from "./alert/ecs-process.ts";
import { Baseline, type Learn } from "./baseline/baseline.ts";
import type { Counters } from "./counters.ts";
import { KinwatchError } from "./errors.ts";
import { EventBuilder } from "./events/event-builder.ts";
import type { ExecEvent, HostEvent } from "./events/exec-event.ts";
import { PPID_UNKNOWN, unseenExec } from "./events/unseen-exec.ts";
import type { ProcessImage } from "./lineage/process-image.ts";
import { ProcessTable, type ProcessTableOptions } from "./lineage/process-table.ts";
import type { Delivery } from "./outputs/delivery.ts";
import {
  type Installation,
  InstallationJoin,
  type InstallationJoinOptions,
} from "./packages/installation.ts";
import { matchNewParent, newParentRule } from "./rules/new-parent.ts";
import type { LogPosition, Observation, Source } from "./sources/source.ts";
import type { Store } from "./store/store.ts";

export interface PassOptions {
  readonly lineage: ProcessTableOptions;
  readonly installations: InstallationJoinOptions;
  readonly counters: Counters;
}

export interface FlowOptions extends PassOptions {
  readonly source: Source;
  readonly store: Store;
  readonly delivery: Delivery;
  readonly learn: Learn;
  /** The moment of the start; undefined: stored logs are read, and all is judged by their own time. */
  readonly startMs: number | undefined;
  readonly host: () => HostDocument | undefined;
  readonly nameUser: NameUser;
  readonly agent: AgentDocument;
  /** Told each time that all there is has been read, at least once a second: the first time the host is watched. */
  readonly caughtUp: () => void;
  /** The state cannot be written now, as on a full disk: waits. @returns false where it is not worth another try */
  readonly stateRefused: (error: unknown) => Promise<boolean>;
  /** Told the first lines that are no audit records. */
  readonly malformed: (sample: string) => void;
}

const FINISH_MS = 2_000; // for outputs at a stop: systemctl and people wait for it
const COMMIT_MS = 1_000; // how much reading a kill repeats; what is decided is committed at once

/** Ends when the source ends: stored logs are read, or its stop signal came. What was decided is on disk then. */
export async function watch(options: FlowOptions): Promise<void> {
  const { source, store, delivery, counters, startMs } = options;
  const pass = new Pass(options);
  const baseline = new Baseline(store);
  if (startMs !== undefined && !baseline.begun) baseline.begin(options.learn, startMs);
  let begun = startMs !== undefined;
  let committed: LogPosition | undefined;
  let committedAtMs = performance.now();
  let behind = true;
  let samples = 0;
  let seen = false; // what was read last lies before the stored position: stopped there, that one holds

  function judge({ installation, ancestors, counters: then, seen }: Found): void {
    const { image, timeMs } = installation;
    const id = installationId(installation);
    const history = {
      rule: newParentRule.id,
      scope: image.exec.node ?? "",
      historyMs: Number.POSITIVE_INFINITY,
    };
    if (!begun)
      baseline.begin(options.learn, options.learn === "history" ? Number.POSITIVE_INFINITY : pass.beganMs);
    begun = true;
    const match = matchNewParent(installation);
    const news = baseline.firstSightings(history, match.terms, timeMs);
    if (seen || (news.length === 0 && match.unresolved === undefined)) return;
    baseline.learn(history, news, timeMs);
    if (baseline.isLearning(timeMs)) {
      counters.alerts_learned += 1;
      return;
    }
    const alert = ecsAlert(
      installation,
      { ...match, terms: news },
      {
        host: options.host(),
        agent: options.agent,
        nameUser: options.nameUser,
        provider: source.name,
        nowMs: startMs === undefined ? undefined : Date.now(),
        ancestors,
        counters: then,
      },
    );
    if (store.addAlert(id, JSON.stringify(alert), delivery.takers.raised)) counters.alerts_raised += 1;
  }

  function complete(id: string, updates: Installation["updates"]): void {
    const document = store.awaitsOutcome(id);
    if (document === undefined) return; // nothing was new about it, or it was completed before a restart
    const alert = withOutcome(JSON.parse(document) as AlertDocument, updates);
    store.completeAlert(id, JSON.stringify(alert), delivery.takers.completed);
  }

  function commit(steps: readonly Step[], seen: boolean): void {
    store.transaction(() => {
      for (const step of steps) {
        if (step.kind === "found") judge(step);
        else if (step.kind === "settled")
          complete(installationId(step.installation), step.installation.updates);
      }
      if (startMs !== undefined && !seen) baseline.reach(pass.timeMs);
      const position = seen ? undefined : pass.resumePoint();
      if (position === undefined || isSame(position, committed)) return;
      const cursor = source.cursorAt(position);
      if (cursor !== undefined) store.setCursor(cursor);
      committed = position;
    });
    committedAtMs = performance.now();
  }

  /** Alerts whose installation is in no log any more: their outcome will not come. */
  function giveUpWaiting(): void {
    const waiting = new Set(pass.waiting().map(installationId));
    const lost = store.awaiting().filter((id) => !waiting.has(id));
    if (lost.length === 0) return;
    store.transaction(() => {
      for (const id of lost) complete(id, []);
    });
  }

  /** What was read is kept until it is on disk: /proc would not tell it again. */
  async function persist(work: () => void): Promise<void> {
    for (;;) {
      try {
        work();
        return;
      } catch (error) {
        if (!(await options.stateRefused(error))) throw error;
      }
    }
  }

  let broken: unknown;
  try {
    for await (const observation of source) {
      const steps = pass.add(observation);
      seen = observation.kind !== "idle" && observation.seen;
      for (; samples < pass.malformedSamples.length; samples += 1)
        options.malformed(pass.malformedSamples[samples] ?? "");
      if (steps.length > 0 || performance.now() - committedAtMs >= COMMIT_MS) {
        await persist(() => commit(steps, seen));
      }
      const posted = steps.length > 0 || behind;
      if (observation.kind === "idle") {
        // A log that is away for a moment has not said yet what became of them.
        const read = counters.records_read > 0 || source.name !== "audit-log";
        if (behind && read) await persist(giveUpWaiting);
        behind &&= !read;
        options.caughtUp();
      }
      delivery.begin(posted);
      if (startMs === undefined) await delivery.finish(); // reading goes at the pace of who reads us
    }
  } catch (error) {
    if (!(error instanceof KinwatchError && error.code.startsWith("KW_INPUT_"))) throw error;
    broken = error; // a file that ends in the middle: what it held counts all the same
  }
  const last = startMs === undefined ? pass.end() : [];
  await persist(() => commit(last, seen && startMs !== undefined));
  if (startMs === undefined) baseline.endHistory(pass.timeMs);
  delivery.begin(true);
  await delivery.finish(startMs === undefined ? undefined : FINISH_MS);
  if (broken !== undefined) throw broken;
}

/** An installation that has just been seen. `ancestors`: as they were at that moment, the parent first. */
export interface Found {
  readonly kind: "found";
  readonly installation: Installation;
  readonly ancestors: readonly ProcessImage[];
  readonly counters: Counters; // as they were at that moment
  readonly seen: boolean; // decided before a restart: only its outcome is still of interest
}

export type Step =
  | Found
  | { readonly kind: "settled"; readonly installation: Installation }
  | { readonly kind: "executed"; readonly image: ProcessImage; readonly ancestors: readonly ProcessImage[] };

/** From observations to installations. Knows nothing of what is new, and touches nothing but what it was handed. */
export class Pass {
  readonly #counters: Counters;
  readonly #builder: EventBuilder;
  readonly #processes: ProcessTable;
  readonly #installations: InstallationJoin;
  readonly #everything: boolean;
  beganMs = 0; // the first event's time
  timeMs = 0; // the latest event's time
  readonly #given: ExecEvent[] = []; // of the steps given last: whole until those are dealt with

  /** @param everything each execution is a step too, and not only installations */
  constructor({ lineage, installations, counters }: PassOptions, everything = false) {
    this.#counters = counters;
    this.#builder = new EventBuilder(counters, !everything);
    this.#processes = new ProcessTable(lineage, counters);
    this.#installations = new InstallationJoin(installations, counters);
    this.#everything = everything;
  }

  get malformedSamples(): readonly string[] {
    return this.#builder.malformedSamples;
  }

  add(observation: Observation): Step[] {
    for (const exec of this.#given.splice(0)) exec.shrink();
    const steps: Step[] = [];
    const seen = observation.kind !== "idle" && observation.seen;
    this.#builder.add(observation, (event) => this.#take(event, seen, steps));
    if (observation.kind === "idle") give(this.#installations.settledAtRest(observation.nowMs), steps);
    return steps;
  }

  /** Nothing more will come: all that waits is handed on as it is. */
  end(): Step[] {
    const steps: Step[] = [];
    this.#builder.flush((event) => this.#take(event, false, steps));
    give(this.#installations.flush(), steps);
    return steps;
  }

  /** Where reading must begin again so that nothing is lost. */
  resumePoint(): LogPosition | undefined {
    return this.#builder.resumePoint();
  }

  waiting(): Installation[] {
    return this.#installations.waiting();
  }

  #take(event: HostEvent, seen: boolean, steps: Step[]): void {
    if (this.beganMs === 0) this.beganMs = event.timeMs;
    if (event.timeMs > this.timeMs) this.timeMs = event.timeMs;
    // By the events' own time, so that it does not depend on how they were read.
    if (this.#installations.isDue(event.timeMs))
      give(this.#installations.settled(event.timeMs, { name: event.node }), steps);
    if (event.kind === "boot") {
      this.#processes.reboot(event.node);
      return;
    }
    let image: ProcessImage;
    let installation: Installation | undefined;
    if (event.kind === "exec") {
      image = this.#processes.add(event);
      if (this.#everything) {
        steps.push({ kind: "executed", image, ancestors: this.#processes.ancestors(image) });
      }
      installation = this.#installations.execution(image);
    } else {
      const { node, pid, executable, timeMs } = event;
      image =
        this.#processes.find(node, pid, executable, timeMs) ??
        this.#processes.add(unseenExec({ ...event, source: "audit-log", ppid: PPID_UNKNOWN }));
      installation = this.#installations.update(event, image);
    }
    if (installation !== undefined) {
      const ancestors = this.#processes.ancestors(image); // asks /proc for what it may still know
      if (image.parent === undefined && image.unresolved !== "none") this.#counters.parents_unresolved += 1;
      steps.push({ kind: "found", installation, ancestors, counters: { ...this.#counters }, seen });
    }
    if (event.kind !== "exec") return;
    if (this.#everything || installation !== undefined) this.#given.push(image.exec);
    else image.exec.shrink();
  }
}

function give(settled: readonly Installation[], steps: Step[]): void {
  for (const installation of settled) steps.push({ kind: "settled", installation });
}

function isSame(a: LogPosition, b: LogPosition | undefined): boolean {
  return b !== undefined && a.offset === b.offset && a.inode === b.inode && a.device === b.device;
}
