/**
 * The whole flow, one way: what was observed becomes events, executions are linked to who started them, installations are
 * judged against what this host has seen, and what is new becomes an alert. The daemon, `replay` and `events` are this same
 * pass, so that a log from any host gives the same alerts.
 *
 * Invariant: terms, alerts, what the outputs still have to take and the position in the log are one transaction, and an
 * alert leaves for its outputs only after it. A crash repeats an alert with the same id, it never loses one.
 */
import type { AgentDocument, HostDocument } from "./alert/alert-document.ts";
import { Dispatch } from "./alert/dispatch.ts";
import type { FlowPart } from "./alert/ecs-health.ts";
import { HeldSteps } from "./alert/held-steps.ts";
import { type FleetKnowledge, Judge } from "./alert/judge.ts";
import type { Pulse } from "./alert/pulse.ts";
import { Baseline, type Learn } from "./baseline/baseline.ts";
import { newCounters } from "./counters.ts";
import { KinwatchError } from "./errors.ts";
import type { Delivery } from "./outputs/delivery.ts";
import type { Shipping } from "./outputs/shipping.ts";
import type { ImageOwners } from "./packages/image-owners.ts";
import { type Exemption, openImages } from "./rules/exceptions.ts";
import { type Knowledge, Pass, type PassOptions, type Step } from "./rules/pass.ts";
import type { Rule } from "./rules/rule.ts";
import { RuleEngine } from "./rules/rule-engine.ts";
import type { LogCursor, LogObservation, LogPosition, Observation, Source } from "./sources/source.ts";
import type { Store } from "./store/store.ts";

export interface FlowOptions extends Omit<PassOptions, "rules"> {
  readonly source: Source;
  /** The rules in force. Asked before each observation: others are asked of all that comes from there on. */
  readonly rules: () => RuleEngine;
  /** What is retained of the log, seen up to here: what rules that come later learn from. undefined: nothing is retained */
  readonly past: ((until: LogCursor) => Source & Disposable) | undefined;
  /** Told when other rules are in force. @param newcomers of these without a history so far; @param taught whether they have one now */
  readonly renewed: (newcomers: readonly Rule[], taught: boolean) => void;
  readonly store: Store;
  readonly delivery: Delivery;
  /** The way to Elasticsearch. undefined: it is not wanted */
  readonly shipping?: Shipping | undefined;
  /** When to tell how kinwatch does. undefined: stored logs are read */
  readonly pulse?: Pulse | undefined;
  /** It was, whether Elasticsearch is wanted or not. */
  readonly pulsed?: () => void;
  /** What the fleet can be asked. undefined: it is not wanted */
  readonly prevalence?: FleetKnowledge | undefined;
  /** The last part of data streams' names. */
  readonly namespace: string;
  readonly learn: Learn;
  /** The moment of the start; undefined: stored logs are read, and all is judged by their own time. */
  readonly startMs: number | undefined;
  readonly knowledge: Knowledge & { readonly host: () => HostDocument | undefined };
  readonly agent: AgentDocument;
  /** Asks which packages programs belong to. undefined: of stored logs nobody can tell */
  readonly owners?: Owners | undefined;
  /** Told each time that all there is has been read, at least once a second: the first time the host is watched. */
  readonly caughtUp: () => void;
  /** Told after each observation, which comes at least once a second: the flow moves. @param part asks it how it does */
  readonly worked?: (part: () => FlowPart) => void;
  /** The state cannot be written now, as on a full disk: waits. @returns false where it is not worth another try */
  readonly stateRefused: (error: unknown) => Promise<boolean>;
  /** Told the first lines that are no audit records. */
  readonly malformed: (sample: string) => void;
}

export interface Owners {
  readonly images: Pick<ImageOwners, "ask">;
  /** Ends when the answers are there, or their time is up; never rejects. */
  readonly wait: (answers: Promise<unknown>) => Promise<void>;
}

const FINISH_MS = 2_000; // for outputs at a stop: systemctl and people wait for it
const HELD_MAX = 64; // steps that wait for answers while others are read: a burst beyond that waits in the log
const COMMIT_MS = 1_000; // how much reading a kill repeats; what is decided is committed at once

