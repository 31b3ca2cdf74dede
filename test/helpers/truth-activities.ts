/** What goes on on a host of truth-host.ts: services, logins, cron, builds, and installations by every kind of parent. */
import type { Activity, Host, Process, TruthInstall } from "./truth-host.ts";

const pythonExe = "/usr/bin/python3.11";
const bashExe = "/usr/bin/bash";
const tools = ["cat", "sed", "awk", "grep", "date", "stat", "ls", "cut", "tr", "sort", "id", "head", "curl"];

const install = (name: string) => [`/srv/repo/${name}-1.0-1.noarch.rpm`];
/** As people and scripts write it. */
const spellings: readonly ((file: string[]) => string[])[] = [
  (file) => ["-i", ...file],
  (file) => ["-ivh", ...file],
  (file) => ["-Uvh", ...file],
  (file) => ["-U", "--nodeps", ...file],
  (file) => ["-vi", ...file],
  (file) => ["-F", ...file],
  (file) => ["--install", ...file],
  (file) => ["--upgrade", "--quiet", ...file],
  (file) => ["--reinstall", ...file],
  (file) => ["--freshen", ...file],
  (file) => [...file, "-i"],
  (file) => ["--root=/mnt/image", "-i", ...file],
  (file) => ["-ir", "/mnt/image", ...file],
  (file) => ["-iD", "_tmppath /var/tmp", ...file],
  (file) => ["--define", "_dbpath /var/lib/rpm", "-Uvh", ...file],
  (file) => ["-e", "-i", ...file],
  (file) => ["--nosignature", "--nodigest", "-Uvh", "--force", ...file],
  (file) => ["-Uvh", ...file, "/srv/repo/größe-1.0-1.noarch.rpm"],
  (file) => [
    "-Uvh",
    ...Array.from({ length: 120 }, (_, index) => `/srv/repo/lib${index}-2.4.1-3.el9.x86_64.rpm`),
    ...file,
  ],
];
const queries = [
  ["-qi", "bash"],
  ["-q", "--install", "bash"],
  ["-V", "-i", "bash"],
  ["-qa", "--qf", "%{NAME}\n"],
  ["-i", "--test", "/srv/repo/kw-1.0-1.noarch.rpm"],
  ["-e", "kw"],
  ["--version", "-i", "x"],
  ["-qip", "/srv/repo/kw-1.0-1.noarch.rpm"],
];

export function* run(host: Host, maker: Process, executable: string, args: string[], ms: number): Activity {
  const process = host.fork(maker);
  if (host.random() < 0.15) yield host.upTo(4);
  const name = executable.slice(executable.lastIndexOf("/") + 1);
  if (host.random() < 0.03) {
    host.other(process, 59, `/usr/local/sbin/${name}`);
    host.other(process, 59, `/usr/local/bin/${name}`);
  }
  host.exec(process, executable, [name, ...args]);
  for (let left = host.habits.accesses; host.random() < left; left -= 1) {
    host.other(process, host.pick([42, 257] as const), "/etc/passwd");
  }
  yield ms;
  host.exit(process);
}

function* commands(host: Host, maker: Process, count: number): Activity {
  for (let left = count; left > 0; left -= 1) {
    const name = host.pick(tools);
    yield* run(host, maker, `/usr/bin/${name}`, ["-x", `/var/lib/app/file${host.upTo(1_000)}`], host.upTo(6));
    yield 1 + host.upTo(4);
  }
}

/** A shell reads a script: the kernel executes its interpreter, with the script as PATH item 0. */
function script(
  host: Host,
  maker: Process,
  file: string,
  interpreter = "/bin/bash",
  executable = bashExe,
): Process {
  return host.exec(host.fork(maker), executable, [interpreter, file], file);
}

/** A few of them work often, most of them seldom. */
function oneOfMany(host: Host, file: string): string {
  return file.replace(".", `-${Math.floor(host.random() ** 3 * 100)}.`);
}

function shellCommand(host: Host, maker: Process, text: string): Process {
  return host.exec(host.fork(maker), bashExe, ["sh", "-c", text]);
}

