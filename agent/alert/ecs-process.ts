/** A process image as ECS has it. Keywords longer than 1,024 characters would not be searchable: they are cut, visibly. */
import { baseName } from "../events/audit-exec.ts";
import type { ProcessImage } from "../lineage/process-table.ts";
import type { AncestorDocument, ProcessDocument, UserDocument } from "./alert-document.ts";
import { entityId } from "./alert-id.ts";

const KEYWORD_MAX = 1_024; // ignore_above of ECS's keywords
const ARGUMENTS_MAX = 256; // the command line below holds more of them
const COMMAND_LINE_MAX = 16_384;

export function keyword(text: string, max = KEYWORD_MAX): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}

/** As a person would type it in a shell: arguments with blanks or signs in quotes. */
export function commandLine(args: readonly string[]): string {
  const words = args.map((word) =>
    /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  return keyword(words.join(" "), COMMAND_LINE_MAX);
}

export function processDocument({ exec }: ProcessImage): ProcessDocument {
  const { executable, args, workingDirectory } = exec;
  return {
    entity_id: entityId(exec.node, exec.pid, exec.timeMs, exec.serial),
    pid: exec.pid,
    ...(executable === "" ? {} : { name: keyword(baseName(executable)), executable: keyword(executable) }),
    ...(args.length === 0
      ? {}
      : {
          args: args.slice(0, ARGUMENTS_MAX).map((word) => keyword(word)),
          args_count: args.length,
          command_line: commandLine(args),
        }),
    ...(workingDirectory === undefined ? {} : { working_directory: keyword(workingDirectory) }),
    ...(exec.timeMs === 0 ? {} : { start: new Date(exec.timeMs).toISOString() }),
    ...(exec.source === "procfs" ? {} : { interactive: exec.tty !== undefined }),
    ...userPart(exec.uid, exec.userName),
  };
}

export function userPart(uid: number | undefined, name: string | undefined): { user?: UserDocument } {
  if (uid === undefined) return {};
  return { user: { id: String(uid), ...(name === undefined ? {} : { name: keyword(name) }) } };
}

export function ancestorDocument({ exec, provenance }: ProcessImage): AncestorDocument {
  return {
    pid: exec.pid,
    ...(exec.executable === "" ? {} : { executable: keyword(exec.executable) }),
    ...(exec.script === undefined ? {} : { script: keyword(exec.script) }),
    ...(exec.args.length === 0 ? {} : { command_line: keyword(commandLine(exec.args)) }),
    ...(exec.timeMs === 0 ? {} : { started: new Date(exec.timeMs).toISOString() }),
    provenance,
  };
}
