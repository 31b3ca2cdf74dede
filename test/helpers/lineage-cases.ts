/**
 * Ways in which an installation comes to have a parent, for real. Each writes the pid of its true parent to a file before rpm runs;
 * which alert belongs to it is told by the name of the package's file.
 */
export interface CaseContext {
  readonly id: string; // of this time that the case is run
  readonly folder: string; // what a case needs lies here
  readonly truth: string; // file: a line "id pid" each
  /** A command line that installs, for a shell. */
  readonly rpm: string;
  readonly rpmArgs: readonly string[]; // the same as words
}

export interface LineageCase {
  readonly name: string;
  readonly what: string; // for people, in docs/sources.md
  readonly needs?: "sudo" | "busybox" | "execve32"; // beside what every case does
  readonly byRecord?: true; // only rpm's own record tells that it installs
  /** Programs of the case by their names, and what is in them. The one called "run" begins it. */
  readonly files: (
    context: CaseContext & { readonly tell: string },
  ) => Readonly<Record<string, string | Buffer>>;
  /** What the parent is besides its pid. */
  readonly parent: { readonly script: string } | { readonly executable: RegExp };
  readonly orphan?: true; // it is dead when rpm is executed: nobody but who saw the fork can know it
}

const sh = (text: string) => `#!/bin/sh\n${text}\n`;
const bash = (text: string) => `#!/bin/bash\n${text}\n`;
const python = (text: string, line = "#!/usr/bin/python3") =>
  `${line}\nimport os, sys, time, threading, subprocess\n${text}\n`;
const words = (args: readonly string[]) => JSON.stringify(args);
const run = { script: "run" } as const;

/** One whose alert is not that of another case with a shell as the parent. */
const ownShell = (folder: string) => `cp /bin/dash ${folder}/shell`;

/** Its parent cannot say it: who is about to become rpm does. */
const asked = (tell: string, rpm: string) => `sh -c '${tell.replace("$$", "$PPID")}; exec ${rpm}'`;

