/**
 * The package on a whole host, from its installation to its removal: what an administrator does, and what the journal and audit's log
 * say of it. Debian stands for all; its rpm has no database of the host's packages, so that requirements are not asked.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { alertMessageId } from "../../agent/outputs/journald.ts";
import { InstalledHost } from "../helpers/installed-host.ts";
import { needs } from "../helpers/real-parts.ts";

const MINUTE = 60_000;

/** Installs one after the other, each by a script of its own, until /run/load is gone; then says how many. */
const load = `number=0
mkdir -p /opt/deploy/db-load
while [ -e /run/load ]; do
  number=$((number + 1))
  sed 's/first/load/' /opt/deploy/first.sh >/opt/deploy/load-$number.sh
  sh /opt/deploy/load-$number.sh
  echo $number >/run/load-count
  sleep 0.5 # of more than 100 in five minutes one alert is told twice: in their summary
done
`;

/** Orders a unit so that it stops when kinwatch is stopped already, or starts before that is started. */
const early = `[Unit]
DefaultDependencies=no
Conflicts=shutdown.target
Before=kinwatch.service shutdown.target
After=auditd.service local-fs.target
[Install]
WantedBy=multi-user.target
[Service]
Type=oneshot
RemainAfterExit=yes
`;

interface Starter {
  readonly name: string;
  readonly what: string; // for people
  readonly of: "script" | "rpm"; // what it starts
  readonly start: (command: string) => string;
  readonly entry: "init" | "sshd" | "console"; // by which way it came onto the host
  readonly parent?: string; // of rpm; undefined: nobody knows, which is said
}

const ssh = "ssh -q -o StrictHostKeyChecking=no -i /root/.ssh/id root@127.0.0.1 </dev/null";
const starters: readonly Starter[] = [
  {
    name: "service",
    what: "a transient service",
    of: "script",
    entry: "init",
    start: (it) => `systemd-run -q --wait ${it}`,
  },
  {
    name: "scope",
    what: "a transient scope",
    of: "script",
    entry: "console",
    start: (it) => `systemd-run -q --scope ${it}`,
  },
  {
    name: "cron",
    what: "cron",
    of: "script",
    entry: "init",
    start: (it) => `echo '* * * * * root ${it}' >/etc/cron.d/kinwatch-script`,
  },
  { name: "at", what: "at", of: "script", entry: "init", start: (it) => `echo ${it} | at now 2>&1` },
  {
    name: "ssh",
    what: "a login without a terminal",
    of: "script",
    entry: "sshd",
    start: (it) => `${ssh} ${it}`,
  },
  {
    name: "terminal",
    what: "a login with a terminal",
    of: "script",
    entry: "sshd",
    start: (it) => `${ssh} -tt ${it}`,
  },
  {
    name: "manager",
    what: "rpm as a transient service",
    of: "rpm",
    entry: "init",
    start: (it) => `systemd-run -q --wait ${it}`,
  },
  {
    name: "atd",
    what: "rpm by at",
    of: "rpm",
    entry: "init",
    parent: "/usr/bin/dash",
    start: (it) => `echo '${it}; :' | at now 2>&1`,
  },
  {
    name: "sshd",
    what: "rpm by ssh",
    of: "rpm",
    entry: "sshd",
    parent: "/usr/bin/bash",
    start: (it) => `${ssh} '${it}; :'`,
  },
];

