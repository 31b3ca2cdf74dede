/** A log of installations, each by a script of its own, so that each is an alert and an event: for tests of what becomes of many. */
import { closeSync, openSync, writeSync } from "node:fs";
import { execution } from "../events/kernel-writer.ts";

const apartMs = 4_000; // by the rules' limit of 100 alerts in 5 minutes none is held back

/** @param beganMs of the first one, since the epoch */
export function writeInstallations(file: string, count: number, beganMs: number): void {
  const fd = openSync(file, "w");
  for (let index = 0; index < count; index += 1) {
    const timeMs = beganMs + index * apartMs;
    const serial = 100 + 2 * index;
    const pid = 1_000 + ((2 * index) % 4_000_000);
    const script = `/opt/deploy-${index}.sh`;
    const files = [script, "/usr/bin/bash", "/lib64/ld-linux-x86-64.so.2"];
    const shell = { pid, ppid: 1, timeMs, serial, executable: "/usr/bin/bash" };
    const rpm = { pid: pid + 1, ppid: pid, timeMs, serial: serial + 1, executable: "/usr/bin/rpm" };
    const lines = [
      ...execution({ ...shell, args: ["/bin/bash", script], files }),
      ...execution({ ...rpm, args: ["rpm", "-Uvh", `package-${index}-1.0-1.noarch.rpm`] }),
    ];
    writeSync(fd, `${lines.join("\n")}\n`);
  }
  closeSync(fd);
}
