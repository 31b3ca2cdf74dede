/**
 * The API key, and who else may know it: nobody. It is read from a systemd credential or a file that only its owner can read,
 * each time a connection is made, so that a new key needs no restart; it is in no message, no argument and no environment.
 * systemd.exec(5), LoadCredential.
 */
import { join } from "node:path";
import { KinwatchError } from "../errors.ts";
import { isMissing, readTrustedFile, type TrustedUse } from "../trusted-file.ts";

const bytesMax = 4_096; // one is some 60
const secret: TrustedUse = {
  insecure: "KW_ELASTICSEARCH_KEY_INSECURE",
  unreadable: "KW_ELASTICSEARCH_KEY_UNREADABLE",
  instead: ": put the API key there, or give it to the unit as a systemd credential",
  isSecret: true,
};

/**
 * @param file where the key is, unless systemd hands it over
 * @param name of the credential
 * @returns the value of the header Authorization
 * @throws KW_ELASTICSEARCH_KEY_UNREADABLE, KW_ELASTICSEARCH_KEY_INSECURE, KW_ELASTICSEARCH_KEY_INVALID
 */
export function readApiKey(
  file: string,
  name: "api_key" | "prevalence_api_key",
  credentials = process.env["CREDENTIALS_DIRECTORY"],
): string {
  const credential = credentials === undefined ? undefined : join(credentials, name);
  // systemd shows a credential to nobody but the unit's user, by an access list that its mode does not tell.
  const isCredential = credential !== undefined && !isMissing(credential);
  const path = isCredential ? credential : file;
  const bytes = readTrustedFile(path, bytesMax, isCredential ? { ...secret, isSecret: false } : secret);
  const header = apiKeyHeader(bytes.toString("utf8").trim());
  if (header === undefined) throw invalid(path);
  return header;
}

/**
 * id and key, neither with blanks. elastic.co/docs/api/doc/elasticsearch/operation/operation-security-create-api-key
 * @param text both with a colon between, or encoded
 * @returns undefined: it is neither
 */
export function apiKeyHeader(text: string): string | undefined {
  const isEncoded = /^[\w+/-]+={0,2}$/.test(text);
  const pair = isEncoded ? Buffer.from(text, "base64").toString("latin1") : text;
  return /^[!-9;-~]+:[!-9;-~]+$/.test(pair) ? `ApiKey ${Buffer.from(pair).toString("base64")}` : undefined;
}

function invalid(path: string): KinwatchError {
  return new KinwatchError(
    "KW_ELASTICSEARCH_KEY_INVALID",
    `${path} holds no API key of Elasticsearch`,
    'Write one line into it: "encoded" from the answer that made the key, or its "id" and "api_key" with a colon between',
  );
}
