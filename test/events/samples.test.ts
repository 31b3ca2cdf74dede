/** Real records, a folder of samples: what each shows is its first line, and what is made of it lies beside it. */
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { newCounters } from "../../agent/counters.ts";
import { EventBuilder } from "../../agent/events/event-builder.ts";
import type { HostEvent } from "../../agent/events/exec-event.ts";

const folder = join(import.meta.dirname, "../samples/events");

for (const path of globSync(join(folder, "*.log")).sort()) {
  const [reason = "", ...lines] = readFileSync(path, "utf8").split(/(?<=\n)/);
  const name = basename(path, ".log");
  test(`EventBuilder.add(): ${name}: ${reason.replace(/^# |\n/g, "")}`, (t) => {
    const bytes = Buffer.from(lines.filter((line) => !line.startsWith("#")).join(""));
    const counters = newCounters();
    const builder = new EventBuilder(counters);
    const position = { device: 1, inode: 1, offset: 0 };
    const events: HostEvent[] = [];
    builder.add({ kind: "log", bytes, position, seen: false }, (event) => events.push(event));
    builder.flush((event) => events.push(event));
    const counted = Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0));
    t.assert.fileSnapshot([...events.map(plain), counted], join(folder, `${name}.golden.ndjson`), {
      serializers: [(documents: readonly object[]) => documents.map((one) => JSON.stringify(one)).join("\n")],
    });
  });
}

/** What an event says when it is asked for everything. */
function plain(event: HostEvent): object {
  if (event.kind !== "exec") return event;
  const { node, timeMs, serial, pid, ppid, executable, deleted, script, uid, auid, ses, tty } = event;
  const { userName, loginName, workingDirectory, argumentsFrom, argumentsComplete, args } = event;
  return {
    ...{ node, timeMs, serial, pid, ppid, executable, deleted, script, uid, auid, ses, tty },
    ...{ userName, loginName, workingDirectory, argumentsFrom, argumentsComplete, args },
  };
}
