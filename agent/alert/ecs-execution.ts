/** The part of a document that says what was executed, by whose doing, where and as whom: the same in alerts and events. */
import type { ProcessImage } from "../lineage/process-image.ts";
import type { RpmCommandLine } from "../packages/rpm-command-line.ts";
import { isService, toldParent, unresolvedReason } from "../rules/new-parent.ts";
import type {
  AgentDocument,
  ExecutionDocument,
  HostDocument,
  LineageDocument,
  RpmDocument,
} from "./alert-document.ts";
import { ancestorDocument, keyword, loginOf, type NameUser, processDocument, userOf } from "./ecs-process.ts";

export const ecsVersion = "9.4.0";

export interface DocumentContext {
  readonly host: HostDocument | undefined; // this host; undefined: stored logs, whose records alone name one
  readonly agent: AgentDocument;
  readonly nameUser: NameUser;
  readonly provider: string; // the source's name
  readonly nowMs: number | undefined; // undefined: a stored log, decided when it happened
  readonly ancestors: readonly ProcessImage[]; // of the process that executes or installs, its parent first
}

const OPERANDS_MAX = 256; // the command line holds more of them

export type ExecutionPart = Pick<
  ExecutionDocument,
  "ecs" | "process" | "user" | "host" | "agent" | "related"
>;

export function executionPart(
  image: ProcessImage,
  { host: thisHost, agent, nameUser }: DocumentContext,
): ExecutionPart {
  const { exec } = image;
  const parent = toldParent(image);
  const process = processDocument(image, nameUser);
  const host = hostOf(exec.node, thisHost);
  const user = userOf(exec, nameUser);
  const login = loginOf(exec, nameUser);
  const users = [user?.name, login?.name, user?.id, login?.id].filter((name) => name !== undefined);
  return {
    ecs: { version: ecsVersion },
    process: parent === undefined ? process : { ...process, parent: processDocument(parent, nameUser) },
    ...(user === undefined ? {} : { user }),
    ...(host === undefined ? {} : { host }),
    agent,
    related: {
      user: [...new Set(users)],
      hosts: host === undefined ? [] : [host.name],
    },
  };
}

export function lineagePart(image: ProcessImage, { ancestors, nameUser }: DocumentContext): LineageDocument {
  const { exec, parent } = image;
  const { ses, deleted, argumentsFrom, argumentsComplete, source, serial, node } = exec;
  const reason = unresolvedReason(image);
  const login = loginOf(exec, nameUser);
  return {
    parent_provenance:
      reason !== undefined ? "unresolved" : isService(image) ? "inferred" : (parent ?? image).provenance,
    ...(reason === undefined ? {} : { parent_unresolved_reason: reason }),
    ...(login === undefined ? {} : { login_user: login }),
    ...(ses === undefined ? {} : { login_session: String(ses) }),
    ...(deleted ? { executable_deleted: true as const } : {}),
    arguments_from: argumentsFrom,
    arguments_complete: argumentsComplete,
    ancestry: ancestors.map(ancestorDocument),
    previous_images: previousOf(image).map(ancestorDocument),
    ...(source === "procfs"
      ? {}
      : { audit: { serial, ...(node === undefined ? {} : { node: keyword(node) }) } }),
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

/** A log names its host with node= if auditd is told to (auditd.conf(5), name_format); it may be this one. */
function hostOf(node: string | undefined, thisHost: HostDocument | undefined): HostDocument | undefined {
  if (node === undefined || node === thisHost?.name || node === thisHost?.hostname) return thisHost;
  return { name: keyword(node), hostname: keyword(node) };
}

function previousOf(image: ProcessImage): ProcessImage[] {
  const images: ProcessImage[] = [];
  for (let at = image.previous; at !== undefined; at = at.previous) images.push(at);
  return images;
}
