/** Writes the records of an execution as the kernel does: kernel/audit.c, audit_log_n_untrustedstring(); kernel/auditsc.c. */

export interface Written {
  readonly node?: string | undefined;
  readonly timeMs: number;
  readonly serial: number;
  readonly pid: number;
  readonly ppid: number;
  readonly uid?: number;
  readonly auid?: number | undefined;
  readonly ses?: number | undefined;
  readonly tty?: string | undefined;
  readonly executable: string;
  readonly deleted?: boolean;
  readonly args: readonly string[];
  readonly workingDirectory?: string;
  /** PATH items: what was started, interpreters, the loader. */
  readonly files?: readonly string[];
  readonly call?: string; // "arch=… syscall=…"
  readonly result?: string; // "success=yes exit=0"
  readonly enriched?: boolean;
  readonly recordMax?: number; // bytes of arguments in one EXECVE record
}

/** A string that a user can choose. */
export function untrustedText(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.every((byte) => byte >= 0x21 && byte <= 0x7e && byte !== 0x22)
    ? `"${text}"`
    : bytes.toString("hex").toUpperCase();
}

export function head(type: string, { node, timeMs, serial }: Written): string {
  const time = `${Math.floor(timeMs / 1_000)}.${String(timeMs % 1_000).padStart(3, "0")}`;
  return `${node === undefined ? "" : `node=${node} `}type=${type} msg=audit(${time}:${serial}): `;
}

/** SYSCALL, EXECVE (one or more), CWD, PATH for each file, PROCTITLE: lines without their newlines. */
export function execution(written: Written): string[] {
  const { files = [written.executable, "/lib64/ld-linux-x86-64.so.2"], enriched = true } = written;
  const trailer = (text: string) => (enriched ? `\x1d${text}` : "");
  return [
    syscall(written, files.length) +
      trailer('ARCH=x86_64 SYSCALL=execve AUID="unset" UID="root" EUID="root"'),
    ...execve(written).map((text) => head("EXECVE", written) + text),
    `${head("CWD", written)}cwd=${untrustedText(written.workingDirectory ?? "/root")}`,
    ...files.map(
      (name, item) =>
        `${head("PATH", written)}item=${item} name=${untrustedText(name)} inode=${100 + item} dev=fe:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0${trailer('OUID="root" OGID="root"')}`,
    ),
    `${head("PROCTITLE", written)}proctitle=${untrustedText(written.args.join("\0").slice(0, 100))}`,
  ];
}

export function syscall(written: Written, items: number): string {
  const { pid, ppid, uid = 0, auid = 4294967295, ses = 4294967295, tty = "(none)", executable } = written;
  const { call = "arch=c000003e syscall=59", result = "success=yes exit=0", deleted = false } = written;
  const exe = untrustedText(executable + (deleted ? " (deleted)" : ""));
  return `${head("SYSCALL", written)}${call} ${result} a0=55bb9c821200 a1=55bb9c81edd0 a2=0 a3=982fd300b8d393c3 items=${items} ppid=${ppid} pid=${pid} auid=${auid} uid=${uid} gid=7 euid=${uid} suid=8 fsuid=9 egid=10 sgid=11 fsgid=12 tty=${tty} ses=${ses} comm=${untrustedText(executable.slice(-15))} exe=${exe} subj=unconfined key="kinwatch"`;
}

/** Texts of EXECVE records: an argument that does not fit into the rest of a record is written in pieces. */
function execve({ args, recordMax = 7_500 }: Written): string[] {
  const records: string[] = [];
  let record = `argc=${args.length}`;
  const put = (text: string) => {
    record += ` ${text}`;
  };
  for (const [index, arg] of args.entries()) {
    const bytes = Buffer.from(arg);
    const plain = untrustedText(arg).startsWith('"');
    const whole = plain ? bytes.length : bytes.length * 2;
    if (record.length + whole + 10 <= recordMax) {
      put(`a${index}=${untrustedText(arg)}`);
      continue;
    }
    put(`a${index}_len=${whole}`);
    for (let at = 0, chunk = 0; at < bytes.length || chunk === 0; chunk += 1) {
      let room = Math.floor((recordMax - record.length - 12) / (plain ? 1 : 2));
      if (room < 1) {
        records.push(record);
        record = "";
        room = Math.max(1, Math.floor((recordMax - 12) / (plain ? 1 : 2)));
      }
      const piece = bytes.subarray(at, at + room);
      put(`a${index}[${chunk}]=${plain ? `"${piece.toString()}"` : piece.toString("hex").toUpperCase()}`);
      at += room;
    }
  }
  return [...records, record];
}