/** rpm in this process: its scriptlets, and its records when all is done. */
function* rpm(host: Host, process: Process, kind: string): Activity {
  const name = `kw-${kind.replaceAll(" ", "-")}`;
  host.exec(process, "/usr/bin/rpm", ["rpm", ...host.pick(spellings)(install(name))]);
  const found = host.installed(process, kind, false);
  yield 5 + host.upTo(30);
  for (let left = host.upTo(3); left > 0; left -= 1) {
    const scriptlet = host.exec(host.fork(process), bashExe, ["/bin/sh", `/var/tmp/rpm-tmp.${left}aXb`, "1"]);
    yield* commands(host, scriptlet, host.upTo(3));
    if (host.random() < 0.2) yield* run(host, scriptlet, "/usr/bin/rpm", ["-q", name], 2);
    host.exit(scriptlet);
  }
  yield 1 + host.upTo(10);
  records(host, process, found, name, 1);
  yield 1;
  host.exit(process);
}

function records(host: Host, process: Process, found: TruthInstall, name: string, count: number): void {
  if (host.random() < 0.05) return; // without its plug-in, or killed
  const signed = host.random() < 0.5;
  const success = host.random() < 0.95;
  for (let index = 0; index < count; index += 1) {
    const nevra = `${name}${index === 0 ? "" : index}-1.0-1.noarch`;
    host.update(process, found, { nevra, operation: "install", success, signed });
    if (host.random() < 0.2)
      host.update(process, found, {
        nevra: `${name}-0.9-1.noarch`,
        operation: "remove",
        success,
        signed: false,
      });
  }
}

/** Installs inside its own process: no rpm is executed. */
function* dnf(host: Host, process: Process, kind: string): Activity {
  host.exec(
    process,
    pythonExe,
    ["/usr/bin/python3", "/usr/bin/dnf", "-y", "install", "kw-dnf"],
    "/usr/bin/dnf",
  );
  const found = host.installed(process, kind, true);
  yield 50 + host.upTo(400);
  if (host.random() < 0.5) yield* run(host, process, "/usr/bin/rpmkeys", ["--checksig", "-"], 5);
  yield 20 + host.upTo(100);
  records(host, process, found, "kw-dnf", 1 + host.upTo(4));
  if (found.packages.length === 0) host.installs.splice(host.installs.indexOf(found), 1); // nobody could know
  yield 1;
  host.exit(process);
}

function* tool(host: Host, process: Process, kind: string): Activity {
  yield* host.random() < 0.2 ? dnf(host, process, kind) : rpm(host, process, kind);
}

