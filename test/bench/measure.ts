/** Times whole processes side by side, so that a noisy machine slows both: figures are ratios within one run. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Timed {
  readonly seconds: number;
  readonly status: number | null;
}

/** @param command standard output is thrown away, standard error is shown when it fails */
export function time(command: readonly string[], env: Readonly<Record<string, string>> = {}): Timed {
  const [file = "", ...args] = command;
  const begun = performance.now();
  const { status, stderr, error } = spawnSync(file, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
    maxBuffer: 1e8,
    timeout: 600_000,
  });
  const seconds = (performance.now() - begun) / 1_000;
  if (error) throw error;
  if (status !== 0)
    process.stderr.write(
      `${command.join(" ")} ended with ${status}:\n${stderr.toString().slice(0, 2_000)}\n`,
    );
  return { seconds, status };
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
}

/** Where the time went: functions by their own share of the samples, the largest first. node --cpu-prof */
export function hottest(profile: string, count: number): { share: number; name: string }[] {
  const { nodes, samples } = JSON.parse(readFileSync(profile, "utf8")) as CpuProfile;
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => [
      id,
      `${functionName || "(anonymous)"} ${url.split("/agent/")[1] ?? ""}`.trim(),
    ]),
  );
  const shares = new Map<string, number>();
  for (const sample of samples) {
    const name = names.get(sample) ?? "?";
    shares.set(name, (shares.get(name) ?? 0) + 1 / samples.length);
  }
  return [...shares]
    .map(([name, share]) => ({ share, name }))
    .sort((a, b) => b.share - a.share)
    .slice(0, count);
}
