/** Authorities and certificates of our own, made by openssl(1), for servers on the loopback. */
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "./real-parts.ts";

export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly certificate: string; // PEM
  readonly key: string; // PEM
  readonly fingerprint: string; // SHA-256, 64 hexadecimal digits
}

export interface CertificateOptions {
  readonly issuer?: Certificate; // left out: it signs itself
  readonly isAuthority?: boolean;
  readonly names?: string; // subjectAltName
  readonly days?: number;
}

export function makeCertificate(
  folder: string,
  name: string,
  { issuer, isAuthority = false, names, days = 30 }: CertificateOptions = {},
): Certificate {
  const [certificateFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const extensions = [
    `basicConstraints=critical,CA:${isAuthority ? "TRUE" : "FALSE"}`,
    ...(names === undefined ? [] : [`subjectAltName=${names}`]),
  ];
  execFileSync(
    findProgram("openssl") ?? "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-subj", `/CN=${name}`, "-days", `${days}`, "-keyout", keyFile, "-out", certificateFile],
      ...extensions.flatMap((extension) => ["-addext", extension]),
      ...(issuer === undefined ? [] : ["-CA", issuer.certificateFile, "-CAkey", issuer.keyFile]),
    ],
    { stdio: "pipe", timeout: 30_000 },
  );
  const certificate = readFileSync(certificateFile, "utf8");
  const fingerprint = new X509Certificate(certificate).fingerprint256.replaceAll(":", "").toLowerCase();
  return { certificateFile, keyFile, certificate, key: readFileSync(keyFile, "utf8"), fingerprint };
}

/** A file of several, as a server shows them: its own first. */
export function chainFile(folder: string, name: string, chain: readonly Certificate[]): string {
  const file = join(folder, name);
  writeFileSync(file, chain.map(({ certificate }) => certificate).join(""));
  return file;
}