/** Ends when the source ends: stored logs are read, or its stop signal came. What was decided is on disk then. */
export async function watch(options: FlowOptions): Promise<void> {
  const { source, store, delivery, shipping, counters, startMs, namespace, owners } = options;
  const dispatch = shipping && new Dispatch(store.shipments);
  const pass = new Pass({ ...options, rules: options.rules() });
  const baseline = new Baseline(store);
  const judge = new Judge({
    ...options,
    baseline,
    isLog: source.name === "audit-log",
    outputs: delivery.takers,
    dispatch,
    rules: pass.rules.rules,
    nowMs: () => (startMs === undefined ? undefined : Date.now()),
  });
  let committed: LogPosition | undefined;
  let committedAtMs = performance.now();
  let read: LogPosition | undefined; // behind what the pass was given last
  let behind = true;
  let caughtUpAtMs = performance.now();
  let samples = 0;
  const observations = source[Symbol.asyncIterator]();
  let coming: Promise<IteratorResult<Observation, unknown>> | undefined; // asked for already
  const undecided = new HeldSteps(); // for an exception
  const untold = new HeldSteps(); // for the packages that the alert tells
  let seen = false; // what was read last lies before the stored position: stopped there, that one holds

  /** @param isAll whether nothing that was read waits to be judged: the position stays before it */
  function commit(steps: readonly Step[], seen: boolean, nowMs: number, isAll = true): void {
    let reached = committed;
    const wallMs = Date.now();
    const pulse = options.pulse?.isDue(wallMs) ? options.pulse : undefined;
    const document = pulse?.document(part(), {
      host: options.knowledge.host(),
      agent: options.agent,
      namespace,
      nowMs: wallMs,
    });
    store.transaction(() => {
      for (const step of steps) judge.judge(step);
      judge.summarise(nowMs);
      baseline.write();
      judge.writeHits();
      if (document !== undefined) dispatch?.health(document);
      if (!isAll) return;
      if (startMs !== undefined && !seen) baseline.reach(pass.timeMs);
      const position = seen ? undefined : pass.resumePoint();
      if (position === undefined || isSame(position, committed)) return;
      const cursor = source.cursorAt(position);
      if (cursor !== undefined) store.setCursor(cursor);
      reached = position;
    });
    committed = reached;
    pulse?.told(wallMs);
    if (pulse !== undefined) options.pulsed?.();
    baseline.written(true);
    judge.written(true);
    committedAtMs = performance.now();
  }

  function part(): FlowPart {
    const { waiting, refused } = store.shipments.totals();
    return {
      rules: pass.rules.rules.length + 1, // the one on new parents is in no file
      lag_ms: Math.round(performance.now() - caughtUpAtMs),
      outbox: { waiting: waiting.documents, bytes: waiting.bytes, set_aside: refused.documents },
    };
  }

  /** What was read is kept until it is on disk: /proc would not tell it again. */
  async function persist(work: () => void): Promise<void> {
    for (;;) {
      const counted = { ...counters };
      try {
        work();
        return;
      } catch (error) {
        Object.assign(counters, counted); // nothing of it was done
        baseline.written(false);
        judge.written(false);
        if (!(await options.stateRefused(error))) throw error;
      }
    }
  }

  /** A restart would teach rules that are new to this state the retained past; so does this, while the log waits. */
  async function renew(): Promise<void> {
    const engine = options.rules();
    const newcomers = judge.newcomers(engine.rules);
    await persist(() => store.transaction(() => judge.forgetFormer(newcomers)));
    const cursor = newcomers.length > 0 && read ? source.cursorAt(read) : undefined;
    const taught =
      cursor === undefined ? undefined : await teach(new RuleEngine(newcomers, engine.exceptions), cursor);
    if (taught === "stopped") return;
    pass.rules = engine;
    judge.renew(engine.rules);
    if (!behind) await persist(() => store.transaction(() => judge.remember()));
    options.renewed(newcomers, taught === "taught");
  }

  async function teach(rules: RuleEngine, until: LogCursor): Promise<"taught" | "nothing" | "stopped"> {
    using past = options.past?.(until);
    if (past === undefined) return "nothing";
    const lesson = new Pass({ ...options, rules, counters: newCounters() });
    let begun = false;
    for await (const observation of past) {
      if (observation.kind !== "log" || !observation.seen) return begun ? "taught" : "nothing";
      begun = true;
      const steps = lesson.add(observation);
      const open = steps.filter((step) => step.kind === "matched" && !judge.isKnown(step));
      if (open.length > 0) await persist(() => commit(open, seen, pass.timeMs));
    }
    return "stopped";
  }

  /** What is told of packages, and what exceptions ask of them, while the processes live. @returns when the latter is known */
  function ask(step: Step): Promise<void> | undefined {
    const images = openImages(exemptionsOf(step));
    if (owners === undefined || images.length === 0) return undefined;
    const answers = owners.images.ask(images);
    owners.images.ask(judge.toldImages(step)); // the tool may be over when it is decided
    return answers && owners.wait(answers);
  }

  /**
   * Judges what can be. An alert that is told twice goes out at once, and has the packages when it is complete; one that is told
   * once waits for them.
   * @returns whether there was anything to judge
   */
  async function decide(steps: readonly Step[], nowMs: number, isLast = false): Promise<boolean> {
    for (const step of steps) undecided.add(step, isLast ? undefined : ask(step));
    const open = (isLast ? undecided.takeAll() : undecided.take()).filter((step) => !judge.isKnown(step));
    const answers = owners?.images.ask(open.flatMap((step) => judge.toldImages(step)));
    const judged = open.filter((step) => {
      if (answers === undefined || owners === undefined || judge.isToldTwice(step)) return true;
      untold.add(step, owners.wait(answers));
      return false;
    });
    judged.push(...(isLast ? untold.takeAll() : untold.take()));
    const isAll = undecided.size + untold.size === 0;
    const isDue = baseline.isFull || performance.now() - committedAtMs >= COMMIT_MS;
    if (judged.length > 0 || isDue) await persist(() => commit(judged, seen, nowMs, isAll));
    return judged.length > 0;
  }

  /** What comes next, or undefined: what waited for an answer has it. */
  async function next(): Promise<IteratorResult<Observation, unknown> | undefined> {
    const answered = [undecided.next, untold.next].filter((answer) => answer !== undefined);
    const isFull = undecided.size + untold.size >= HELD_MAX;
    if (!isFull) coming ??= observations.next();
    const all = [
      ...answered.map((answer) => answer.then(() => undefined)),
      ...(isFull || !coming ? [] : [coming]),
    ];
    const first = await Promise.race(all);
    if (first !== undefined) coming = undefined;
    return first;
  }

  await persist(() => store.transaction(() => judge.forgetFormer(pass.rules.rules)));
  let broken: unknown;
  try {
    for (let one = await next(); one?.done !== true; one = await next()) {
      if (one === undefined) {
        baseline.refresh();
        delivery.begin(await decide([], pass.timeMs));
        continue;
      }
      const observation = one.value;
      if (options.rules() !== pass.rules) {
        await decide([], pass.timeMs, true); // by the rules that matched it
        await renew();
      }
      const steps = pass.add(observation, undecided.size + untold.size > 0);
      if (observation.kind === "log") read = endOf(observation);
      baseline.refresh();
      judge.begin(pass.beganMs);
      seen = observation.kind !== "idle" && observation.seen;
      for (; samples < pass.malformedSamples.length; samples += 1)
        options.malformed(pass.malformedSamples[samples] ?? "");
      const nowMs = observation.kind === "idle" && startMs !== undefined ? observation.nowMs : pass.timeMs;
      const posted = (await decide(steps, nowMs)) || judge.isHolding || behind;
      if (observation.kind === "idle") {
        // A log that is away for a moment has not said yet what became of them.
        const read = counters.records_read > 0 || source.name !== "audit-log";
        const isAll = undecided.size + untold.size === 0; // else an outcome that was read may not be told yet
        if (behind && read && isAll)
          await persist(() => store.transaction(() => judge.caughtUp(pass.waiting(), nowMs)));
        behind &&= !(read && isAll);
        caughtUpAtMs = performance.now();
        options.caughtUp();
      }
      delivery.begin(posted);
      shipping?.begin(posted);
      options.worked?.(part);
      if (startMs === undefined) await delivery.finish(); // reading goes at the pace of who reads us
    }
  } catch (error) {
    if (!(error instanceof KinwatchError && error.code.startsWith("KW_INPUT_"))) throw error;
    broken = error; // a file that ends in the middle: what it held counts all the same
  } finally {
    await observations.return?.();
  }
  const last = startMs === undefined ? pass.end() : [];
  judge.begin(pass.beganMs);
  const lastMs = startMs === undefined ? Number.POSITIVE_INFINITY : pass.timeMs;
  const open = [...undecided.takeAll(), ...last].filter((step) => !judge.isKnown(step));
  await persist(() => commit([...open, ...untold.takeAll()], seen && startMs !== undefined, lastMs));
  if (startMs === undefined) {
    store.transaction(() => judge.caughtUp([], pass.timeMs));
    baseline.endHistory(pass.timeMs);
  }
  delivery.begin(true);
  await Promise.all([
    delivery.finish(startMs === undefined ? undefined : FINISH_MS),
    shipping?.finish(FINISH_MS),
  ]);
  if (broken !== undefined) throw broken;
}

/** Of what was seen before a restart nobody is asked: it is not judged again. */
function exemptionsOf(step: Step): readonly Exemption[] {
  if ((step.kind !== "found" && step.kind !== "matched") || step.seen) return [];
  return step.kind === "found" ? step.exemptions : step.match.exemptions;
}

function endOf({ position, bytes }: LogObservation): LogPosition {
  return { ...position, offset: position.offset + bytes.length };
}

function isSame(a: LogPosition, b: LogPosition | undefined): boolean {
  return b !== undefined && a.offset === b.offset && a.inode === b.inode && a.device === b.device;
}
