/**
 * In which container a process is, by its control group: its runtime names that after the container's id. root can put any process
 * into any group, so the container's name and image are told only of who has its view of the files too.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { type ContainerFacts, containerFacts } from "./container-files.ts";
import { isAlive } from "./proc-entry.ts";
import type { Container } from "./source.ts";

const runtimes: Readonly<Record<string, string>> = {
  docker: "docker",
  libpod: "podman",
  crio: "cri-o",
  "cri-containerd": "containerd",
  nerdctl: "containerd",
};
// systemd's and cgroupfs's names; not those of conmon, who is outside and looks after one: "libpod-conmon-…".
const named = /^(docker|libpod|crio|cri-containerd|nerdctl)-([\da-f]{64})(?:\.scope)?$/;
const bare = /^[\da-f]{64}$/;

/** @returns the innermost of them; undefined: a group of the host. cgroups(7), /proc/PID/cgroup */
export function containerIn(cgroups: string): Pick<Container, "id" | "runtime"> | undefined {
  for (const line of cgroups.split("\n")) {
    const groups = (line.split(":").slice(2).join(":") || "").split("/");
    for (let at = groups.length - 1; at >= 0; at -= 1) {
      const group = groups[at] as string;
      const [, prefix, id] = named.exec(group) ?? [];
      if (prefix !== undefined && id !== undefined) return { id, runtime: runtimes[prefix] };
      if (bare.test(group)) return { id: group, runtime: groups[at - 1] === "docker" ? "docker" : undefined };
    }
  }
  return undefined;
}

/** @returns "none" of a process of the host; undefined: it is over, or may not be asked */
export function readContainer(
  { pid, timeMs }: { readonly pid: number; readonly timeMs: number },
  facts: (id: string) => ContainerFacts | undefined = containerFacts,
  procRoot = "/proc",
): Container | "none" | undefined {
  if (!isAlive(pid, timeMs, procRoot)) return undefined;
  const cgroups = readCgroups(`${procRoot}/${pid}/cgroup`);
  const mounts = readNamespace(pid, procRoot);
  if (cgroups === undefined || !isAlive(pid, timeMs, procRoot)) return undefined;
  const found = containerIn(cgroups);
  if (found === undefined) return "none";
  const known = facts(found.id);
  const runtime = found.runtime ?? known?.runtime;
  const nameless = (reason: string): Container => ({
    ...found,
    runtime,
    name: undefined,
    image: undefined,
    reason,
  });
  if (known === undefined) return nameless("no runtime's files on this host tell of this container");
  const own = known.pid === undefined ? undefined : readNamespace(known.pid, procRoot);
  if (mounts === undefined) return nameless("its mount namespace may not be read");
  if (own === undefined ? mounts === readNamespace(1, procRoot) : mounts !== own)
    return nameless("it is in the container's control group, and not in its mount namespace");
  const { name, image } = known;
  const reason = image === undefined ? "its runtime's files do not name its image" : undefined;
  return { id: found.id, runtime, name, image, reason };
}

function readCgroups(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readNamespace(pid: number, procRoot: string): string | undefined {
  try {
    return readlinkSync(`${procRoot}/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}
