/**
 * From observations to what is worth judging: executions are linked to who started them, installations are told, and rules are
 * asked. Knows nothing of what is new here, and touches nothing but what it was handed.
 */
import type { Counters } from "../counters.ts";
import type { NameUser } from "../events/account-names.ts";
import { EventBuilder } from "../events/event-builder.ts";
import type { EventHost } from "../events/event-host.ts";
import type { ExecEvent, HostEvent } from "../events/exec-event.ts";
import { PPID_UNKNOWN, unseenExec } from "../events/unseen-exec.ts";
import { containerOf, type ImageContainer, type ReadContainer } from "../lineage/container-of.ts";
import type { ReadDetails } from "../lineage/process-details.ts";
import type { ProcessImage } from "../lineage/process-image.ts";
import { ProcessTable, type ProcessTableOptions } from "../lineage/process-table.ts";
import type { ReadOwners } from "../packages/image-owners.ts";
import {
  type Installation,
  InstallationJoin,
  type InstallationJoinOptions,
} from "../packages/installation.ts";
import type { RpmAliases } from "../packages/rpm-aliases.ts";
import type { ToldInstallations } from "../packages/told-installations.ts";
import type { LogPosition, Observation } from "../sources/source.ts";
import { type RuleSubject, uidChanges } from "./event-fields.ts";
import type { Exemption } from "./exceptions.ts";
import type { Asked, Candidates, RuleEngine, RuleMatch } from "./rule-engine.ts";

export interface PassOptions {
  readonly lineage: ProcessTableOptions;
  readonly installations: InstallationJoinOptions;
  readonly rules: RuleEngine;
  readonly knowledge: Knowledge;
  readonly counters: Counters;
  /** What other sources told of, lately. */
  readonly told?: ToldInstallations | undefined;
}

/** What rules are told of beside the events. */
export interface Knowledge {
  readonly host: () => EventHost | undefined; // this host; undefined: stored logs, whose records alone name one
  readonly provider: string; // the source's name
  readonly nameUser: NameUser;
  readonly readDetails: ReadDetails | undefined; // undefined: nobody can tell of a stored log's processes
  readonly readOwners?: ReadOwners | undefined; // left out: the same
  readonly readContainer?: ReadContainer | undefined; // the same
}

/** An installation that has just been seen. `ancestors`: as they were at that moment, the parent first. */
export interface Found {
  readonly kind: "found";
  readonly installation: Installation;
  readonly ancestors: readonly ProcessImage[];
  readonly counters: Counters; // as they were at that moment
  readonly seen: boolean; // decided before a restart: only its outcome is still of interest
  readonly exemptions: readonly Exemption[]; // of the rule on new parents: neither alert nor history
  readonly container: ImageContainer | undefined;
}

/** A rule of a file has matched. */
export interface Matched {
  readonly kind: "matched";
  readonly match: RuleMatch;
  readonly subject: Asked;
  readonly timeMs: number;
  readonly ancestors: readonly ProcessImage[];
  readonly container: ImageContainer | undefined;
  readonly counters: Counters;
  readonly seen: boolean;
}

/** What came of an installation is known, or will not be. */
export interface Settled {
  readonly kind: "settled";
  readonly installation: Installation;
  readonly ancestors: readonly ProcessImage[]; // as they were when it was found
}

export type Step =
  | Found
  | Matched
  | Settled
  | { readonly kind: "executed"; readonly image: ProcessImage; readonly ancestors: readonly ProcessImage[] };

export class Pass {
  readonly #counters: Counters;
  readonly #builder: EventBuilder;
  readonly #processes: ProcessTable;
  readonly #installations: InstallationJoin;
  readonly #knowledge: Knowledge;
  readonly #aliases: RpmAliases;
  readonly #everything: boolean;
  readonly #told: ToldInstallations | undefined;
  readonly #came = new WeakMap<Installation, readonly ProcessImage[]>(); // the ancestors of an installation, as it was found
  rules: RuleEngine; // may be others from an observation to the next
  beganMs = 0; // the first event's time
  timeMs = 0; // the latest event's time
  readonly #given: ExecEvent[] = []; // of steps: whole until those are dealt with

  /** @param everything each execution is a step too, and not only installations */
  constructor({ lineage, installations, rules, knowledge, counters, told }: PassOptions, everything = false) {
    this.#counters = counters;
    this.#builder = new EventBuilder(counters, !everything);
    this.#processes = new ProcessTable(lineage, counters);
    this.#installations = new InstallationJoin(installations, counters);
    this.rules = rules;
    this.#knowledge = knowledge;
    this.#aliases = installations.aliases;
    this.#everything = everything;
    this.#told = told;
  }

  get malformedSamples(): readonly string[] {
    return this.#builder.malformedSamples;
  }

