/**
 * `npm run bench`: how fast stored logs are read, beside `ausearch -c rpm` over the same log in the same run; where the time
 * goes; what many rules cost that cannot match; what it holds in memory; and how long a start takes that has a usual history to
 * read.
 *
 *     npm run bench -- --megabytes 512 --rounds 3
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { program, startKinwatch } from "../helpers/kinwatch.ts";
import { findProgram } from "../helpers/real-parts.ts";
import { rulesOff } from "../helpers/rules-off.ts";
import { writeTruthLog } from "../helpers/truth-log.ts";
import { writeRules } from "./many-rules.ts";
import { hottest, median, time } from "./measure.ts";

/** What audit rules ask for: executions only, or also files opened, as the rules of hardened hosts do, for each program. */
const kinds = [
  ["executions only", 0],
  ["executions, and two watched files for each", 2],
] as const;
const RULES = 1_000; // Elastic has some 300 for Linux
const HISTORY_MB = 40; // what auditd keeps by default: 5 logs of 8 MB (auditd.conf(5))
const { values } = parseArgs({
  options: { megabytes: { type: "string", default: "512" }, rounds: { type: "string", default: "3" } },
});
const rounds = Number(values.rounds);
const folder = mkdtempSync(join(tmpdir(), "kinwatch-bench-"));
const say = (text: string) => process.stdout.write(`${text}\n`);

try {
  const logs = kinds.map(([kind, accesses]) => compare(kind, accesses));
  compareRules(logs[0] ?? "");
  await start();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @returns the log */
function compare(kind: string, accesses: number): string {
  const log = writeLog(kind, Number(values.megabytes), accesses);
  const megabytes = statSync(log).size / 1e6;
  const ours = [process.execPath, program, "replay", "--format", "ndjson", log];
  const ausearch = findProgram("ausearch");
  const theirs = ausearch === undefined ? undefined : [ausearch, "-c", "rpm", "-if", log];
  time(ours); // the log is in memory from here on
  const pairs = Array.from({ length: rounds }, () => ({
    ours: time(ours).seconds,
    theirs: theirs === undefined ? undefined : time(theirs).seconds,
  }));
  const speed = (seconds: readonly number[]) => `${(megabytes / median(seconds)).toFixed(0)} MB/s`;
  const first = pairs.map((pair) => pair.ours);
  say(`  replay, whole process, median of ${rounds}: ${speed(first)}`);
  const second = pairs.flatMap((pair) => pair.theirs ?? []);
  if (second.length === 0) say("  no ausearch here to compare with: install audit (auditd on Debian)");
  else {
    const ratio = median(pairs.map((pair) => (pair.theirs ?? Number.NaN) / pair.ours));
    say(`  ausearch -c rpm: ${speed(second)}; replay is ${ratio.toFixed(1)} times as fast`);
  }
  profile(ours, join(folder, kind));
  return log;
}

/** Without the time of a start, in which the rules are loaded: what they cost each megabyte. */
function compareRules(log: string): void {
  const megabytes = statSync(log).size / 1e6;
  const nothing = join(folder, "nothing.log");
  writeFileSync(nothing, execFileSync("head", ["-n", "100", log]));
  const replayWith = (count: number) => {
    const rules = join(folder, `${count}-rules`);
    mkdirSync(rules);
    writeRules(rules, count);
    const config = `${rules}.toml`;
    writeFileSync(config, `${rulesOff}\nrules.directories = ["${rules}"]\n`, { mode: 0o600 });
    return [process.execPath, program, "replay", "--config", config, "--format", "ndjson"];
  };
  const [none, many] = [replayWith(0), replayWith(RULES)];
  const measure = (command: readonly string[]) => {
    const start = time([...command, nothing]).seconds;
    return { start, scan: time([...command, log]).seconds - start };
  };
  const pairs = Array.from({ length: Math.max(rounds, 5) }, () => ({
    none: measure(none),
    many: measure(many),
  }));
  const speed = (of: "none" | "many") => (megabytes / median(pairs.map((pair) => pair[of].scan))).toFixed(0);
  const ratio = median(pairs.map((pair) => pair.none.scan / pair.many.scan));
  const load = median(pairs.map((pair) => pair.many.start - pair.none.start));
  say(`executions only, ${RULES} rules of which none can match, median of ${pairs.length}`);
  say(
    `  scanning: ${speed("many")} MB/s, without any rule ${speed("none")} MB/s: ${ratio.toFixed(2)} times as fast`,
  );
  say(`  loading them: ${load.toFixed(2)} s`);
}

function writeLog(name: string, megabytes: number, accesses: number): string {
  const path = join(folder, name);
  mkdirSync(path);
  say(`${name}, ${megabytes} MB`);
  const { files } = writeTruthLog({
    folder: path,
    bytes: megabytes * 1e6,
    seed: 1,
    fileBytes: Number.POSITIVE_INFINITY,
    habits: { packages: 0.01, accesses },
  });
  return files.at(-1) ?? "";
}

function profile(command: readonly string[], into: string): void {
  const [node = "", ...rest] = command;
  time([node, "--cpu-prof", `--cpu-prof-dir=${into}`, ...rest]);
  const [file] = readdirSync(into).filter((name) => name.endsWith(".cpuprofile"));
  say("  where the time goes:");
  for (const { share, name } of hottest(join(into, file ?? ""), 8))
    say(`    ${(100 * share).toFixed(1).padStart(5)} %  ${name}`);
}

/** From the start of the process until it says that it is ready. */
async function start(): Promise<void> {
  const log = writeLog("history", HISTORY_MB, 0);
  const config = join(folder, "kinwatch.toml");
  const state = join(folder, "state");
  writeFileSync(
    config,
    `[source]\ntype = "audit-log"\naudit_log = "${log}"\n[state]\ndirectory = "${state}"\n[output.journald]\nenabled = false\n`,
    { mode: 0o600 },
  );
  const seconds: number[] = [];
  let memory = "";
  for (let round = 0; round < rounds; round += 1) {
    rmSync(state, { recursive: true, force: true });
    const begun = performance.now();
    await using running = startKinwatch(["run", "--config", config]);
    await running.until("stderr", /ready after/);
    seconds.push((performance.now() - begun) / 1_000);
    memory = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${running.child.pid}/status`, "utf8"))?.[1] ?? "";
  }
  say(
    `start until ready, with ${HISTORY_MB} MB of history, median of ${rounds}: ${median(seconds).toFixed(2)} s`,
  );
  say(`  memory then: ${(Number(memory) / 1_000).toFixed(0)} MB RSS`);
}
