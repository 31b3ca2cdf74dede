/** The part of a document that says what was executed, by whose doing, where and as whom: the same in alerts and events. */
import { hostOf } from "../events/event-host.ts";
import { containerOf, type ImageContainer } from "../lineage/container-of.ts";
import { entryLeader } from "../lineage/entry-leader.ts";
import { leaderAmong } from "../lineage/process-details.ts";
import { type ProcessImage, previousImages } from "../lineage/process-image.ts";
import type { RpmCommandLine } from "../packages/rpm-command-line.ts";
import { parentProvenance, toldParent, unresolvedReason } from "../rules/new-parent.ts";
import type {
  AgentDocument,
  ExecutionDocument,
  HostDocument,
  LineageDocument,
  RpmDocument,
} from "./alert-document.ts";
import { ownersPart } from "./ecs-owner.ts";
import {
  ancestorDocument,
  type Knowledge,
  keyword,
  loginOf,
  previousDocument,
  processDocument,
  userOf,
} from "./ecs-process.ts";

export const ecsVersion = "9.4.0";

export interface DocumentContext extends Knowledge {
  readonly host: HostDocument | undefined; // this host; undefined: stored logs, whose records alone name one
  readonly agent: AgentDocument;
  readonly namespace?: string; // of the data streams; left out: Elastic's default
  readonly provider: string; // the source's name
  readonly nowMs: number | undefined; // undefined: a stored log, decided when it happened
  readonly ancestors: readonly ProcessImage[]; // of the process that executes or installs, its parent first
}

const OPERANDS_MAX = 256; // the command line holds more of them

export type ExecutionPart = Pick<
  ExecutionDocument,
  "ecs" | "process" | "user" | "host" | "container" | "agent" | "related"
>;

export function executionPart(image: ProcessImage, context: DocumentContext): ExecutionPart {
  const { exec } = image;
  const { agent, nameUser } = context;
  const host = hostDocument(hostOf(exec.node, context.host));
  const user = userOf(exec, nameUser);
  const login = loginOf(exec, nameUser);
  const users = [user?.name, login?.name, user?.id, login?.id].filter((name) => name !== undefined);
  return {
    ecs: { version: ecsVersion },
    process: {
      ...processDocument(image, context),
      ...relativesPart(image, context),
      ...detailsPart(image, context),
    },
    ...(user === undefined ? {} : { user }),
    host,
    ...containerPart(containerOf(image, context.ancestors, context.readContainer)),
    agent,
    related: {
      user: [...new Set(users)],
      hosts: host.name === undefined ? [] : [host.name],
    },
  };
}

function containerPart(container: ImageContainer | undefined): Pick<ExecutionDocument, "container"> {
  if (container?.id === undefined) return {};
  const { id, name, runtime, image } = container;
  return {
    container: {
      id,
      ...(name === undefined ? {} : { name: keyword(name) }),
      ...(runtime === undefined ? {} : { runtime }),
      ...(image === undefined ? {} : { image: { name: keyword(image) } }),
    },
  };
}

type ProcessPart = Partial<ExecutionDocument["process"]>;

/** The processes that it came by. */
function relativesPart(image: ProcessImage, context: DocumentContext): ProcessPart {
  const { ancestors, readDetails } = context;
  const parent = toldParent(image);
  const entry = entryLeader(image, ancestors);
  const details = readDetails?.(image);
  const session = leaderAmong(details?.session, image, ancestors);
  const group = leaderAmong(details?.processGroup, image, ancestors);
  return {
    ...(parent === undefined ? {} : { parent: processDocument(parent, context) }),
    ...(image.previous === undefined ? {} : { previous: previousDocument(image.previous) }),
    entry_leader: {
      ...(entry.image === undefined ? {} : processDocument(entry.image, context)),
      entry_meta: { type: entry.type },
    },
    ...(session === undefined ? {} : { session_leader: processDocument(session, context) }),
    ...(group === undefined ? {} : { group_leader: processDocument(group, context) }),
  };
}

function detailsPart(image: ProcessImage, { readDetails }: DocumentContext): ProcessPart {
  const details = readDetails?.(image);
  if (details === undefined) return {};
  const { environment, effectiveCapabilities: effective, permittedCapabilities: permitted } = details;
  return {
    ...(environment.length === 0 ? {} : { env_vars: environment.map((variable) => keyword(variable)) }),
    thread: { capabilities: { effective, permitted } },
  };
}

export function lineagePart(image: ProcessImage, context: DocumentContext): LineageDocument {
  const { ancestors, nameUser, readOwners, readContainer } = context;
  const container = containerOf(image, ancestors, readContainer);
  const { exec } = image;
  const owned = (one: ProcessImage) => ({ ...ancestorDocument(one), ...ownersPart(one, readOwners) });
  const { ses, deleted, argumentsFrom, argumentsComplete, source, serial, node } = exec;
  const reason = unresolvedReason(image);
  const login = loginOf(exec, nameUser);
  return {
    parent_provenance: parentProvenance(image),
    ...(reason === undefined ? {} : { parent_unresolved_reason: reason }),
    ...(login === undefined ? {} : { login_user: login }),
    ...(ses === undefined ? {} : { login_session: String(ses) }),
    ...(deleted ? { executable_deleted: true as const } : {}),
    arguments_from: argumentsFrom,
    arguments_complete: argumentsComplete,
    ...(container === undefined ? {} : { container_from: container.from }),
    ...(container?.reason === undefined ? {} : { container_unknown_reason: container.reason }),
    ...ownersPart(image, readOwners),
    ancestry: ancestors.map(owned),
    previous_images: previousImages(image).map(owned),
    ...(source === "audit-log"
      ? { audit: { serial, ...(node === undefined ? {} : { node: keyword(node) }) } }
      : {}),
  };
}

export function rpmPart(command: RpmCommandLine | undefined): { rpm?: RpmDocument } {
  if (command === undefined) return {};
  const { program, mode, flags, test, packages, root, dbpath, certainty } = command;
  return {
    rpm: {
      program: keyword(program),
      mode,
      flags,
      test,
      operands: packages.slice(0, OPERANDS_MAX).map((word) => keyword(word)),
      ...(root === null ? {} : { root: keyword(root) }),
      ...(dbpath === null ? {} : { dbpath: keyword(dbpath) }),
      certainty,
    },
  };
}

function hostDocument(host: HostDocument): HostDocument {
  const { name, hostname } = host;
  return {
    ...host,
    ...(name === undefined ? {} : { name: keyword(name) }),
    ...(hostname === undefined ? {} : { hostname: keyword(hostname) }),
  };
}