describe("a whole host", {
  skip: needs("root", "qemu", "mmdebstrap", "rpmbuild"),
  timeout: 12 * MINUTE,
}, () => {
  let host: InstalledHost;
  before(async () => {
    host = await InstalledHost.boot([1, 2], { "load.sh": load });
  });
  after(() => host?.[Symbol.asyncDispose]());

  test("install: the service runs, and audit has its rules", async () => {
    assert.match(await host.rpm(1, "-i"), /^kinwatch: started\./m);
    await host.watching();
    const rules = await host.ok("auditctl -l");
    for (const arch of ["b64", "b32"])
      assert.match(rules, new RegExp(`arch=${arch} -S execve,execveat -F key=kinwatch`));
    assert.equal((await host.ok("systemctl is-enabled kinwatch")).trim(), "enabled");
    assert.match(
      await host.ok("journalctl -u kinwatch -o cat --no-pager"),
      /the kernel's tracepoints tell who begins processes/,
    );
    const { daemon } = JSON.parse(await host.ok("kinwatch status --json"));
    assert.deepEqual(
      [daemon.problems, typeof daemon.health.kernel.lost],
      [[], "number"],
      "the kernel tells it",
    );
    assert.equal(
      await host.ok("stat -c '%U %a' /run/kinwatch /run/kinwatch/status.sock"),
      "kinwatch 750\nkinwatch 660\n",
    );
    const owners =
      "stat -c '%U %a' /var/lib/kinwatch; stat -c %U /proc/$(systemctl show -P MainPID kinwatch)";
    assert.equal(await host.ok(owners), "kinwatch 700\nkinwatch\n");
  });

  test("check and selftest: pass", async (t) => {
    const { status, output } = await host.run("kinwatch check --format pretty", 2 * MINUTE);
    assert.equal(status, 0, output);
    assert.match(output, /This host is watched through the audit log/);
    const selftest = await host.run("kinwatch selftest --timeout 60s --format pretty", 3 * MINUTE);
    assert.equal(selftest.status, 0, selftest.output);
    assert.match(selftest.output, /^ok +journal +after \d+ ms/m);
    t.diagnostic(selftest.output.trim().split("\n").at(-1) ?? "");
  });

  test("systemd-analyze security: 3.0 or lower", async (t) => {
    const told = await host.ok("systemd-analyze security kinwatch --no-pager");
    const [, score] = /exposure level for kinwatch.service: ([\d.]+)/.exec(told) ?? [];
    assert.ok(Number(score) <= 3, `scored ${score}`);
    t.diagnostic(`exposure level ${score}`);
  });

  test("an installation by a new parent: an alert in the journal, and what to do about it", async (t) => {
    const script = await host.parent("first");
    await host.ok(script);
    await host.untilAlerted(script);
    const journalctl = `journalctl -x --no-pager MESSAGE_ID=${alertMessageId} KINWATCH_PARENT_SCRIPT=${script}`;
    await host.until(`${journalctl} | grep Subject`);
    const shown = await host.ok(journalctl);
    assert.match(shown, /Subject: A package was installed in a way that is new to this host/);
    assert.match(shown, /kinwatch alerts show 01[\da-f-]+/);
    const status = await host.ok("systemctl status kinwatch --no-pager");
    assert.match(
      status,
      /Status: "Watching \/var\/log\/audit\/audit\.log; since the start \d+ installations/,
    );
    const memory = await host.ok("grep VmRSS /proc/$(systemctl show -P MainPID kinwatch)/status");
    t.diagnostic(`resident: ${memory.replace(/\D+/g, "")} kB`);
  });

  test("a clock that is set, and a suspend: parents stay known, and who is new alerts once", async () => {
    const first = await host.parent("first");
    for (const [name, before] of [
      ["clock-forward", "date -s '+1 hour'"],
      ["clock-back", "date -s '-2 hours'"],
      ["resumed", "rtcwake -m mem -s 3"],
    ] as const) {
      const script = await host.parent(name);
      await host.ok(`${before} && ${script} && ${first}`);
      const [{ kinwatch } = assert.fail(name), ...more] = await host.alertsOf(name);
      assert.deepEqual([more, kinwatch.parent_unresolved_reason], [[], undefined], name);
      assert.deepEqual(
        kinwatch.ancestry.map(({ script, executable }) => script ?? executable),
        [script, "/run/test-agent.sh", "/usr/local/sbin/test-agent", "/sbin/init"],
        name,
      );
    }
    assert.ok((await host.scriptsThatAlerted()).includes(first), "and only once");
    await host.ok("date -s '+1 hour'");
  });

  test("services, timers and logins that install: each alerts with its true parent, or says that nobody knows it", async (t) => {
    await host.ok(
      "install -d -m 700 /root/.ssh && ssh-keygen -q -N '' -f /root/.ssh/id && cp /root/.ssh/id.pub /root/.ssh/authorized_keys",
    );
    for (const { name, start, of } of starters) {
      const script = await host.parent(name);
      await host.ok(start(of === "script" ? script : host.rpmLine(name)));
    }
    for (const one of starters) {
      const { name, what, of } = one;
      const alerts = await host.alertsOf(name);
      const [alert, ...more] = alerts;
      assert.ok(alert !== undefined && more.length === 0, `${name}: ${alerts.length} alerts`);
      const { ancestry, parent_unresolved_reason: reason } = alert.kinwatch;
      const entry = alert.process.entry_leader?.entry_meta?.type;
      t.diagnostic(
        `${what}: ${reason ?? `${ancestry[0]?.executable} ${ancestry[0]?.script ?? ""}`}; came by ${entry}`,
      );
      assert.equal(entry, one.entry, name);
      if (of === "script") assert.equal(ancestry[0]?.script, `/opt/deploy/${name}.sh`, name);
      else if (one.parent === undefined) assert.notEqual(reason, undefined, name);
      else assert.equal(ancestry[0]?.executable, one.parent, name);
    }
    await host.ok("rm /etc/cron.d/kinwatch-script");
  });

  test("reboot: it watches before the first login, and what audit logged around it alerts", async (t) => {
    const [shutdown, boot] = [await host.parent("shutdown"), await host.parent("boot")];
    await host.ok(`printf '${early}ExecStart=/bin/true\\nExecStop=${shutdown}\\n' >/etc/systemd/system/at-shutdown.service
      printf '${early}ExecStart=${boot}\\n' >/etc/systemd/system/at-boot.service
      systemctl daemon-reload; systemctl enable at-boot at-shutdown; systemctl start at-shutdown`);
    await host.host.reboot();
    await host.watching();
    await host.untilAlerted(shutdown);
    await host.untilAlerted(boot);
    const entered = "systemctl show -P ActiveEnterTimestampMonotonic kinwatch systemd-user-sessions";
    const [ready = 0, logins = 0] = (await host.ok(entered)).trim().split(/\s+/).map(Number);
    assert.ok(ready > 0 && ready < logins, `ready ${ready}, logins ${logins}`);
    const all = (await host.ok("systemd-analyze | head -1")).trim();
    t.diagnostic(`ready ${(ready / 1e6).toFixed(1)} s after power-on, emulated; ${all}`);
    await host.ok(
      "systemctl disable --now at-boot at-shutdown; rm /etc/systemd/system/at-*; systemctl daemon-reload",
    );
    await host.ok("systemctl reset-failed");
  });

  test("upgrade while packages are installed: each new parent alerts once", async (t) => {
    const count = "$(cat /run/load-count 2>/dev/null || echo 0)";
    await host.ok("touch /run/load; systemd-run --unit=load sh /media/load.sh");
    await host.until(`[ ${count} -ge 3 ]`);
    const pid = "systemctl show -P MainPID kinwatch";
    const before = await host.ok(pid);
    await host.rpm(2, "-U");
    await host.watching();
    assert.notEqual(await host.ok(pid), before, "the new one runs");
    assert.equal((await host.ok("rpm -q --qf '%{RELEASE}' kinwatch")).trim(), "2");
    const now = Number(await host.ok("cat /run/load-count"));
    await host.until(`[ ${count} -ge ${now + 3} ]`);
    await host.ok("rm /run/load; while systemctl -q is-active load; do sleep 0.2; done");
    const last = Number(await host.ok("cat /run/load-count"));
    await host.untilAlerted(`/opt/deploy/load-${last}.sh`);
    const wanted = Array.from({ length: last }, (_, index) => `/opt/deploy/load-${index + 1}.sh`);
    const found = (await host.scriptsThatAlerted()).filter((script) => script.includes("/load-"));
    assert.deepEqual(found.sort(), wanted.sort());
    t.diagnostic(`${last} installations meanwhile`);
  });

  test("downgrade and reinstall: configuration and state stay, the service runs", async () => {
    await host.ok("echo 'learn.from = \"none\"' >>/etc/kinwatch/kinwatch.toml");
    await host.rpm(1, "-U --oldpackage");
    await host.watching();
    await host.rpm(1, "-U --replacepkgs");
    await host.watching();
    assert.match(await host.ok("tail -1 /etc/kinwatch/kinwatch.toml"), /none/);
    assert.ok((await host.scriptsThatAlerted()).includes("/opt/deploy/first.sh"));
    assert.match(await host.ok("auditctl -l"), /key=kinwatch/);
  });

  test("install: a host with -a task,never is told, and left as it is", async () => {
    await host.ok("echo '-a task,never' >/etc/audit/rules.d/10-none.rules");
    assert.match(await host.rpm(2, "-U"), /audit rule '-a task,never' hides all executions/);
    assert.match(await host.ok("auditctl -l"), /never,task/);
    await host.ok("rm /etc/audit/rules.d/10-none.rules; augenrules --load");
  });

  test("a preset against it: not started, and said so", async () => {
    await host.ok("rpm -e kinwatch 2>&1; mkdir -p /etc/systemd/system-preset", 2 * MINUTE);
    await host.ok("echo 'disable kinwatch.service' >/etc/systemd/system-preset/00-site.preset");
    assert.match(await host.rpm(2, "-i"), /^kinwatch: not started, as a preset has it/m);
    assert.equal((await host.run("systemctl is-active kinwatch")).output.trim(), "inactive");
    await host.ok("rm -r /etc/systemd/system-preset");
  });

  test("install over a state that was kept: what was known is known", async () => {
    await host.ok("systemctl enable --now kinwatch", 2 * MINUTE);
    await host.watching();
    assert.ok((await host.scriptsThatAlerted()).includes("/opt/deploy/first.sh"));
    assert.equal((await host.ok("stat -c %U /var/lib/kinwatch/kinwatch.db")).trim(), "kinwatch");
  });

  test("erase: nothing is left but the state, which it names, and what an administrator changed", async () => {
    await host.ok("echo '# ours' >>/etc/kinwatch/kinwatch.toml");
    const told = await host.ok("rpm -e kinwatch 2>&1", 2 * MINUTE);
    assert.match(told, /kept what it learned and its alerts, in \/var\/lib\/kinwatch/);
    const all =
      "find / -xdev -name '*kinwatch*' -not -path '/media/*' -not -path '/var/lib/kinwatch/*' | sort";
    const left = (await host.ok(`${all} 2>/dev/null`)).trim().split("\n");
    assert.deepEqual(left, ["/etc/kinwatch", "/etc/kinwatch/kinwatch.toml.rpmsave", "/var/lib/kinwatch"]);
    assert.doesNotMatch(await host.ok("auditctl -l; cat /etc/audit/audit.rules"), /kinwatch/);
    assert.notEqual((await host.run("getent passwd kinwatch || getent group kinwatch")).status, 0);
    assert.notEqual((await host.run("systemctl cat kinwatch")).status, 0);
    assert.equal(await host.ok("ls /sys/kernel/tracing/instances"), "");
    assert.equal((await host.ok("systemctl --failed --no-legend")).trim(), "");
    assert.equal((await host.ok("stat -c %U /var/lib/kinwatch/kinwatch.db")).trim(), "root");
  });
});
