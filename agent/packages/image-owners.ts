/**
 * Which packages the programs and scripts of processes belong to: asked for once of each image, while its process can still be looked
 * at, and told from then on. A process of another host or of a container has none of this host's files.
 */
import { absolute } from "../events/audit-exec.ts";
import type { ExecEvent } from "../events/exec-event.ts";
import type { ProcessImage } from "../lineage/process-image.ts";
import type { ProcessFile, ProcessPath } from "../sources/process-file.ts";
import { isAsWritten, type ScriptLine } from "../sources/script-line.ts";
import type { Owner } from "./owner-answer.ts";

export interface ImageOwner {
  readonly executable: Owner;
  readonly script: Owner | undefined; // undefined: it runs none
  readonly hasOtherOptions: boolean; // the interpreter has others than the script's first line gives it
}

/** undefined: nobody asked, as of stored logs */
export type ReadOwners = (image: ProcessImage) => ImageOwner | undefined;

export interface ImageOwnersOptions {
  readonly isThisHost: (node: string | undefined) => boolean;
  readonly fileOf: (path: ProcessPath) => ProcessFile;
  readonly lineOf: (script: string) => ScriptLine | undefined;
  /** Answers at once what is known, and never rejects. */
  readonly ask: (path: string) => Owner | Promise<Owner>;
}

interface Asked {
  executable: Owner;
  script: Owner | undefined;
  hasOtherOptions: boolean;
  open: Promise<unknown> | undefined;
}

const unasked = unknown("it was not asked");
const pending = unknown("the package database has not answered yet");

export class ImageOwners {
  readonly #options: ImageOwnersOptions;
  readonly #known = new WeakMap<ExecEvent, Asked>(); // as long as anybody holds the execution

  constructor(options: ImageOwnersOptions) {
    this.#options = options;
  }

  /** Asks, and again of those that were asked before: packages come and go. @returns when all are answered; undefined: they are */
  ask(images: readonly ProcessImage[]): Promise<unknown> | undefined {
    const execs = new Set(images.map(({ exec }) => exec));
    const open = [...execs].flatMap((exec) => this.#ask(exec) ?? []);
    return open.length === 0 ? undefined : Promise.all(open);
  }

  readonly of: ReadOwners = ({ exec }) => this.#known.get(exec);

  #ask(exec: ExecEvent): Promise<unknown> | undefined {
    const asked = this.#known.get(exec) ?? {
      executable: unasked,
      script: undefined,
      hasOtherOptions: false,
      open: undefined,
    };
    this.#known.set(exec, asked);
    if (asked.open !== undefined) return asked.open;
    const { executable, script } = exec;
    const open = [
      this.#owner(exec, executable, "executable", asked),
      script === undefined ? undefined : this.#owner(exec, script, "script", asked),
    ].filter((promise) => promise !== undefined);
    if (open.length === 0) return undefined;
    asked.open = Promise.all(open).then(() => {
      asked.open = undefined;
    });
    return asked.open;
  }

  #owner(exec: ExecEvent, path: string, what: ProcessPath["what"], asked: Asked): Promise<void> | undefined {
    const { isThisHost, fileOf, lineOf, ask } = this.#options;
    const take = (owner: Owner): void => {
      asked[what] = owner;
    };
    if (!isThisHost(exec.node)) return void take(unknown("it is a process of another host"));
    if (what === "executable" && exec.deleted) return void take(unknown("its file was deleted"));
    const file = fileOf({ pid: exec.pid, timeMs: exec.timeMs, path, what });
    if ("reason" in file) {
      // What was found while it lived still holds.
      const isFound = (asked[what] ?? unasked).result !== "unknown";
      return file.isOver && isFound ? undefined : void take(unknown(file.reason));
    }
    if (what === "script")
      asked.hasOtherOptions = !isAsWritten(lineOf(file.path), exec.executable, wordsBefore(exec));
    const owner = ask(file.path);
    take("result" in owner ? owner : pending);
    return "result" in owner ? undefined : owner.then(take);
  }
}

/** What an interpreter was given before its script; undefined: it is not among its arguments any more. */
function wordsBefore({ args, script, workingDirectory }: ExecEvent): readonly string[] | undefined {
  const at = args.findIndex((word, index) => index > 0 && absolute(word, workingDirectory) === script);
  return at === -1 ? undefined : args.slice(1, at);
}

function unknown(reason: string): Owner {
  return { result: "unknown", reason };
}
