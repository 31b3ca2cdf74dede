/** To a stream of ours: done when the system has taken it, so that a slow reader slows us and a vanished one is noticed. */
import { KinwatchError, systemCode } from "../errors.ts";

export async function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (stream.listenerCount("error") === 0) stream.on("error", () => {}); // told below; unheard, it would end the process
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stream.write(text, (error) => (error ? reject(closed(error)) : resolve()));
  return await promise;
}

function closed(error: Error): KinwatchError {
  return new KinwatchError(
    "KW_OUTPUT_CLOSED",
    `Cannot write to standard output: ${systemCode(error)}`,
    "Start kinwatch again with a reader; alerts are kept, and the other outputs have them",
    { cause: error },
  );
}
