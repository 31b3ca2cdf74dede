/** A folder that looks like /proc to those who read one process at a time. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface FakeProcess {
  readonly comm?: string;
  readonly state?: string;
  readonly ppid?: number;
  readonly tty?: number;
  readonly flags?: number;
  readonly startTicks?: number;
  readonly addresses?: string; // fields 26 to 28: another one is another image
  readonly exitSignal?: number; // 17: SIGCHLD; -1: a thread
  readonly cmdline?: string | Buffer;
  readonly exe?: string | null; // null: not permitted
  readonly root?: string;
  readonly loginuid?: string;
  readonly status?: string;
  readonly environ?: string;
  readonly cgroup?: string;
  readonly mounts?: string; // the name of its mount namespace
}

export class FakeProc implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "kinwatch-proc-"));

  constructor(newest: number, pidMax = 32_768) {
    mkdirSync(join(this.root, "sys/kernel"), { recursive: true });
    writeFileSync(join(this.root, "sys/kernel/pid_max"), `${pidMax}\n`);
    this.newest(newest);
  }

  newest(pid: number): void {
    writeFileSync(join(this.root, "loadavg"), `0.20 0.18 0.12 1/80 ${pid}`.padEnd(60));
  }

  put(pid: number, fake: FakeProcess = {}): void {
    const folder = join(this.root, `${pid}`);
    this.end(pid);
    mkdirSync(folder);
    writeFileSync(join(folder, "stat"), statLine(pid, fake));
    writeFileSync(join(folder, "cmdline"), fake.cmdline ?? "/usr/bin/program\0");
    writeFileSync(join(folder, "status"), fake.status ?? "Name:\tprogram\nUid:\t1000\t1001\t1000\t1000\n");
    writeFileSync(join(folder, "environ"), fake.environ ?? "");
    writeFileSync(join(folder, "cgroup"), fake.cgroup ?? "0::/system.slice/program.service\n");
    mkdirSync(join(folder, "ns"));
    symlinkSync(fake.mounts ?? "mnt:[1]", join(folder, "ns/mnt"));
    writeFileSync(join(folder, "loginuid"), fake.loginuid ?? "4294967295");
    writeFileSync(join(folder, "sessionid"), "7");
    if (fake.exe !== null) symlinkSync(fake.exe ?? "/usr/bin/program", join(folder, "exe"));
    symlinkSync(fake.root ?? "/", join(folder, "root"));
    symlinkSync(`${fake.root ?? ""}/tmp`, join(folder, "cwd"));
  }

  end(pid: number): void {
    rmSync(join(this.root, `${pid}`), { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** proc_pid_stat(5) */
function statLine(pid: number, fake: FakeProcess): string {
  const { comm = "program", state = "S", ppid = 1, tty = 0, flags = 0x400000, startTicks = pid } = fake;
  const { addresses = "4096 8192 140000000", exitSignal = 17 } = fake;
  const upTo25 = `${pid} ${pid} ${tty} -1 ${flags} 0 0 0 0 0 0 0 0 20 0 1 0 ${startTicks} 1000 10 99`;
  return `${pid} (${comm}) ${state} ${ppid} ${upTo25} ${addresses} 0 0 0 0 0 0 0 0 0 ${exitSignal} 0 0 0 0 0 0\n`;
}
