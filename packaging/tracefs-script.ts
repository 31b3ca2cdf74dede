/**
 * What the service manager runs as root, before the service and after it: the kernel lets nobody else make a ring buffer. The service
 * itself may read it, and nothing more.
 */
import { traceEvents } from "../agent/sources/trace-event.ts";
import { traceSettings } from "../agent/sources/trace-instance.ts";

export function tracefsScript(): string {
  const { name, files } = traceSettings;
  const lines = Object.entries(files).map(([file, value]) => `  set_to ${value} ${file}`);
  return `#!/bin/sh
# begin: makes a ring buffer for the kernel's tracepoints, which kinwatch reads. end: removes it.
set -eu
at=/sys/kernel/tracing/instances/${name}
set_to() { [ ! -e "$at/$2" ] || echo "$1" >"$at/$2"; }
case "\${1-}" in
begin)
  mkdir -p "$at"
${lines.join("\n")}
  for event in ${traceEvents.join(" ")}; do set_to 1 "events/$event/enable"; done
  ;;
end) [ ! -d "$at" ] || rmdir "$at" ;;
*)
  echo "usage: $0 begin|end" >&2
  exit 2
  ;;
esac
`;
}
