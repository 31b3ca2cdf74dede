/** A folder with an audit log that a test writes and rotates as auditd and logrotate do. Removed at the end of its block. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class LogFolder implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kinwatch-log-"));
  readonly path = join(this.folder, "audit.log");
  readonly #kept: number;
  #fd: number | undefined;

  /** @param kept num_logs of auditd.conf(5) */
  constructor(kept = 5) {
    this.#kept = kept;
  }

  write(text: string): void {
    this.#fd ??= openSync(this.path, "a");
    writeSync(this.#fd, text);
  }

  /** As auditd does: close, rename from the oldest on, open anew. src/auditd-event.c, rotate_logs(). */
  rotate(): void {
    this.close();
    if (existsSync(this.path)) {
      this.#shift();
      renameSync(this.path, `${this.path}.1`);
    }
    this.write("");
  }

  /** As logrotate(8) does with copytruncate: its writer notices nothing. */
  copyTruncate(): void {
    this.#shift();
    copyFileSync(this.path, `${this.path}.1`);
    truncateSync(this.path);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #shift(): void {
    rmSync(`${this.path}.${this.#kept - 1}`, { force: true });
    for (let age = this.#kept - 2; age >= 1; age -= 1) {
      if (existsSync(`${this.path}.${age}`)) renameSync(`${this.path}.${age}`, `${this.path}.${age + 1}`);
    }
  }

  [Symbol.dispose](): void {
    this.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A line as auditd writes it; a serial is in no other. */
export function record(serial: number, text = "res=success"): string {
  return `type=USER_CMD msg=audit(${1_700_000_000 + serial}.000:${serial}): pid=1 uid=0 ${text}\n`;
}
