/** One turn of the daemon: all that it is made of, put together around one source. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import packageFile from "../../package.json" with { type: "json" };
import type { AgentDocument } from "../alert/alert-document.ts";
import { type FlowPart, lossOf } from "../alert/ecs-health.ts";
import { FOLLOWED } from "../alert/judge.ts";
import { Pulse } from "../alert/pulse.ts";
import type { Config, ElasticsearchConfig } from "../config.ts";
import type { Counters } from "../counters.ts";
import { KinwatchError } from "../errors.ts";
import { executeSomething } from "../health/audit-proof.ts";
import { type AuditSocket, openAuditSocket } from "../health/audit-socket.ts";
import { AuditWatch } from "../health/audit-watch.ts";
import { readHostFacts } from "../health/host-facts.ts";
import { showsHostProcesses } from "../health/pid-namespace.ts";
import { StatusSocket, statusSocketOf } from "../health/status-socket.ts";
import { UserNames } from "../health/user-names.ts";
import { readContainerOnce } from "../lineage/container-of.ts";
import { readOnce } from "../lineage/process-details.ts";
import type { Logger } from "../log.ts";
import { watch } from "../main.ts";
import { Delivery } from "../outputs/delivery.ts";
import { ElasticsearchConnection } from "../outputs/elasticsearch-connection.ts";
import { readApiKey } from "../outputs/elasticsearch-key.ts";
import { journaldOutput } from "../outputs/journald.ts";
import { ndjsonOutput } from "../outputs/ndjson.ts";
import type { Output } from "../outputs/output.ts";
import { Prevalence } from "../outputs/prevalence.ts";
import type { ServiceManager } from "../outputs/service-manager.ts";
import { Shipping } from "../outputs/shipping.ts";
import { terminalOutput } from "../outputs/terminal.ts";
import { writeBeside } from "../outputs/write.ts";
import { ImageOwners } from "../packages/image-owners.ts";
import { PackageOwners, waitAtMost } from "../packages/package-owner.ts";
import { readRpmAliases } from "../packages/popt-files.ts";
import type { ToldInstallations } from "../packages/told-installations.ts";
import { readProcDetails } from "../sources/proc-details.ts";
import { isAlive, readProcEntry } from "../sources/proc-entry.ts";
import { readContainer } from "../sources/process-container.ts";
import { processFile } from "../sources/process-file.ts";
import { ProcessTrace } from "../sources/process-trace.ts";
import { readScriptLine } from "../sources/script-line.ts";
import { Store } from "../store/store.ts";
import { kinwatch } from "./checkout.ts";
import { LiveRules } from "./live-rules.ts";
import type { LiveStatus } from "./live-status.ts";
import { LossLog } from "./loss-log.ts";
import { openPast, openSource } from "./open-source.ts";
import { processUsage } from "./process-usage.ts";
import { RuleWatch } from "./rule-watch.ts";
import { readSettings, type SettingsOptions } from "./settings.ts";
import type { Turn } from "./source-turn.ts";

const STATE_RETRY_MS = 1_000;
const SLOW_MS = 10_000; // who scrolls back through a screen needs less
const OWNERS_MS = 2_000; // rpm answers within some dozen, dpkg within 200; who looks at alerts should not wait longer
const passing: ReadonlySet<string> = new Set(["KW_STATE_UNUSABLE", "KW_STATE_LOCKED"]); // a full disk, a long backup

/** What lasts over the turns of sources. */
export interface Session {
  readonly options: SettingsOptions;
  readonly config: Config;
  readonly onReload: EventTarget; // "reload": rules and exceptions are to be read again
  readonly counters: Counters;
  readonly log: Logger;
  readonly service: ServiceManager | undefined;
  readonly trace: ProcessTrace | KinwatchError | undefined;
  readonly told: ToldInstallations;
}

