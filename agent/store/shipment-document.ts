/**
 * Documents as they wait for Elasticsearch: compressed, each by itself, with a dictionary of what all of them have in common. A
 * document of 3 to 5 KB becomes some 0.7; without the dictionary it would be 1.7. RFC 1951; zlib.net/manual.html, deflateSetDictionary.
 */
import { readFileSync } from "node:fs";
import { deflateRawSync, inflateRawSync } from "node:zlib";

/** Rows that were written with it wait on hosts: it never changes. Another one is another version, beside it. */
const dictionary = readFileSync(new URL("shipment-dictionary.ndjson", import.meta.url));
const VERSION = 1; // the first byte
const chunkSize = 6_144; // a document is rarely longer, and keeps as much memory as it was read into

export function packed(json: string): Uint8Array {
  return Buffer.concat([Buffer.of(VERSION), deflateRawSync(json, { dictionary })]);
}

/** @returns JSON in UTF-8; undefined: it is damaged */
export function unpacked(document: Uint8Array): Buffer | undefined {
  try {
    return document[0] === VERSION
      ? inflateRawSync(document.subarray(1), { dictionary, chunkSize })
      : undefined;
  } catch {
    return undefined;
  }
}
