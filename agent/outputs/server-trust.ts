/**
 * Whom a TLS connection to the server trusts: the authorities of a file, the one in the server's own chain that has a fingerprint,
 * or those that Node.js brings along. A fingerprint only says which authority: the certificate that it signed is verified like
 * any other, by name and time.
 */
import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { isIP } from "node:net";
import tls, { type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { Client } from "undici";
import type { ElasticsearchConfig } from "../config.ts";
import { KinwatchError } from "../errors.ts";
import { readTrustedFile, type TrustedUse } from "../trusted-file.ts";

export type TlsOptions = Pick<tls.ConnectionOptions, "ca" | "cert" | "key">;
type TlsConfig = Pick<ElasticsearchConfig, "ca_file" | "client_certificate_file" | "client_key_file">;

const bytesMax = 1_048_576; // the bundle of a distribution is some 220 KB
const connectMs = 10_000;
const chainMax = 16;

const certificate: TrustedUse = {
  insecure: "KW_ELASTICSEARCH_TLS_FILE",
  unreadable: "KW_ELASTICSEARCH_TLS_FILE",
  instead: ", or leave it out",
};

/** @throws KW_ELASTICSEARCH_TLS_FILE */
export function readTlsFiles(config: TlsConfig): TlsOptions {
  const { ca_file, client_certificate_file, client_key_file } = config;
  return {
    ...(ca_file === "" ? {} : { ca: readPem(ca_file, certificate, "CERTIFICATE") }),
    ...(client_certificate_file === ""
      ? {}
      : { cert: readPem(client_certificate_file, certificate, "CERTIFICATE") }),
    ...(client_key_file === ""
      ? {}
      : { key: readPem(client_key_file, { ...certificate, isSecret: true }, "PRIVATE KEY") }),
  };
}

/** A company's own authority is where an administrator put it for all programs: update-ca-trust(8). */
export function authoritiesOfHost(): string[] {
  return [...new Set([...tls.getCACertificates("bundled"), ...tls.getCACertificates("system")])];
}

/**
 * The authority with a fingerprint out of the chain that a server shows. Nothing is said to the server meanwhile, and nothing
 * it says is believed but a certificate of which the fingerprint is known.
 * @param proxy its address; "": none
 * @returns PEM
 * @throws KW_ELASTICSEARCH_UNTRUSTED: no certificate in the chain has it; errors of the connection
 */
export async function authorityOf(url: URL, fingerprint: string, proxy: string): Promise<string> {
  const chain = await chainOf(url, proxy);
  const wanted = fingerprint.replaceAll(":", "").toUpperCase();
  const found = chain.find(({ fingerprint256 }) => fingerprint256.replaceAll(":", "") === wanted);
  if (found === undefined) {
    const shown = chain.map(({ fingerprint256 }) => fingerprint256.replaceAll(":", "").toLowerCase());
    throw new KinwatchError(
      "KW_ELASTICSEARCH_UNTRUSTED",
      `No certificate that ${url.origin} shows has the fingerprint ${wanted.toLowerCase()}; it shows ${shown.join(", ")}`,
      "See which is right: openssl x509 -fingerprint -sha256 -noout -in CA.crt on the server. Somebody else may answer in its place",
    );
  }
  return new X509Certificate(found.raw).toString();
}

async function chainOf(url: URL, proxy: string): Promise<readonly DetailedPeerCertificate[]> {
  const port = Number(url.port || 443);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const tunnel = proxy === "" ? undefined : await tunnelTo(proxy, `${url.hostname}:${port}`);
  const socket = tls.connect({
    ...(tunnel === undefined ? { host, port } : { socket: tunnel }),
    ...(isIP(host) ? {} : { servername: host }),
    rejectUnauthorized: false,
    timeout: connectMs,
  });
  try {
    await secured(socket);
    return certificatesOf(socket);
  } finally {
    socket.destroy();
    tunnel?.destroy();
  }
}

async function tunnelTo(proxy: string, path: string): Promise<Socket> {
  const { origin, username, password } = new URL(proxy);
  const user = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
    "base64",
  );
  const client = new Client(origin, { connect: { timeout: connectMs } });
  const headers = username === "" ? {} : { "proxy-authorization": `Basic ${user}` };
  try {
    const signal = AbortSignal.timeout(connectMs);
    const { socket, statusCode } = await client.connect({ path, headers, signal });
    if (statusCode === 200) return socket as Socket;
    socket.destroy();
    throw new Error(`the proxy answered ${statusCode}`);
  } catch (error) {
    await client.destroy();
    throw error;
  }
}

function secured(socket: TLSSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("secureConnect", resolve);
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection was closed before it was secured")));
  socket.once("timeout", () => reject(new Error(`no TLS connection within ${connectMs / 1_000} s`)));
  return promise;
}

/** As they were sent, the server's own first; an authority that signed itself ends it. */
function certificatesOf(socket: TLSSocket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (at?.raw !== undefined && !chain.includes(at) && chain.length < chainMax) {
    chain.push(at);
    at = at.issuerCertificate;
  }
  return chain;
}

function readPem(file: string, use: TrustedUse, kind: string): string {
  const text = readTrustedFile(file, bytesMax, use).toString("latin1");
  if (new RegExp(`-----BEGIN (?:[A-Z]+ )?${kind}-----`).test(text)) return text;
  throw new KinwatchError(
    "KW_ELASTICSEARCH_TLS_FILE",
    `${file} holds no ${kind.toLowerCase()} in PEM, which begins with -----BEGIN`,
    "Convert it with openssl, or name another file",
  );
}