/** Watches by one source, until that is to be another one, or all is over. */
export async function watchHost(session: Session, turn: Turn): Promise<void> {
  const { options, config, onReload, counters, log, service, trace, told } = session;
  const startMs = Date.now();
  const { outbox_bytes_max: shipmentBytesMax } = config.output.elasticsearch;
  using store = new Store(config.state.directory, { counters, shipmentBytesMax });
  const { source, reason } = await openSource(config.source, trace, {
    cursor: store.cursor(),
    stop: turn.signal,
    sinceMs: turn.sinceMs,
    counters,
    report: (error) => log.error("the audit log", { error }),
  });
  log.info(`watching ${source.description}`);
  turn.begin(source.name, reason, store.meta(FOLLOWED) !== undefined);
  const isAudit = source.name === "audit-log";
  const isTraced = trace instanceof ProcessTrace;
  if (isAudit && isTraced) log.info("the kernel's tracepoints tell who begins processes");
  else if (isAudit && trace !== undefined)
    log.info("who begins processes is known from records alone", { error: trace });
  const isHere = !isAudit || showsHostProcesses() ? isThisHost : () => false;
  if (!isHere(undefined))
    log.warn(
      `/proc shows a container's pids, which audit does not know: nothing is looked up there; ${kinwatch} check tells what to do`,
    );
  const delivery = new Delivery({
    store,
    outputs: outputsOf(config, log),
    counters,
    report: (name, error) => log.error(`an alert waits for ${name}`, { error }),
    slowMs: SLOW_MS,
  });
  const shipping = config.output.elasticsearch.enabled
    ? shippingOf(store, counters, options, log)
    : undefined;
  const place = { "audit-log": config.source.audit_log, tracefs: "tracepoints", procfs: "/proc" }[
    source.name
  ];
  using socket = isAudit ? openAuditSocket() : undefined;
  const audit = isAudit ? watchAudit(place, socket, counters, log) : undefined;
  const problems = () => [
    ...(turn.problem ? [turn.problem] : []),
    ...(source.problem ? [source.problem] : []),
    ...(isTraced && trace.problem ? [trace.problem] : []),
    ...(audit?.problems ?? []),
  ];
  const kernel = () => audit?.kernel;
  const pulse = new Pulse({ source: source.name, counters, usage: processUsage, problems, kernel });
  const losses = new LossLog(counters, log.warn);
  using prevalence = config.output.elasticsearch.prevalence.enabled ? prevalenceOf(options, log) : undefined;
  const users = new UserNames();
  const rules = new LiveRules(config, source.name, log);
  onReload.addEventListener("reload", () => rules.reload(true), { signal: turn.signal });
  await using _ = new RuleWatch({ directories: rules.directories, look: () => rules.reload() });
  const packages = new PackageOwners(counters);
  const owners = new ImageOwners({
    isThisHost: isHere,
    fileOf: processFile,
    lineOf: readScriptLine,
    ask: (path) => packages.ask(path),
  });
  let ready = false;
  let part: () => FlowPart = () => ({ rules: 0, lag_ms: 0, outbox: { waiting: 0, bytes: 0, set_aside: 0 } });
  const status = (): LiveStatus => ({
    pid: process.pid,
    version: packageFile.version,
    watches: place,
    ready,
    problems: problems().map(({ code, message }) => ({ code, message })),
    health: pulse.health(part()),
  });
  using _socket = await openStatus(statusSocketOf(config.state.directory), status, log);
  await watch({
    source,
    store,
    delivery,
    shipping,
    pulse,
    pulsed: () => losses.look(performance.now()),
    prevalence,
    namespace: config.output.elasticsearch.namespace,
    counters,
    learn: config.learn.from,
    startMs,
    lineage: {
      processesMax: config.lineage.processes_max,
      readProcess: readProcEntry,
      readBirth: isTraced ? (pid) => trace.birthOf(pid) : undefined,
      isThisHost: isHere,
      nowMs: Date.now,
    },
    installations: {
      aliases: readRpmAliases("/", "/root"),
      isGone: ({ exec }) => isHere(exec.node) && !isAlive(exec.pid, exec.timeMs),
    },
    told,
    rules: () => rules.engine,
    past: openPast(source, config.source, turn.signal),
    renewed: (newcomers, taught) => rules.tellLesson(newcomers, taught),
    knowledge: {
      host: readHostFacts,
      provider: source.name,
      nameUser: (uid, node) => (isHere(node) ? users.of(uid) : undefined),
      readDetails: readOnce((exec) => (isHere(exec.node) ? readProcDetails(exec) : undefined)),
      readOwners: owners.of,
      readContainer: readContainerOnce((exec) => (isHere(exec.node) ? readContainer(exec) : undefined)),
    },
    owners: { images: owners, wait: (answers) => waitAtMost(answers, OWNERS_MS) },
    agent: agentOf(store),
    caughtUp() {
      if (!ready) log.info(`ready after ${Date.now() - startMs} ms`);
      ready = true;
    },
    worked(flow) {
      part = flow;
      audit?.look(performance.now());
      turn.look(performance.now(), problems());
      service?.worked(() => problems()[0]?.message ?? statusLine(place, ready, counters));
    },
    async stateRefused(error) {
      if (!(error instanceof KinwatchError) || !passing.has(error.code) || turn.signal.aborted) return false;
      log.error("nothing is decided until the state can be written", { error });
      service?.worked(() => `Waits until its state can be written: ${error.message}`); // a new start would not help
      await sleep(STATE_RETRY_MS, undefined, { signal: turn.signal }).catch(() => {});
      return true;
    },
    malformed: (sample) => log.warn(`no audit record: ${sample}`),
  });
}

