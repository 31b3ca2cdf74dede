/**
 * How the running daemon does, for who asks on this host: each connection to its socket is given one document and closed. Root and
 * the group of the daemon may connect; nothing is read from them.
 */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { isDenied, KinwatchError, systemCode } from "../errors.ts";

const CONNECTIONS_MAX = 16; // at a time; more wait
const PATIENCE_MS = 5_000;
const PATH_MAX = 107; // unix(7), sun_path without its NUL

/** systemd gives a service one folder below /var/lib and one of the same name below /run: systemd.exec(5), RuntimeDirectory=. */
export function statusSocketOf(stateFolder: string): string {
  const folder = dirname(stateFolder) === "/var/lib" ? join("/run", basename(stateFolder)) : stateFolder;
  return join(folder, "status.sock");
}

export class StatusSocket implements Disposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Who holds the lock of the state may take the place of a socket that a killed one left.
   * @param status asked at each connection
   * @throws KW_STATUS_UNAVAILABLE
   */
  static async open(path: string, status: () => unknown): Promise<StatusSocket> {
    const server = createServer((connection) => {
      connection.on("error", () => {}); // who asked has gone
      connection.setTimeout(PATIENCE_MS, () => connection.destroy());
      connection.end(`${JSON.stringify(status())}\n`);
    });
    server.maxConnections = CONNECTIONS_MAX;
    server.unref();
    try {
      if (Buffer.byteLength(path) > PATH_MAX) throw Object.assign(new Error(), { code: "ENAMETOOLONG" });
      mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
      rmSync(path, { force: true });
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(path, resolve);
      });
      chmodSync(path, 0o660);
    } catch (error) {
      throw unavailable(`Cannot listen at ${path}: ${systemCode(error)}`, error);
    }
    server.on("error", () => {}); // such as too many open files: the next connection may work
    return new StatusSocket(server);
  }

  [Symbol.dispose](): void {
    this.#server.close(); // its file goes with it
  }
}

/** @throws KW_STATUS_UNAVAILABLE */
export async function askStatus(path: string): Promise<unknown> {
  const connection = connect({ path });
  connection.setTimeout(PATIENCE_MS, () =>
    connection.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })),
  );
  try {
    return JSON.parse(await text(connection));
  } catch (error) {
    throw unavailable(`Cannot ask ${path}: ${systemCode(error)}`, error);
  } finally {
    connection.destroy();
  }
}

function unavailable(what: string, cause: unknown): KinwatchError {
  const remedy = isDenied(cause)
    ? "Be root, or a member of the group of the daemon"
    : "See whether it hangs: journalctl -u kinwatch";
  return new KinwatchError("KW_STATUS_UNAVAILABLE", what, remedy, { cause });
}
