/** Servers that do not keep to HTTP, or to any pace. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { openKibana } from "../../agent/outputs/kibana-request.ts";

/** A server that answers what comes first with the given bytes, and then does as the test says. */
async function raw(act: (socket: Socket) => void): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => act(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
const rows: readonly { why: string; act: (socket: Socket) => void; want: RegExp }[] = [
  { why: "says nothing", act: () => {}, want: /UND_ERR_HEADERS_TIMEOUT/ },
  { why: "hangs up", act: (socket) => socket.destroy(), want: /UND_ERR_SOCKET|ECONNRESET/ },
  {
    why: "hangs up in its answer",
    act: (socket) => socket.end(`${head}{"success":`),
    want: /UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH/,
  },
  {
    why: "stops in its answer",
    act: (socket) => socket.write(`${head}{"success":`),
    want: /UND_ERR_BODY_TIMEOUT/,
  },
  {
    why: "speaks another protocol",
    act: (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
    want: /does not match the HTTP\/1\.1 protocol/,
  },
  {
    why: "drips without end",
    act: (socket) => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      const timer = setInterval(() => socket.write("1\r\n \r\n"), 50);
      socket.on("close", () => clearInterval(timer));
    },
    want: /aborted|timeout/i,
  },
  {
    why: "floods",
    act: (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const block = Buffer.alloc(1_048_576, " ");
      const flood = () => {
        while (!socket.destroyed && socket.write(block));
        if (!socket.destroyed) socket.once("drain", flood);
      };
      flood();
    },
    want: /more than 8388608 bytes came/,
  },
];
for (const { why, act, want } of rows) {
  test(`openKibana(): a server that ${why} is unreachable, in time`, { timeout: 20_000 }, async () => {
    await using server = await raw(act);
    const connection = { url: `http://127.0.0.1:${server.port}`, space: undefined, tls: {} };
    await using kibana = openKibana({
      ...connection,
      authorization: "ApiKey c2VjcmV0OnNlY3JldA==",
      timeMsMax: 1_000,
    });
    await assert.rejects(
      kibana.ask({ method: "GET", path: "/api/status" }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "KW_SETUP_KIBANA_UNREACHABLE");
        assert.match(error.message, want);
        assert.doesNotMatch(error.message, /c2VjcmV0/);
        return true;
      },
    );
  });
}
