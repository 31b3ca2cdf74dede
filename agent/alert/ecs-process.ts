/** A process image as ECS has it. Keywords longer than 1,024 characters would not be searchable: they are cut, visibly. */
import { loginNameOf, type NameUser, userNameOf } from "../events/account-names.ts";
import { baseName } from "../events/audit-exec.ts";
import { asTyped } from "../events/command-line.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import { deviceOf, isInteractive } from "../events/terminal.ts";
import type { ReadContainer } from "../lineage/container-of.ts";
import { entityOf } from "../lineage/entity-id.ts";
import type { ReadDetails } from "../lineage/process-details.ts";
import type { ProcessImage } from "../lineage/process-image.ts";
import type { ReadOwners } from "../packages/image-owners.ts";
import type { AncestorDocument, PreviousDocument, ProcessDocument, UserDocument } from "./alert-document.ts";

export type { NameUser };

const KEYWORD_MAX = 1_024; // ignore_above of ECS's keywords
const ARGUMENTS_MAX = 256; // the command line below holds more of them
const COMMAND_LINE_MAX = 16_384;

/** Well-formed: half a surrogate pair is no text to a server that takes UTF-8. */
export function keyword(text: string, max = KEYWORD_MAX): string {
  return (text.length <= max ? text : `${text.slice(0, max - 1)}…`).toWellFormed();
}

/** As a person would type it in a shell. */
export function commandLine(args: readonly string[]): string {
  return keyword(asTyped(args), COMMAND_LINE_MAX);
}

/** Who is asked for what the events do not say. */
export interface Knowledge {
  readonly nameUser: NameUser;
  readonly readDetails?: ReadDetails | undefined; // left out: nobody can tell of a stored log's processes
  readonly readOwners?: ReadOwners | undefined; // the same
  readonly readContainer?: ReadContainer | undefined; // the same
}

export function processDocument(image: ProcessImage, { nameUser, readDetails }: Knowledge): ProcessDocument {
  const { executable, args, workingDirectory, pid, timeMs, tty } = image.exec;
  const user = userOf(image.exec, nameUser);
  const gid = readDetails?.(image)?.gid;
  const device = tty === undefined ? undefined : deviceOf(tty);
  const interactive = isInteractive(image.exec);
  return {
    entity_id: entityOf(image),
    pid,
    ...(executable === "" ? {} : { name: keyword(baseName(executable)), executable: keyword(executable) }),
    ...argumentsPart(args),
    ...(workingDirectory === undefined ? {} : { working_directory: keyword(workingDirectory) }),
    ...(timeMs === 0 ? {} : { start: new Date(timeMs).toISOString() }),
    ...(interactive === undefined ? {} : { interactive }),
    ...(device === undefined ? {} : { tty: { char_device: device } }),
    ...(user === undefined ? {} : { user }),
    ...(gid === undefined ? {} : { group: { id: String(gid) } }),
  };
}

function argumentsPart(
  args: readonly string[],
): Pick<ProcessDocument, "args" | "args_count" | "command_line"> {
  if (args.length === 0) return {};
  return {
    args: args.slice(0, ARGUMENTS_MAX).map((word) => keyword(word)),
    args_count: args.length,
    command_line: commandLine(args),
  };
}

/** What the process was before: ECS has no command line for it. */
export function previousDocument({ exec }: ProcessImage): PreviousDocument {
  const { command_line: _, ...words } = argumentsPart(exec.args);
  return { ...words, ...(exec.executable === "" ? {} : { executable: keyword(exec.executable) }) };
}

export function ancestorDocument(image: ProcessImage): AncestorDocument {
  const { pid, executable, deleted, script, args, timeMs } = image.exec;
  return {
    entity_id: entityOf(image),
    pid,
    ...(executable === "" ? {} : { executable: keyword(executable) }),
    ...(deleted ? { executable_deleted: true as const } : {}),
    ...(script === undefined ? {} : { script: keyword(script) }),
    ...(args.length === 0 ? {} : { command_line: keyword(commandLine(args)) }),
    ...(timeMs === 0 ? {} : { started: new Date(timeMs).toISOString() }),
    provenance: image.provenance,
  };
}

export function userOf(exec: ExecEvent, nameUser: NameUser): UserDocument | undefined {
  return userDocument(exec.uid, userNameOf(exec, nameUser));
}

/** The same of who logged in. */
export function loginOf(exec: ExecEvent, nameUser: NameUser): UserDocument | undefined {
  return userDocument(exec.auid, loginNameOf(exec, nameUser));
}

function userDocument(id: number | undefined, name: string | undefined): UserDocument | undefined {
  return id === undefined
    ? undefined
    : { id: String(id), ...(name === undefined ? {} : { name: keyword(name) }) };
}
