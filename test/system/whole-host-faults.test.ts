/** What goes wrong on a host, to the installed service: it comes back by itself, and has lost nothing that audit wrote. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { alertMessageId } from "../../agent/outputs/journald.ts";
import { InstalledHost } from "../helpers/installed-host.ts";
import { needs } from "../helpers/real-parts.ts";

const MINUTE = 60_000;
const pid = "systemctl show -P MainPID kinwatch";
const restarts = "systemctl show -P NRestarts kinwatch";

describe("faults of a whole host", {
  skip: needs("root", "qemu", "mmdebstrap", "rpmbuild"),
  timeout: 10 * MINUTE,
}, () => {
  let host: InstalledHost;
  before(async () => {
    host = await InstalledHost.boot([1]);
    await host.rpm(1, "-i");
    await host.watching();
  });
  after(() => host?.[Symbol.asyncDispose]());
  beforeEach(() => host.watching());

  test("kill -9: started anew, and what was installed meanwhile alerts", async () => {
    const script = await host.parent("killed");
    const before = Number(await host.ok(restarts));
    await host.ok(`kill -9 $(${pid}); ${script}`);
    await host.until(`[ $(${restarts}) -gt ${before} ]`);
    await host.watching();
    await host.untilAlerted(script);
  });

  test("kill by hand: started anew, too", async () => {
    const before = Number(await host.ok(restarts));
    await host.ok(`kill $(${pid})`);
    await host.until(`[ $(${restarts}) -gt ${before} ]`);
  });

  test("SIGSTOP: the watchdog ends it, and what was installed meanwhile alerts", async () => {
    await host.ok("mkdir -p /run/systemd/system/kinwatch.service.d");
    await host.ok(
      "printf '[Service]\\nWatchdogSec=8\\n' >/run/systemd/system/kinwatch.service.d/watchdog.conf",
    );
    await host.ok("systemctl daemon-reload; systemctl restart kinwatch");
    await host.watching();
    const script = await host.parent("stopped");
    await host.ok(`kill -STOP $(${pid}); ${script}`);
    await host.until("journalctl -u kinwatch -b | grep 'Watchdog timeout'");
    await host.watching();
    await host.untilAlerted(script);
    await host.ok(
      "rm -r /run/systemd/system/kinwatch.service.d; systemctl daemon-reload; systemctl restart kinwatch",
    );
  });

  test("memory at its limit: ended by the kernel, and back when there is more", async () => {
    const script = await host.parent("no-memory");
    await host.ok("systemctl set-property --runtime kinwatch MemoryMax=16M MemorySwapMax=0");
    await host.until("journalctl -u kinwatch -b | grep -i 'oom-kill'");
    await host.ok(script);
    await host.ok("systemctl set-property --runtime kinwatch MemoryMax=384M");
    await host.watching();
    await host.untilAlerted(script);
  });

  test("disk full: says so and waits, and alerts when there is room", async () => {
    await host.ok(`systemctl stop kinwatch && cp -a /var/lib/kinwatch /root/state
      mount -t tmpfs -o size=4M tmpfs /var/lib/kinwatch && cp -a /root/state/. /var/lib/kinwatch/
      systemctl start kinwatch`);
    await host.watching();
    const script = await host.parent("no-room");
    await host.ok(
      "dd if=/dev/zero of=/var/lib/kinwatch/full bs=4k 2>/dev/null; [ -s /var/lib/kinwatch/full ]",
    );
    await host.ok(script);
    await host.until("systemctl show -P StatusText kinwatch | grep 'Waits until its state can be written'");
    assert.equal((await host.run("systemctl is-active kinwatch")).output.trim(), "active");
    await host.ok("rm /var/lib/kinwatch/full");
    await host.watching();
    await host.untilAlerted(script);
    await host.ok(`systemctl stop kinwatch && cp -a /var/lib/kinwatch/. /root/state/ && umount /var/lib/kinwatch
      cp -a /root/state/. /var/lib/kinwatch/ && systemctl start kinwatch`);
  });

  test("journald restarted: the alert is in the journal", async () => {
    const script = await host.parent("no-journal");
    await host.ok(`systemctl kill -s KILL systemd-journald; ${script}; systemctl restart systemd-journald`);
    await host.untilAlerted(script);
    await host.until(
      `journalctl -q MESSAGE_ID=${alertMessageId} KINWATCH_PARENT_SCRIPT=${script} | grep no-journal`,
    );
    // Debian's journald turns audit off when it starts: journald.conf(5), Audit=.
    await host.until("journalctl -u kinwatch -b | grep KW_AUDIT_OFF");
    await host.ok("auditctl -e 1");
    await host.until("journalctl -u kinwatch -b | grep 'KW_AUDIT_OFF is over'");
  });

  test("auditd restarted: what it wrote before and after alerts", async () => {
    const [earlier, later] = [await host.parent("audit-before"), await host.parent("audit-after")];
    await host.ok(earlier);
    await host.until("grep -q audit-before.sh /var/log/audit/audit.log"); // what it has not written, nobody can read
    // Not by systemctl, which auditd.service refuses.
    await host.ok("kill $(pidof auditd); while pidof auditd; do sleep 0.1; done; systemctl start auditd");
    await host.ok(later);
    await host.untilAlerted(earlier);
    await host.untilAlerted(later);
  });
});
