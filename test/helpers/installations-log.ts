/** What audit writes of installations, each by a script: for tests of what becomes of them. */
import { closeSync, openSync, writeSync } from "node:fs";
import { execution } from "../events/kernel-writer.ts";

const apartMs = 4_000; // by the rules' limit of 100 alerts in 5 minutes none is held back

export interface ScriptedInstallation {
  readonly script: string;
  readonly timeMs: number;
  readonly pid: number; // of the script; rpm has the next one
  readonly serial: number; // likewise
  readonly args: readonly string[]; // of rpm
}

/** Lines, each with its newline. */
export function scriptedInstallation({ script, timeMs, pid, serial, args }: ScriptedInstallation): string {
  const files = [script, "/usr/bin/bash", "/lib64/ld-linux-x86-64.so.2"];
  const shell = { pid, ppid: 1, timeMs, serial, executable: "/usr/bin/bash" };
  const rpm = { pid: pid + 1, ppid: pid, timeMs, serial: serial + 1, executable: "/usr/bin/rpm" };
  const lines = [
    ...execution({ ...shell, args: ["/bin/bash", script], files }),
    ...execution({ ...rpm, args }),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * A log of many, each by a script of its own, so that each is an alert and an event.
 * @param beganMs of the first one, since the epoch
 */
export function writeInstallations(file: string, count: number, beganMs: number): void {
  const fd = openSync(file, "w");
  for (let index = 0; index < count; index += 1) {
    const text = scriptedInstallation({
      script: `/opt/deploy-${index}.sh`,
      timeMs: beganMs + index * apartMs,
      pid: 1_000 + ((2 * index) % 4_000_000),
      serial: 100 + 2 * index,
      args: ["rpm", "-Uvh", `package-${index}-1.0-1.noarch.rpm`],
    });
    writeSync(fd, text);
  }
  closeSync(fd);
}
