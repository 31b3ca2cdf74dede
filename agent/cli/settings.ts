/**
 * What the commands share: the configuration, and where the state is. A checkout stands alone: without --config it heeds no
 * file of the host, keeps state, rules and exceptions in its own .kinwatch/, and shows alerts on the terminal and in the journal if there is one.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Option } from "commander";
import { type Config, loadConfig, loadInstalledConfig } from "../config.ts";
import { isCheckout } from "./checkout.ts";

export interface SettingsOptions {
  readonly config?: string | undefined;
  readonly state?: string | undefined;
}

export function configOption(): Option {
  return new Option("--config <file>", "the configuration; docs/configuration.md says what holds without it");
}

export function stateOption(): Option {
  return new Option("--state <folder>", "where the database is, instead of state.directory");
}

/** @throws KW_CONFIG_UNREADABLE, KW_CONFIG_INSECURE, KW_CONFIG_INVALID */
export function readSettings({ config: file, state }: SettingsOptions): Config {
  const config = file === undefined && !isCheckout ? loadInstalledConfig() : loadConfig(file);
  if (file === undefined && isCheckout) {
    const own = fileURLToPath(new URL("../../.kinwatch", import.meta.url));
    config.state.directory = own;
    config.rules.directories = [join(own, "rules.d")];
    config.exceptions.directory = join(own, "exceptions.d");
    config.output.stdout.enabled = true;
    config.output.journald.enabled = existsSync("/run/systemd/journal/socket");
  }
  if (state !== undefined) config.state.directory = resolve(state);
  return config;
}
