/** The host that an event is of. */
export interface EventHost {
  readonly id?: string;
  readonly name?: string; // absent when a stored log does not name its host
  readonly hostname?: string;
  readonly architecture?: string;
  readonly ip?: readonly string[];
  readonly mac?: readonly string[];
  readonly os?: {
    readonly type?: "linux";
    readonly platform?: string;
    readonly name?: string;
    readonly version?: string;
    readonly kernel?: string;
    readonly full?: string;
  };
}

/**
 * A log names its host with node= if auditd is told to (auditd.conf(5), name_format); it may be this one.
 * @param thisHost undefined: stored logs, whose records alone name one
 */
export function hostOf(node: string | undefined, thisHost: EventHost | undefined): EventHost {
  if (node === undefined || node === thisHost?.name || node === thisHost?.hostname)
    return thisHost ?? someHost;
  return { name: node, hostname: node, os: { type: "linux" } };
}

const someHost: EventHost = { os: { type: "linux" } }; // nobody else writes such logs
