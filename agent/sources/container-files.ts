/**
 * What container runtimes write down of a container: its name, its image and its first process. Read off their files, for asking
 * the runtimes themselves would take their sockets, which are as good as root. What is not there is not known.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Where they keep it; tests have others. */
export interface ContainerPlaces {
  readonly docker: string;
  readonly storage: string; // of Podman and CRI-O: containers-storage.conf(5), graphroot
  readonly storageRun: string; // runroot
  readonly containerd: string;
}

export const usualPlaces: ContainerPlaces = {
  docker: "/var/lib/docker/containers",
  storage: "/var/lib/containers/storage",
  storageRun: "/run/containers/storage",
  containerd: "/run/containerd/io.containerd.runtime.v2.task",
};

export interface ContainerFacts {
  readonly runtime: string;
  readonly name: string | undefined;
  readonly image: string | undefined; // as a person or the orchestrator named it
  readonly pid: number | undefined; // of its first process
}

const FILE_MAX = 8_388_608; // bytes; Podman has one file for all containers, a kB each
const drivers = ["overlay", "vfs", "btrfs", "zfs"]; // that root uses
const namespaces = ["k8s.io", "default", "moby"]; // of containerd

/** @param id 64 hex digits. undefined: no runtime that keeps its files where it usually does has it. Never throws */
export function containerFacts(
  id: string,
  places: ContainerPlaces = usualPlaces,
): ContainerFacts | undefined {
  return dockerFacts(id, places) ?? storageFacts(id, places) ?? containerdFacts(id, places);
}

/** moby, container/container.go */
function dockerFacts(id: string, { docker }: ContainerPlaces): ContainerFacts | undefined {
  const container = readJson(`${docker}/${id}/config.v2.json`);
  if (container === undefined) return undefined;
  return {
    runtime: "docker",
    name: textAt(container, "Name")?.replace(/^\//, ""),
    image: textAt(container, "Config", "Image"),
    pid: numberAt(container, "State", "Pid"),
  };
}

/** containers/storage, containers.go; those that are removed at their end are in a file of their own. */
function storageFacts(id: string, { storage, storageRun }: ContainerPlaces): ContainerFacts | undefined {
  for (const driver of drivers) {
    const files = [
      `${storage}/${driver}-containers/containers.json`,
      `${storageRun}/${driver}-containers/volatile-containers.json`,
      `${storage}/${driver}-containers/volatile-containers.json`,
    ];
    for (const file of files) {
      const all = readJson(file);
      const container = Array.isArray(all) ? all.find((one) => textAt(one, "id") === id) : undefined;
      if (container === undefined) continue;
      const metadata = parse(textAt(container, "metadata") ?? "");
      const pidFile = `${storageRun}/${driver}-containers/${id}/userdata/pidfile`;
      const pid = Number(readText(pidFile)?.trim() || Number.NaN);
      const isPod = textAt(metadata, "pod-name") !== undefined || textAt(metadata, "pod-id") !== undefined;
      return {
        runtime: isPod ? "cri-o" : "podman",
        name: textAt(container, "names", 0) ?? textAt(metadata, "name"),
        image: textAt(metadata, "image-name") || undefined,
        pid: pid > 0 ? pid : undefined,
      };
    }
  }
  return undefined;
}

/** containerd, core/runtime/v2/bundle.go; annotations: internal/cri/annotations/annotations.go */
function containerdFacts(id: string, { containerd }: ContainerPlaces): ContainerFacts | undefined {
  for (const namespace of namespaces) {
    const bundle = `${containerd}/${namespace}/${id}`;
    const spec = readJson(`${bundle}/config.json`);
    if (spec === undefined) continue;
    const pid = Number(readText(`${bundle}/init.pid`)?.trim() || Number.NaN);
    return {
      runtime: namespace === "moby" ? "docker" : "containerd",
      name:
        textAt(spec, "annotations", "io.kubernetes.cri.container-name") ??
        textAt(spec, "annotations", "nerdctl/name"),
      image: textAt(spec, "annotations", "io.kubernetes.cri.image-name"),
      pid: pid > 0 ? pid : undefined,
    };
  }
  return undefined;
}

function readJson(path: string): unknown {
  return parse(readText(path) ?? "");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not there, or in the middle of being written
  }
}

/** undefined: no such file, no regular one, or longer than any of them is. */
function readText(path: string): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { size, mode } = fstatSync(fd);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || size > FILE_MAX) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, size, 0));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Readonly<Record<string | number, unknown>>)[key];
  }
  return at;
}

function textAt(value: unknown, ...path: readonly (string | number)[]): string | undefined {
  const found = valueAt(value, path);
  return typeof found === "string" && found !== "" ? found : undefined;
}

function numberAt(value: unknown, ...path: readonly (string | number)[]): number | undefined {
  const found = valueAt(value, path);
  return typeof found === "number" && found > 0 ? found : undefined;
}
