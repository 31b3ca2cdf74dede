/** The settings of auditd that decide whether there is a log to read, and how long it is kept: auditd.conf(5). */
export interface AuditdConfig {
  readonly logFile: string;
  readonly writesLog: boolean;
  readonly format: string; // RAW or ENRICHED, with names beside numbers
  readonly fileMegabytes: number;
  readonly files: number; // below 2 nothing is rotated
  readonly whenFull: string; // rotate, keep_logs, ignore, syslog, suspend: of one file
}

/** Names and words in any case, as auditd takes them (nv_split() and the parsers in src/auditd-config.c). */
export function parseAuditdConfig(text: string): AuditdConfig {
  const settings = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(\S+)/i.exec(line) ?? [];
    if (name !== undefined && value !== undefined) settings.set(name.toLowerCase(), value);
  }
  const word = (name: string, otherwise: string) => (settings.get(name) ?? otherwise).toLowerCase();
  const format = word("log_format", "raw");
  return {
    logFile: settings.get("log_file") ?? "/var/log/audit/audit.log",
    writesLog: word("write_logs", "yes") !== "no" && format !== "nolog", // nolog: before audit 2.5.2
    format: format.toUpperCase(),
    fileMegabytes: Number(word("max_log_file", "0")),
    files: Number(word("num_logs", "0")),
    whenFull: word("max_log_file_action", "ignore"),
  };
}
