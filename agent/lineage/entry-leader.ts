/**
 * By which way a process came onto the host: ECS, process.entry_leader, is the first process of a terminal or of a remote
 * access, or a service that init started. Elastic's sensors look at session leaders (github.com/elastic/quark, quark.c,
 * entry_leader_compute()); audit does not record sessions, so it is decided by who started whom and on which terminal:
 *
 * - sshd, ssm, container: the nearest one whose parent is such a server and who is none of its helpers;
 * - container: also one without a parent that is not pid 1, as who enters a pid namespace from outside of it;
 * - terminal, console: else the farthest one that has a terminal, if its parent, who has none, is known: whoever asks for
 *   another terminal below it (sudo, tmux, script) came the same way;
 * - init: else the one that pid 1 started, or pid 1;
 * - unknown: else. Whoever pid 1 took over from a login came by a way that nobody can tell any more.
 */
import { baseName } from "../events/audit-exec.ts";
import type { ProcessImage } from "./process-image.ts";

export interface EntryLeader {
  readonly type: "sshd" | "ssm" | "container" | "terminal" | "console" | "init" | "unknown";
  readonly image: ProcessImage | undefined; // none of an unknown one
}

/** sshd-session since OpenSSH 9.8; crun and conmon are Podman's. */
const servers: readonly (readonly [type: EntryLeader["type"], programs: RegExp])[] = [
  ["sshd", /^sshd(?:-session|-auth)?$/],
  ["ssm", /^ssm-(?:session-worker|agent-worker)$/],
  ["container", /^(?:containerd-shim(?:-.*)?|runc|crun|conmon)$/],
];

/** @param ancestors of the image, its parent first */
export function entryLeader(image: ProcessImage, ancestors: readonly ProcessImage[]): EntryLeader {
  let at = image;
  let onTerminal: ProcessImage | undefined; // the farthest so far
  for (const parent of ancestors) {
    if (isOfLogin(at)) break;
    const type = serverOf(parent);
    if (type !== undefined && serverOf(at) !== type) return { type, image: at };
    if (at.exec.tty !== undefined) onTerminal = at;
    if (parent.exec.pid === 1) return onTerminal ? ofTerminal(onTerminal) : { type: "init", image: at };
    at = parent;
  }
  if (at.exec.pid === 1) return { type: "init", image: at };
  if (at.exec.ppid === 0) return { type: "container", image: at };
  // Nobody knows its parent, who may have had the terminal too, or be a server.
  return at.exec.tty !== undefined || onTerminal === undefined ? nobody : ofTerminal(onTerminal);
}

function ofTerminal(image: ProcessImage): EntryLeader {
  return { type: image.exec.tty?.startsWith("pts") ? "terminal" : "console", image };
}

const nobody: EntryLeader = { type: "unknown", image: undefined };

function serverOf({ exec }: ProcessImage): EntryLeader["type"] | undefined {
  const name = baseName(exec.executable);
  return servers.find(([, programs]) => programs.test(name))?.[0];
}

/** Whether a program starts containers, and is outside of those that it starts. */
export function isContainerServer(image: ProcessImage): boolean {
  return serverOf(image) === "container";
}

/** Taken over by pid 1, and of a login session: no service. */
function isOfLogin({ adopter, exec }: ProcessImage): boolean {
  return adopter !== undefined && exec.ses !== undefined;
}
