/** To a stream of ours: done when the system has taken it, so that a slow reader slows us and a vanished one is noticed. */
import { KinwatchError, systemCode } from "../errors.ts";
import { UnblockedFile } from "./unblocked-file.ts";

export type Write = (text: string) => Promise<void>;

export function writeTo(stream: NodeJS.WritableStream): Write {
  stream.on("error", () => {}); // told below; unheard, it would end the process
  return (text) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    stream.write(text, (error) => (error ? reject(closed(error)) : resolve()));
    return promise;
  };
}

/** The same, and the process goes on while a terminal is stopped. Pipes and files do not need that. */
export function writeBeside(stream: NodeJS.WriteStream & { readonly fd: number }): Write {
  const terminal = stream.isTTY ? UnblockedFile.reopen(stream.fd) : undefined;
  if (terminal === undefined) return writeTo(stream);
  return async (text) => {
    try {
      await terminal.write(text);
    } catch (error) {
      throw closed(error);
    }
  };
}

function closed(error: unknown): KinwatchError {
  return new KinwatchError(
    "KW_OUTPUT_CLOSED",
    `Cannot write to standard output: ${systemCode(error)}`,
    "Start kinwatch again with a reader; alerts are kept, and the other outputs have them",
    { cause: error },
  );
}
