import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type CounterName, newCounters } from "../../agent/counters.ts";
import { AuditExec } from "../../agent/events/audit-exec.ts";
import { EventBuilder } from "../../agent/events/event-builder.ts";
import type { ExecEvent, HostEvent } from "../../agent/events/exec-event.ts";
import { execution, head, syscall, untrustedText, type Written } from "./kernel-writer.ts";

const t0 = 1_700_000_000_000;
const written: Written = {
  timeMs: t0,
  serial: 7,
  pid: 20,
  ppid: 10,
  executable: "/usr/bin/ls",
  args: ["ls", "-l"],
};
const [SYSCALL, EXECVE, CWD, PATH0, PATH1, PROCTITLE] = [0, 1, 2, 3, 4, 5];

/** Reads lines in pieces of whole lines. */
class Reading {
  readonly counters = newCounters();
  readonly builder: EventBuilder;
  readonly events: HostEvent[] = [];
  readonly #take = (event: HostEvent) =>
    this.events.push(event instanceof AuditExec && event.borrowed ? event.copy() : event);
  #offset = 0;

  constructor(offset = 0, lends = false) {
    this.#offset = offset;
    this.builder = new EventBuilder(this.counters, lends);
  }

  lines(...lines: readonly string[]): this {
    return this.bytes(Buffer.from(lines.map((line) => `${line}\n`).join(""), "latin1"));
  }

