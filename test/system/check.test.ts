/** `kinwatch check` on a host that is audited for real, and broken in one way after another: what is wrong is found, and the cures that it tells do cure. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type AuditHost, execRules, needsAuditHost, startAuditHost } from "../helpers/audit-host.ts";
import { kinwatch } from "../helpers/kinwatch.ts";
import { needs } from "../helpers/real-parts.ts";

interface Finding {
  readonly fact: string;
  readonly status: string;
  readonly text: string;
  readonly cure: readonly string[];
}

interface Answer {
  readonly status: number | null;
  readonly found: ReadonlyMap<string, Finding>;
}

const begin = "-D\n-b 8192\n"; // as the rules that come with auditd do
const execs =
  "-a always,exit -F arch=b64 -S execve,execveat\n-a always,exit -F arch=b32 -S execve,execveat\n";

/**
 * The host, with a copy of /etc that is written to in place of it, and without systemd: the kernel's audit and auditd are real.
 */
class World implements AsyncDisposable {
  readonly host: AuditHost;
  readonly state: string;
  readonly #config: string;
  readonly #keeper: ChildProcess;

  private constructor(host: AuditHost, keeper: ChildProcess) {
    this.host = host;
    this.state = join(host.folder, "state");
    this.#config = join(host.folder, "kinwatch.toml");
    this.#keeper = keeper;
  }

  static async start(): Promise<World> {
    const host = await startAuditHost();
    const script = [
      "mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work",
      "mount -t overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work none /etc",
      "if [ -d /run/systemd ]; then mount -t tmpfs none /run/systemd; fi",
      "mkdir -p /etc/rpm /etc/audit/rules.d",
      "echo ready; exec cat",
    ].join("\n");
    const keeper = spawn("unshare", ["-m", "sh", "-ec", script], { stdio: ["pipe", "pipe", "ignore"] });
    await once(keeper.stdout, "data");
    return new World(host, keeper);
  }

