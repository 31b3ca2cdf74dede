/** A rule says the same of an event whoever asks it: the flow, as it reads the log, or `rules match` of what `events` prints. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { timedId } from "../../agent/alert/alert-id.ts";
import { newCounters } from "../../agent/counters.ts";
import { shippedAliases } from "../../agent/packages/shipped-aliases.ts";
import { Pass, type Step } from "../../agent/rules/pass.ts";
import { RuleEngine } from "../../agent/rules/rule-engine.ts";
import { StoredLogSource } from "../../agent/sources/stored-logs.ts";
import { kinwatch } from "../helpers/kinwatch.ts";
import { goodRule, read } from "../helpers/rules.ts";
import { writeTruthLog } from "../helpers/truth-log.ts";

const exec = "host.os.type:linux and event.category:process and event.type:start and event.action:exec";
const onOutcome = '\n[kinwatch]\non = "outcome"\n';

/** In the shapes that Elastic's have, about what goes on in the logs of truth-log.ts. */
const rules: readonly (readonly [query: string, terms: readonly string[], more?: string])[] = [
  [`${exec} and process.name:rpm and process.args:("-i" or "--install")`, ["process.parent.executable"]],
  [
    `${exec} and process.name:(sed or awk or tr) and not process.parent.name:(sh or bash)`,
    ["process.parent.name", "process.name"],
  ],
  [`${exec} and process.parent.executable:*/bash and process.args_count >= 3`, ["process.command_line"]],
  [
    `${exec} and process.executable:(/usr/local/* or */python3* or */bin/s*)`,
    ["process.executable", "user.id"],
  ],
  [
    `${exec} and process.parent.args:*.sh and not process.args:(-x or -c)`,
    ["process.parent.args", "process.args"],
  ],
  [
    `${exec} and process.interactive:true and process.entry_leader.entry_meta.type:(sshd or init or unknown)`,
    ["process.name"],
  ],
  [
    `${exec} and process.entry_leader.executable:*/bin/* and not process.user.id:"1000"`,
    ["process.entry_leader.executable"],
  ],
  [`${exec} and process.command_line:(*//* or *Uvh* or "*" or *lib/app*9)`, ["process.command_line"]],
  [
    `${exec} and process.working_directory:*`,
    ["process.working_directory", "process.parent.name", "user.id"],
  ],
  [`${exec} and process.name:(curl or rpm)`, ["host.id", "process.executable"]],
  [
    `${exec} and kinwatch.parent_provenance:unresolved and not kinwatch.rpm.mode:query`,
    ["kinwatch.parent_unresolved_reason"],
  ],
  [
    `not process.name:(cat or sed or awk or grep or date or stat) and process.previous.executable:*`,
    ["process.previous.executable"],
  ],
  [
    "event.category:package and event.action:package-installed and not event.outcome:failure",
    ["process.parent.executable", "package.name"],
    onOutcome,
  ],
  [`kinwatch.outcome:* and process.args:*.rpm`, ["kinwatch.outcome", "kinwatch.signature"], onOutcome],
];

const folder = mkdtempSync(join(tmpdir(), "kinwatch-agree-"));
after(() => rmSync(folder, { recursive: true }));

const files = rules.map(([query, terms, more = ""], index) => {
  const text = goodRule
    .replace(/rule_id = "[^"]*"/, `rule_id = "${index}"`)
    .replace(/query = '''[^']*'''/, `query = '''\n${query}\n'''`)
    .replace('value = ["process.parent.name"]', `value = ${JSON.stringify(terms)}`);
  const path = join(folder, `${index}.toml`);
  writeFileSync(path, text + more);
  return { path, text: text + more };
});

/** By rule and event: the terms. */
type Answers = Map<string, unknown>;

async function byTheFlow(logs: readonly string[]): Promise<Answers> {
  const counters = newCounters();
  const set = read(...files.map(({ text }) => text));
  assert.deepEqual(set.mistakes, []);
  const pass = new Pass(
    {
      lineage: { processesMax: 32_768, readProcess: undefined },
      installations: { aliases: shippedAliases, isGone: undefined },
      rules: new RuleEngine(set.rules),
      knowledge: {
        host: () => undefined,
        provider: "files",
        nameUser: () => undefined,
        readDetails: undefined,
      },
      counters,
    },
    true,
  );
  const answers: Answers = new Map();
  const note = (steps: readonly Step[]) => {
    for (const step of steps) {
      if (step.kind !== "matched") continue;
      const { match, subject } = step;
      const { node, pid } = subject.image.exec;
      const { timeMs, serial } = subject.installation ?? subject.image.exec;
      const action = subject.kind === "outcome" ? "package-installed" : subject.kind;
      answers.set(
        `${match.rule.id} ${timedId(timeMs, action, node, pid, serial)}`,
        match.terms.map(({ value }) => value),
      );
    }
  };
  for await (const observation of new StoredLogSource({ files: logs, cursor: undefined, counters }))
    note(pass.add(observation));
  note(pass.end());
  return answers;
}

async function byTheCommands(logs: readonly string[]): Promise<Answers> {
  const { stdout: events } = await kinwatch(["events", "--all", "--format", "ndjson", ...logs]);
  const documents = events
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  const answers: Answers = new Map();
  for (const [index, { path }] of files.entries()) {
    const { stdout, stderr, status } = await kinwatch(
      ["rules", "match", "--rule", path, "--format", "ndjson"],
      { input: events },
    );
    assert.equal(status, 0, stderr);
    const lines = stdout.split("\n").slice(0, -1);
    assert.equal(lines.length, documents.length);
    const action = rules[index]?.[2] === undefined ? "exec" : "package-installed";
    for (const [at, line] of lines.entries()) {
      const { match, terms } = JSON.parse(line);
      const { event } = documents[at];
      if (match && terms.length > 0 && event.action === action)
        answers.set(
          `${index} ${event.id}`,
          terms.map((term: unknown[]) => term.map(String)),
        );
    }
  }
  return answers;
}

test("rules match: says of what events prints what the flow says of the log", {
  timeout: 300_000,
}, async () => {
  const matched = new Set<string>();
  const property = fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
    const logs = mkdtempSync(join(folder, "log-"));
    const { files: paths } = writeTruthLog({ folder: logs, bytes: 1_000_000, seed });
    const [flow, commands] = [await byTheFlow(paths), await byTheCommands(paths)];
    const sorted = (answers: Answers) => [...answers].sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(sorted(commands), sorted(flow));
    for (const key of flow.keys()) matched.add(key.split(" ")[0] ?? "");
  });
  await fc.assert(property, { numRuns: 3, examples: [[5]] });
  assert.equal(matched.size, rules.length, `each has matched: ${[...matched]}`);
});
