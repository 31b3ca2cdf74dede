/** A process image as ECS has it. Keywords longer than 1,024 characters would not be searchable: they are cut, visibly. */
import { baseName } from "../events/audit-exec.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import type { ProcessImage } from "../lineage/process-image.ts";
import type { AncestorDocument, ProcessDocument, UserDocument } from "./alert-document.ts";
import { entityId } from "./alert-id.ts";

const KEYWORD_MAX = 1_024; // ignore_above of ECS's keywords
const ARGUMENTS_MAX = 256; // the command line below holds more of them
const COMMAND_LINE_MAX = 16_384;

/** Well-formed: half a surrogate pair is no text to a server that takes UTF-8. */
export function keyword(text: string, max = KEYWORD_MAX): string {
  return (text.length <= max ? text : `${text.slice(0, max - 1)}…`).toWellFormed();
}

/** As a person would type it in a shell: arguments with blanks or signs in quotes. */
export function commandLine(args: readonly string[]): string {
  const words = args.map((word) =>
    /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  return keyword(words.join(" "), COMMAND_LINE_MAX);
}

/** What a user of a host is called: of this one, or of another that a log names. undefined: nobody knows */
export type NameUser = (uid: number, node: string | undefined) => string | undefined;

export function processDocument(image: ProcessImage, nameUser: NameUser): ProcessDocument {
  const { executable, args, workingDirectory, pid, timeMs, source, tty } = image.exec;
  const user = userOf(image.exec, nameUser);
  const device = tty === undefined ? undefined : deviceOf(tty);
  return {
    entity_id: entityOf(image),
    pid,
    ...(executable === "" ? {} : { name: keyword(baseName(executable)), executable: keyword(executable) }),
    ...(args.length === 0
      ? {}
      : {
          args: args.slice(0, ARGUMENTS_MAX).map((word) => keyword(word)),
          args_count: args.length,
          command_line: commandLine(args),
        }),
    ...(workingDirectory === undefined ? {} : { working_directory: keyword(workingDirectory) }),
    ...(timeMs === 0 ? {} : { start: new Date(timeMs).toISOString() }),
    ...(source === "procfs" ? {} : { interactive: tty !== undefined }),
    ...(device === undefined ? {} : { tty: { char_device: device } }),
    ...(user === undefined ? {} : { user }),
  };
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

/** Whom it runs as; by the name that its source told, else by the one that it has on its host now. */
export function userOf({ uid, userName, node }: ExecEvent, nameUser: NameUser): UserDocument | undefined {
  return userDocument(uid, userName ?? (uid === undefined ? undefined : nameUser(uid, node)));
}

/** The same of who logged in. */
export function loginOf({ auid, loginName, node }: ExecEvent, nameUser: NameUser): UserDocument | undefined {
  return userDocument(auid, loginName ?? (auid === undefined ? undefined : nameUser(auid, node)));
}

function userDocument(id: number | undefined, name: string | undefined): UserDocument | undefined {
  return id === undefined
    ? undefined
    : { id: String(id), ...(name === undefined ? {} : { name: keyword(name) }) };
}

/** The same for an image wherever it is named: as the process, a parent or an ancestor. */
function entityOf({ exec }: ProcessImage): string {
  return entityId(exec.node, exec.pid, exec.timeMs, exec.serial);
}

/** Device numbers of terminals: Linux, Documentation/admin-guide/devices.txt. */
function deviceOf(tty: string): { major: number; minor: number } | undefined {
  const [, kind = "", number = ""] = /^(pts|tty|ttyS)(\d{1,7})$/.exec(tty) ?? [];
  if (kind === "pts") return { major: 136, minor: Number(number) };
  if (kind === "tty") return { major: 4, minor: Number(number) };
  return kind === "ttyS" ? { major: 4, minor: 64 + Number(number) } : undefined;
}
