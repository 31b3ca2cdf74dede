/**
 * Asks the kernel how audit does, over a socket of our own and without a program for it: AUDIT_GET of kernel/audit.c, audit_receive_msg(),
 * answered with a struct audit_status (include/uapi/linux/audit.h). Only who has CAP_AUDIT_CONTROL on the host is answered. It never waits:
 * the kernel answers beside, and what it said is read at the next opportunity.
 */
import { loadKoffi } from "../native.ts";
import type { AuditStatus } from "./audit-status.ts";

export interface AuditSocket extends Disposable {
  ask(): void;
  /** To what was asked before: the last one, "refused", or undefined when none came yet. */
  answer(): AuditStatus | "refused" | undefined;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_AUDIT = 9;
const MSG_DONTWAIT = 0x40;
const NLMSG_ERROR = 2; // include/uapi/linux/netlink.h
const NLM_F_REQUEST = 1;
const AUDIT_GET = 1_000;
const HEADER = 16; // struct nlmsghdr: length, type, flags, sequence, port
const ANSWERS_MAX = 64; // of one look

/** @returns undefined where there is no such socket: a kernel without audit, or no native code */
export function openAuditSocket(): AuditSocket | undefined {
  try {
    return new NetlinkAudit();
  } catch {
    return undefined;
  }
}

class NetlinkAudit implements AuditSocket {
  readonly #fd: number;
  readonly #send: (
    fd: number,
    bytes: Buffer,
    length: number,
    flags: number,
    to: Buffer,
    size: number,
  ) => number;
  readonly #receive: (fd: number, bytes: Buffer, length: number, flags: number) => number;
  readonly #close: (fd: number) => number;
  readonly #buffer = Buffer.alloc(8_192);

  constructor() {
    const libc = loadKoffi().load("libc.so.6");
    this.#send = libc.func("long sendto(int, void *, size_t, int, void *, unsigned int)");
    this.#receive = libc.func("long recv(int, _Out_ void *, size_t, int)");
    this.#close = libc.func("int close(int)");
    this.#fd = libc.func("int socket(int, int, int)")(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
    if (this.#fd < 0) throw new Error("no audit socket");
  }

  ask(): void {
    const request = Buffer.alloc(HEADER);
    request.writeUInt32LE(HEADER, 0);
    request.writeUInt16LE(AUDIT_GET, 4);
    request.writeUInt16LE(NLM_F_REQUEST, 6);
    const kernel = Buffer.alloc(12); // struct sockaddr_nl, port 0
    kernel.writeUInt16LE(AF_NETLINK, 0);
    this.#send(this.#fd, request, HEADER, MSG_DONTWAIT, kernel, kernel.length); // a full queue is emptied by answer()
  }

  answer(): AuditStatus | "refused" | undefined {
    let last: AuditStatus | "refused" | undefined;
    for (let left = ANSWERS_MAX; left > 0; left -= 1) {
      const length = this.#receive(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT);
      if (length <= 0) break;
      last = readAnswer(this.#buffer.subarray(0, length)) ?? last;
    }
    return last;
  }

  [Symbol.dispose](): void {
    this.#close(this.#fd);
  }
}

/** @param bytes one netlink message, in the machine's order of bytes: little endian on x86_64 and aarch64 */
function readAnswer(bytes: Buffer): AuditStatus | "refused" | undefined {
  const type = bytes.length < HEADER ? undefined : bytes.readUInt16LE(4);
  if (type === NLMSG_ERROR) return bytes.readInt32LE(HEADER) === 0 ? undefined : "refused";
  if (type !== AUDIT_GET || bytes.length < HEADER + 32) return undefined;
  const field = (index: number) => bytes.readUInt32LE(HEADER + 4 * index);
  return {
    enabled: field(1),
    pid: field(3),
    rateLimit: field(4),
    backlogLimit: field(5),
    lost: field(6),
    backlog: field(7),
  };
}