  bytes(bytes: Buffer): this {
    const position = { device: 1, inode: 1, offset: this.#offset };
    this.#offset += bytes.length;
    const reused = Buffer.from(bytes); // as a source does: what it gave is gone when the next is asked for
    this.builder.add({ kind: "log", bytes: reused, position, seen: false }, this.#take);
    reused.fill(0x58);
    return this;
  }

  idle(nowMs: number): this {
    this.builder.add({ kind: "idle", nowMs }, this.#take);
    return this;
  }

  end(): this {
    this.builder.flush(this.#take);
    return this;
  }

  get serials(): number[] {
    return this.events.flatMap((event) => (event.kind === "exec" ? [event.serial] : []));
  }

  get counted(): Partial<Record<CounterName, number>> {
    const { bytes_read: _, records_read: __, events_read: ___, ...rest } = this.counters;
    return Object.fromEntries(Object.entries(rest).filter(([, count]) => count > 0));
  }
}

function records(over: Partial<Written>, without: readonly number[] = []): string[] {
  return execution({ ...written, ...over }).filter((_, index) => !without.includes(index));
}

function pick(lines: readonly string[], ...indexes: readonly number[]): string[] {
  return indexes.map((index) => lines[index] as string);
}

function only(reading: Reading): ExecEvent {
  const [event, ...more] = reading.events;
  assert.equal(more.length, 0);
  assert.equal(event?.kind, "exec");
  return event;
}

const whole = records({});
const failed = records({ result: "success=no exit=-8" });
const rows: readonly {
  why: string;
  lines: readonly string[];
  serials: readonly number[];
  counted?: Partial<Record<CounterName, number>>;
}[] = [
  { why: "an execution comes out once", lines: whole, serials: [7] },
  {
    why: "no PROCTITLE (excluded by auditd's rules) is no loss",
    lines: pick(whole, SYSCALL, EXECVE, CWD, PATH0, PATH1),
    serials: [7],
  },
  {
    why: "no CWD and no PATH (excluded) is no loss",
    lines: pick(whole, SYSCALL, EXECVE, PROCTITLE),
    serials: [7],
  },
  {
    why: "EOE ends an event as PROCTITLE does",
    lines: [...pick(whole, SYSCALL, EXECVE), head("EOE", written)],
    serials: [7],
  },
  {
    why: "SYSCALL may come after EXECVE",
    lines: pick(whole, EXECVE, SYSCALL, CWD, PATH0, PATH1, PROCTITLE),
    serials: [7],
  },
  {
    why: "EXECVE may come last",
    lines: pick(whole, SYSCALL, CWD, PATH0, PATH1, PROCTITLE, EXECVE),
    serials: [7],
  },
  {
    why: "a record that comes again after its event is late",
    lines: [...whole, ...pick(whole, EXECVE, SYSCALL)],
    serials: [7],
    counted: { records_late: 2 },
  },
  {
    why: "records that come twice are one event (audit read by journald and auditd)",
    lines: whole.flatMap((line) => [line, line]),
    serials: [7],
  },
  { why: "a failed execution is none", lines: failed, serials: [] },
  {
    why: "a failed execution is none, its EXECVE first",
    lines: pick(failed, EXECVE, SYSCALL, CWD, PATH0, PATH1, PROCTITLE),
    serials: [],
  },
  {
    why: "a failed execution is none, others between its records",
    lines: [
      ...pick(failed, SYSCALL),
      ...records({ serial: 8, pid: 21 }),
      ...pick(failed, EXECVE, CWD, PATH0, PROCTITLE),
    ],
    serials: [8],
  },
  {
    why: "another system call with PATH and PROCTITLE is none",
    lines: records({ call: "arch=c000003e syscall=257" }, [EXECVE]),
    serials: [],
  },
  {
    why: "a lost EXECVE is counted",
    lines: pick(whole, SYSCALL, CWD, PATH0, PATH1, PROCTITLE),
    serials: [7],
    counted: { events_incomplete: 1 },
  },
  {
    why: "a lost SYSCALL leaves arguments without a process",
    lines: pick(whole, EXECVE, CWD, PROCTITLE),
    serials: [],
    counted: { events_incomplete: 1 },
  },
  {
    why: "arguments that the kernel cut are counted",
    lines: whole.map((line) => line.replace("argc=2", "argc=9")),
    serials: [7],
    counted: { events_incomplete: 1, arguments_truncated: 1 },
  },
  {
    why: "i386, execve",
    lines: records({ call: "arch=40000003 syscall=11" }),
    serials: [7],
  },
  { why: "x32, execveat", lines: records({ call: "arch=c000003e syscall=1073742369" }), serials: [7] },
  { why: "aarch64, execve", lines: records({ call: "arch=c00000b7 syscall=221" }), serials: [7] },
  { why: "a personality", lines: records({ call: "arch=c000003e syscall=59 per=400000" }), serials: [7] },
  { why: 'success="yes" in quotes', lines: records({ result: 'success="yes" exit=0' }), serials: [7] },
  {
    why: "torn, glued and empty records are counted",
    lines: [
      "type=SYSCALL msg=audit(): arch=c000003e",
      "type=EXECVE msg=lost",
      `${whole[0]?.slice(0, 150)}type=DAEMON_END msg=audit(1.000:1): pid=1 exe="/x"`,
      "\0\0\0",
      "",
      `${head("SYSCALL", { ...written, serial: 9 })}success=yes pid=1 ppid=0 exe="/x"`,
    ],
    serials: [],
    counted: { records_malformed: 5 },
  },
  {
    why: "a serial beyond 32 bits is no id",
    lines: whole.map((line) => line.replace(":7)", ":4294967296)")),
    serials: [],
    counted: { records_malformed: whole.length },
  },
];
for (const { why, lines, serials, counted = {} } of rows) {
  test(`EventBuilder.add(): ${why}`, () => {
    const reading = new Reading().lines(...lines).end();
    assert.deepEqual(reading.serials, serials);
    assert.deepEqual(reading.counted, counted);
  });
}

for (const node of [undefined, "b"]) {
  for (const before of [[], records({ serial: 5, pid: 18, node: node && "a" })]) {
    const why = `${node === undefined ? "" : "of another host, "}${before.length > 0 ? "behind another event" : "first of all"}`;
    test(`EventBuilder.add(): a record that comes before its SYSCALL gives the event no other id: ${why}`, () => {
      const lines = records({ node });
      const reading = new Reading().lines(
        ...before,
        ...pick(lines, CWD),
        ...pick(lines, SYSCALL, EXECVE),
        ...pick(lines, PROCTITLE),
      );
      const event = reading.end().events.at(-1);
      assert.ok(event?.kind === "exec");
      const { timeMs, serial, node: host } = event;
      assert.deepEqual([timeMs, serial, host], [t0, 7, node]);
    });
  }
}

test("EventBuilder.add(): a last line without its newline is read", () => {
  assert.deepEqual(new Reading().bytes(Buffer.from(whole.join("\n"), "latin1")).serials, [7]);
});

test("EventBuilder.add(): an event waits 2 s of its host's time for a lost record, then a late one counts", () => {
  const reading = new Reading().lines(...pick(whole, SYSCALL, PROCTITLE));
  reading.lines(...records({ serial: 8, timeMs: t0 + 2_000, pid: 21 }));
  assert.deepEqual(reading.serials, [8]);
  reading.lines(...records({ serial: 9, timeMs: t0 + 2_001, pid: 22 }), ...pick(whole, EXECVE));
  assert.deepEqual(reading.serials, [8, 7, 9]);
  assert.deepEqual(reading.counted, { events_incomplete: 1, records_late: 1 });
});

test("EventBuilder.add(): an event that nothing follows waits for 2 s without anything, whatever the clocks say", () => {
  const reading = new Reading().lines(...pick(whole, SYSCALL, PROCTITLE));
  for (const nowMs of [5_000, 6_999]) assert.deepEqual(reading.idle(nowMs).serials, []);
  assert.deepEqual(reading.idle(7_000).serials, [7]);
});

test("EventBuilder.add(): a clock that is set back by an hour does not keep events waiting", () => {
  const reading = new Reading().lines(...pick(whole, SYSCALL, PROCTITLE));
  reading.lines(...records({ serial: 8, timeMs: t0 - 3_600_000, pid: 21 }));
  assert.deepEqual(reading.serials, [7, 8]);
});

test("EventBuilder.add(): a child waits for the execution of its parent", () => {
  const parent = pick(whole, SYSCALL, CWD, PATH0, PATH1, PROCTITLE);
  const child = records({ serial: 8, pid: 30, ppid: 20 });
  const stranger = records({ serial: 9, pid: 40, ppid: 1 });
  const reading = new Reading().lines(...parent, ...child, ...stranger);
  assert.deepEqual(reading.serials, [9]);
  assert.deepEqual(reading.lines(...pick(whole, EXECVE)).serials, [9, 7, 8]);
  assert.deepEqual(reading.counted, {});
});

test("EventBuilder.add(): a package's record waits for no lost record of its process", () => {
  const update = `${head("SOFTWARE_UPDATE", { ...written, serial: 8 })}pid=20 uid=0 auid=0 ses=1 msg='op=install sw="a-1-1.noarch" res=success'`;
  const { events } = new Reading().lines(...pick(whole, SYSCALL), update);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["exec", "software-update"],
  );
});

test("EventBuilder.add(): auditd from before SOFTWARE_UPDATE writes its number", () => {
  const update = `${head("UNKNOWN[1138]", written)}pid=20 uid=0 auid=0 ses=1 msg='sw="a-1-1.noarch" res=success'`;
  assert.equal(new Reading().lines(update).events[0]?.kind, "software-update");
});

test("EventBuilder.add(): hosts with the same serials and other clocks do not disturb each other", () => {
  const a = records({ node: "a", timeMs: t0 });
  const b = records({ node: "b", timeMs: t0 + 3_600_000 });
  const c = records({ timeMs: t0 - 3_600_000 });
  const reading = new Reading().lines(...a.flatMap((line, index) => [line, b[index] ?? "", c[index] ?? ""]));
  assert.deepEqual(reading.events.map(({ node }) => node).sort(), ["a", "b", undefined]);
  assert.deepEqual(reading.counted, {});
});

test("EventBuilder.add(): a failed title read lends no arguments of the image before", () => {
  const title = (text: string) => `${head("PROCTITLE", written)}proctitle=${text}`;
  const titled = (text: string) => only(new Reading().lines(...pick(whole, SYSCALL), title(text)).end());
  assert.deepEqual(titled(untrustedText("/bin/ls\0-l")).args, ["/bin/ls", "-l"]);
  assert.equal(titled(untrustedText("/bin/ls\0-l")).argumentsFrom, "proctitle");
  assert.equal(titled(untrustedText("/bin/ls\0-l")).argumentsComplete, false);
  for (const other of ["bash\0-c\0exec ls", ""]) assert.deepEqual(titled(untrustedText(other)).args, []);
  assert.equal(titled('"(null)"').argumentsFrom, "none");
});

const daemon = `type=DAEMON_START msg=audit(${t0 / 1_000 + 50}.000:9999): op=start ver=3.0.9 res=success`;
const systemBoot = `${head("SYSTEM_BOOT", { ...written, serial: 5, timeMs: t0 + 55_000 })}pid=600 uid=0 msg=' comm="systemd-update-utmp" res=success'`;
const boots: readonly {
  why: string;
  before: number;
  between?: readonly string[];
  after: readonly [serial: number, laterMs: number];
  boots: number;
}[] = [
  { why: "serials that begin anew later", before: 50_000, after: [300, 60_000], boots: 1 },
  { why: "a record out of order", before: 50_000, after: [49_800, 1], boots: 0 },
  { why: "a record held back while auditd was away", before: 50_000, after: [40_000, -1], boots: 0 },
  { why: "serials that wrap at 2^32", before: 2 ** 32 - 3, after: [5, 10], boots: 0 },
  { why: "auditd is restarted", before: 500, between: [daemon], after: [501, 60_000], boots: 0 },
  { why: "serials near the old ones", before: 500, between: [daemon], after: [450, 60_000], boots: 1 },
  { why: "a clock that is behind", before: 50_000, between: [daemon], after: [300, -86_400_000], boots: 1 },
  {
    why: "serials that come further, and systemd says so",
    before: 500,
    between: [daemon, systemBoot],
    after: [600, 60_000],
    boots: 1,
  },
  {
    why: "systemd of a container says so",
    before: 500,
    between: [systemBoot],
    after: [600, 60_000],
    boots: 0,
  },
  {
    why: "told by the serials and by systemd",
    before: 5_000,
    between: [daemon, ...records({ serial: 300, timeMs: t0 + 52_000 }), systemBoot],
    after: [400, 60_000],
    boots: 1,
  },
];
for (const {
  why,
  before,
  between = [],
  after: [serial, laterMs],
  boots: count,
} of boots) {
  test(`EventBuilder.add(): ${count === 1 ? "a boot" : "no boot"}: ${why}`, () => {
    const lines = [...records({ serial: before }), ...between, ...records({ serial, timeMs: t0 + laterMs })];
    const { events } = new Reading().lines(...lines).end();
    assert.equal(events.filter(({ kind }) => kind === "boot").length, count);
    assert.equal(events.at(-1)?.kind, "exec");
  });
}

test("EventBuilder.add(): arguments up to 1 MiB are handed on whole, more are cut and counted", () => {
  const whole = only(
    new Reading().lines(...records({ args: ["ls", "x".repeat(900_000), "é".repeat(20_000)] })),
  );
  assert.deepEqual(
    whole.args.map(({ length }) => length),
    [2, 900_000, 20_000],
  );
  assert.equal(whole.argumentsComplete, true);
  const reading = new Reading().lines(...records({ args: ["ls", "é".repeat(1_000_000)] }));
  const cut = only(reading);
  assert.equal(cut.argumentsComplete, false);
  assert.match(cut.args[1] ?? "", /^é{250000,}\ufffd?$/);
  assert.deepEqual(reading.counted, { arguments_truncated: 1 });
});

test("ExecEvent.shrink(): little is kept of long texts, and what was told from them stays", () => {
  const long = `/srv/${"d".repeat(2_000)}`;
  const event = only(
    new Reading().lines(
      ...records({
        executable: `${long}/python3`,
        args: ["python3", "-X", "é".repeat(2_000), "/srv/run.py", "x".repeat(100_000)],
        workingDirectory: long,
      }),
    ),
  );
  assert.equal(event.script, "/srv/run.py");
  event.shrink();
  assert.equal(event.script, "/srv/run.py");
  assert.equal(event.argumentsComplete, false);
  assert.match(event.args[2] ?? "", /^é{200,512}\ufffd?$/);
  assert.ok(event.executable.length <= 1_024);
  assert.equal(event.workingDirectory, undefined);
});

test("ExecEvent.shrink(): a short one stays as it is", () => {
  const event = only(new Reading().lines(...whole));
  event.shrink();
  assert.deepEqual(
    [event.args, event.argumentsComplete, event.workingDirectory],
    [["ls", "-l"], true, "/root"],
  );
});

test("EventBuilder.add(): 100,000 events that lack a record keep memory and waiting bounded", () => {
  const reading = new Reading();
  for (let serial = 1; serial <= 100_000; serial += 1) {
    reading.lines(syscall({ ...written, serial, pid: serial, ppid: 1 }, 2));
    if (serial === 2_000) assert.equal(reading.serials.length, 2_000 - 1_024);
  }
  assert.equal(reading.end().serials.length, 100_000);
  assert.deepEqual(reading.counted, { events_incomplete: 100_000 });
});

/** Text that a file name or an argument can be: no NUL. */
const text = fc
  .oneof(
    fc.string({ unit: "grapheme", maxLength: 40 }),
    fc.string({ unit: fc.constantFrom("a", "-", '"', " ", "\n", "0", "F", "=", "["), maxLength: 40 }),
  )
  .map((value) => value.replaceAll("\0", ""));
const path = text.map((value) => `/${value}`);
const number = fc.integer({ min: 0, max: 70_000 });
const execs = fc
  .array(
    fc.record({
      node: fc.option(fc.constantFrom("a", "b.example"), { nil: undefined }),
      laterMs: fc.integer({ min: 0, max: 500 }),
      pid: fc.integer({ min: 2, max: 4_000_000 }),
      uid: number,
      auid: fc.option(number, { nil: undefined }),
      ses: fc.option(number, { nil: undefined }),
      tty: fc.option(fc.constantFrom("pts0", "tty1"), { nil: undefined }),
      executable: path,
      deleted: fc.boolean(),
      args: fc.array(text, { minLength: 1, maxLength: 8 }),
      workingDirectory: path,
      script: fc.option(
        text.filter((value) => value !== ""),
        { nil: undefined },
      ),
      enriched: fc.boolean(),
      recordMax: fc.integer({ min: 60, max: 200 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((drawn) => {
    let timeMs = t0;
    return drawn.map(
      ({ laterMs, script, args, ...rest }, index): Written & { script: string | undefined } => {
        timeMs += laterMs;
        const loader = "/lib64/ld-linux-x86-64.so.2";
        return {
          ...{ ...rest, timeMs, script, serial: 100 + index, ppid: 1 },
          args: script === undefined ? args : ["/bin/interpreter", script, ...args],
          files: script === undefined ? [rest.executable, loader] : [script, "/bin/interpreter", loader],
        };
      },
    );
  })
  .filter((drawn) => drawn.every(({ executable }) => !executable.endsWith(" (deleted)")));

/** Lines of all, mixed at random; those of one event stay in order. */
function interleaved(drawn: readonly Written[], random: (below: number) => number): string[] {
  const queues = drawn.map((exec) => execution(exec));
  const lines: string[] = [];
  for (let left = queues; left.length > 0; left = left.filter((queue) => queue.length > 0))
    lines.push(left[random(Math.min(3, left.length))]?.shift() ?? "");
  return lines;
}

const mixed = execs.chain((drawn) =>
  fc.infiniteStream(fc.nat(1_000)).map((stream) => {
    const numbers = stream[Symbol.iterator]();
    const random = (below: number): number => (numbers.next().value ?? 0) % below;
    const lines = interleaved(drawn, random);
    const cuts = lines.map(() => random(3) === 0);
    return { drawn, lines, cuts, from: random(lines.length + 1) };
  }),
);

/** Reads the lines in pieces that end where `cuts` says. */
function readInPieces(reading: Reading, lines: readonly string[], cuts: readonly boolean[]): Reading {
  let piece: string[] = [];
  for (const [index, line] of lines.entries()) {
    piece.push(line);
    if (!cuts[index]) continue;
    reading.lines(...piece);
    piece = [];
  }
  return reading.lines(...piece);
}

test("EventBuilder.add(): executions as the kernel writes them come back once, with all they said", () => {
  fc.assert(
    fc.property(mixed, ({ drawn, lines, cuts }) => {
      const reading = readInPieces(new Reading(), lines, cuts);
      assert.deepEqual(reading.counted, {});
      const found = reading.events.filter((event) => event.kind === "exec");
      assert.deepEqual(found.length, drawn.length);
      for (const want of drawn) {
        const event = found.find(({ serial, node }) => serial === want.serial && node === want.node);
        assert.ok(event);
        const { timeMs, pid, ppid, uid, auid, ses, tty, executable, deleted, args, workingDirectory } = event;
        const { script } = want;
        assert.deepEqual(
          { timeMs, pid, ppid, uid, auid, ses, tty, executable, deleted, args, workingDirectory },
          {
            ...{ timeMs: want.timeMs, pid: want.pid, ppid: 1, uid: want.uid, auid: want.auid, ses: want.ses },
            ...{ tty: want.tty, executable: want.executable, deleted: want.deleted, args: want.args },
            workingDirectory: want.workingDirectory,
          },
        );
        assert.equal(event.argumentsComplete, true);
        if (script === undefined) continue;
        const parts = (script.startsWith("/") ? script : `${want.workingDirectory}/${script}`).split("/");
        const inner = parts.slice(1, -1).filter((part) => part !== "" && part !== ".");
        assert.equal(event.script, ["", ...inner, parts.at(-1)].join("/"));
      }
    }),
    { numRuns: 300 },
  );
});

test("EventBuilder.add(): a piece with more records than its index holds is read to its end", () => {
  const noise = Array.from({ length: 10_000 }, (_, index) => (index % 2 === 0 ? "x" : head("EOE", written)));
  const all = [1, 2, 3].flatMap((serial) => [...records({ serial, timeMs: t0 + serial }), ...noise]);
  for (const lends of [false, true]) {
    const reading = new Reading(0, lends).lines(...all).end();
    assert.deepEqual(reading.serials, [1, 2, 3]);
    assert.equal(reading.counters.records_read, all.length);
    assert.equal(reading.counters.records_malformed, 15_000);
  }
});

test("EventBuilder.add(): what auditd adds to arguments is none of them, lent or not", () => {
  const lines = whole.map((line, index) => (index === EXECVE ? `${line}\x1dA0="rpm"` : line));
  for (const lends of [false, true]) {
    const { args, argumentsComplete } = only(new Reading(0, lends).lines(...lines));
    assert.deepEqual([args, argumentsComplete], [only(new Reading().lines(...whole)).args, true]);
  }
});

test("EventBuilder.add(): what it lends says the same as what it gives", () => {
  const said = ({ events, counters }: Reading) => [
    counters,
    events.map((event) => (event instanceof AuditExec ? { ...event, ...saidBy(event) } : event)),
  ];
  const saidBy = ({ args, argumentsComplete, script, execve }: AuditExec) => [
    args,
    argumentsComplete,
    script,
    execve,
  ];
  fc.assert(
    fc.property(mixed, ({ lines, cuts }) => {
      const given = readInPieces(new Reading(), lines, cuts).end();
      assert.deepEqual(said(readInPieces(new Reading(0, true), lines, cuts).end()), said(given));
    }),
    { numRuns: 300 },
  );
});

test("EventBuilder.resumePoint(): a new reader that goes on from there finds what was not out", () => {
  const idOf = (event: HostEvent): string =>
    event.kind === "exec" ? `${event.node} ${event.timeMs} ${event.serial}` : event.kind;
  fc.assert(
    fc.property(mixed, ({ lines, cuts, from }) => {
      const all = new Reading().lines(...lines).end();
      const killed = readInPieces(new Reading(), lines.slice(0, from), cuts);
      const { offset } = killed.builder.resumePoint() ?? { offset: 0 };
      const rest = Buffer.from(lines.map((line) => `${line}\n`).join(""), "latin1").subarray(offset);
      const resumed = new Reading(offset).bytes(rest).end();
      const union = new Set([...killed.events, ...resumed.events].map(idOf));
      assert.deepEqual([...union].sort(), all.events.map(idOf).sort());
    }),
    { numRuns: 300 },
  );
});

test("EventBuilder.add(): any bytes between records are counted and harm none of them", () => {
  const damage = fc.oneof(
    fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(
        fc.constantFrom(...whole, daemon, systemBoot),
        fc.nat(300),
        fc.nat(300),
        fc.uint8Array({ maxLength: 4 }),
      )
      .map(([line, at, length, bytes]) => {
        const good = Buffer.from(line.replace(":7)", ":70)"), "latin1");
        return Buffer.concat([good.subarray(0, at), bytes, good.subarray(at + length)]);
      }),
  );
  fc.assert(
    fc.property(fc.array(damage, { maxLength: 12 }), (pieces) => {
      const lines = pieces.map((bytes) => bytes.toString("latin1").replaceAll("\n", ""));
      const reading = new Reading().lines(...lines, ...records({ serial: 5_000, timeMs: t0 + 9_000 })).end();
      assert.ok(reading.serials.includes(5_000));
      assert.equal(reading.counters.records_read, lines.filter((line) => line !== "").length + whole.length);
      const unlike = lines.filter((line) => line !== "" && !/^(?:node=|type=)/.test(line)).length;
      assert.ok(reading.counters.records_malformed >= unlike);
      assert.ok(reading.builder.malformedSamples.every((sample) => sample.length <= 256));
    }),
    { numRuns: 1_000 },
  );
});