export const lineageCases: readonly LineageCase[] = [
  {
    name: "script",
    what: "a script",
    files: ({ tell, rpm }) => ({ run: sh(`${tell}\n${rpm}\n:`) }),
    parent: run,
  },
  {
    name: "subshell",
    what: "a subshell of a script, which executes nothing",
    files: ({ tell, rpm }) => ({ run: bash(`( ${tell.replace("$$", "$BASHPID")}; ${rpm}; : )\n:`) }),
    parent: run,
  },
  {
    name: "background",
    what: "a subshell in the background",
    files: ({ tell, rpm }) => ({
      run: bash(`{ ${tell.replace("$$", "$BASHPID")}; ${rpm}; :; } &\nwait`),
    }),
    parent: run,
  },
  {
    name: "pipeline",
    what: "the end of a pipeline",
    files: ({ tell, rpm }) => ({
      run: bash(`echo x | { ${tell.replace("$$", "$BASHPID")}; ${rpm}; :; }\n:`),
    }),
    parent: run,
  },
  {
    name: "substitution",
    what: "a command substitution",
    files: ({ tell, rpm }) => ({ run: bash(`x=$(${tell.replace("$$", "$BASHPID")}; ${rpm}; :)\n:`) }),
    parent: run,
  },
  {
    name: "double-fork",
    what: "a double fork whose middle one is dead when rpm is executed",
    files: ({ id, truth, rpmArgs }) => ({
      run: python(`
if os.fork() == 0:
    me = os.getpid()
    if os.fork() == 0:
        while os.getppid() == me: time.sleep(.005)
        os.execvp("rpm", ${words(rpmArgs)})
    open(${JSON.stringify(truth)}, "a").write(f"${id} {me}\\n")
    os._exit(0)
os.wait(); time.sleep(.5)`),
    }),
    parent: run,
    orphan: true,
  },
  {
    name: "dead-script",
    what: "a script that has ended when what it left in the background executes rpm",
    files: ({ tell, rpm }) => ({ run: sh(`${tell}\n(sleep 0.2; exec ${rpm}) &`) }),
    parent: run,
    orphan: true,
  },
  {
    name: "daemon",
    what: "a daemon that pid 1 took over",
    files: ({ tell, rpm, folder }) => ({
      run: sh(`setsid -f ${folder}/daemon\nwhile [ ! -e ${folder}/done ]; do sleep 0.05; done`),
      daemon: sh(`sleep 0.1\n${tell}\n${rpm}\ntouch ${folder}/done`),
    }),
    parent: { script: "daemon" },
  },
  {
    name: "exec-chain",
    what: "a script that becomes env, another script and rpm, in one process",
    files: ({ tell, rpm, folder }) => ({
      run: sh(`${tell}\n${folder}/one\n:`),
      one: sh(`exec env X=1 ${folder}/two`),
      two: sh(`exec ${rpm}`),
    }),
    parent: run,
  },
  {
    name: "su",
    what: "su",
    files: ({ tell, rpm, folder }) => ({
      run: sh(`${ownShell(folder)}\nsu root -s ${folder}/shell -c '${tell}; ${rpm}; :'`),
    }),
    parent: { executable: /\/shell$/ },
  },
  {
    name: "sudo",
    what: "sudo",
    needs: "sudo",
    files: ({ tell, rpm }) => ({ run: sh(`sudo -n ${asked(tell, rpm)}`) }),
    parent: { executable: /\/sudo$/ },
  },
  {
    name: "nohup",
    what: "nohup",
    files: ({ tell, rpm }) => ({ run: sh(`${tell}\nnohup ${rpm} >/dev/null 2>&1\n:`) }),
    parent: run,
  },
  {
    name: "setsid",
    what: "setsid",
    files: ({ tell, rpm }) => ({ run: sh(`${tell}\nsetsid -w ${rpm}\n:`) }),
    parent: run,
  },
  {
    name: "timeout",
    what: "timeout",
    files: ({ tell, rpm }) => ({ run: sh(`timeout 20 ${asked(tell, rpm)}\n:`) }),
    parent: { executable: /\/timeout$/ },
  },
  {
    name: "xargs",
    what: "xargs",
    files: ({ tell, rpm }) => ({ run: sh(`echo x | xargs ${asked(tell, rpm)}\n:`) }),
    parent: { executable: /\/xargs$/ },
  },
  {
    name: "env-python",
    what: "a script of Python, started through env",
    files: ({ id, truth, rpmArgs }) => ({
      run: python(
        `open(${JSON.stringify(truth)}, "a").write(f"${id} {os.getpid()}\\n")
subprocess.run(${words(rpmArgs)})`,
        "#!/usr/bin/env python3",
      ),
    }),
    parent: run,
  },
  {
    name: "thread",
    what: "a thread that starts rpm",
    files: ({ id, truth, rpmArgs }) => ({
      run: python(`
open(${JSON.stringify(truth)}, "a").write(f"${id} {os.getpid()}\\n")
t = threading.Thread(target=lambda: subprocess.run(${words(rpmArgs)})); t.start(); t.join()`),
    }),
    parent: run,
  },
  {
    name: "thread-exec",
    what: "a thread that becomes rpm",
    files: ({ tell, folder, rpmArgs }) => ({
      run: sh(`${tell}\n${folder}/threads\n:`),
      threads: python(`
t = threading.Thread(target=lambda: os.execvp("rpm", ${words(rpmArgs)})); t.start(); t.join()`),
    }),
    parent: run,
  },
  {
    name: "vfork-storm",
    what: "a program that starts hundreds of others by vfork",
    files: ({ id, truth, rpmArgs }) => ({
      run: python(`
open(${JSON.stringify(truth)}, "a").write(f"${id} {os.getpid()}\\n")
pids = [os.posix_spawn("/bin/true", ["true"], {}) for _ in range(300)]
pids.append(os.posix_spawnp("rpm", ${words(rpmArgs)}, os.environ))
pids += [os.posix_spawn("/bin/true", ["true"], {}) for _ in range(300)]
for pid in pids: os.waitpid(pid, 0)`),
    }),
    parent: run,
  },
  {
    name: "pid-namespace",
    what: "a pid namespace",
    files: ({ id, truth, rpm, folder }) => ({
      run: sh(
        `${ownShell(folder)}\nunshare --pid --fork ${folder}/shell -c 'read -r p _ </proc/self/stat; echo ${id} $p >>${truth}; ${rpm}; :'`,
      ),
    }),
    parent: { executable: /\/shell$/ },
  },
  {
    name: "user-namespace",
    what: "a user namespace",
    files: ({ tell, rpm, folder }) => ({
      run: sh(`${ownShell(folder)}\nunshare -r ${folder}/shell -c '${tell}; ${rpm}; :'`),
    }),
    parent: { executable: /\/shell$/ },
  },
  {
    name: "mount-namespace",
    what: "a mount namespace",
    files: ({ tell, rpm, folder }) => ({
      run: sh(`${ownShell(folder)}\nunshare -m ${folder}/shell -c '${tell}; ${rpm}; :'`),
    }),
    parent: { executable: /\/shell$/ },
  },
  {
    name: "chroot",
    what: "a chroot",
    files: ({ tell, rpm, folder }) => ({
      run: sh(
        `mkdir ${folder}/root\nunshare -m sh -c 'mount --rbind / ${folder}/root; chroot ${folder}/root ${folder}/inside'`,
      ),
      inside: sh(`${tell}\n${rpm}\n:`),
    }),
    parent: { script: "inside" },
  },
  {
    name: "root-option",
    what: "`rpm --root`",
    files: ({ tell, rpm }) => ({ run: sh(`${tell}\n${rpm} --root=/\n:`) }),
    parent: run,
  },
  {
    name: "memfd",
    what: "a program without a file (memfd)",
    files: ({ tell, rpm }) => ({
      run: python(`
fd = os.memfd_create("nowhere", 0)
os.write(fd, open("/bin/dash", "rb").read())
if os.fork() == 0: os.execv(f"/proc/self/fd/{fd}", ["dash", "-c", ${JSON.stringify(`${tell}; ${rpm}; :`)}])
os.wait()`),
    }),
    parent: { executable: /^\/memfd:nowhere$/ },
  },
  {
    name: "deleted",
    what: "a program whose file is deleted",
    files: ({ tell, rpm, folder }) => ({
      run: sh(`cp /bin/dash ${folder}/gone\n${folder}/gone -c 'rm ${folder}/gone; ${tell}; ${rpm}; :'`),
    }),
    parent: { executable: /\/gone$/ },
  },
  {
    name: "renamed-shell",
    what: "a shell under another name",
    files: ({ tell, rpm, folder }) => ({
      run: sh(`cp /bin/dash ${folder}/innocent\n${folder}/innocent -c '${tell}; ${rpm}; :'`),
    }),
    parent: { executable: /\/innocent$/ },
  },
  {
    name: "multi-call",
    what: "a shell that is part of busybox",
    needs: "busybox",
    files: ({ tell, rpm, folder }) => ({
      run: sh(`busybox sh ${folder}/applet`),
      applet: `${tell}\n${rpm}\n:\n`,
    }),
    parent: { executable: /\/busybox$/ },
  },
  {
    name: "renamed-rpm",
    what: "rpm itself under another name (a copy or a hard link)",
    byRecord: true,
    files: ({ tell, folder, rpmArgs }) => ({
      run: sh(
        `cp /usr/bin/rpm ${folder}/innocent\n${tell}\n${folder}/innocent ${rpmArgs.slice(1).join(" ")}\n:`,
      ),
    }),
    parent: run,
  },
  {
    name: "execve32",
    what: "a 32-bit program that becomes rpm",
    needs: "execve32",
    files: ({ tell, folder, rpmArgs }) => ({
      run: sh(`${tell}\n${folder}/rpm32 ${rpmArgs.slice(1).join(" ")}\n:`),
      rpm32: elf32("/usr/bin/rpm"),
    }),
    parent: run,
  },
];

