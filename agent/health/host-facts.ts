/**
 * What an alert says of the host: ECS host.*. All of it is to be had from node:os and two files in 2 ms. The package
 * systeminformation starts 100 processes for the same facts, which audit would log as ours, and keeps 13 MB.
 */
import { readFileSync } from "node:fs";
import { hostname, machine, networkInterfaces, release } from "node:os";
import { type OsRelease, readOsRelease } from "./os-release.ts";

/** The host part of an alert document. */
export interface HostFacts {
  readonly id?: string;
  readonly name: string;
  readonly hostname: string;
  readonly architecture: string;
  readonly ip: readonly string[];
  readonly mac: readonly string[];
  readonly os: {
    readonly type: "linux";
    readonly platform?: string;
    readonly name?: string;
    readonly version?: string;
    readonly kernel: string;
    readonly full?: string;
  };
}

type Interfaces = ReturnType<typeof networkInterfaces>;

const ADDRESSES_MAX = 64; // a host of many containers has one interface for each

/** As they are now: addresses and even the name change while a host runs. */
export function readHostFacts(): HostFacts {
  const id = machineId();
  return {
    ...(id === undefined ? {} : { id }),
    name: hostname(),
    hostname: hostname(),
    architecture: machine(),
    ...addresses(networkInterfaces()),
    os: { type: "linux", kernel: release(), ...distribution(readOsRelease()) },
  };
}

/** Those of the interfaces that are up, without loopback, each once. MAC as ECS has it: RFC 7042, section 2.1. */
export function addresses(interfaces: Interfaces): Pick<HostFacts, "ip" | "mac"> {
  const outward = Object.values(interfaces)
    .flatMap((entries) => entries ?? [])
    .filter(({ internal }) => !internal);
  const ip = new Set(outward.map(({ address }) => address));
  const mac = new Set(outward.map((entry) => entry.mac.toUpperCase().replaceAll(":", "-")));
  mac.delete("00-00-00-00-00-00"); // an interface without one, such as a tunnel
  return { ip: [...ip].slice(0, ADDRESSES_MAX), mac: [...mac].slice(0, ADDRESSES_MAX) };
}

export function distribution(os: OsRelease): Omit<HostFacts["os"], "type" | "kernel"> {
  const names = { platform: "ID", name: "NAME", version: "VERSION_ID", full: "PRETTY_NAME" };
  return Object.fromEntries(
    Object.entries(names).flatMap(([field, key]) => (os.get(key) ? [[field, os.get(key)]] : [])),
  );
}

/** machine-id(5): 32 hexadecimal digits; in an image before its first boot empty or "uninitialized". */
function machineId(): string | undefined {
  try {
    const text = readFileSync("/etc/machine-id", "utf8").trim();
    return /^[0-9a-f]{32}$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
