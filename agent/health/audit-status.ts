/** What `auditctl -s` says; a line a number since audit 2.4, one line of name=number before. auditctl(8). */
export interface AuditStatus {
  readonly enabled: number; // 0 off, 1 on, 2 on and locked until the next boot
  readonly pid: number; // who takes the records from the kernel; 0: nobody
  readonly lost: number; // records since the boot, or since auditctl --reset-lost
  readonly backlog: number; // records that wait
  readonly backlogLimit: number;
  readonly rateLimit: number; // records a second, 0: no limit; what is above it is dropped
}

/** @returns undefined when it is something else, such as "You must be root" */
export function parseAuditStatus(text: string): AuditStatus | undefined {
  const numbers = new Map<string, number>();
  for (const [, name = "", value] of text.matchAll(/\b([a-z_]+)[ =](\d+)\b/g)) {
    if (!numbers.has(name)) numbers.set(name, Number(value));
  }
  const enabled = numbers.get("enabled");
  const pid = numbers.get("pid");
  if (enabled === undefined || pid === undefined) return undefined;
  return {
    enabled,
    pid,
    lost: numbers.get("lost") ?? 0,
    backlog: numbers.get("backlog") ?? 0,
    backlogLimit: numbers.get("backlog_limit") ?? 0,
    rateLimit: numbers.get("rate_limit") ?? 0,
  };
}