/** A program for i386 that executes another one with its own arguments: execve(2) by int 0x80. */
export function elf32(path: string): Buffer {
  const base = 0x08048000;
  const head = 52 + 32;
  const code = Buffer.from("bb000000008d4c240431d2b80b000000cd80bb01000000b801000000cd80", "hex");
  code.writeUInt32LE(base + head + code.length, 1); // mov ebx, path; lea ecx, [esp+4]; xor edx, edx; mov eax, 11; int 0x80; exit(1)
  const size = head + code.length + path.length + 1;
  const elf = Buffer.alloc(size);
  elf.write("\x7fELF\x01\x01\x01", 0, "latin1");
  elf.writeUInt16LE(2, 16); // ET_EXEC
  elf.writeUInt16LE(3, 18); // EM_386
  elf.writeUInt32LE(1, 20);
  elf.writeUInt32LE(base + head, 24); // entry
  elf.writeUInt32LE(52, 28); // program header
  elf.writeUInt16LE(52, 40);
  elf.writeUInt16LE(32, 42);
  elf.writeUInt16LE(1, 44);
  for (const [index, value] of [1, 0, base, base, size, size, 5, 0x1000].entries())
    elf.writeUInt32LE(value, 52 + 4 * index);
  code.copy(elf, head);
  elf.write(path, head + code.length, "latin1");
  return elf;
}
