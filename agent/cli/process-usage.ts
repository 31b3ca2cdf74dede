/** What this process costs. */
import type { Usage } from "../alert/pulse.ts";

export function processUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return {
    uptimeMs: process.uptime() * 1_000,
    memoryBytes: process.memoryUsage.rss(),
    cpuMs: (user + system) / 1_000,
  };
}
