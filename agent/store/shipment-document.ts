/**
 * Documents as they wait for Elasticsearch: compressed, each by itself, with a dictionary of what all of them have in common. A
 * document of 3 to 5 KB becomes some 0.5; without the dictionary it would be 1.7. RFC 1951; zlib.net/manual.html, deflateSetDictionary.
 *
 * Made by zlib, read by fflate: each call of zlib leaves its copy of the dictionary behind outside of the heap until the heap is
 * full, and a batch has hundreds of documents; fflate is as fast and writes into memory that is used again.
 */
import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { inflateSync } from "fflate";

/** Rows that were written with it wait on hosts: it never changes. Another one is another version, beside it. */
const dictionary = readFileSync(new URL("shipment-dictionary.ndjson", import.meta.url));
const VERSION = 1; // the first byte; then the document's length in four, the highest first
const HEADER = 5;

export function packed(json: string): Uint8Array {
  const header = Buffer.of(VERSION, 0, 0, 0, 0);
  header.writeUInt32BE(Buffer.byteLength(json), 1);
  return Buffer.concat([header, deflateRawSync(json, { dictionary })]);
}

/** @returns bytes of a document; undefined: it is of no version that is known here */
export function unpackedLength(document: Uint8Array): number | undefined {
  if (document[0] !== VERSION || document.length < HEADER) return undefined;
  return new DataView(document.buffer, document.byteOffset).getUint32(1);
}

/**
 * @param into at least as long as the document
 * @returns JSON in UTF-8, a part of `into`; undefined: it is damaged
 */
export function unpacked(document: Uint8Array, into: Buffer): Buffer | undefined {
  const length = unpackedLength(document);
  if (length === undefined || length > into.length) return undefined;
  try {
    const found = inflateSync(document.subarray(HEADER), { dictionary, out: into });
    return found.length === length ? into.subarray(0, length) : undefined;
  } catch {
    return undefined;
  }
}