/** Kinds of parent. Each is given a process to work under, and ends when the installation has. */
export const kinds: Readonly<Record<string, (host: Host, base: Process, kind: string) => Activity>> = {
  *shell(host, base, kind) {
    yield* tool(host, host.fork(base), kind);
  },
  *script(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/update.sh"));
    yield* commands(host, parent, host.upTo(4));
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *"relative script"(host, base, kind) {
    const parent = host.fork(base);
    parent.cwd = "/opt/deploy";
    host.exec(parent, bashExe, ["/bin/bash", "./local.sh"], "./local.sh");
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *"sh -c"(host, base, kind) {
    const parent = shellCommand(host, base, "cd /srv && rpm -i kw.rpm; echo done");
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *subshell(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/subshell.sh"));
    const copy = host.fork(parent);
    yield* commands(host, copy, host.upTo(3));
    yield* tool(host, host.fork(copy), kind);
    host.exit(copy, parent);
  },
  *pipeline(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/pipeline.sh"));
    const yes = host.exec(host.fork(parent), "/usr/bin/yes", ["yes"]);
    yield* tool(host, host.fork(parent), kind);
    host.exit(yes, parent);
  },
  *"command substitution"(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/substitution.sh"));
    yield* tool(host, host.fork(parent), kind); // the copy executes at once
    host.exit(parent);
  },
  *"exec in a script"(host, base, kind) {
    const process = script(host, base, oneOfMany(host, "/opt/deploy/exec.sh"));
    yield* commands(host, process, host.upTo(3));
    yield* tool(host, process, kind);
  },
  *env(host, base, kind) {
    const process = host.exec(host.fork(base), "/usr/bin/env", ["env", "LC_ALL=C", "rpm"]);
    yield* tool(host, process, kind);
  },
  *sudo(host, base, kind) {
    const parent = host.exec(host.fork(base), "/usr/bin/sudo", ["sudo", "rpm"]);
    host.user("USER_CMD", parent, 'cwd="/root" cmd="rpm" exe="/usr/bin/sudo" terminal=pts/0 res=success');
    host.user(
      "CRED_REFR",
      parent,
      'op=PAM:setcred acct="root" exe="/usr/bin/sudo" hostname=? addr=? terminal=/dev/pts/0 res=success',
    );
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *"sudo with a terminal of its own"(host, base, kind) {
    const parent = host.exec(host.fork(base), "/usr/bin/sudo", ["sudo", "rpm"]);
    const monitor = host.fork(parent);
    yield 2;
    yield* tool(host, host.fork(monitor), kind);
    host.exit(monitor, parent);
  },
  *python(host, base, kind) {
    const parent = script(
      host,
      base,
      oneOfMany(host, "/opt/tools/install.py"),
      "/usr/bin/python3",
      pythonExe,
    );
    yield 20;
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *"python worker"(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/tools/pool.py"), "/usr/bin/python3", pythonExe);
    const workers = Array.from({ length: 4 }, () => host.fork(parent));
    yield 30 + host.upTo(300);
    yield* tool(host, host.fork(host.pick(workers)), kind);
    host.exit(...workers, parent);
  },
  *"perl system"(host, base, kind) {
    const parent = script(
      host,
      base,
      oneOfMany(host, "/opt/tools/install.pl"),
      "/usr/bin/perl",
      "/usr/bin/perl",
    );
    const shell = shellCommand(host, parent, "rpm -i kw.rpm && true");
    yield* tool(host, host.fork(shell), kind);
    host.exit(shell, parent);
  },
  *make(host, base, kind) {
    const make = host.exec(host.fork(base), "/usr/bin/make", ["make", "install"]);
    yield* commands(host, make, 3);
    const shell = shellCommand(host, make, "rpm -i kw.rpm; true");
    yield* tool(host, host.fork(shell), kind);
    host.exit(shell, make);
  },
  *xargs(host, base, kind) {
    const parent = host.exec(host.fork(base), "/usr/bin/xargs", ["xargs", "rpm", "-i"]);
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *find(host, base, kind) {
    const parent = host.exec(host.fork(base), "/usr/bin/find", ["find", "/srv", "-exec", "rpm"]);
    for (let left = 1 + host.upTo(3); left > 0; left -= 1) yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *timeout(host, base, kind) {
    const parent = host.exec(host.fork(base), "/usr/bin/timeout", ["timeout", "60", "rpm"]);
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *nohup(host, base, kind) {
    const process = host.exec(host.fork(base), "/usr/bin/nohup", ["nohup", "rpm"]);
    yield* tool(host, process, kind);
  },
  *orphan(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/background.sh"));
    const process = host.fork(parent);
    host.exit(parent);
    yield 1 + host.upTo(40);
    yield* tool(host, process, kind);
  },
  *"parent dies after"(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/background2.sh"));
    const installing = tool(host, host.fork(parent), kind);
    yield installing.next().value ?? 0;
    host.exit(parent);
    yield* installing;
  },
  *"orphan script"(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/daemonize.sh"));
    const process = host.fork(parent);
    host.exit(parent);
    yield 3;
    host.exec(process, bashExe, ["/bin/bash", "/opt/deploy/late.sh"], "/opt/deploy/late.sh");
    yield* tool(host, host.fork(process), kind);
    host.exit(process);
  },
  *"long script"(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/long.sh"));
    yield* run(host, parent, "/usr/bin/sleep", ["4"], 4_000 + host.upTo(4_000));
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *"copy that waits"(host, base, kind) {
    const parent = script(host, base, oneOfMany(host, "/opt/deploy/waits.sh"));
    const process = host.fork(parent);
    yield* run(host, process, "/usr/bin/sleep", ["0.5"], 100 + host.upTo(500));
    yield* tool(host, process, kind); // the last command of a subshell: no fork
    host.exit(parent);
  },
  *service(host, _base, kind) {
    const parent = service(host, bashExe, ["/bin/bash", "/usr/libexec/updater"], "/usr/libexec/updater");
    yield* commands(host, parent, host.upTo(4));
    yield* tool(host, host.fork(parent), kind);
    host.exit(parent);
  },
  *systemd(host, _base, kind) {
    const process = host.fork(host.kernel.init);
    host.exec(process, "/usr/lib/systemd/systemd-executor", ["/usr/lib/systemd/systemd-executor"]);
    yield* tool(host, process, kind);
  },
  *ansible(host, base, kind) {
    const shell = shellCommand(host, base, "python3 /root/.ansible/tmp/AnsiballZ_dnf.py");
    const file = "/root/.ansible/tmp/AnsiballZ_dnf.py";
    const python = host.exec(host.fork(shell), pythonExe, ["python3", file], undefined, file);
    yield 40;
    yield* tool(host, host.fork(python), kind);
    host.exit(python, shell);
  },
};

/** systemd 255 and later fork, execute systemd-executor, and that executes the service: exec_spawn(). */
function service(host: Host, executable: string, argv: string[], file?: string): Process {
  const process = host.fork(host.kernel.init);
  host.exec(process, "/usr/lib/systemd/systemd-executor", ["/usr/lib/systemd/systemd-executor"]);
  host.user(
    "SERVICE_START",
    host.kernel.init,
    `unit=app comm="systemd" exe="/usr/lib/systemd/systemd" hostname=? addr=? terminal=? res=success`,
  );
  return host.exec(process, executable, argv, file);
}

function* queryPackages(host: Host, base: Process): Activity {
  const parent = shellCommand(host, base, "rpm -q; true");
  yield* run(host, parent, "/usr/bin/rpm", [...host.pick(queries)], 5);
  host.exit(parent);
}

/** A login over ssh: its shell works, waits, and now and then installs. */
function* session(host: Host, sshd: Process, kindNames: readonly string[]): Activity {
  const child = host.exec(host.fork(sshd), "/usr/sbin/sshd", ["/usr/sbin/sshd", "-D", "-R"]);
  host.user(
    "CRYPTO_KEY_USER",
    child,
    'op=destroy kind=server fp=SHA256:aa direction=? spid=1 suid=0  exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 terminal=? res=success',
  );
  host.user(
    "USER_AUTH",
    child,
    'op=PAM:authentication grantors=pam_unix acct="admin" exe="/usr/sbin/sshd" hostname=192.0.2.7 addr=192.0.2.7 terminal=ssh res=success',
  );
  yield 20;
  const user = host.fork(child); // drops privileges; never executes
  host.login(user, 1000, `pts${host.upTo(8)}`);
  host.user(
    "USER_START",
    user,
    'op=PAM:session_open grantors=pam_unix acct="admin" exe="/usr/sbin/sshd" hostname=192.0.2.7 addr=192.0.2.7 terminal=ssh res=success',
  );
  const bash = host.exec(host.fork(user), bashExe, ["-bash"]);
  for (let left = 3 + host.upTo(10); left > 0; left -= 1) {
    const dice = host.random();
    if (dice < 0.35 * host.habits.packages) {
      const kind = host.pick(kindNames);
      yield* (kinds[kind] as (typeof kinds)[string])(host, bash, kind);
    } else if (dice < 0.45 * host.habits.packages) yield* queryPackages(host, bash);
    else yield* commands(host, bash, 1 + host.upTo(5));
    yield host.random() < 0.05 ? 5_000 : host.upTo(1_500); // a person thinks
  }
  host.exit(bash);
  host.user(
    "USER_END",
    user,
    'op=PAM:session_close grantors=pam_unix acct="admin" exe="/usr/sbin/sshd" hostname=192.0.2.7 addr=192.0.2.7 terminal=ssh res=success',
  );
  host.exit(user, child);
}

function* sessions(host: Host, kindNames: readonly string[]): Activity {
  const sshd = service(host, "/usr/sbin/sshd", ["/usr/sbin/sshd", "-D"]);
  for (;;) {
    host.start(session(host, sshd, kindNames), host.upTo(50));
    yield 150 + host.upTo(400);
  }
}

function* cron(host: Host, kindNames: readonly string[]): Activity {
  const crond = service(host, "/usr/sbin/crond", ["/usr/sbin/crond", "-n"]);
  for (;;) {
    yield 200 + host.upTo(600);
    host.start(cronJob(host, crond, kindNames));
  }
}

function* cronJob(host: Host, crond: Process, kindNames: readonly string[]): Activity {
  const child = host.fork(crond); // never executes
  host.login(child, 0, "(none)");
  const shell = shellCommand(host, child, "/usr/local/bin/job.sh");
  const job = script(host, shell, "/usr/local/bin/job.sh", "/bin/sh", "/usr/bin/dash");
  yield* commands(host, job, 1 + host.upTo(6));
  if (host.random() < 0.3 * host.habits.packages) {
    const kind = host.pick(kindNames);
    yield* (kinds[kind] as (typeof kinds)[string])(host, job, kind);
  }
  host.exit(job, shell, child);
}

/** Many short processes at once, from several parents: make -j. */
function* build(host: Host, base: Process): Activity {
  const make = host.exec(host.fork(base), "/usr/bin/make", ["make", "-j8"]);
  const jobs = Array.from({ length: 8 }, () => compile(host, make, 5 + host.upTo(10)));
  for (const job of jobs) host.start(job, host.upTo(10));
  yield 1_500;
  host.exit(make);
}

function* compile(host: Host, make: Process, files: number): Activity {
  for (let left = files; left > 0 && make.alive; left -= 1) {
    const shell = shellCommand(host, make, `gcc -O2 -c file${left}.c -o file${left}.o; true`);
    const gcc = host.exec(host.fork(shell), "/usr/bin/gcc", ["gcc", "-O2", "-c", `file${left}.c`]);
    yield* run(
      host,
      gcc,
      "/usr/libexec/gcc/cc1",
      ["-quiet", `file${left}.c`, "-o", "/tmp/cc1.s"],
      10 + host.upTo(40),
    );
    yield* run(host, gcc, "/usr/bin/as", ["-o", `file${left}.o`, "/tmp/cc1.s"], 3);
    host.exit(gcc, shell);
    yield 1;
  }
}

/** Scripts with subshells, threads, copies that never execute: pids that the log does not show. */
function* unseen(host: Host): Activity {
  for (;;) {
    yield 30 + host.upTo(200);
    for (let left = host.upTo(25); left > 0; left -= 1) host.kernel.thread();
    if (host.random() < 0.02) for (let left = host.upTo(300); left > 0; left -= 1) host.kernel.thread();
  }
}

function* worker(host: Host, index: number, kindNames: readonly string[]): Activity {
  for (;;) {
    const file = `/usr/libexec/worker${index}`;
    const parent = service(host, bashExe, ["/bin/bash", file], file);
    for (let left = 20 + host.upTo(100); left > 0; left -= 1) {
      const dice = host.random();
      if (dice < 0.03) host.start(build(host, parent));
      else if (dice < 0.03 + 0.07 * host.habits.packages) {
        const kind = host.pick(kindNames);
        yield* (kinds[kind] as (typeof kinds)[string])(host, parent, kind);
      } else if (dice < 0.2) {
        const copy = host.fork(parent);
        yield* commands(host, copy, 1 + host.upTo(3));
        host.exit(copy);
      } else yield* commands(host, parent, 1 + host.upTo(4));
      yield host.upTo(200);
    }
    host.exit(parent); // and started anew
    yield 100;
  }
}

/** Lives long and does next to nothing. */
function* rareDaemon(host: Host, kind: string): Activity {
  const file = "/usr/libexec/rare-updater";
  const parent = service(host, pythonExe, ["/usr/bin/python3", file], file);
  for (;;) {
    yield 3_000 + host.upTo(20_000);
    yield* tool(host, host.fork(parent), kind);
  }
}

/** A user's service manager: takes over what its descendants leave behind. */
function* userManager(host: Host): Activity {
  const process = host.fork(host.kernel.init);
  host.exec(process, "/usr/lib/systemd/systemd-executor", ["/usr/lib/systemd/systemd-executor"]);
  host.login(process, 1000, "(none)");
  host.exec(process, "/usr/lib/systemd/systemd", ["/usr/lib/systemd/systemd", "--user"]);
  process.subreaper = true;
  for (;;) {
    yield 1_000 + host.upTo(3_000);
    const unit = host.fork(process);
    host.exec(unit, "/usr/lib/systemd/systemd-executor", ["/usr/lib/systemd/systemd-executor"]);
    host.exec(unit, bashExe, ["/bin/bash", "/home/admin/unit.sh"], "/home/admin/unit.sh");
    const kind = host.pick(["script", "orphan", "shell"]);
    yield* (kinds[kind] as (typeof kinds)[string])(host, unit, `user unit, ${kind}`);
    host.exit(unit);
  }
}

export function startAll(host: Host): void {
  const names = Object.keys(kinds);
  host.start(sessions(host, names));
  host.start(cron(host, names));
  host.start(unseen(host));
  host.start(userManager(host));
  host.start(rareDaemon(host, "rare daemon"), 100);
  for (let index = 0; index < 6; index += 1) host.start(worker(host, index, names), index * 20);
}
