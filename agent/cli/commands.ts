import type { Command } from "commander";

/** Each command brings what it needs; only the one that is run is loaded. */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("./run.ts")).runCommand(),
  check: async () => (await import("./check.ts")).checkCommand(),
  selftest: async () => (await import("./selftest.ts")).selftestCommand(),
  replay: async () => (await import("./replay.ts")).replayCommand(),
  events: async () => (await import("./events.ts")).eventsCommand(),
  alerts: async () => (await import("./alerts.ts")).alertsCommand(),
  baseline: async () => (await import("./baseline.ts")).baselineCommand(),
  rules: async () => (await import("./rules.ts")).rulesCommand(),
  exceptions: async () => (await import("./exceptions.ts")).exceptionsCommand(),
  status: async () => (await import("./status.ts")).statusCommand(),
  outbox: async () => (await import("./outbox.ts")).outboxCommand(),
  setup: async () => (await import("./setup.ts")).setupCommand(),
  "explain-command": async () => (await import("./explain-command.ts")).explainCommand(),
};