  /** @param isHeld whether steps that were given before are not dealt with yet: they stay whole */
  add(observation: Observation, isHeld = false): Step[] {
    if (!isHeld) for (const exec of this.#given.splice(0)) exec.shrink();
    const steps: Step[] = [];
    const seen = observation.kind !== "idle" && observation.seen;
    this.#builder.add(observation, (event) => this.#take(event, seen, steps));
    if (observation.kind === "idle")
      this.#settle(this.#installations.settledAtRest(observation.nowMs), seen, steps);
    return steps;
  }

  /** Nothing more will come: all that waits is handed on as it is. */
  end(): Step[] {
    const steps: Step[] = [];
    this.#builder.flush((event) => this.#take(event, false, steps));
    this.#settle(this.#installations.flush(), false, steps);
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
      this.#settle(this.#installations.settled(event.timeMs, { name: event.node }), seen, steps);
    if (event.kind === "boot") {
      this.#processes.reboot(event.node);
      return;
    }
    if (event.kind === "exec") this.#takeExecution(event, seen, steps);
    else {
      const { node, pid, executable, timeMs } = event;
      const image =
        this.#processes.find(node, pid, executable, timeMs) ??
        this.#processes.add(unseenExec({ ...event, source: "audit-log", ppid: PPID_UNKNOWN }));
      const installation = this.#installations.update(event, image);
      if (installation !== undefined) this.#found(installation, image, seen, steps);
    }
  }

  /** Most are of no interest to anybody, and stay a row of the process table. */
  #takeExecution(event: ExecEvent, seen: boolean, steps: Step[]): void {
    const row = this.#processes.enter(event, this.#everything);
    const candidates = this.rules.candidates(event.executable);
    if (!this.#everything && candidates.length === 0 && !this.#installations.concerns(event)) {
      this.#processes.madeOf(row)?.exec.shrink();
      return;
    }
    const image = this.#processes.imageOf(row); // what is found out about it is remembered by its execution
    if (this.#everything)
      steps.push({ kind: "executed", image, ancestors: this.#processes.ancestors(image) });
    const isMatched = candidates.length > 0 && this.#matchExecution(image, candidates, seen, steps);
    const installation = this.#installations.execution(image);
    if (installation !== undefined) this.#found(installation, image, seen, steps);
    if (this.#everything || isMatched || installation !== undefined) this.#given.push(image.exec);
    else image.exec.shrink();
  }

  #found(installation: Installation, image: ProcessImage, isOld: boolean, steps: Step[]): void {
    const seen = isOld || this.#told?.take(image.exec) === true;
    if (!seen) this.#told?.add(image.exec);
    const ancestors = this.#processes.ancestors(image); // asks /proc for what it may still know
    if (image.parent === undefined && image.unresolved !== "none") this.#counters.parents_unresolved += 1;
    this.#came.set(installation, ancestors);
    const subject = { kind: "installation", image, installation } as const;
    const exemptions = this.rules.newParentExceptionsOf?.(this.#subjectOf(subject)) ?? [];
    const container = seen ? undefined : this.#containerOf(subject);
    const counters = { ...this.#counters };
    steps.push({ kind: "found", installation, ancestors, counters, seen, exemptions, container });
    this.#matchInstallation(subject, seen, steps);
  }

  #matchExecution(image: ProcessImage, candidates: Candidates, seen: boolean, steps: Step[]): boolean {
    let isMatched = false;
    for (const kind of ["exec", "uid_change"] as const) {
      if (kind === "uid_change" && !uidChanges(image)) continue;
      const subject = { kind, image, installation: undefined };
      for (const match of this.rules.match(candidates, this.#subjectOf(subject))) {
        this.#matched(match, subject, image.exec.timeMs, seen, steps);
        isMatched = true;
      }
    }
    return isMatched;
  }

  #matchInstallation(subject: Asked & { installation: Installation }, seen: boolean, steps: Step[]): void {
    for (const match of this.rules.matchInstallation(this.#subjectOf(subject)))
      this.#matched(match, subject, subject.installation.timeMs, seen, steps);
  }

  #matched(match: RuleMatch, subject: Asked, timeMs: number, seen: boolean, steps: Step[]): void {
    const ancestors = this.#ancestorsOf(subject);
    const container = seen ? undefined : this.#containerOf(subject);
    const counters = { ...this.#counters };
    steps.push({ kind: "matched", match, subject, timeMs, ancestors, container, counters, seen });
    if (!match.complete) this.#counters.terms_truncated += 1;
  }

  #settle(settled: readonly Installation[], seen: boolean, steps: Step[]): void {
    for (const installation of settled) {
      const subject = { kind: "outcome", image: installation.image, installation } as const;
      steps.push({ kind: "settled", installation, ancestors: this.#ancestorsOf(subject) });
      this.#matchInstallation(subject, seen, steps);
    }
  }

  #subjectOf(subject: Asked): RuleSubject {
    const { host, provider, nameUser, readDetails, readOwners, readContainer } = this.#knowledge;
    return {
      ...subject,
      ancestors: () => this.#ancestorsOf(subject),
      host: host(),
      provider,
      aliases: this.#aliases,
      nameUser,
      readDetails,
      readOwners,
      readContainer,
    } as RuleSubject; // an installation's kinds have one, the others do not
  }

  #containerOf(subject: Asked): ImageContainer | undefined {
    return containerOf(subject.image, this.#ancestorsOf(subject), this.#knowledge.readContainer);
  }

  #ancestorsOf({ image, installation }: Asked): readonly ProcessImage[] {
    return (installation && this.#came.get(installation)) ?? this.#processes.ancestors(image);
  }
}