function watchAudit(
  path: string,
  socket: AuditSocket | undefined,
  counters: Counters,
  log: Logger,
): AuditWatch {
  return new AuditWatch({
    path,
    counters,
    socket,
    execute: () => executeSomething().on("error", () => {}), // none is told by its silence
    began: (error) => log.error("not all is seen", { error }),
    ended: ({ code }) => log.info(`seen again: ${code} is over`),
  });
}

async function openStatus(
  path: string,
  status: () => LiveStatus,
  log: Logger,
): Promise<StatusSocket | undefined> {
  try {
    return await StatusSocket.open(path, status);
  } catch (error) {
    log.warn("kinwatch status is told less", { error });
    return undefined;
  }
}

/** For `systemctl status kinwatch`. */
function statusLine(place: string, ready: boolean, counters: Counters): string {
  const doing = ready ? "Watching" : "Reading what is retained of";
  const lost = lossOf(counters);
  return [
    `${doing} ${place}`,
    `since the start ${counters.installs_read} installations, ${counters.alerts_raised} alerts`,
    ...(lost > 0 ? [`${lost} times something was not seen or not whole: ${kinwatch} status`] : []),
  ].join("; ");
}

function outputsOf({ output }: Config, log: Logger): Output[] {
  const outputs: Output[] = [];
  if (output.journald.enabled) {
    try {
      outputs.push(journaldOutput());
    } catch (error) {
      log.warn("alerts wait in the store until there is a journal", { error });
      outputs.push(journaldLater());
    }
  }
  if (output.stdout.enabled) {
    const pretty = output.stdout.format === "pretty";
    const write = writeBeside(process.stdout);
    outputs.push(
      pretty ? terminalOutput(process.stdout, "at once", write) : ndjsonOutput(process.stdout, write),
    );
  }
  return outputs;
}

/** The configuration is read again with each connection that is made: what was corrected in it counts without a restart. */
function connect(
  options: SettingsOptions,
  keyOf: (config: ElasticsearchConfig) => string,
): ElasticsearchConnection {
  const { elasticsearch } = readSettings(options).output;
  return new ElasticsearchConnection(elasticsearch, keyOf(elasticsearch));
}

function shippingOf(store: Store, counters: Counters, options: SettingsOptions, log: Logger): Shipping {
  return new Shipping({
    store,
    counters,
    connect: () => connect(options, ({ api_key_file: file }) => readApiKey(file, "api_key")),
    report: (error) => log.error("to Elasticsearch", { error }),
  });
}

function prevalenceOf(options: SettingsOptions, log: Logger): Prevalence {
  const { namespace, prevalence } = readSettings(options).output.elasticsearch;
  return new Prevalence({
    namespace,
    days: prevalence.days,
    hostId: () => readHostFacts()?.id,
    connect: () =>
      connect(options, (config) => readApiKey(config.prevalence.api_key_file, "prevalence_api_key")),
    report: (error) => log.warn("the fleet cannot be asked", { error }),
  });
}

/** Tries to open the journal with each alert that is tried again. */
function journaldLater(): Output {
  let journald: Output | undefined;
  const open = (): Output => {
    journald ??= journaldOutput();
    return journald;
  };
  return {
    name: "journald",
    raised: (alert) => open().raised?.(alert),
    completed: (alert) => open().completed(alert),
  };
}

/** The name that auditd writes before each record, if it does: name_format in auditd.conf(5), hostname or fqd. */
function isThisHost(node: string | undefined): boolean {
  return node === undefined || node.split(".", 1)[0] === hostname().split(".", 1)[0];
}

function agentOf(store: Store): AgentDocument {
  const id = store.meta("agent_id") ?? randomUUID();
  store.setMeta("agent_id", id);
  return { id, type: "kinwatch", version: packageFile.version, ephemeral_id: randomUUID() };
}
