import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { KinwatchError } from "../agent/errors.ts";
import { type Logger, type LogOptions, openLog } from "../agent/log.ts";
import { ecsMistakes } from "./helpers/ecs.ts";

function opened(options: Partial<LogOptions> = {}): { log: Logger; lines: string[]; clock: { ms: number } } {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const write = (line: string): void => void lines.push(line);
  const log = openLog({ level: "info", pretty: false, write, nowMs: () => clock.ms, ...options });
  return { log, lines, clock };
}
const broken = new KinwatchError(
  "KW_STATE_LOCKED",
  "Cannot open kinwatch.db: locked",
  "Stop the other kinwatch",
);

test("openLog(): writes ECS, a document a line", () => {
  const { log, lines } = opened();
  log.warn("alert kept", { error: broken, "event.outcome": "failure", "kinwatch.output": "journald" });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /^\{[^\n]*\}\n$/);
  const entry = JSON.parse(lines[0] ?? "");
  assert.equal(entry.message, "alert kept: Cannot open kinwatch.db: locked. Stop the other kinwatch.");
  assert.deepEqual([entry["log.level"], entry.error.code], ["warn", "KW_STATE_LOCKED"]);
  assert.deepEqual(
    ecsMistakes(entry).filter((mistake) => !mistake.startsWith("ecs.version:")),
    [],
  );
});

test("openLog(): tells the place of a defect, not of what the environment did", () => {
  const { log, lines } = opened();
  log.error("a", { error: broken });
  log.error("b", { error: new TypeError("c") });
  log.error("d", { error: "e" });
  const [environment, defect, text] = lines.map((line) => JSON.parse(line).error);
  assert.equal(environment.stack_trace, undefined);
  assert.match(defect.stack_trace, /log\.test\.ts/);
  assert.deepEqual(text, { message: "e" });
});

test("openLog(): for people a line is time, level, message and code", () => {
  const { log, lines } = opened({ pretty: true });
  log.info("watching /var/log/audit/audit.log");
  log.error("stopping", { error: broken });
  assert.match(lines[0] ?? "", /^\d\d:\d\d:\d\d info {2}watching \/var\/log\/audit\/audit\.log\n$/);
  assert.match(lines[1] ?? "", /^\S+ error stopping: Cannot open .* \[KW_STATE_LOCKED\]\n$/);
});

for (const pretty of [true, false]) {
  test(`openLog(): control characters are escaped (${pretty ? "for people" : "ECS"})`, () => {
    const { log, lines } = opened({ pretty });
    log.info("a\nb\x1b[2J\u202e\u009b", { error: new Error("\x07\r") });
    assert.doesNotMatch((lines[0] ?? "").slice(0, -1), /[\p{Cc}\p{Cf}]/u);
    assert.match(lines[0] ?? "", /a\\{1,2}nb\\{1,2}x1b\[2J/);
  });
}

test("openLog(): says nothing below its level", () => {
  const { log, lines } = opened({ level: "warn" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  assert.equal(lines.length, 1);
});

const messages = (lines: readonly string[]): string[] => lines.map((line) => JSON.parse(line).message);

test("openLog(): tells a repeated message five times a minute, then how often it came besides", () => {
  const { log, lines, clock } = opened();
  for (let second = 0; second < 60; second++) {
    clock.ms = second * 1_000;
    log.warn("disk full");
  }
  assert.deepEqual(messages(lines), Array(5).fill("disk full"));
  clock.ms = 60_000;
  log.info("something else");
  assert.deepEqual(messages(lines).slice(5), ["disk full (came 55 more times)", "something else"]);
  log.warn("disk full");
  assert.equal(messages(lines).at(-1), "disk full");
});

test("openLog(): messages of another level or with another reason are other messages", () => {
  const { log, lines } = opened();
  for (let time = 0; time < 5; time++) {
    log.warn("a");
    log.error("a");
    log.warn("a", { error: new Error("b") });
  }
  assert.equal(lines.length, 15);
});

test("openLog(): flush tells what was held back", () => {
  const { log, lines } = opened();
  for (let time = 0; time < 7; time++) log.warn("a");
  log.flush();
  log.flush();
  assert.deepEqual(messages(lines).slice(5), ["a (came 2 more times)"]);
});

test("openLog(): a thousand different messages push out the oldest, whose count is told", () => {
  const { log, lines } = opened();
  for (let time = 0; time < 6; time++) log.warn("a");
  for (let index = 0; index < 1_000; index++) log.warn(`b${index}`);
  log.flush();
  assert.equal(lines.length, 5 + 1 + 1_000);
  assert.ok(messages(lines).includes("a (came 1 more times)"));
});

test("openLog(): writes to standard error, not to standard output, and all of it before a sudden end", () => {
  const url = new URL("../agent/log.ts", import.meta.url);
  const script = `import { openLog } from ${JSON.stringify(url.href)};
    openLog({ level: "info" }).info("last words"); process.kill(process.pid, "SIGKILL");`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    timeout: 30_000,
  });
  assert.equal(stdout.toString(), "");
  assert.equal(JSON.parse(stderr.toString()).message, "last words");
});
