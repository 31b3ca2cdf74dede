/** A proxy that tunnels, as HTTPS_PROXY names one: RFC 9110, section 9.3.6. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";

export interface ConnectProxy extends AsyncDisposable {
  readonly url: string;
  readonly tunnels: readonly string[]; // where to, with the header Proxy-Authorization
}

export async function startConnectProxy(): Promise<ConnectProxy> {
  const tunnels: string[] = [];
  const server = createServer((_, response) => response.writeHead(400).end());
  server.on("connect", (request, socket, head) => {
    tunnels.push(`${request.url} ${request.headers["proxy-authorization"] ?? ""}`.trim());
    const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(request.url ?? "") ?? [];
    const far = connect(Number(port), host === "server.test" ? "127.0.0.1" : host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      far.write(head);
      far.pipe(socket).pipe(far);
    });
    for (const [one, other] of [
      [far, socket],
      [socket, far],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
