/** Decompresses as fast as the reader takes it: what a file of any kind expands to is never in memory as a whole. */
import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";

export type Compression = "gzip" | "zstd";

const CHUNK_BYTES = 262_144;

/** By the first bytes: RFC 1952, 2.3.1; RFC 8878, 3.1.1 and 3.1.2 (skippable frames, which some compressors begin with). */
export function compressionOf(start: Buffer): Compression | undefined {
  if (start.length < 4) return undefined;
  if (start.readUInt16BE(0) === 0x1f8b) return "gzip";
  const magic = start.readUInt32LE(0);
  return magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5 ? "zstd" : undefined;
}

/**
 * @param input compressed bytes; each chunk may be reused once the next is asked for
 * @throws an error of zlib when the input is damaged or ends too early, after all that could be read
 */
export async function* inflate(
  input: AsyncIterable<Buffer>,
  compression: Compression,
): AsyncGenerator<Buffer> {
  const inflater: Transform =
    compression === "gzip"
      ? createGunzip({ chunkSize: CHUNK_BYTES })
      : createZstdDecompress({ chunkSize: CHUNK_BYTES });
  let error: unknown;
  let done = false; // with what was written last
  let wake = (): void => {};
  const finish = (): void => {
    done = true;
    wake();
  };
  inflater.on("readable", () => wake());
  inflater.on("end", finish);
  inflater.on("error", (cause) => {
    error = cause;
    wake();
  });
  // By hand: for await drops what is not yet read when the error comes.
  async function* output(): AsyncGenerator<Buffer> {
    for (;;) {
      const bytes = inflater.read() as Buffer | null;
      if (bytes !== null) yield bytes;
      else if (error !== undefined) throw error;
      else if (done) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  try {
    for await (const chunk of input) {
      done = false;
      inflater.write(chunk, finish);
      yield* output();
    }
    done = false;
    inflater.end();
    yield* output();
  } finally {
    inflater.destroy();
  }
}
