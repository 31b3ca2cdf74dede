/**
 * What SELinux denied a program, from the end of an audit log. An AVC record names its process by comm alone, which any program
 * of Node.js has; the SYSCALL record of the same event names the executable.
 */
export interface Denial {
  readonly timeMs: number;
  readonly text: string; // "{ read } for … name="audit.log" …": foreign text
}

const TEXT_MAX = 200;

/** @param log text of an audit log, whose first line may be torn. @returns in the order of the log */
export function selinuxDenials(log: string, executable: string): Denial[] {
  const ours = new Set<string>();
  const exe = ` exe="${executable}"`;
  for (const [line, id = ""] of log.matchAll(/^type=SYSCALL msg=audit\(([\d.]+:\d+)\):.*$/gm)) {
    if (line.includes(exe)) ours.add(id);
  }
  return [...log.matchAll(/^type=AVC msg=audit\((([\d.]+):\d+)\): avc: +denied +(.*)$/gm)].flatMap(
    ([, id = "", seconds, text = ""]) =>
      ours.has(id) ? [{ timeMs: Math.round(Number(seconds) * 1_000), text: text.slice(0, TEXT_MAX) }] : [],
  );
}
