/** Runs the cases of lineage-cases.ts, and compares what a daemon said of each with what was true. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AlertDocument } from "../../agent/alert/alert-document.ts";
import { elf32, type LineageCase, lineageCases } from "./lineage-cases.ts";
import { findProgram } from "./real-parts.ts";
import type { ScratchRpm } from "./scratch-rpm.ts";

/** true: the very process; unresolved: said to be unknown; wrong: another one; missed: no alert. */
export type Verdict = "true" | "unresolved" | "wrong" | "missed";

export interface Judged {
  readonly name: string;
  readonly verdict: Verdict;
  readonly from: string; // how the parent is known, or why not
  readonly detail: string; // for whoever looks for the reason
}

const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
const msMax = 20_000;

export class LineageRun {
  readonly cases: readonly LineageCase[];
  readonly lacking: readonly string[];
  readonly #folder: string;
  readonly #rpm: ScratchRpm;
  readonly #package: string;
  readonly #truth: string;
  readonly #ran = new Map<string, LineageCase>(); // by its id

  /** @param folder an empty one, for all users to read */
  constructor(folder: string, rpm: ScratchRpm) {
    this.#folder = folder;
    this.#rpm = rpm;
    this.#package = rpm.build("kw-lineage", { post: "/bin/sleep 0.1" }); // what /proc has a chance to see
    this.#truth = join(folder, "truth");
    appendFileSync(this.#truth, "");
    this.cases = lineageCases.filter(({ needs }) => isThere(needs, folder));
    this.lacking = lineageCases.filter((one) => !this.cases.includes(one)).map(({ name }) => name);
  }

  /** Starts a case, and waits for its end. @param round to run one several times, as another parent each time */
  async run(one: LineageCase, round = 0): Promise<void> {
    const { name, files, orphan } = one;
    const id = round === 0 ? name : `${name}.${round}`;
    this.#ran.set(id, one);
    const folder = join(this.#folder, id);
    mkdirSync(folder);
    const file = join(folder, `${id}.rpm`);
    copyFileSync(this.#package, file);
    const rpmArgs = ["rpm", "-U", "--replacepkgs", "--dbpath", this.#rpm.database, file];
    const truth = this.#truth;
    const context = { id, folder, truth, rpm: rpmArgs.join(" "), rpmArgs, tell: `echo ${id} $$ >>${truth}` };
    for (const [program, content] of Object.entries(files(context))) {
      writeFileSync(join(folder, program), content);
      chmodSync(join(folder, program), 0o755);
    }
    const child = spawn(join(folder, "run"), {
      stdio: "ignore",
      env: { ...this.#rpm.environment, PATH },
      timeout: msMax,
    });
    await once(child, "exit");
    if (orphan) await sleep(700); // rpm goes on
  }

  /** Those that were run and have no alert as yet. @param text of all alerts */
  missing(text: string): string[] {
    return [...this.#ran.keys()].filter((id) => !text.includes(`/${id}.rpm"`));
  }

  /** Ends when each that was run has its alert, or the time is up. @param output the text of all alerts so far */
  async alerted(output: () => string, secondsMax: number): Promise<void> {
    for (let left = 2 * secondsMax; left > 0 && this.missing(output()).length > 0; left -= 1)
      await sleep(500);
  }

  /** What was said of each that was run. */
  judge(alerts: readonly AlertDocument[]): Judged[] {
    const lines = readFileSync(this.#truth, "utf8").trim().split("\n");
    const truth = new Map(lines.map((line) => line.split(" ") as [string, string]));
    return [...this.#ran].map(([id, one]) => {
      const alert = alerts.find(({ process }) => process.args?.some((arg) => basename(arg) === `${id}.rpm`));
      return judge(id, one, alert, Number(truth.get(id)), join(this.#folder, id));
    });
  }
}

function judge(
  name: string,
  { parent }: LineageCase,
  alert: AlertDocument | undefined,
  truePid: number,
  folder: string,
): Judged {
  if (alert === undefined) return { name, verdict: "missed", from: "", detail: "no alert" };
  const [told] = alert.kinwatch.ancestry;
  const { parent_provenance: provenance, parent_unresolved_reason: reason } = alert.kinwatch;
  const detail = `${told?.pid} ${told?.executable} ${told?.script ?? ""}, truth ${truePid}; ${provenance} ${reason ?? ""}`;
  if (reason !== undefined) return { name, verdict: "unresolved", from: reason, detail };
  const isParent =
    told !== undefined &&
    told.pid === truePid &&
    ("script" in parent
      ? [told.script, told.executable].includes(join(folder, parent.script)) // a tracepoint tells a script's path alone
      : parent.executable.test(told.executable ?? ""));
  return { name, verdict: isParent ? "true" : "wrong", from: provenance, detail };
}

function isThere(need: LineageCase["needs"], folder: string): boolean {
  if (need === undefined) return true;
  if (need !== "execve32") return findProgram(need) !== undefined;
  const probe = join(folder, "probe32");
  if (!existsSync(probe)) {
    writeFileSync(probe, elf32("/bin/true"));
    chmodSync(probe, 0o755);
  }
  return spawnSync(probe, { timeout: msMax }).status === 0;
}