  get #inside(): readonly string[] {
    return ["nsenter", "-t", String(this.#keeper.pid), "-m"];
  }

  /** @param prefix a command line that runs the check, inside */
  async check(type = "auto", prefix: readonly string[] = []): Promise<Answer> {
    const lines = [
      `source.type = "${type}"`,
      `source.audit_log = "${this.host.logFile}"`,
      `state.directory = "${this.state}"`,
    ];
    writeFileSync(this.#config, `${lines.join("\n")}\noutput.journald.enabled = false\n`);
    const { status, stdout, stderr } = await kinwatch(["check", "--config", this.#config, "--json"], {
      prefix: [...this.#inside, ...prefix],
    });
    assert.equal(stderr, "");
    const findings = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Finding);
    return { status, found: new Map(findings.map((finding) => [finding.fact, finding])) };
  }

  /** Lines of a root shell. */
  sh(lines: readonly string[]): void {
    const [file = "", ...args] = [...this.#inside, "sh", "-ec", lines.join("\n")];
    execFileSync(file, args, { stdio: ["ignore", "pipe", "pipe"], timeout: 20_000 });
  }

  /** The rules that the host loads when it boots. */
  bootRules(text: string): void {
    this.sh([
      "rm -f /etc/audit/rules.d/*",
      `printf '%s' '${begin}${text}' >/etc/audit/rules.d/10-host.rules`,
    ]);
  }

  /** As auditd.conf(5) says it. */
  setAuditd(name: string, value: string): void {
    const path = join(this.host.configFolder, "auditd.conf");
    const text = readFileSync(path, "utf8").replace(new RegExp(`^${name} = .*$`, "m"), `${name} = ${value}`);
    writeFileSync(path, text);
    if (this.host.auditdPid !== undefined) process.kill(this.host.auditdPid, "SIGHUP");
  }

  /** All well again. */
  reset(): void {
    const { host } = this;
    host.auditctl("-e", "1", "-r", "0", "-b", "8192");
    host.auditctl("--reset-lost");
    host.auditctl("-D");
    host.load(execRules);
    this.bootRules(execs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#keeper.stdin?.end();
    await this.host[Symbol.asyncDispose]();
  }
}

interface Break {
  readonly why: string;
  readonly how: (world: World) => void | Promise<void>;
  readonly fact: string;
  readonly status: "failed" | "warning";
  readonly text: RegExp;
  readonly after?: (world: World) => void | Promise<void>;
}

const auditctl =
  (...lines: readonly string[]) =>
  ({ host }: World) => {
    for (const line of lines) host.auditctl(...line.split(" "));
  };

/** Records of a type are thrown away, now and after a boot. */
const exclude = (type: string) => (world: World) => {
  const rule = `-a always,exclude -F msgtype=${type}`;
  auditctl(rule)(world);
  world.bootRules(`${rule}\n${execs}`);
};

/** Executions, as many as there have to be. */
function execute(count: number): void {
  spawnSync("sh", ["-c", `i=0; while [ $i -lt ${count} ]; do /bin/true; i=$((i+1)); done`], {
    timeout: 60_000,
  });
}

const breaks: readonly Break[] = [
  { why: "no rules", how: auditctl("-D"), fact: "exec-rules", status: "failed", text: /^No rule records/ },
  {
    why: "task,never",
    how: (world) => {
      world.host.auditctl("-a", "task,never");
      world.bootRules(`-a task,never\n${execs}`);
    },
    fact: "tasks",
    status: "failed",
    text: /exempts all processes/,
  },
  {
    why: "all executions exempt",
    how: (world) => {
      world.host.auditctl("-A", "never,exit", "-S", "all");
      world.bootRules(`-a never,exit -S all\n${execs}`);
    },
    fact: "exec-rules",
    status: "failed",
    text: /never,exit -S all/,
  },
  {
    why: "only what people execute",
    how: auditctl("-D", "-a always,exit -F arch=b64 -S execve -F auid>=1000 -F auid!=unset"),
    fact: "exec-rules",
    status: "warning",
    text: /execveat, 64 bit.*auid>=1000/,
  },
  {
    why: "no rule for 32-bit programs",
    how: auditctl("-D", "-a always,exit -F arch=b64 -S execve,execveat"),
    fact: "exec-rules",
    status: "warning",
    text: /^Not recorded: execve, 32 bit/,
  },
  {
    why: "EXECVE records thrown away",
    how: exclude("EXECVE"),
    fact: "record-types",
    status: "failed",
    text: /EXECVE/,
  },
  {
    why: "CWD records thrown away",
    how: exclude("CWD"),
    fact: "record-types",
    status: "warning",
    text: /CWD/,
  },
  { why: "audit off", how: auditctl("-e 0"), fact: "audit", status: "failed", text: /audit is off/ },
  {
    why: "a rate limit",
    how: auditctl("-r 100000"),
    fact: "loss",
    status: "warning",
    text: /above 100000 records a second/,
  },
  {
    why: "records lost",
    how: (world) => {
      auditctl("-r 1")(world);
      execute(20);
      auditctl("-r 0")(world);
    },
    fact: "loss",
    status: "warning",
    text: /^The kernel lost \d+ records/,
  },
  {
    why: "an auditd that writes no log",
    how: (world) => world.setAuditd("write_logs", "no"),
    fact: "log",
    status: "failed",
    text: /forbids auditd to write a log/,
    after: (world) => world.setAuditd("write_logs", "yes"),
  },
  {
    why: "a log that stops when it is full",
    how: (world) => world.setAuditd("max_log_file_action", "SUSPEND"),
    fact: "history",
    status: "failed",
    text: /stops writing at 8 MB/,
  },
  {
    why: "a log that grows without end",
    how: (world) => world.setAuditd("max_log_file_action", "IGNORE"),
    fact: "history",
    status: "warning",
    text: /never rotated/,
  },
  {
    why: "logs that last for seconds",
    how: (world) => {
      world.setAuditd("max_log_file", "1");
      execute(1_000);
    },
    fact: "history",
    status: "warning",
    text: /the retained logs \(5 × 1 MB\) last for/,
  },
  {
    why: "auditd stopped",
    how: async (world) => {
      world.sh([`cp ${join(world.host.configFolder, "auditd.conf")} /etc/audit/`]); // where one that is started looks
      await world.host.stop();
    },
    fact: "auditd",
    status: "failed",
    text: /does not run/,
    after: async ({ host }) => {
      for (let pid = host.status("pid"); pid !== 0; pid = host.status("pid")) {
        process.kill(pid, "SIGTERM");
        await sleep(100);
      }
      await host.start();
    },
  },
  {
    why: "rpm looks for its audit plug-in where it is not",
    how: (world) => world.sh(["echo '%__plugindir /usr/lib/nowhere' >/etc/rpm/macros.plugindir"]),
    fact: "rpm-plugin",
    status: "warning",
    text: /wrong folder/,
  },
  {
    why: "rpm's audit plug-in is switched off by a macro",
    how: (world) => world.sh(["echo '%__transaction_audit %{nil}' >/etc/rpm/macros.site"]),
    fact: "rpm-plugin",
    status: "warning",
    text: /switched off by a macro/,
  },
  {
    why: "a damaged database",
    how: (world) => {
      world.sh([`mkdir -p ${world.state}`]);
      writeFileSync(join(world.state, "kinwatch.db"), Buffer.alloc(8_192, "not a database "));
    },
    fact: "database",
    status: "failed",
    text: /damaged/,
  },
];

async function isFoundAndCured(world: World, { how, fact, status, text }: Break): Promise<void> {
  await how(world);
  const broken = await world.check();
  const finding = broken.found.get(fact);
  assert.equal(finding?.status, status, `${finding?.text}`);
  assert.match(finding.text, text);
  if (broken.found.get("recording")?.status === "failed") {
    const [host, alone] = [broken, await world.check("audit-log")].map(
      ({ found }) => found.get("host")?.text,
    );
    assert.match(
      host ?? "",
      /^This host is not watched through its audit log, only through (?:\/proc|the kernel's tracepoints)\./,
    );
    assert.match(alone ?? "", /^This host is not watched\. Cure/);
  }
  assert.equal(broken.status, status === "failed" ? 3 : 0);

  world.sh(finding.cure);
  const cured = await world.check();
  assert.equal(
    cured.found.get(fact)?.status,
    "ok",
    `${finding.cure.join("; ")}: ${cured.found.get(fact)?.text}`,
  );
  assert.equal(cured.found.get("recording")?.status, "ok");
  assert.equal(cured.status, 0);
}

test("kinwatch check: an audited host", {
  skip: needsAuditHost() || needs("rpm"),
  timeout: 300_000,
}, async (t) => {
  await using world = await World.start();
  world.reset();

  await t.test("is watched, and an execution is found in its log", async () => {
    const { status, found } = await world.check();
    const audited = ["auditd", "audit", "tasks", "exec-rules", "record-types", "log", "history", "recording"];
    for (const fact of ["rights", ...audited, "proc", "state"])
      assert.equal(found.get(fact)?.status, "ok", `${fact}: ${found.get(fact)?.text}`);
    assert.match(found.get("auditd")?.text ?? "", new RegExp(`pid ${world.host.auditdPid}$`));
    assert.match(found.get("host")?.text ?? "", /^This host is watched through the audit log/);
    assert.equal(status, 0);
  });

  for (const broken of breaks) {
    await t.test(`with ${broken.why}: ${broken.fact} ${broken.status}, and the cure ends that`, async () => {
      try {
        await isFoundAndCured(world, broken);
      } finally {
        await broken.after?.(world);
        world.reset();
      }
    });
  }

  await t.test("in a container with pids of its own parents cannot be looked up", async () => {
    const prefix = ["unshare", "--pid", "--fork", "--mount-proc"];
    const { found, status } = await world.check("audit-log", prefix);
    assert.equal(found.get("proc")?.status, "warning");
    assert.match(found.get("proc")?.text ?? "", /--pid=host/);
    assert.equal(found.get("recording")?.status, "ok", "audit does not care");
    assert.equal(status, 0);
    assert.equal((await world.check("procfs", prefix)).status, 3);
    assert.equal((await world.check("procfs")).status, 0);
  });

  rmSync(world.state, { recursive: true, force: true });
});
