/**
 * A whole host of one's own: a virtual machine with its kernel, systemd, auditd, journald, rpm and logins, so that a test can boot
 * it, install, reboot and look. Debian stands for all; its image is made once and kept outside the checkout. Processors are
 * emulated (TCG), which takes root's, KVM's and the clock's peculiarities out of it, and some 10 times as long. No network.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./real-parts.ts";

const packages = [
  ...["systemd", "systemd-sysv", "udev", "dbus", "auditd", "rpm", "passwd", "login", "man-db"],
  ...["cron", "at", "openssh-server", "openssh-client"], // who starts programs
  ...["libatomic1", "libstdc++6", "linux-image-cloud-amd64"], // what Node.js is linked with
];
const diskBytes = "1700M";
const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "kinwatch-test");

/** Runs what the second serial line says, and says there what came of it. From early on: what is asked may be of the start. */
const agent = `#!/bin/sh
stty raw -echo </dev/ttyS1
exec </dev/ttyS1 >/dev/ttyS1 2>/dev/null
echo HELLO
while read -r id script; do
  printf %s "$script" | base64 -d >/run/test-agent.sh
  sh /run/test-agent.sh >/run/test-agent.out 2>&1 </dev/null
  echo "DONE $id $? $(base64 -w0 </run/test-agent.out)"
done
`;
const agentUnit = `[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/local/sbin/test-agent
[Install]
WantedBy=sysinit.target
`;

interface Image {
  readonly folder: string; // a root file system, and files vmlinuz, initrd, disk
}

/** Makes the image, if there is none of this recipe. */
export function wholeHostImage(): Image {
  const recipe = createHash("sha256")
    .update(JSON.stringify([packages, diskBytes, agent, agentUnit]))
    .digest("hex");
  const folder = join(cache, `whole-host-${recipe.slice(0, 12)}`);
  if (existsSync(folder)) return { folder };
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, "making-"));
  try {
    const root = join(making, "root");
    const args = ["--quiet", "--variant=minbase", `--include=${packages.join(",")}`, "bookworm", root];
    execFileSync(findProgram("mmdebstrap") ?? "mmdebstrap", args, { stdio: "ignore", timeout: 400_000 });
    writeFileSync(join(root, "usr/local/sbin/test-agent"), agent);
    chmodSync(join(root, "usr/local/sbin/test-agent"), 0o755);
    writeFileSync(join(root, "etc/systemd/system/test-agent.service"), agentUnit);
    writeFileSync(join(root, "etc/hostname"), "whole-host\n");
    writeFileSync(join(root, "etc/fstab"), "/dev/vda / ext4 defaults 0 1\n");
    execFileSync("systemctl", [`--root=${root}`, "enable", "test-agent.service"], { stdio: "ignore" });
    for (const [from, to] of [
      ["vmlinuz-*", "vmlinuz"],
      ["initrd.img-*", "initrd"],
    ] as const) {
      const [name = ""] = globSync(from, { cwd: join(root, "boot") });
      copyFileSync(join(root, "boot", name), join(making, to));
      rmSync(join(root, "boot", name));
    }
    execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", root, join(making, "disk"), diskBytes], {
      stdio: "ignore",
    });
    renameSync(making, folder);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  }
  return { folder };
}

export interface Done {
  readonly status: number;
  readonly output: string; // both streams
}

export interface WholeHost extends AsyncDisposable {
  /** A shell script as root. @throws when it takes longer, with the console's last lines */
  run(script: string, timeoutMs?: number): Promise<Done>;
  /** The same; an error unless its exit status is 0. */
  ok(script: string, timeoutMs?: number): Promise<string>;
  /** Ends when the host is there again and its boot is over. */
  reboot(): Promise<void>;
  /** All that came on its console. */
  console(): string;
}

const BOOT_MS = 180_000;

/** @param files that lie in /media of the host */
export async function bootWholeHost(files: readonly string[]): Promise<WholeHost> {
  const image = wholeHostImage().folder;
  const folder = mkdtempSync(join(tmpdir(), "kinwatch-host-"));
  const [media, line, log] = ["media.tar", "agent", "console"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  execFileSync("tar", ["-cf", media, ...files.flatMap((file) => ["-C", join(file, ".."), basename(file)])]);
  const drive = (file: string, more: string) => ["-drive", `file=${file},if=virtio,format=raw,${more}`];
  const child = spawn(
    findProgram("qemu-system-x86_64") ?? "",
    [
      ...[
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        "1024",
        "-nodefaults",
        "-display",
        "none",
      ],
      ...["-kernel", join(image, "vmlinuz"), "-initrd", join(image, "initrd"), "-nic", "none"],
      ...["-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=no"],
      ...["-serial", `file:${log}`, "-serial", `unix:${line},server=on,wait=off`],
      ...[...drive(join(image, "disk"), "snapshot=on"), ...drive(media, "readonly=on")],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let complaint = "";
  child.stderr.on("data", (data) => {
    complaint += data;
  });
  const console = () => (existsSync(log) ? readFileSync(log, "latin1") : "");
  const socket = await connected(line, () => child.exitCode !== null);
  let text = "";
  let changed = () => {};
  socket.on("data", (data) => {
    text += data;
    changed();
  });
  socket.on("error", () => {});

  /** Waits for a line of the agent's, and takes all up to its end. */
  async function until(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(text);
      if (found) {
        text = text.slice(found.index + found[0].length);
        return found;
      }
      const leftMs = endMs - performance.now();
      if (leftMs <= 0 || child.exitCode !== null)
        throw new Error(`${pattern} did not come: ${complaint}${console().slice(-2_000)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 500));
        changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  let asked = 0;
  async function run(script: string, timeoutMs = 60_000): Promise<Done> {
    asked += 1;
    socket.write(`${asked} ${Buffer.from(script).toString("base64")}\n`);
    const [, status, output = ""] = await until(
      new RegExp(`DONE ${asked} (\\d+) ([\\w+/=]*)\\r?\\n`),
      timeoutMs,
    );
    return { status: Number(status), output: Buffer.from(output, "base64").toString("utf8") };
  }

  async function ok(script: string, timeoutMs?: number): Promise<string> {
    const { status, output } = await run(script, timeoutMs);
    if (status !== 0) throw new Error(`${script}\nended with ${status}: ${output}`);
    return output;
  }

  async function booted(): Promise<void> {
    await until(/HELLO\r?\n/, BOOT_MS);
    await run("systemctl is-system-running --wait", BOOT_MS);
  }

  const host: WholeHost = {
    run,
    ok,
    console,
    async reboot() {
      socket.write(`0 ${Buffer.from("systemctl --no-block reboot").toString("base64")}\n`);
      await booted();
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
      if (child.exitCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await booted();
    await ok("mkdir -p /media && tar -xf /dev/vdb -C /media");
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
  return host;
}

async function connected(path: string, hasEnded: () => boolean): Promise<Socket> {
  for (let tries = 0; ; tries += 1) {
    const socket = connect(path);
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      socket.destroy();
      if (tries >= 100 || hasEnded()) throw error;
      await sleep(100);
    }
  }
}
