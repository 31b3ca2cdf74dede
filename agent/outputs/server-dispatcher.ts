/** Connections to a server, directly or by the proxy that the environment names (HTTPS_PROXY, NO_PROXY), and whom they trust. */
import { createSecureContext, type SecureContext } from "node:tls";
import { getProxyForUrl } from "proxy-from-env";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { authoritiesOfHost, authorityOf, type TlsOptions } from "./server-trust.ts";

export interface Trust {
  readonly tls: TlsOptions;
  readonly fingerprint: string; // of an authority in the server's chain; "": none
}

const connectMs = 10_000;

/** @throws KW_ELASTICSEARCH_UNTRUSTED; errors of the connection, where the fingerprint's authority is looked for */
export async function openDispatcher(url: URL, { tls, fingerprint }: Trust): Promise<Dispatcher> {
  const proxy = getProxyForUrl(url.href);
  const trust = url.protocol === "https:" ? await trustOf(url, { tls, fingerprint }, proxy) : {};
  const secure = { ...trust, timeout: connectMs };
  if (proxy === "") return new Agent({ connect: secure });
  return new ProxyAgent({ uri: proxy, requestTls: secure, connect: { timeout: connectMs } });
}

async function trustOf(
  url: URL,
  { tls, fingerprint }: Trust,
  proxy: string,
): Promise<{ readonly secureContext: SecureContext }> {
  if (fingerprint === "") return { secureContext: createSecureContext({ ca: authoritiesOfHost(), ...tls }) };
  const ca = await authorityOf(url, fingerprint, proxy);
  // An authority that is known by its fingerprint may be one below the root: openssl-verification-options(1), -partial_chain
  return { secureContext: createSecureContext({ ...tls, ca, allowPartialTrustChain: true }) };
}
